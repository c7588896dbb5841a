package apiguard

import (
	"crypto/rand"
	"errors"
	"fmt"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"time"

	"go.uber.org/zap"

	"github.com/apiguard/caddy-api-guard/inventory"
	"github.com/apiguard/caddy-api-guard/policy"
	"github.com/apiguard/caddy-api-guard/ratelimit"
)

const (
	maxOverrides     = 64
	maxOverrideTTL   = 24 * time.Hour
	maxOverrideWords = 500
)

// Override is a rule's mode that somebody set for a while. In POST
// /api_guard/override the fields rule, mode, ttl and reason are asked for.
type Override struct {
	ID string `json:"id"` // 16 letters and digits, random: to end it by
	// Rule is a rule of the policy, and Mode the one that it has for the time.
	Rule string `json:"rule"`
	Mode string `json:"mode"` // enforce, monitor or off
	// API, Version and Limit narrow it down; empty: all.
	API     string         `json:"api"`
	Version string         `json:"version"` // needs API
	Limit   string         `json:"limit"`   // needs the rule limit
	Reason  string         `json:"reason"`  // why; 1 to 500 bytes
	Since   inventory.Time `json:"since"`   // when it was set, UTC
	Until   inventory.Time `json:"until"`   // Since and the ttl, 1 s to 24 h; it holds before that
}

// overrides are those in force. Requests read them without a lock; a reload does
// not touch them, and the end of the process ends them.
type overrides struct {
	logger func() *zap.Logger
	now    func() time.Time

	current atomic.Pointer[[]policy.Override] // nil: none

	mu     sync.Mutex
	listed []Override
	rules  []policy.Override // of listed, in the same order
	timers []*time.Timer
	closed bool
}

func newOverrides(logger func() *zap.Logger) *overrides {
	return &overrides{logger: logger, now: time.Now}
}

// inForce are the overrides that a request is judged under. Each has its end in
// it, so that none outlives that by however long its timer is late.
func (o *overrides) inForce() []policy.Override {
	if list := o.current.Load(); list != nil {
		return *list
	}
	return nil
}

var errManyOverrides = fmt.Errorf("%d overrides are in force already: end one first", maxOverrides)

// add puts an override into force.
func (o *overrides) add(entry Override, ttl time.Duration) (Override, error) {
	rule, err := policy.ParseRule(entry.Rule)
	if err != nil {
		return entry, err
	}
	mode, err := policy.ParseMode(entry.Mode)
	if err != nil {
		return entry, err
	}
	switch {
	case strings.TrimSpace(entry.Reason) == "":
		return entry, errors.New("reason is empty: say why, for those who look later")
	case len(entry.Reason) > maxOverrideWords:
		return entry, fmt.Errorf("reason has %d bytes, at most %d are kept", len(entry.Reason), maxOverrideWords)
	case ttl < time.Second || ttl > maxOverrideTTL:
		return entry, fmt.Errorf("ttl %s: write one from 1s to 24h, such as 15m; what is to last longer belongs into the configuration", ratelimit.Span(ttl))
	case entry.Version != "" && entry.API == "":
		return entry, fmt.Errorf("version %q without an api: name the api too", entry.Version)
	case entry.Limit != "" && rule != policy.RuleLimit:
		return entry, fmt.Errorf("limit %q: it goes with the rule limit only", entry.Limit)
	case rule == policy.RuleUnknownHost && entry.API != "":
		return entry, errors.New("unknown_host: a host that nobody declared belongs to no api: leave api out")
	}

	o.mu.Lock()
	defer o.mu.Unlock()
	if len(o.listed) >= maxOverrides {
		return entry, errManyOverrides
	}
	now := o.now()
	entry.ID, entry.Since, entry.Until = strings.ToLower(rand.Text()[:16]), inventory.Time{Time: now.UTC()}, inventory.Time{Time: now.Add(ttl).UTC()}
	o.listed = append(o.listed, entry)
	o.rules = append(o.rules, policy.Override{Rule: rule, Mode: mode, API: entry.API, Version: entry.Version, Limit: entry.Limit, Until: entry.Until.Time})
	o.timers = append(o.timers, time.AfterFunc(ttl, func() { o.end(entry.ID, "its time is over") }))
	o.publish()
	o.logger().Warn("a rule is overridden", append(overrideFields(entry), zap.Duration("ttl", ttl))...)
	return entry, nil
}

// end takes an override out of force; false when there is none of that id.
func (o *overrides) end(id, why string) bool {
	o.mu.Lock()
	defer o.mu.Unlock()
	i := slices.IndexFunc(o.listed, func(e Override) bool { return e.ID == id })
	if i < 0 || o.closed {
		return false
	}
	entry := o.listed[i]
	o.timers[i].Stop()
	o.listed, o.rules, o.timers = slices.Delete(o.listed, i, i+1), slices.Delete(o.rules, i, i+1), slices.Delete(o.timers, i, i+1)
	o.publish()
	o.logger().Warn("an override ended", append(overrideFields(entry), zap.String("why", why))...)
	return true
}

// publish gives requests a copy that nobody changes. o.mu is held.
func (o *overrides) publish() {
	if len(o.rules) == 0 {
		o.current.Store(nil)
		return
	}
	rules := slices.Clone(o.rules)
	o.current.Store(&rules)
}

// list are the overrides in force, the oldest first.
func (o *overrides) list() []Override {
	o.mu.Lock()
	defer o.mu.Unlock()
	now := o.now()
	list := []Override{}
	for _, e := range o.listed {
		if now.Before(e.Until.Time) {
			list = append(list, e)
		}
	}
	return list
}

func (o *overrides) close() {
	o.mu.Lock()
	defer o.mu.Unlock()
	o.closed = true
	for _, timer := range o.timers {
		timer.Stop()
	}
}

func overrideFields(e Override) []zap.Field {
	return []zap.Field{
		zap.String("id", e.ID), zap.String("rule", e.Rule), zap.String("mode", e.Mode), zap.String("api", e.API),
		zap.String("version", e.Version), zap.String("limit", e.Limit), zap.Time("until", e.Until.Time), zap.String("reason", e.Reason),
	}
}

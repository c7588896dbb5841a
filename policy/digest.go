package policy

import (
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"io"
	"slices"
	"strings"
	"time"

	"github.com/apiguard/caddy-api-guard/inventory/catalogue"
	"github.com/apiguard/caddy-api-guard/ratelimit"
)

// Digest names the policy that holds for a version: 16 hex digits over its rules
// and limits. Versions with one digest are protected alike.
func (p *Policy) Digest(v *catalogue.Version) string {
	s := p.versions[v]
	h := sha256.New()
	fmt.Fprintf(h, "%v %d %d %d %d %d %d\n", s.rules.modes, s.rules.MaxBody, s.rules.MaxResponse, s.rules.UnknownParameters, s.rules.InvalidStatus,
		s.rules.BodyIdleTimeout, s.rules.BodyTimeout)
	fmt.Fprintf(h, "%v %q\n", s.audience, s.protocols)
	for _, e := range s.exceptions {
		fmt.Fprintf(h, "%q %q %d %d\n", e.Name, e.Consumer, e.Rule, e.Until.Unix())
		digestLimits(h, e.limits)
	}
	digestLimits(h, s.limits)
	return hex.EncodeToString(h.Sum(nil)[:8])
}

func digestLimits(h io.Writer, limits []bound) {
	for i := range limits {
		l := &limits[i]
		fmt.Fprintf(h, "%q %d %d %d %d %v %d %d %v %d %d\n", l.arithmetic.Name, l.arithmetic.Rate, l.arithmetic.Window,
			l.arithmetic.Burst, l.arithmetic.Algorithm, l.key, l.mode, l.count, l.failures, l.arithmetic.Penalty, l.cost)
	}
}

// Differences say in what the policy of a version is another than that of its API,
// a phrase each: what it adds, what is tighter, and what an exception loosens.
func (p *Policy) Differences(api *catalogue.API, v *catalogue.Version) []string {
	own, shared := p.versions[v], p.apis[api]
	var out []string
	differ := func(name string, a, b any) {
		if a != b {
			out = append(out, fmt.Sprintf("%s is %v, and %v in the api", name, a, b))
		}
	}
	for _, rule := range AllRules() {
		differ(rule.String(), own.rules.modes[rule], shared.rules.modes[rule])
	}
	differ("request.max_body", own.rules.MaxBody, shared.rules.MaxBody)
	differ("request.body_idle_timeout", ratelimit.Span(own.rules.BodyIdleTimeout), ratelimit.Span(shared.rules.BodyIdleTimeout))
	differ("request.body_timeout", ratelimit.Span(own.rules.BodyTimeout), ratelimit.Span(shared.rules.BodyTimeout))
	differ("request.unknown_parameters", own.rules.UnknownParameters, shared.rules.UnknownParameters)
	differ("request.status", own.rules.InvalidStatus, shared.rules.InvalidStatus)
	differ("response.max_body", own.rules.MaxResponse, shared.rules.MaxResponse)
	for i := range own.limits {
		l := &own.limits[i].arithmetic
		if slices.ContainsFunc(shared.limits, func(b bound) bool { return b.arithmetic.Space == l.Space }) {
			continue
		}
		out = append(out, fmt.Sprintf("limit %s of its own: %s", l.Name, amountOf(l)))
	}
	if len(own.protocols) > 0 {
		out = append(out, "upgrades "+strings.Join(own.protocols, " "))
	}
	for i := range own.exceptions {
		e := &own.exceptions[i]
		var what []string
		if e.Rule != RuleNone {
			what = append(what, fmt.Sprintf("%s is off", e.Rule))
		}
		for j := range e.limits {
			if l := &e.limits[j].arithmetic; !slices.ContainsFunc(own.limits, func(b bound) bool { return b.arithmetic.Space == l.Space }) {
				what = append(what, fmt.Sprintf("limit %s is %s", l.Name, amountOf(l)))
			}
		}
		out = append(out, fmt.Sprintf("exception %s: %s for %s until %s", e.Name, strings.Join(what, " and "), e.Consumer, e.Until.UTC().Format(time.RFC3339)))
	}
	return out
}

func amountOf(l *ratelimit.Limit) string {
	switch {
	case l.Window > 0:
		return fmt.Sprintf("%d in %s", l.Rate, ratelimit.Span(l.Window))
	case l.Algorithm == ratelimit.Quota:
		return fmt.Sprintf("%d a %s", l.Rate, l.Period)
	default:
		return fmt.Sprintf("%d at a time", l.Rate)
	}
}

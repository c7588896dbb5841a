package apiguard

import (
	"cmp"
	"fmt"
	"slices"

	"github.com/apiguard/caddy-api-guard/policy"
	"github.com/apiguard/caddy-api-guard/ratelimit"
)

func (b *builder) limits(from []*Limit, inherited []policy.Limit, at, source string) ([]policy.Limit, error) {
	var out []policy.Limit
	seen := map[string]bool{}
	for i, l := range from {
		at := fmt.Sprintf("%s.limit[%d]", at, i)
		where := source
		if l.Source != "" {
			where = l.Source
		}
		if err := checkName(l.Name, "limit", at, where, seen); err != nil {
			return nil, err
		}
		var base *policy.Limit
		if j := slices.IndexFunc(inherited, func(o policy.Limit) bool { return o.Name == l.Name }); j >= 0 {
			base = &inherited[j]
		}
		limit, err := b.limit(l, base, base, at, where)
		if err != nil {
			return nil, err
		}
		out = append(out, limit)
	}
	return out, nil
}

// limit reads a limit that takes over from another one what it leaves out, and
// must be as tight as the floor. Either may be nil.
func (b *builder) limit(l *Limit, from, floor *policy.Limit, at, source string) (policy.Limit, error) {
	out := policy.Limit{Name: l.Name, Mode: policy.Enforce}
	if b.app.Mode == policy.Monitor.String() {
		out.Mode = policy.Monitor
	}
	if from != nil {
		out = *from
	}
	out.Protect = out.Protect || l.Protect
	if len(l.Operations) > 0 {
		out.Operations = l.Operations
	}
	for _, set := range []func(*Limit, *policy.Limit, *policy.Limit, string, string) error{
		setRate, setQuota, setStoreFailure, setAlgorithm, setCount, setPenalty, setAmounts, setAnswer, setKey,
	} {
		if err := set(l, &out, floor, at, source); err != nil {
			return out, err
		}
	}
	return out, checkArithmetic(&out, at, source)
}

func setRate(l *Limit, out, base *policy.Limit, at, source string) error {
	if l.Rate == "" {
		if out.Rate == 0 && out.Concurrency == 0 && l.Concurrency == 0 && out.Quota == 0 && l.Quota == "" {
			return wrong(at+".rate", source, "limit %q has no rate: write one such as 5/1m, or a quota or concurrency", l.Name)
		}
		return nil
	}
	n, window, err := parseRate(l.Rate)
	if err != nil {
		return wrong(at+".rate", source, "%w", err)
	}
	if base != nil && base.Rate != 0 && float64(n)*base.Window.Seconds() > float64(base.Rate)*window.Seconds() {
		return wrong(at+".rate", source, "limit %q: %s is looser than the inherited %d/%s, which holds too: write a tighter one or another name", l.Name, l.Rate, base.Rate, ratelimit.Span(base.Window))
	}
	out.Rate, out.Window = n, window
	return nil
}

func setAlgorithm(l *Limit, out, base *policy.Limit, at, source string) error {
	switch l.Algorithm {
	case "":
	case "window":
		out.Algorithm = ratelimit.Window
	case "bucket":
		out.Algorithm = ratelimit.Bucket
	default:
		return wrong(at+".algorithm", source, "algorithm %q: write window or bucket", l.Algorithm)
	}
	if l.Burst != 0 {
		if l.Burst < 0 || out.Algorithm != ratelimit.Bucket {
			return wrong(at+".burst", source, "burst %d: it is a positive number and belongs to algorithm bucket", l.Burst)
		}
		out.Burst = l.Burst
	}
	if base == nil {
		return nil
	}
	if base.Algorithm == ratelimit.Window && out.Algorithm == ratelimit.Bucket {
		return wrong(at+".algorithm", source, "limit %q: a bucket lets more pass at once than the inherited window, which holds too: leave algorithm out, or write another name", l.Name)
	}
	if most := cmp.Or(base.Burst, base.Rate); l.Burst > most {
		return wrong(at+".burst", source, "limit %q: burst %d is looser than the inherited %d, which holds too: write a smaller one or another name", l.Name, l.Burst, most)
	}
	return nil
}

func setCount(l *Limit, out, base *policy.Limit, at, source string) error {
	if l.Count != "" {
		count, ok := policy.ParseCount(l.Count)
		if !ok {
			return wrong(at+".count", source, "count %q: write requests, failures, unknown or violations", l.Count)
		}
		if base != nil && count != base.Count {
			return wrong(at+".count", source, "limit %q counts %s, the inherited one %s: give it another name", l.Name, count, base.Count)
		}
		out.Count = count
	}
	if len(l.Statuses) > 0 {
		if out.Count != policy.CountFailures {
			return wrong(at+".statuses", source, "statuses belong to count failures")
		}
		out.Failures = nil
	}
	for _, status := range l.Statuses {
		if status < 200 || status > 599 || slices.Contains(out.Failures, status) {
			return wrong(at+".statuses", source, "status %d: write each of 200 to 599 that means a failure once, such as 401 403 422", status)
		}
		out.Failures = append(out.Failures, status)
	}
	if out.Count == policy.CountFailures && len(out.Failures) == 0 {
		out.Failures = policy.DefaultFailures()
	}
	return nil
}

func setPenalty(l *Limit, out, base *policy.Limit, at, source string) error {
	if l.Penalty == "" {
		return nil
	}
	penalty, err := parsePenalty(l.Penalty)
	if err != nil {
		return wrong(at+".penalty", source, "%w", err)
	}
	if penalty > ratelimit.MaxWindow {
		return wrong(at+".penalty", source, "penalty %s: the longest is %dd", l.Penalty, int(ratelimit.MaxWindow.Hours()/24))
	}
	if base != nil && penalty < base.Penalty {
		return wrong(at+".penalty", source, "limit %q: %s is looser than the inherited %s: write a longer one or another name", l.Name, l.Penalty, ratelimit.Span(base.Penalty))
	}
	out.Penalty = penalty
	return nil
}

// setAmounts takes over the cost and the concurrency.
func setAmounts(l *Limit, out, base *policy.Limit, at, source string) error {
	for _, field := range []struct {
		name  string
		value int
	}{{"cost", l.Cost}, {"concurrency", l.Concurrency}} {
		if field.value < 0 || field.value > ratelimit.MaxRate {
			return wrong(at+"."+field.name, source, "%s %d: write a number from 1 to %d", field.name, field.value, ratelimit.MaxRate)
		}
	}
	if l.Cost != 0 {
		if base != nil && l.Cost < int(base.Cost) {
			return wrong(at+".cost", source, "limit %q: cost %d is looser than the inherited %d: write a higher one or another name", l.Name, l.Cost, base.Cost)
		}
		out.Cost = uint32(l.Cost)
	}
	if l.Concurrency != 0 {
		if base != nil && base.Concurrency != 0 && l.Concurrency > base.Concurrency {
			return wrong(at+".concurrency", source, "limit %q: concurrency %d is looser than the inherited %d: write a lower one or another name", l.Name, l.Concurrency, base.Concurrency)
		}
		out.Concurrency = l.Concurrency
	}
	return nil
}

// setAnswer takes over whether the limit shows itself and what it does.
func setAnswer(l *Limit, out, base *policy.Limit, at, source string) error {
	switch l.Headers {
	case "":
	case "on", "off":
		out.HideFields = l.Headers == "off"
	default:
		return wrong(at+".headers", source, "headers %q: write on or off", l.Headers)
	}
	if l.Mode == "" {
		return nil
	}
	mode, err := policy.ParseMode(l.Mode)
	if err != nil {
		return wrong(at+".mode", source, "%w", err)
	}
	if base != nil && mode.Looser(base.Mode) {
		return wrong(at+".mode", source, "%s is looser than the inherited %s: the policy is a floor, a version may only be stricter", mode, base.Mode)
	}
	out.Mode = mode
	return nil
}

func setKey(l *Limit, out, _ *policy.Limit, at, source string) error {
	if len(l.Key) > 0 {
		out.Key = nil
	}
	for i, key := range l.Key {
		field := fmt.Sprintf("%s.key[%d]", at, i)
		part, err := policy.ParseKeyPart(expandShorthands(key))
		if err != nil {
			return wrong(field, source, "%w", err)
		}
		if part.Body() && len(out.Operations) == 0 {
			// Else every request without that body would share one bucket.
			return wrong(field, source, "a key from the body needs operations: name those whose body has it")
		}
		out.Key = append(out.Key, part)
	}
	return nil
}

func checkArithmetic(l *policy.Limit, at, source string) error {
	if l.Rate == 0 {
		if l.Quota != 0 && int(l.Cost) > l.Quota {
			return wrong(at+".cost", source, "limit %q: cost %d is more than it holds, so that it would refuse everything: write a smaller one, or a higher rate", l.Name, l.Cost)
		}
		for _, field := range []struct {
			name    string
			written bool
		}{
			{"algorithm", l.Algorithm != ratelimit.Window},
			{"count", l.Quota == 0 && l.Count != policy.CountRequests},
			{"penalty", l.Quota == 0 && l.Penalty != 0},
			{"cost", l.Quota == 0 && l.Cost != 0},
		} {
			if field.written {
				return wrong(at+"."+field.name, source, "limit %q: %s belongs to a rate, and there is none: write one such as 5/1m", l.Name, field.name)
			}
		}
		return nil
	}
	arithmetic := ratelimit.Limit{Name: l.Name, Rate: l.Rate, Window: l.Window, Algorithm: l.Algorithm, Penalty: l.Penalty}
	if err := arithmetic.Validate(); err != nil {
		return wrong(at+".rate", source, "%w", err)
	}
	arithmetic.Burst = l.Burst
	if err := arithmetic.Validate(); err != nil {
		return wrong(at+".burst", source, "%w", err)
	}
	holds := l.Rate
	if l.Burst != 0 {
		holds = l.Burst
	}
	if l.Quota != 0 {
		holds = min(holds, l.Quota)
	}
	if int(l.Cost) > holds {
		return wrong(at+".cost", source, "limit %q: cost %d is more than it holds, so that it would refuse everything: write a smaller one, or a higher rate", l.Name, l.Cost)
	}
	return nil
}

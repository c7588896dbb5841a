package apiguard

import (
	"fmt"
	"net/http"
	"slices"
	"strings"
	"time"

	"github.com/caddyserver/caddy/v2"

	"github.com/apiguard/caddy-api-guard/inventory/catalogue"
	"github.com/apiguard/caddy-api-guard/inventory/spec/remote"
	"github.com/apiguard/caddy-api-guard/policy"
	"github.com/apiguard/caddy-api-guard/ratelimit"
)

func (b *builder) version(v *Version, at string) (*catalogue.Version, error) {
	out := &catalogue.Version{
		Name: v.Name, Hosts: v.Hosts, Default: v.Default, Successor: v.Successor,
		Docs: v.Docs, Environment: v.Environment, Owner: v.Owner,
	}
	if len(v.Hosts) == 0 && len(v.Spec) == 0 {
		return nil, wrong(at+".hosts", v.Source, "version %q has neither hosts nor a document whose servers name them: add hosts", v.Name)
	}
	if err := claims(v, at, out); err != nil {
		return nil, err
	}
	if err := dates(v, at, out); err != nil {
		return nil, err
	}
	if v.Docs != "" && !isPage(v.Docs) {
		return nil, wrong(at+".docs", v.Source, "%q is no URL of a page: write one with http or https, such as https://docs.example.com/orders", v.Docs)
	}
	for i, file := range v.Spec {
		at := fmt.Sprintf("%s.spec[%d]", at, i)
		if remote.IsURL(file) {
			if _, err := remote.Parse(file); err != nil {
				return nil, wrong(at, v.Source, "spec %q: %w", file, err)
			}
		}
		if slices.ContainsFunc(v.Spec[:i], func(other string) bool { return place(other) == place(file) }) {
			return nil, wrong(at, v.Source, "spec %q is written twice", file)
		}
	}
	if b.load == nil {
		return out, nil
	}
	for i, file := range v.Spec {
		document, err := b.load(file)
		if err != nil {
			return nil, wrong(fmt.Sprintf("%s.spec[%d]", at, i), v.Source, "%w", err)
		}
		if document, err = spanning(document, v.MultiSegment); err != nil {
			return nil, wrong(at+".multi_segment", v.Source, "%w", err)
		}
		out.Documents = append(out.Documents, document)
	}
	for ref := range v.MultiSegment {
		if !hasOperation(out.Documents, ref) {
			return nil, wrong(at+".multi_segment", v.Source, "operation %q is in no document of version %q%s", ref, v.Name, catalogue.Suggest(ref, out.Documents, ""))
		}
	}
	return out, nil
}

// place is where a document is, without the hash of one by URL.
func place(said string) string {
	if remote.IsURL(said) {
		said, _, _ = strings.Cut(said, " ")
	}
	return said
}

func claims(v *Version, at string, out *catalogue.Version) error {
	if v.Path != "" {
		prefix, ok := cleanPrefix(v.Path)
		if !ok {
			return wrong(at+".path", v.Source, "path %q is no prefix of whole segments: write one such as /v2, without wildcard or encoding", v.Path)
		}
		out.Claims = append(out.Claims, catalogue.Claim{Path: prefix})
	}
	for i, s := range v.Select {
		at := fmt.Sprintf("%s.select[%d]", at, i)
		selector, err := s.selector(v, at)
		if err != nil {
			return err
		}
		claim := catalogue.Claim{Select: selector}
		if s.Path != "" {
			prefix, ok := cleanPrefix(s.Path)
			if !ok {
				return wrong(at+".path", v.Source, "path %q is no prefix of whole segments: write one such as /v2, without wildcard or encoding", s.Path)
			}
			claim.Path = prefix
		}
		out.Claims = append(out.Claims, claim)
	}
	return nil
}

func dates(v *Version, at string, out *catalogue.Version) error {
	switch v.State {
	case "", "active":
	case "beta":
		out.State = catalogue.StateBeta
	case "design":
		out.State = catalogue.StateDesign
		if v.Deprecated != "" || v.Sunset != "" || len(v.Brownout) > 0 {
			return wrong(at+".state", v.Source, "state design: the version is not served yet, so it has no deprecated, sunset or brownout")
		}
	default:
		return wrong(at+".state", v.Source, "state %q: write active, beta or design; deprecated and retired follow from the dates", v.State)
	}
	for _, d := range []struct {
		field, value string
		to           *time.Time
	}{{"deprecated", v.Deprecated, &out.Deprecated}, {"sunset", v.Sunset, &out.Sunset}} {
		if d.value == "" {
			continue
		}
		t, err := parseDate(d.value)
		if err != nil {
			return wrong(at+"."+d.field, v.Source, "%w", err)
		}
		*d.to = t
	}
	if !out.Sunset.IsZero() && out.Sunset.Before(out.Deprecated) {
		// RFC 9745, section 4: the sunset must not be before the deprecation.
		return wrong(at+".sunset", v.Source, "sunset %s is before deprecated %s: a version is deprecated first", v.Sunset, v.Deprecated)
	}
	return brownouts(v, at, out)
}

func brownouts(v *Version, at string, out *catalogue.Version) error {
	for i, b := range v.Brownout {
		at := fmt.Sprintf("%s.brownout[%d]", at, i)
		from, err := parseDate(b.From)
		if err != nil {
			return wrong(at+".from", v.Source, "%w", err)
		}
		length, err := caddy.ParseDuration(b.Duration)
		if err != nil || length <= 0 {
			return wrong(at+".duration", v.Source, "reading duration %q: write a positive one such as 2h, 30m or 1d", b.Duration)
		}
		if !out.Sunset.IsZero() && !from.Before(out.Sunset) {
			return wrong(at+".from", v.Source, "brownout %s begins when the version is retired already: sunset is %s", b.From, v.Sunset)
		}
		to := noLater(from.Add(length))
		if !out.Sunset.IsZero() && to.After(out.Sunset) {
			to = out.Sunset // what comes then is no brownout
		}
		out.Brownouts = append(out.Brownouts, catalogue.Window{From: from, To: to})
	}
	return nil
}

// maxJudged is the largest body that can be judged: what is read of it is told by
// positions of 32 bits, and by an int where that has no more.
const maxJudged Size = 1 << 30

// applyRules lays one level's rule lines over what it inherits. Below the policy
// a line may only be stricter.
func applyRules(to *policy.Rules, from *Rules, at, source string, floor bool) error {
	set := func(rule policy.Rule, value string) error {
		if value == "" {
			return nil
		}
		field := at + "." + rule.String()
		mode, err := policy.ParseMode(value)
		if err != nil {
			return wrong(field, source, "%w", err)
		}
		if floor && mode.Looser(to.Mode(rule)) {
			return wrong(field, source, "%s is looser than the inherited %s: the policy is a floor, a version may only be stricter", mode, to.Mode(rule))
		}
		to.SetMode(rule, mode)
		return nil
	}
	if floor && from.UnknownHost != "" {
		return wrong(at+".unknown_host", source, "unknown_host stands in policy only: a host that nobody declared belongs to no API")
	}
	for _, line := range []struct {
		rule policy.Rule
		mode string
	}{
		{policy.RuleTarget, from.Target},
		{policy.RuleUnknownHost, from.UnknownHost},
		{policy.RuleUnknownRoute, from.UnknownRoute},
		{policy.RuleAudience, from.Audience},
		{policy.RuleLifecycle, from.Lifecycle},
		{policy.RuleCredentials, from.Credentials},
		{policy.RuleHeaders, from.Headers},
		{policy.RuleUpgrade, from.Upgrade},
	} {
		if err := set(line.rule, line.mode); err != nil {
			return err
		}
	}
	if r := from.Response; r != nil {
		if err := set(policy.RuleResponse, r.Mode); err != nil {
			return err
		}
		if r.MaxBody > maxJudged {
			return wrong(at+".response.max_body", source, "%d bytes: write 1GiB at most; a larger answer passes unchecked", r.MaxBody)
		}
		if r.MaxBody < 0 || floor && r.MaxBody > 0 && int64(r.MaxBody) < to.MaxResponse {
			return wrong(at+".response.max_body", source, "%d bytes is looser than the inherited %d: larger answers would pass unchecked, and the policy is a floor", r.MaxBody, to.MaxResponse)
		}
		if r.MaxBody > 0 {
			to.MaxResponse = int64(r.MaxBody)
		}
	}
	r := from.Request
	if r == nil {
		return nil
	}
	if err := set(policy.RuleRequest, r.Mode); err != nil {
		return err
	}
	at += ".request"
	if r.MaxBody > maxJudged {
		return wrong(at+".max_body", source, "%d bytes: write 1GiB at most; a body that is larger is judged by its API alone", r.MaxBody)
	}
	if r.MaxBody < 0 || floor && int64(r.MaxBody) > to.MaxBody {
		return wrong(at+".max_body", source, "%d bytes is looser than the inherited %d: the policy is a floor", r.MaxBody, to.MaxBody)
	}
	if r.MaxBody > 0 {
		to.MaxBody = int64(r.MaxBody)
	}
	for _, t := range []struct {
		field string
		value caddy.Duration
		to    *time.Duration
	}{{"body_idle_timeout", r.BodyIdleTimeout, &to.BodyIdleTimeout}, {"body_timeout", r.BodyTimeout, &to.BodyTimeout}} {
		value := time.Duration(t.value)
		switch {
		case value == 0:
		case value < 0 || value > time.Hour:
			return wrong(at+"."+t.field, source, "%s: write a duration of more than 0 and at most 1h, such as 10s", ratelimit.Span(value))
		case floor && value > *t.to:
			return wrong(at+"."+t.field, source, "%s is looser than the inherited %s: the policy is a floor", ratelimit.Span(value), ratelimit.Span(*t.to))
		default:
			*t.to = value
		}
	}
	if r.UnknownParameters != "" {
		mode, err := policy.ParseMode(r.UnknownParameters)
		if err != nil {
			return wrong(at+".unknown_parameters", source, "%w", err)
		}
		if floor && mode.Looser(to.UnknownParameters) {
			return wrong(at+".unknown_parameters", source, "%s is looser than the inherited %s: the policy is a floor", mode, to.UnknownParameters)
		}
		to.UnknownParameters = mode
	}
	switch r.Status {
	case 0:
	case http.StatusBadRequest, http.StatusUnprocessableEntity:
		to.InvalidStatus = r.Status
	default:
		return wrong(at+".status", source, "status %d: write 400 or 422", r.Status)
	}
	return nil
}

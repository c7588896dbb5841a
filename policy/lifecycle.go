package policy

import (
	"net/http"
	"slices"
	"strconv"
	"strings"

	"github.com/apiguard/caddy-api-guard/inventory/catalogue"
)

// life is what a version tells its callers about its end, as header values that
// do not change: only whether they are sent depends on the clock.
type life struct {
	deprecation string // RFC 9745: a structured-field date, "@1735689600"
	sunset      string // RFC 8594: an HTTP-date
	link        string // RFC 8288, relations deprecation, sunset, successor-version
	// steady says that the version has neither dates nor brownouts: its state is the declared one.
	steady bool
}

func newLife(v *catalogue.Version, successor string) life {
	var l life
	if !v.Deprecated.IsZero() {
		l.deprecation = "@" + strconv.FormatInt(v.Deprecated.Unix(), 10)
	}
	if !v.Sunset.IsZero() {
		l.sunset = v.Sunset.UTC().Format(http.TimeFormat)
	}
	var links []string
	if v.Docs != "" && l.deprecation != "" {
		links = append(links, "<"+v.Docs+`>; rel="deprecation"`)
	}
	if v.Docs != "" && l.sunset != "" {
		links = append(links, "<"+v.Docs+`>; rel="sunset"`)
	}
	if successor != "" && (l.deprecation != "" || l.sunset != "") {
		links = append(links, "<"+successor+`>; rel="successor-version"`)
	}
	l.link = strings.Join(links, ", ")
	l.steady = v.Deprecated.IsZero() && v.Sunset.IsZero() && len(v.Brownouts) == 0
	return l
}

// SetLifecycle writes the lifecycle fields of the version that the request
// reached, or of the operation whose document ends it earlier, when the rule is enforced and
// the dates say so. They replace
// what upstream says of itself: the configuration is the source of truth. Link
// is added to, since upstream's links are its own.
func (v *Verdict) SetLifecycle(h http.Header) {
	if v.tells && v.life != nil {
		v.setLifecycle(h)
	}
}

func (v *Verdict) setLifecycle(h http.Header) {
	l := v.life
	// A brownout answers what retirement will, which comes after the deprecation.
	if l.deprecation != "" && (v.State >= catalogue.StateDeprecated || v.brownout) {
		h["Deprecation"] = []string{l.deprecation}
	}
	if l.sunset != "" {
		h["Sunset"] = []string{l.sunset}
	}
	if l.link != "" && !slices.Contains(h["Link"], l.link) {
		h.Add("Link", l.link)
	}
}

// SetVary names the header fields that select a version on the request's host, so
// that a cache does not give one version's answer to another's caller (RFC 9110,
// section 12.5.5). In monitor no field is added.
func (v *Verdict) SetVary(h http.Header) {
	if len(v.vary) > 0 {
		v.setVary(h)
	}
}

func (v *Verdict) setVary(h http.Header) {
	for _, name := range v.vary {
		if !hasToken(h["Vary"], name) {
			h.Add("Vary", name)
		}
	}
}

// hasToken reports whether a list field has the token, or "*".
func hasToken(lines []string, token string) bool {
	for _, line := range lines {
		for part := range strings.SplitSeq(line, ",") {
			if part = strings.TrimSpace(part); part == "*" || strings.EqualFold(part, token) {
				return true
			}
		}
	}
	return false
}

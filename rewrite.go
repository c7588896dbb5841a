package apiguard

import (
	"context"
	"net"
	"net/http"
	"strconv"
	"strings"

	"github.com/caddyserver/caddy/v2/modules/caddyhttp"

	"github.com/apiguard/caddy-api-guard/policy"
	"github.com/apiguard/caddy-api-guard/policy/target"
)

// rewrite writes the canonical target into the request, when the target rule is
// enforced, and into the original request that FastCGI's REQUEST_URI and the
// error routes are made from.
func (x *exchange) rewrite() {
	if x.rewritten || x.request.Problem != "" || x.verdict.Rules().Mode(policy.RuleTarget) != policy.Enforce {
		return
	}
	x.rewritten = true
	if x.request.Target.Changed || x.others.rewrites && x.cameOtherwise() {
		x.write(false)
	}
}

// write makes the target and host of the request, and of the original request that
// Caddy keeps, the canonical ones. Where a handler before the guard has changed the
// target, the original one is another: it gets its own canonical form, or with all
// the one that the request gets.
func (x *exchange) write(all bool) {
	t, was := x.request.Target, x.r.RequestURI
	t.WriteTo(x.r.URL)
	x.r.RequestURI = x.r.URL.RequestURI()
	ctx := x.r.Context()
	original, ok := ctx.Value(caddyhttp.OriginalRequestCtxKey).(http.Request)
	if ok && original.URL != nil {
		if original.RequestURI != was && !all {
			t = x.originalTarget(&original)
		}
		t.WriteTo(original.URL)
		original.RequestURI = original.URL.RequestURI()
	}
	x.r.Host = t.Authority
	if !ok {
		return
	}
	// {http.request.orig_uri} reads the copy that the context holds, through this
	// very request: both are replaced in place.
	original.Host = t.Authority
	*x.r = *x.r.WithContext(context.WithValue(ctx, caddyhttp.OriginalRequestCtxKey, original))
	x.respell(original.RequestURI)
}

// respell has placeholders say the canonical target where they read another request
// than this one: a handler before the guard, such as tracing, has handed on a copy. The
// URLs are the same there, the texts are not.
func (x *exchange) respell(originalURI string) {
	if uri, _ := x.replacer.GetString("http.request.orig_uri"); uri != originalURI {
		x.replacer.Set("http.request.orig_uri", originalURI)
	}
	if host, _ := x.replacer.GetString("http.request.hostport"); host == x.r.Host {
		return
	}
	x.replacer.Set("http.request.hostport", x.r.Host)
	host, port, err := net.SplitHostPort(x.r.Host)
	if err != nil {
		host, port = x.r.Host, ""
	}
	x.replacer.Set("http.request.host", host)
	x.replacer.Set("http.request.port", port)
	if n, err := strconv.Atoi(port); err == nil {
		x.replacer.Set("http.request.port", n) // as Caddy has it
	}
	labels := strings.Split(host, ".")
	for i, label := range labels {
		x.replacer.Set("http.request.host.labels."+strconv.Itoa(len(labels)-1-i), label)
	}
}

// cameOtherwise reports whether a handler before the guard has changed the target, and
// the original one is not in its canonical form.
func (x *exchange) cameOtherwise() bool {
	original, ok := x.r.Context().Value(caddyhttp.OriginalRequestCtxKey).(http.Request)
	if !ok || original.URL == nil || original.RequestURI == x.r.RequestURI {
		return false
	}
	t := x.originalTarget(&original)
	return t.RequestURI() != original.RequestURI
}

// originalTarget is the canonical form of a target that a handler before the guard has
// changed. One that can be read in two ways has none and becomes the one that was
// judged; what only the operation can justify must be in the part that was judged.
func (x *exchange) originalTarget(original *http.Request) target.Target {
	judged := x.request.Target
	t, problem := target.Canonical(target.Input{Method: x.request.Method, Raw: original.RequestURI, Host: judged.Authority, TLS: x.r.TLS != nil})
	if problem != "" {
		return judged
	}
	if t.Conditional != "" {
		taken, ok := strings.CutSuffix(t.Path, judged.Path)
		if !ok || strings.Contains(taken, "%2F") || strings.Contains(taken, ";") {
			return judged
		}
	}
	return t
}

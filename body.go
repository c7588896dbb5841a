package apiguard

import (
	"errors"
	"net/http"

	"github.com/apiguard/caddy-api-guard/policy"
	"github.com/apiguard/caddy-api-guard/policy/conformance"
)

// hasBody reports whether a body follows. When the length is not known and the
// rule is enforced it waits for the first byte, since a chunked body may be
// empty; in monitor forwarding never waits.
func (x *exchange) hasBody() bool {
	r := x.r
	if x.request.Tunnel != "" {
		return false
	}
	if r.ContentLength >= 0 || r.Body == nil || r.Body == http.NoBody {
		return r.ContentLength > 0
	}
	if x.verdict.Rules().Mode(policy.RuleRequest) != policy.Enforce || isGRPC(r.Header) {
		return true
	}
	b := x.holding()
	from := x.time(b.from)
	for b.read.n == 0 && !b.whole && b.err == nil && x.roomFor(&b.read, leastBuffer) {
		x.readOn(b, from, leastBuffer)
	}
	x.untime()
	return b.read.n > 0 || !b.whole
}

func isCoded(h http.Header) bool { return len(h["Content-Encoding"]) > 0 }

// judgeBody reads the body up to the limit and judges it before anything is
// passed on; upstream then gets the very bytes. In monitor the body is judged
// while it streams.
func (x *exchange) judgeBody() {
	r, v := x.r, &x.verdict
	limit := v.Rules().MaxBody
	if x.watch(limit) {
		return
	}
	if v.Rules().Mode(policy.RuleRequest) != policy.Enforce {
		x.tee = x.teeTo(limit)
		return
	}
	if r.ContentLength > limit {
		v.JudgeResult(conformance.Result{Reason: conformance.BodyTooLarge})
		return
	}
	b := x.kept
	if b == nil || !b.whole {
		b = x.holding()
	}
	err := x.readWhole(b, x.time(b.from), limit)
	if errors.Is(err, errNoRoom) {
		// The deadline stays, as for a body that was late.
		x.refuseFull()
		return
	}
	x.untime()
	var tooLarge *http.MaxBytesError
	switch {
	case x.body.late:
		x.refuseLate()
	case errors.Is(err, errTooLarge) || errors.As(err, &tooLarge):
		v.JudgeResult(conformance.Result{Reason: conformance.BodyTooLarge})
	case err != nil:
		// Broken chunks, or fewer bytes than announced: what upstream would read
		// is unknown (RFC 9112, sections 6.3 and 7.1).
		v.JudgeResult(conformance.Result{Reason: conformance.Invalid, Errors: []conformance.Error{{
			In: conformance.InBody, Keyword: "framing", Detail: "the body ended early or its chunks are malformed",
		}}})
	case isCoded(r.Header) && !x.hold(limit):
		// What it decodes to needs room of its own while it is judged.
		x.refuseFull()
	default:
		v.JudgeBody(b.read.bytes())
		if isCoded(r.Header) {
			x.letGo(limit)
		}
		b.again()
		r.Body = b
	}
}

// judging reports whether the body is judged while it passes.
func (x *exchange) judging() bool { return x.tee != nil || x.watched != nil || x.verdict.AwaitsBody() }

// judgeStreamed judges what passed through the tee.
func (x *exchange) judgeStreamed() {
	v := &x.verdict
	x.tee.end(func(kept []byte, complete bool, over string) {
		switch {
		case over != "":
			v.Unchecked = over
		case !complete && int64(len(kept)) != x.r.ContentLength:
			v.Unchecked = policy.UncheckedNotRead
		default:
			v.JudgeBody(kept)
		}
	})
	x.amend()
}

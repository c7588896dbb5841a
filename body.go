package apiguard

import (
	"bytes"
	"errors"
	"io"
	"net/http"
	"strings"
	"sync"

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
	var first [1]byte
	n, err := io.ReadFull(x.time(r.Body), first[:])
	x.untime()
	if n == 0 && errors.Is(err, io.EOF) {
		r.Body = replay{Reader: http.NoBody, Closer: r.Body}
		return false
	}
	rest := io.Reader(r.Body)
	if err != nil {
		rest = failing{err}
	}
	r.Body = replay{Reader: io.MultiReader(bytes.NewReader(first[:n]), rest), Closer: r.Body}
	return true
}

func isGRPC(h http.Header) bool {
	return strings.HasPrefix(h.Get("Content-Type"), "application/grpc")
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
		x.tee = &teeBody{ReadCloser: r.Body, limit: int(limit), memory: &x.app.shared.bodies, ceiling: x.app.bodyCeiling()}
		r.Body = x.tee
		return
	}
	if r.ContentLength > limit {
		v.JudgeResult(conformance.Result{Reason: conformance.BodyTooLarge})
		return
	}
	body, err := x.keyBody.bytes, error(nil)
	if !x.keyBody.whole {
		body, err = x.readWhole(x.time(r.Body), r.ContentLength, limit)
	}
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
		v.JudgeBody(body)
		if isCoded(r.Header) {
			x.letGo(limit)
		}
		r.Body = replay{Reader: bytes.NewReader(body), Closer: r.Body}
	}
}

// replay gives back bytes that were read, and closes the body they came from.
type replay struct {
	io.Reader
	io.Closer
}

type failing struct{ err error }

func (f failing) Read([]byte) (int, error) { return 0, f.err }

// teeBody keeps what passes through it, up to a limit, to judge it afterwards. A
// transport may still read from it when upstream has answered already.
type teeBody struct {
	io.ReadCloser
	limit   int
	memory  *bodyMemory
	ceiling int64

	mu       sync.Mutex
	kept     []byte
	over     string // why it keeps no more: an unchecked reason
	complete bool
	ended    bool // what comes now is not kept
}

// Read implements io.Reader.
func (t *teeBody) Read(p []byte) (int, error) {
	n, err := t.ReadCloser.Read(p)
	t.mu.Lock()
	defer t.mu.Unlock()
	size := int64(len(t.kept) + n)
	switch {
	case t.over != "" || t.ended:
	case size > int64(t.limit):
		t.drop(policy.UncheckedTooLarge)
	case !t.memory.take(int64(n), roomFor(size, t.ceiling)):
		t.drop(policy.UncheckedNoRoom)
	default:
		t.kept = append(t.kept, p[:n]...)
	}
	t.complete = t.complete || errors.Is(err, io.EOF)
	return n, err
}

func (t *teeBody) drop(why string) {
	t.memory.give(int64(len(t.kept)))
	t.over, t.kept = why, nil
}

// end stops keeping and calls judge with what was kept: body, whether it ended, and
// why it was not kept.
func (t *teeBody) end(judge func(kept []byte, complete bool, over string)) {
	t.mu.Lock()
	defer t.mu.Unlock()
	if t.ended {
		return
	}
	t.ended = true
	defer t.drop(t.over)
	judge(t.kept, t.complete, t.over)
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

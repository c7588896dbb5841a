package apiguard

import (
	"bytes"
	"errors"
	"io"
	"net/http"
	"strings"

	"github.com/apiguard/caddy-api-guard/policy"
	"github.com/apiguard/caddy-api-guard/policy/conformance"
)

// hasBody reports whether a body follows. When the length is not known and the
// rule is enforced it waits for the first byte, since a chunked body may be
// empty; in monitor forwarding never waits.
func (x *exchange) hasBody() bool {
	r := x.r
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

// judgeBody reads the body up to the limit and judges it before anything is
// passed on; upstream then gets the very bytes. In monitor the body is judged
// while it streams.
func (x *exchange) judgeBody() {
	r, v := x.r, &x.verdict
	limit := v.Rules().MaxBody
	if v.Rules().Mode(policy.RuleRequest) != policy.Enforce {
		x.tee = &teeBody{ReadCloser: r.Body, limit: int(limit)}
		r.Body = x.tee
		return
	}
	if r.ContentLength > limit {
		v.JudgeResult(conformance.Result{Reason: conformance.BodyTooLarge})
		return
	}
	body, err := readAtMost(x.time(r.Body), r.ContentLength, limit)
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
	default:
		v.JudgeBody(body)
		r.Body = replay{Reader: bytes.NewReader(body), Closer: r.Body}
	}
}

var errTooLarge = errors.New("body over the limit")

// firstRead is how much memory a body's announced length alone gets.
const firstRead = 64 << 10

// readAtMost reads a whole body of length bytes (-1: unknown) and at most limit.
// Memory follows what arrives: many clients that announce a lot and send nothing
// must not hold the limit each.
func readAtMost(body io.Reader, length, limit int64) ([]byte, error) {
	if length >= 0 {
		buf := make([]byte, min(length, firstRead))
		for read := 0; ; {
			n, err := io.ReadFull(body, buf[read:])
			if read += n; err != nil || int64(read) == length {
				return buf[:read], err
			}
			grown := make([]byte, min(length, 2*int64(read)))
			copy(grown, buf)
			buf = grown
		}
	}
	buf, err := io.ReadAll(io.LimitReader(body, limit+1))
	if err == nil && int64(len(buf)) > limit {
		return nil, errTooLarge
	}
	return buf, err
}

// replay gives back bytes that were read, and closes the body they came from.
type replay struct {
	io.Reader
	io.Closer
}

type failing struct{ err error }

func (f failing) Read([]byte) (int, error) { return 0, f.err }

// teeBody keeps what passes through it, up to a limit, to judge it afterwards.
type teeBody struct {
	io.ReadCloser
	limit    int
	kept     []byte
	over     bool
	complete bool
}

func (t *teeBody) Read(p []byte) (int, error) {
	n, err := t.ReadCloser.Read(p)
	switch {
	case t.over:
	case len(t.kept)+n > t.limit:
		t.over, t.kept = true, nil
	default:
		t.kept = append(t.kept, p[:n]...)
	}
	t.complete = t.complete || errors.Is(err, io.EOF)
	return n, err
}

// judgeStreamed judges what passed through the tee.
func (x *exchange) judgeStreamed() {
	v, t := &x.verdict, x.tee
	switch {
	case t.over:
		v.Unchecked = policy.UncheckedTooLarge
	case !t.complete && int64(len(t.kept)) != x.r.ContentLength:
		v.Unchecked = policy.UncheckedNotRead
	default:
		v.JudgeBody(t.kept)
	}
	x.facts.judged(v)
}

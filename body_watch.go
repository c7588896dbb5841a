package apiguard

import (
	"errors"
	"io"
	"sync"

	"github.com/apiguard/caddy-api-guard/policy"
	"github.com/apiguard/caddy-api-guard/policy/conformance"
)

// watchedBody judges a body while it passes: an upload that is larger than what is
// read before. When the rule is enforced each piece waits for the next, so that
// upstream has never all of a body that is not judged, and what it has of one that
// is refused ends in an error instead of an end.
type watchedBody struct {
	io.ReadCloser
	mu      sync.Mutex // a transport may still read when upstream has answered
	watch   *conformance.Watch
	enforce bool
	ready   []byte // what may pass
	held    []byte // what has come and may pass when more has, or all is judged
	next    []byte // room for what comes next
	err     error  // how the body ended
	result  conformance.Result
	ended   bool
	touched bool // somebody has begun to read it
	aside   bool // another one judges it
}

// watch puts a watched body in place of one that need not be read before it is
// passed on. It reports false when the body is to be read.
func (x *exchange) watch(limit int64) bool {
	r, v := x.r, &x.verdict
	counted, length := v.Body.Action == conformance.Count, r.ContentLength
	if x.kept != nil && x.kept.whole {
		length = int64(x.kept.read.n)
	}
	if !v.Body.Watches() || !counted && length >= 0 && length <= limit {
		return false
	}
	if counted && length >= 0 {
		if length > v.Body.MaxBody {
			v.JudgeResult(conformance.Result{Reason: conformance.BodyTooLarge})
		}
		return true
	}
	enforce := v.Rules().Mode(policy.RuleRequest) == policy.Enforce
	if !counted && !x.hold(limit) { // the fields that are no files are kept
		if enforce {
			x.refuseFull()
		} else {
			v.Unchecked = policy.UncheckedNoRoom
		}
		return true
	}
	x.watched = &watchedBody{ReadCloser: r.Body, watch: v.Body.Watch(), enforce: enforce}
	r.Body = x.watched
	return true
}

var errBodyRefused = errors.New("the body was refused by api_guard")

// Read implements io.Reader.
func (b *watchedBody) Read(p []byte) (int, error) {
	if len(p) == 0 {
		return 0, nil
	}
	b.mu.Lock()
	defer b.mu.Unlock()
	b.touched = true
	if b.aside {
		return b.ReadCloser.Read(p)
	}
	if !b.enforce {
		n, err := b.ReadCloser.Read(p)
		if !b.ended {
			b.watch.Write(p[:n])
			b.finish(err)
		}
		return n, err
	}
	for len(b.ready) == 0 && b.err == nil {
		b.advance(len(p))
	}
	if len(b.ready) > 0 {
		n := copy(p, b.ready)
		b.ready = b.ready[n:]
		return n, nil
	}
	return 0, b.err
}

// advance reads one more piece and lets the one before it pass, of which all has
// been taken.
func (b *watchedBody) advance(size int) {
	if cap(b.next) == 0 {
		b.next = make([]byte, 0, min(max(size, 512), 32<<10))
	}
	n, err := b.ReadCloser.Read(b.next[:cap(b.next)])
	if b.ended || !b.watch.Write(b.next[:n]) {
		b.finish(io.EOF)
		b.err = errBodyRefused
		return
	}
	if n > 0 {
		b.ready, b.held, b.next = b.held, b.next[:n], b.held[:0]
	}
	if err == nil {
		return
	}
	b.finish(err)
	if b.err = err; errors.Is(err, io.EOF) && b.result.Reason != conformance.OK {
		b.ready, b.err = nil, errBodyRefused
		return
	}
	b.ready, b.held = append(b.ready, b.held...), nil
}

// finish judges a body that is all there.
func (b *watchedBody) finish(err error) {
	if errors.Is(err, io.EOF) && !b.ended {
		b.ended, b.result = true, b.watch.End()
	}
}

// end gives the judgement; complete is false when the body was not read to its
// end. It judges nothing more.
func (b *watchedBody) end() (result conformance.Result, complete bool) {
	b.mu.Lock()
	defer b.mu.Unlock()
	complete, b.ended = b.ended, true
	return b.result, complete
}

// unread reports whether nobody has read from it, or there is none.
func (b *watchedBody) unread() bool {
	if b == nil {
		return true
	}
	b.mu.Lock()
	defer b.mu.Unlock()
	return !b.touched
}

// standAside leaves a body that nobody has read to another judge. It reports false of
// one that somebody has begun to read.
func (b *watchedBody) standAside() bool {
	b.mu.Lock()
	defer b.mu.Unlock()
	b.aside = !b.touched
	return b.aside
}

// judgeWatched takes over the judgement of a body that was passed on. It reports
// whether the request is refused now, which it can be while nobody has answered.
func (x *exchange) judgeWatched() (refused bool) {
	v := &x.verdict
	result, complete := x.watched.end()
	if !complete {
		v.Unchecked = policy.UncheckedNotRead
	}
	if x.watched.enforce && x.response.wroteHeader {
		// Upstream has answered before it had all. It never had what was refused.
		if result.Reason != conformance.OK {
			v.Unchecked = policy.UncheckedNotRead
		}
	} else {
		v.JudgeResult(result)
		refused = v.Outcome == policy.Refuse
	}
	if !refused {
		x.amend()
	}
	return refused
}

// answersInstead refuses a request whose body turned out to be wrong on its way.
func (x *exchange) answersInstead() error {
	if x.r.ProtoMajor == 1 {
		x.w.Header()["Connection"] = []string{"close"} // the rest of the body may still come
	}
	return x.refuse()
}

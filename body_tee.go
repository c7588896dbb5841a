package apiguard

import (
	"errors"
	"io"
	"sync"

	"github.com/apiguard/caddy-api-guard/policy"
)

// teeBody keeps what passes through it, up to a limit, to judge it afterwards. A
// transport may still read from it when upstream has answered already.
type teeBody struct {
	io.ReadCloser
	limit   int64
	memory  *bodyMemory
	ceiling int64

	mu       sync.Mutex
	kept     pieces
	over     string // why it keeps no more: an unchecked reason
	complete bool
	ended    bool // what comes now is not kept
	touched  bool // somebody has begun to read it
}

// teeTo keeps the request's body while it passes, up to limit bytes.
func (x *exchange) teeTo(limit int64) *teeBody {
	t := &teeBody{ReadCloser: x.r.Body, limit: limit, memory: &x.app.shared.bodies, ceiling: x.app.bodyCeiling()}
	x.r.Body = t
	return t
}

// Read implements io.Reader.
func (t *teeBody) Read(p []byte) (int, error) {
	n, err := t.ReadCloser.Read(p)
	t.mu.Lock()
	defer t.mu.Unlock()
	t.touched = true
	switch {
	case t.over != "" || t.ended:
	case int64(t.kept.n+n) > t.limit:
		t.drop(policy.UncheckedTooLarge)
	case !t.kept.add(p[:n], t.limit, t):
		t.drop(policy.UncheckedNoRoom)
	}
	t.complete = t.complete || errors.Is(err, io.EOF)
	return n, err
}

// unread reports whether nobody has read from it.
func (t *teeBody) unread() bool {
	t.mu.Lock()
	defer t.mu.Unlock()
	return !t.touched
}

func (t *teeBody) hold(n int64) bool { return t.memory.take(n, shareOf(t.kept.size()+n, t.ceiling)) }

func (t *teeBody) letGo(n int64) { t.memory.give(n) }

func (t *teeBody) drop(why string) {
	t.over = why
	t.kept.drop(t)
}

// end stops keeping and calls judge with what was kept: body, whether it ended, and
// why it was not kept. The body is another's when judge has returned.
func (t *teeBody) end(judge func(kept []byte, complete bool, over string)) {
	t.mu.Lock()
	defer t.mu.Unlock()
	if t.ended {
		return
	}
	t.ended = true
	defer t.drop(t.over)
	judge(t.kept.bytes(), t.complete, t.over)
}

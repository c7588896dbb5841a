package apiguard

import (
	"context"
	"errors"
	"maps"
	"net/http"
	"strconv"
	"strings"

	"github.com/caddyserver/caddy/v2/modules/caddyhttp"

	"github.com/apiguard/caddy-api-guard/policy"
	"github.com/apiguard/caddy-api-guard/policy/conformance"
)

// tap is where an answer's body is looked at: the one place that keeps any of it.
type tap struct {
	state  tapState
	limit  int64 // how much it keeps at most
	length int64 // what the answer announces, -1 for nothing
	passed int64 // what of the body the next handler has written
	coded  bool
	kept   pieces
	answer policy.Answer
	// before is the header before the next handler had it, head what it was when
	// the answer began. Both are for answers that may be held.
	before, head keptHeader
	giveUp       context.CancelFunc // the next handler's request
}

type tapState uint8

var errBrokeOff = errors.New("upstream broke off its answer")

const (
	// tapOff: the body passes unseen.
	tapOff tapState = iota
	// tapWatch: it passes, and is kept to be judged when the last byte is out.
	tapWatch
	// tapHold: it is kept, and the client sees nothing until it is judged.
	tapHold
	// tapSwallow: it was refused by its head; nobody wants what comes.
	tapSwallow
)

// flushBefore is the size from which an answer is sent out before it is judged.
// Smaller ones are judged in a few microseconds, and net/http and quic-go still have
// them in their buffers, to find out their length.
const flushBefore = 4 << 10

// holds reports whether the client sees nothing of the answer for now.
func (t *tap) holds() bool { return t.state == tapHold || t.state == tapSwallow }

// from has the next handler answer.
func (w *response) from(next caddyhttp.Handler) error {
	x := w.exchange
	w.ResponseWriter = x.w
	if x.verdict.AnswerMode() != policy.Enforce {
		return next.ServeHTTP(w, x.r)
	}
	return w.judged(next)
}

// judged has the next handler give an answer that may be refused. The request gets a
// context that can be given up: the refusal does not wait for the end of what is refused,
// which may be a stream, and upstream does not go on with it. reverse_proxy panics then,
// as it does for a client that went away, or when upstream breaks off: an answer of which
// the client has seen nothing is none then, and an error, as if upstream had never spoken.
//
// It is put into the very request: Caddy's placeholders read that one, and what
// {http.request.body} has read stands there alone. One that is not given up lasts as long
// as the request's own, since error routes go on with it.
func (w *response) judged(next caddyhttp.Handler) (err error) {
	x := w.exchange
	w.tap.before.keep(x.w.Header())
	x.askReadable()
	own := x.r.Context()
	ctx, giveUp := context.WithCancel(own)
	w.tap.giveUp = giveUp
	*x.r = *x.r.WithContext(ctx)
	defer func() {
		if !w.tap.holds() {
			return
		}
		if w.tap.state == tapSwallow {
			*x.r = *x.r.WithContext(own)
		}
		switch p := recover(); {
		case p == nil:
		case p != http.ErrAbortHandler:
			panic(p)
		case w.tap.state == tapHold && own.Err() != nil:
			panic(p)
		case w.tap.state == tapHold:
			err = w.unsay()
		}
	}()
	return next.ServeHTTP(w, x.r)
}

// open judges the head of the answer and opens the tap for a body that is to be
// judged.
func (w *response) open() {
	x, t := w.exchange, &w.tap
	v := &x.verdict
	mode := v.AnswerMode()
	if mode == policy.Off {
		return
	}
	h := w.ResponseWriter.Header()
	if v.JudgeHead(&t.answer, x.request.Method, x.said(w.status), h) {
		t.state = tapSwallow
		t.giveUp()
		return
	}
	judged := t.answer.Plan.Action == conformance.Judge
	if judged {
		t.length, t.coded = announced(h), isCoded(h)
	}
	switch {
	case !judged:
	case t.length > t.answer.Plan.MaxBody:
		v.UncheckedAnswer = policy.UncheckedAnswerTooLarge
	case mode == policy.Enforce:
		t.state, t.limit = tapHold, t.answer.Plan.MaxBody
		t.head.keep(h)
	default:
		t.state, t.limit = tapWatch, t.answer.Plan.MaxBody
	}
	if t.state == tapOff && (v.UncheckedAnswer != "" || v.Rule == policy.RuleResponse) {
		x.amend()
	}
}

func announced(h http.Header) int64 {
	if values := h["Content-Length"]; len(values) == 1 {
		if n, err := strconv.ParseInt(values[0], 10, 64); err == nil {
			return n
		}
	}
	return -1
}

// tapped takes a piece of the body while the tap is open.
func (w *response) tapped(p []byte) (int, error) {
	x, t := w.exchange, &w.tap
	t.passed += int64(len(p))
	why := ""
	switch {
	case t.state == tapSwallow:
		return 0, errRefused
	case int64(t.kept.n+len(p)) > t.limit:
		why = policy.UncheckedAnswerTooLarge
	case !t.kept.add(p, t.room(), x):
		why = policy.UncheckedNoRoom
	}
	if why != "" {
		x.verdict.UncheckedAnswer = why
		if err := w.letGo(); err != nil {
			return 0, err
		}
		return w.pass(p)
	}
	if t.state == tapHold {
		return len(p), nil
	}
	return w.pass(p)
}

// room is how much the body has at most.
func (t *tap) room() int64 {
	if t.length >= 0 {
		return t.length // no more than the limit, or the tap were closed
	}
	return t.limit
}

// lengthIsKnown reports whether nobody on the way to the client makes something else
// of the body: an encode before the guard takes the length away, and a flush would be in
// what it writes. It leaves alone what came to the guard with a content coding.
func (w *response) lengthIsKnown() bool {
	return w.tap.coded || announced(w.ResponseWriter.Header()) >= 0
}

// letGo closes the tap: the verdict is final, and what was held goes out as it
// would have gone without.
func (w *response) letGo() (err error) {
	x, t := w.exchange, &w.tap
	held := t.state == tapHold
	t.state = tapOff
	if held {
		h := w.ResponseWriter.Header()
		late := t.trailers(h)
		t.head.restore(h, true) // what was set after the header counts for trailers alone
		x.decorate(h)
		w.ResponseWriter.WriteHeader(w.status)
		if t.kept.n > 0 {
			_, err = w.pass(t.kept.bytes()) // who takes it makes a copy, as every io.Writer
		}
		maps.Copy(h, late)
	}
	x.amend()
	x.observe(w.status)
	t.kept.drop(x)
	return err
}

// trailers are the fields of the header that were announced as trailers when the answer
// began, as they are by now; those with http.TrailerPrefix are not among them.
func (t *tap) trailers(h http.Header) http.Header {
	var late http.Header
	for _, names := range t.head.of("Trailer") {
		for name := range strings.SplitSeq(names, ",") {
			name = http.CanonicalHeaderKey(strings.TrimSpace(name))
			if values := h[name]; len(values) > 0 {
				if late == nil {
					late = make(http.Header)
				}
				late[name] = values
			}
		}
	}
	return late
}

// end judges the answer, now that the next handler is through with it.
func (w *response) end(err error) error {
	x, t := w.exchange, &w.tap
	switch t.state {
	case tapSwallow:
		return w.refuse()
	case tapOff:
		x.observe(w.status)
		x.submit(w.status)
		return err
	}
	v := &x.verdict
	switch {
	case err != nil || w.cut || t.length >= 0 && t.passed != t.length:
		v.UncheckedAnswer = policy.UncheckedAnswerCut
	case t.coded && !x.hold(t.limit):
		// What it decodes to needs room of its own while it is judged.
		v.UncheckedAnswer = policy.UncheckedNoRoom
	default:
		if t.state == tapWatch && t.passed > flushBefore && w.lengthIsKnown() {
			_ = http.NewResponseController(w.ResponseWriter).Flush() // a client that is gone is no error of ours
		}
		if v.JudgeAnswer(&t.answer, t.kept.bytes()) {
			return w.refuse()
		}
	}
	_ = w.letGo() // nor is one that does not take what was held
	x.submit(w.status)
	return err
}

// unsay gives up an answer that is held and will never be whole.
func (w *response) unsay() error {
	x, t := w.exchange, &w.tap
	x.verdict.UncheckedAnswer = policy.UncheckedAnswerCut
	x.amend()
	h := w.ResponseWriter.Header()
	t.before.restore(h, false)
	t.kept.drop(x)
	t.state, w.wroteHeader, w.cut = tapOff, false, true
	return caddyhttp.Error(http.StatusBadGateway, errBrokeOff)
}

// refuse answers in place of upstream, whose answer nobody has seen. Of its header
// nothing is left.
func (w *response) refuse() error {
	x, t := w.exchange, &w.tap
	x.amend()
	x.observe(w.status)
	x.submit(w.status)
	h := w.ResponseWriter.Header()
	t.before.restore(h, false)
	return x.answerRefusal()
}

// abandon records an answer that the next handler did not bring to its end,
// because it panicked: reverse_proxy does when upstream or the client go away. One that
// had not begun is recorded as none.
func (w *response) abandon() {
	x := w.exchange
	if x.passed.method == "" {
		return
	}
	if !w.wroteHeader {
		x.observe(0)
		return
	}
	if w.tap.state != tapOff {
		x.verdict.UncheckedAnswer = policy.UncheckedAnswerCut
		x.amend()
	}
	if w.call.open {
		w.endCall()
	}
	x.observe(w.status)
}

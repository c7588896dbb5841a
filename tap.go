package apiguard

import (
	"maps"
	"net/http"
	"strconv"
	"strings"

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
	before, head http.Header
}

type tapState uint8

const (
	// tapOff: the body passes unseen.
	tapOff tapState = iota
	// tapWatch: it passes, and is kept to be judged when the last byte is out.
	tapWatch
	// tapHold: it is kept, and the client sees nothing until it is judged.
	tapHold
	// tapSwallow: it was refused by its head; what comes is dropped.
	tapSwallow
)

// flushBefore is the size from which an answer is sent out before it is judged.
// Smaller ones are judged in a few microseconds, and net/http still has them in
// its buffer, to find out their length.
const flushBefore = 2 << 10

// holds reports whether the client sees nothing of the answer for now.
func (t *tap) holds() bool { return t.state == tapHold || t.state == tapSwallow }

// begin makes the response ready for the next handler.
func (w *response) begin(below http.ResponseWriter) {
	w.ResponseWriter = below
	if w.exchange.verdict.AnswerMode() == policy.Enforce {
		w.tap.before = below.Header().Clone()
		w.exchange.askReadable()
	}
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
	status := w.status
	if x.request.Tunnel != "" && status == http.StatusOK {
		status = http.StatusSwitchingProtocols // RFC 8441, section 5: 200 stands for it
	}
	if v.JudgeHead(&t.answer, x.request.Method, status, h) {
		t.state = tapSwallow
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
		t.state, t.limit, t.head = tapHold, t.answer.Plan.MaxBody, h.Clone()
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
		return len(p), nil
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

// letGo closes the tap: the verdict is final, and what was held goes out as it
// would have gone without.
func (w *response) letGo() (err error) {
	x, t := w.exchange, &w.tap
	held := t.state == tapHold
	t.state = tapOff
	if held {
		h := w.ResponseWriter.Header()
		for name := range h {
			// What was set after the header counts for trailers alone.
			if !strings.HasPrefix(name, http.TrailerPrefix) {
				delete(h, name)
			}
		}
		maps.Copy(h, t.head)
		x.decorate(h)
		w.ResponseWriter.WriteHeader(w.status)
		if t.kept.n > 0 {
			_, err = w.pass(t.kept.bytes()) // who takes it makes a copy, as every io.Writer
		}
	}
	x.amend()
	x.observe(w.status)
	t.kept.drop(x)
	return err
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
		if t.state == tapWatch && t.passed > flushBefore {
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

// refuse answers in place of upstream, whose answer nobody has seen. Of its header
// nothing is left.
func (w *response) refuse() error {
	x, t := w.exchange, &w.tap
	x.amend()
	x.observe(w.status)
	x.submit(w.status)
	h := w.ResponseWriter.Header()
	clear(h)
	maps.Copy(h, t.before)
	return x.answerRefusal()
}

// abandon records an answer that the next handler did not bring to its end,
// because it panicked: reverse_proxy does when upstream or the client go away.
func (w *response) abandon() {
	if !w.wroteHeader || w.exchange.observed {
		return
	}
	if w.tap.state != tapOff {
		w.exchange.verdict.UncheckedAnswer = policy.UncheckedAnswerCut
		w.exchange.amend()
	}
	w.exchange.observe(w.status)
}

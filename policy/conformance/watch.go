package conformance

import (
	"bytes"
	"strconv"

	"github.com/getkin/kin-openapi/openapi3"
)

// Watch judges a body while it passes: one of any size whose bytes are only
// counted, or a form with files in it, of which all but the files is kept. It is
// for one body and not safe for concurrent use.
type Watch struct {
	plan  *BodyPlan
	count int64 // of bytes that came, for a body that is counted
	last  Result
	done  bool // last is final

	state   watchState
	hold    []byte // what came and is not understood yet
	kept    []byte // headers and values of the parts that are no files
	parts   []part
	current part
	sized   int64 // of the current part, if it is a file
}

type watchState uint8

const (
	watchStart watchState = iota
	watchHeader
	watchContent
	watchBoundary // right after a delimiter
	watchEnd
)

// Watches tells whether a body of the plan may be judged while it passes.
func (p *BodyPlan) Watches() bool {
	return p.Action == Count || p.Action == Judge && p.class == mediaMultipart && p.coding == codingNone && p.media.watchable()
}

// Watch begins to judge a body while it passes.
func (p *BodyPlan) Watch() *Watch { return &Watch{plan: p} }

// Write takes the next bytes and reports whether they may be passed on.
func (w *Watch) Write(b []byte) (ok bool) {
	defer w.recovered()
	switch {
	case w.done:
	case w.plan.Action == Count:
		if w.count += int64(len(b)); w.count > w.plan.MaxBody {
			w.end(Result{Reason: BodyTooLarge})
		}
	default:
		w.hold = append(w.hold, b...)
		w.scan()
	}
	return w.last.Reason == OK
}

// End is the judgement, after the last byte.
func (w *Watch) End() Result {
	defer w.recovered()
	if w.done || w.plan.Action == Count {
		return w.last
	}
	// After the last boundary stands a line break, a whole one, or nothing.
	if w.state != watchEnd || len(w.hold) == 1 {
		w.end(formFault(faultMultipart, ""))
		return w.last
	}
	w.done = true
	r := newRun()
	defer r.release()
	w.last = w.plan.judgeParts(r, w.kept, w.parts)
	return w.last
}

func (w *Watch) recovered() {
	if p := recover(); p != nil {
		w.end(failed(p))
	}
}

func (w *Watch) end(r Result) {
	w.last, w.done, w.hold, w.kept = r, true, nil, nil
}

// scan understands as much as it can of what is held.
func (w *Watch) scan() {
	delimiter := "\r\n--" + w.plan.boundary
	for !w.done {
		b := w.hold
		switch w.state {
		case watchStart:
			if len(b) < len(delimiter)-2 {
				return
			}
			if string(b[:len(delimiter)-2]) != delimiter[2:] {
				w.end(formFault(faultMultipart, ""))
				return
			}
			w.take(len(delimiter)-2, watchBoundary)
		case watchBoundary:
			switch {
			case len(b) < 2:
				return
			case string(b[:2]) == "\r\n" && len(w.parts) == maxParts:
				w.end(formFault(faultFormSize, ""))
			case string(b[:2]) == "\r\n":
				w.take(2, watchHeader)
			case string(b[:2]) == "--" && len(w.parts) > 0:
				w.take(2, watchEnd)
			default:
				w.end(formFault(faultMultipart, ""))
			}
		case watchHeader:
			if len(b) <= maxPartHeader && !bytes.Contains(b, []byte("\r\n\r\n")) {
				return
			}
			w.header()
		case watchContent:
			at := bytes.Index(b, []byte(delimiter))
			if at < 0 {
				if at = len(b) - len(delimiter) + 1; at > 0 {
					if w.content(b[:at]); !w.done {
						w.take(at, watchContent)
					}
				}
				return
			}
			if w.content(b[:at]); w.done {
				return
			}
			w.partEnds()
			w.take(at+len(delimiter), watchBoundary)
		case watchEnd:
			if len(b) > 2 || string(b) != "\r\n"[:len(b)] {
				w.end(formFault(faultMultipart, ""))
			}
			return
		}
	}
}

// take drops the first n bytes that are held.
func (w *Watch) take(n int, next watchState) {
	w.hold, w.state = append(w.hold[:0], w.hold[n:]...), next
}

func (w *Watch) header() {
	p, n, f := readPartHeader(w.hold)
	if f != noFault {
		w.end(formFault(f, ""))
		return
	}
	p.nameAt += len(w.kept)
	if w.keep(w.hold[:n]); w.done {
		return
	}
	i, ok := w.plan.plan.rules.byName[p.name]
	p.sized = ok && w.plan.plan.fields[i].bytes
	p.start, p.skip = len(w.kept), 2
	w.current, w.sized = p, 0
	w.take(n-2, watchContent) // the last line break may be the next boundary's
}

// content takes bytes of the current part.
func (w *Watch) content(b []byte) {
	n := min(w.current.skip, len(b))
	w.current.skip -= n
	b = b[n:]
	if !w.current.sized {
		w.keep(b)
		return
	}
	w.sized += int64(len(b))
	i := w.plan.plan.rules.byName[w.current.name]
	if most := w.plan.plan.fields[i].most; most >= 0 && w.sized > most {
		f := Error{In: InBody, Pointer: pointer([]string{w.current.name}), Keyword: "maxLength"}
		f.Detail = "must have at most " + strconv.FormatInt(most, 10) + " bytes"
		w.end(invalid(f))
	}
}

func (w *Watch) keep(b []byte) {
	if int64(len(w.kept)+len(b)) > w.plan.MaxBody {
		w.end(Result{Reason: BodyTooLarge})
		return
	}
	w.kept = append(w.kept, b...)
}

func (w *Watch) partEnds() {
	w.current.end = len(w.kept)
	w.current.size = w.sized
	w.parts = append(w.parts, w.current)
}

// watchable tells whether all that the schema says of files is how large they are,
// so that they need not be kept.
func (m *media) watchable() bool {
	if m.entry == nil || m.entry.Schema == nil || m.entry.Schema.Value == nil {
		return false
	}
	s := m.entry.Schema.Value
	if !simple(s) || len(s.PatternProperties)+len(s.DependentSchemas) > 0 {
		return false
	}
	files := false
	for _, r := range s.Properties {
		h := hintOf(r, maxHintDepth)
		if h.item != nil && h.item.bytes && h.has(typeArray) {
			if r.Value.UniqueItems || r.Value.Contains != nil || !simple(r.Value) || len(r.Value.PrefixItems) > 0 {
				return false
			}
			r = r.Value.Items
		} else if !h.bytes {
			continue
		}
		if s := r.Value; !simple(s) || s.Pattern != "" || s.Enum != nil || s.Const != nil {
			return false
		}
		files = true
	}
	return files
}

func simple(s *openapi3.Schema) bool {
	return !isMarked(s) && len(s.AllOf)+len(s.AnyOf)+len(s.OneOf) == 0 && s.Not == nil && s.If == nil && s.UnevaluatedProperties.Has == nil && s.UnevaluatedProperties.Schema == nil
}

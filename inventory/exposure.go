package inventory

import (
	"cmp"
	"slices"
	"strings"

	"github.com/apiguard/caddy-api-guard/inventory/dataclass"
	"github.com/apiguard/caddy-api-guard/inventory/spec"
)

// maxPlaces is how many places of data an entry has.
const maxPlaces = 64

// exposure is what samples showed of a route: what it carries and what it tells.
// Inventory.mu guards it.
type exposure struct {
	data    []datum // sorted
	attacks [numAttackSigns]uint64
	// open is when an answer last let any origin in with credentials, and no later
	// one was stricter; 0: never, or not any more.
	open int64
	// software is what the latest sampled answer told, and when.
	software     []Software
	softwareSeen int64
}

// dataPlace is a class of data at a place of a request or an answer.
type dataPlace struct {
	answer  bool
	in      string // "body", "query", "path"
	pointer string
	class   dataclass.Class
}

func (p *dataPlace) compare(o *dataPlace) int {
	side := 0
	if p.answer != o.answer {
		side = -1
		if p.answer {
			side = 1
		}
	}
	return cmp.Or(side, strings.Compare(p.in, o.in), strings.Compare(p.pointer, o.pointer), cmp.Compare(p.class, o.class))
}

// datum is what was seen at a place.
type datum struct {
	dataPlace
	count       uint64
	first, last int64
	// anonymous is when upstream last gave it to a caller without credentials who
	// had not sent such data himself.
	anonymous int64
}

// see counts one place.
func (x *exposure) see(p dataPlace, at int64, anonymous bool) {
	i, found := slices.BinarySearchFunc(x.data, p, func(d datum, p dataPlace) int { return d.compare(&p) })
	if !found {
		if len(x.data) >= maxPlaces {
			return
		}
		x.data = slices.Insert(x.data, i, datum{dataPlace: p, first: at})
	}
	d := &x.data[i]
	d.count++
	d.last = max(d.last, at)
	if anonymous {
		d.anonymous = max(d.anonymous, at)
	}
}

// inspect looks at a sample. Inventory.mu is held.
func (inv *Inventory) inspect(s *Sample) {
	e := s.entry
	if e == nil {
		return
	}
	if e.exposure == nil {
		e.exposure = new(exposure)
	}
	x := e.exposure
	e.unsaved = true
	e.whole.Store(nil)
	for i := range x.attacks {
		x.attacks[i] += uint64(s.signs >> i & 1)
	}
	x.software, x.softwareSeen = s.software, s.Time
	switch {
	case s.traits.opensCORS():
		x.open = s.Time
	case s.traits&(traitOriginDenied|traitFixedOrigin) != 0:
		x.open = 0
	}
	inv.inspectData(s, x)
}

// opensCORS reports whether an answer let any origin in with credentials. Browsers
// refuse "*" with them; whoever answers so means it, and the next release of a
// framework may reflect the origin.
func (t traits) opensCORS() bool {
	return t&traitCORSCredentials != 0 && t&(traitAnyOrigin|traitNullOrigin|traitEchoedOrigin) != 0
}

func (inv *Inventory) inspectData(s *Sample, x *exposure) {
	var declared []dataclass.Declared
	if s.Route != nil {
		declared = s.rec.declared(s.Route.Operation)
	}
	var sent, got dataclass.Set
	look := func(answer bool, in string, list []dataclass.Found) {
		for _, f := range list {
			if denied(declared, answer, in, f) {
				continue
			}
			p := dataPlace{answer: answer, in: in, pointer: f.Pointer, class: f.Class}
			if answer {
				got |= dataclass.Of(f.Class)
			} else {
				sent |= dataclass.Of(f.Class)
			}
			x.see(p, s.Time, answer && s.anonymous && !sent.Has(f.Class))
		}
	}
	look(false, "query", s.found.query)
	look(false, "path", s.found.path)
	look(false, "body", s.found.request)
	if classOf(s.Status) != 2 {
		got = 0
		s.found.answer = nil // a failure's text is about the caller's own request
	}
	look(true, "body", s.found.answer)
	if classOf(s.Status) == 2 {
		inv.flow(s, sent, got)
	}
}

// denied reports whether the document says that there is no such data.
func denied(declared []dataclass.Declared, answer bool, in string, f dataclass.Found) bool {
	return slices.ContainsFunc(declared, func(d dataclass.Declared) bool {
		return d.None && d.Answer == answer && d.In == in && d.Pointer == f.Pointer
	})
}

// sampleData is what a sample carries.
type sampleData struct {
	query, path, request, answer []dataclass.Found
}

// find looks for data and signs. It is done without Inventory.mu, since it takes
// its time.
func (s *Sample) find() {
	s.signs = s.attackSigns()
	s.found = sampleData{
		query:   dataclass.Query(s.Query),
		request: dataclass.Body(s.Request.MediaType, s.Request.Body),
		answer:  dataclass.Body(s.Answer.MediaType, s.Answer.Body),
	}
	s.found.path = dataclass.Path(s.Path)
}

// declared is what the document says that an operation carries, read once.
func (r *Recorder) declared(op *spec.Operation) []dataclass.Declared {
	r.declaredMu.Lock()
	defer r.declaredMu.Unlock()
	list, ok := r.declaredBy[op]
	if !ok {
		list = dataclass.Operation(op.Path, op.Op)
		if r.declaredBy == nil {
			r.declaredBy = make(map[*spec.Operation][]dataclass.Declared)
		}
		r.declaredBy[op] = list
	}
	return list
}

// DataEntry is a class of data that a route carries, and where: never its value.
type DataEntry struct {
	Class     string `json:"class"`     // one of dataclass.Names
	Direction string `json:"direction"` // request or response
	In        string `json:"in"`        // body, query, path, header or cookie
	// Pointer is a JSON pointer into it, "*" for an index and for a name that may be
	// data itself. In a path it is "/id" for a segment that no document has.
	Pointer string `json:"pointer"`
	Source  string `json:"source"` // document or sample
	// Of samples: in how many, and when.
	Count     uint64 `json:"count"`
	FirstSeen Time   `json:"first_seen"` // null where the document says it
	LastSeen  Time   `json:"last_seen"`  // null where the document says it
}

func direction(answer bool) string {
	if answer {
		return "response"
	}
	return "request"
}

// carries spells what an entry carries: its classes, and each place.
func (inv *Inventory) carries(e *entry) (classes []string, data []DataEntry) {
	data = []DataEntry{}
	var set dataclass.Set
	if e.slot != nil && inv.active != nil {
		for _, d := range inv.active.declared(e.slot.route.Operation) {
			if d.None {
				continue
			}
			set |= dataclass.Of(d.Class)
			data = append(data, DataEntry{Class: d.Class.String(), Direction: direction(d.Answer), In: d.In, Pointer: d.Pointer, Source: "document"})
		}
	}
	if x := e.carried(); x != nil {
		for i := range x.data {
			d := &x.data[i]
			set |= dataclass.Of(d.class)
			data = append(data, DataEntry{
				Class: d.class.String(), Direction: direction(d.answer), In: d.in, Pointer: d.pointer, Source: "sample",
				Count: d.count, FirstSeen: instant(d.first), LastSeen: instant(d.last),
			})
		}
	}
	return set.Names(), data
}

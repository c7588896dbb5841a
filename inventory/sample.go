package inventory

import (
	"net/http"
	"slices"
	"strings"
	"sync"

	"github.com/apiguard/caddy-api-guard/inventory/catalogue"
)

// SampleBody is how much of a body a sample holds, in bytes, before and after
// decoding.
const SampleBody = 64 << 10

// Sample is a request and its answer as a few of them are looked at in full: few
// enough to be read off the request's path. Besides names and classes it holds
// values (Query, Path and the bodies), and those only until its consumers have
// seen it: a consumer keeps nothing of a sample but names, classes, types and
// counts, and holds no part of it after it returns.
type Sample struct {
	// Route is the documented operation, nil when no document has it.
	Route  *catalogue.Route
	Host   string // the declared name or pattern, else as the request spells it
	Method string // as in RouteEntry
	Path   string // the request's own, without its query
	Time   int64  // when the request arrived, Unix nanoseconds
	Status int    // what the client got, as Outcome.Status

	// Query is the raw query.
	Query string
	// Cookies are the names of the cookies that the request presented, sorted.
	Cookies []string
	// Integration is the declared third party that called, if one did.
	Integration string

	Request, Answer Message // what was sent, each way

	rec       *Recorder
	match     catalogue.Outcome
	declared  *catalogue.Host
	api, base string
	version   string
	entry     *entry // of the route; nil when it is not held
	traits    traits
	anonymous bool
	consumer  uint64
	drawn     *budget
	minute    int64

	software []Software // that the answer told of
	caller   identity
	signs    uint8 // of attacks
	found    sampleData

	mu      sync.Mutex
	revoked bool // another one has its place
}

// Message is one half of a sample.
type Message struct {
	// Fields are the names of the header fields, sorted, in net/http's form.
	Fields []string
	// MediaType is the lower-case type/subtype, empty for none.
	MediaType string
	// Coding is the content coding in lower case, empty for none.
	Coding string
	// Body is the body, or its beginning. Consumers get it decoded where its
	// coding is gzip, deflate or zstd.
	Body []byte
	// Whole says that Body is all of it.
	Whole bool

	over bool // more came than there is room for
	of   *Sample
}

// Documented reports whether a document has the sampled operation.
func (s *Sample) Documented() bool { return s.Route != nil }

// Anonymous reports whether upstream gave a good answer to a caller without any
// credentials.
func (s *Sample) Anonymous() bool { return s.anonymous }

// TakeRequest takes the names and types of the request's header.
func (s *Sample) TakeRequest(h http.Header, rawQuery string) {
	s.Query = rawQuery
	s.Request.take(h)
	for _, line := range h["Cookie"] {
		for pair := range strings.SplitSeq(line, ";") {
			if name, _, ok := strings.Cut(strings.TrimSpace(pair), "="); ok && len(s.Cookies) < maxSampleNames {
				s.Cookies = append(s.Cookies, strings.Clone(name))
			}
		}
	}
	slices.Sort(s.Cookies)
}

// TakeAnswer takes the names and types of the answer's header.
func (s *Sample) TakeAnswer(h http.Header) {
	s.Answer.take(h)
	s.software = softwareOf(h)
}

// maxSampleNames is how many names of header fields and of cookies a sample has.
const maxSampleNames = 64

func (m *Message) take(h http.Header) {
	for name := range h {
		if len(m.Fields) == maxSampleNames {
			break
		}
		m.Fields = append(m.Fields, name)
	}
	slices.Sort(m.Fields)
	m.MediaType = strings.ToLower(mediaType(first(h, "Content-Type")))
	m.Coding = strings.ToLower(strings.TrimSpace(strings.Join(h["Content-Encoding"], ",")))
	m.Whole = !m.over // of an answer after its body
}

// Add takes a piece of the body, as far as there is room, and reports whether no
// more came than that. It may be called while the sample is revoked.
func (m *Message) Add(p []byte) bool {
	if m.of != nil {
		m.of.mu.Lock()
		defer m.of.mu.Unlock()
		if m.of.revoked {
			return true
		}
	}
	room := SampleBody - len(m.Body)
	if len(p) > room {
		p, m.Whole, m.over = p[:room], false, true
	}
	m.Body = append(m.Body, p...)
	return !m.over
}

// samples are reused with their buffers.
var samples = sync.Pool{New: func() any { return new(Sample) }}

func (s *Sample) release() {
	request, answer := s.Request.reset(), s.Answer.reset()
	*s = Sample{Request: request, Answer: answer, Cookies: s.Cookies[:0]}
	samples.Put(s)
}

// keptBody is how large a buffer a sample takes along to the next one.
const keptBody = 8 << 10

func (m *Message) reset() Message {
	clear(m.Fields)
	if cap(m.Body) > keptBody {
		return Message{Fields: m.Fields[:0]}
	}
	clear(m.Body[:cap(m.Body)])
	return Message{Fields: m.Fields[:0], Body: m.Body[:0]}
}

package inventory

import (
	"mime"
	"net/url"
	"strings"
)

const (
	// maxLearned is how many routes are learned about: those that are undocumented,
	// and those that drifted.
	maxLearned = 2_000
	// maxParameters is how many parameters of a kind a route may have, maxStatuses
	// how many statuses, and maxTypes how many media types of a body.
	maxParameters = 64
	maxStatuses   = 32
	maxTypes      = 8
	// maxCounted ends counting: by then all is known.
	maxCounted = 1 << 30
)

// learned is what samples of an undocumented route show. Its JSON is what the store
// has. Names and types alone: no value of a request or an answer is in here.
type learned struct {
	Samples  uint32                    `json:"samples,omitempty"`
	Query    map[string]*typed         `json:"query,omitempty"`
	Fields   map[string]uint32         `json:"fields,omitempty"`  // of the request's header
	Cookies  map[string]uint32         `json:"cookies,omitempty"` // of the request
	Bodies   uint32                    `json:"bodies,omitempty"`  // requests that had one
	Request  map[string]*typed         `json:"request,omitempty"` // by media type
	Answers  map[int]map[string]*typed `json:"answers,omitempty"` // by status and media type
	Drift    map[string]*drift         `json:"drift,omitempty"`
	Document string                    `json:"document,omitempty"` // that it drifted from: its hash
	unsaved  bool
}

// learnSample is the consumer of samples that learns what routes are like.
func (inv *Inventory) learnSample(s *Sample) {
	e := s.entry
	if e == nil || e == inv.overflow || s.traits == 0 && s.Status == 0 {
		return
	}
	if s.Documented() {
		inv.learnDrift(s)
		return
	}
	if e.shelf != shelfKnown {
		return
	}
	d := inv.learnedOf(e.id)
	if d == nil || d.Samples >= maxCounted {
		return
	}
	d.unsaved = true
	d.Samples++
	l := learner{nodes: d.nodes(), all: &inv.nodes}
	d.takeQuery(&l, s.Query)
	for _, name := range s.Request.Fields {
		if isOwnField(name) {
			count1(&d.Fields, name)
		}
	}
	for _, name := range s.Cookies {
		if isName(name) {
			count1(&d.Cookies, name)
		}
	}
	if len(s.Request.Body) > 0 {
		d.Bodies++
		d.Request = l.body(d.Request, &s.Request)
	}
	if d.Answers == nil {
		d.Answers = make(map[int]map[string]*typed)
	}
	if _, had := d.Answers[s.Status]; had || len(d.Answers) < maxStatuses {
		d.Answers[s.Status] = l.body(d.Answers[s.Status], &s.Answer)
	}
}

// learnedOf is what is learned of a route, made when there is room.
func (inv *Inventory) learnedOf(id routeID) *learned {
	d := inv.learned[id]
	if d == nil && len(inv.learned) < maxLearned {
		d = new(learned)
		inv.learned[id] = d
	}
	return d
}

func (d *learned) nodes() int {
	n := 0
	for _, t := range d.Query {
		n += t.nodes()
	}
	for _, t := range d.Request {
		n += t.nodes()
	}
	for _, types := range d.Answers {
		for _, t := range types {
			n += t.nodes()
		}
	}
	return n
}

func (d *learned) takeQuery(l *learner, raw string) {
	values, _ := url.ParseQuery(raw)
	for name, texts := range values {
		if !isName(name) {
			continue
		}
		t := d.Query[name]
		if t == nil {
			if len(d.Query) >= maxParameters {
				continue
			}
			if t = l.new(); t == nil {
				continue
			}
			if d.Query == nil {
				d.Query = make(map[string]*typed)
			}
			d.Query[name] = t
		}
		if len(texts) > 1 {
			t.Types |= typeArray
		}
		t.text(texts[0])
	}
}

func count1(m *map[string]uint32, name string) {
	if *m == nil {
		*m = make(map[string]uint32)
	}
	if _, had := (*m)[name]; had || len(*m) < maxParameters {
		(*m)[name]++
	}
}

// body takes in a body by its media type.
func (l *learner) body(types map[string]*typed, m *Message) map[string]*typed {
	if m.MediaType == "" {
		if types == nil {
			types = make(map[string]*typed)
		}
		return types
	}
	t := types[m.MediaType]
	if t == nil {
		if len(types) >= maxTypes {
			return types
		}
		if types == nil {
			types = make(map[string]*typed)
		}
		t = l.new()
		types[m.MediaType] = t
	}
	switch {
	case t == nil || !m.Whole || len(m.Body) == 0:
	case isJSON(m.MediaType):
		l.json(t, m.Body)
	case m.MediaType == "application/x-www-form-urlencoded":
		if values, err := url.ParseQuery(string(m.Body)); err == nil {
			t.Seen++
			t.Types |= typeObject
			t.Objects++
			for name, texts := range values {
				if member := l.member(t, name); member != nil {
					member.text(texts[0])
				}
			}
		}
	}
	return types
}

func isJSON(mediaType string) bool {
	return mediaType == "application/json" || strings.HasSuffix(mediaType, "+json")
}

// isOwnField reports whether a header field is the API's own rather than one that
// HTTP, browsers, proxies or tracing have.
func isOwnField(name string) bool {
	if !isName(name) {
		return false
	}
	lower := strings.ToLower(name)
	for _, prefix := range []string{"accept", "content-", "sec-", "x-forwarded-", "cf-", "x-b3-", "if-", "proxy-", "x-amzn-", "access-control-"} {
		if strings.HasPrefix(lower, prefix) {
			return false
		}
	}
	switch lower {
	case "authorization", "cookie", "host", "user-agent", "connection", "referer", "origin", "range", "te", "trailer", "upgrade", "via",
		"cache-control", "pragma", "dnt", "expect", "forwarded", "from", "date", "priority", "keep-alive", "transfer-encoding", "x-real-ip",
		"x-request-id", "x-correlation-id", "traceparent", "tracestate", "baggage", "save-data", "upgrade-insecure-requests", "x-requested-with", "early-data":
		return false
	}
	return true
}

// mediaTypeOf is the type/subtype of a media type as a document writes it.
func mediaTypeOf(s string) string {
	t, _, err := mime.ParseMediaType(s)
	if err != nil {
		return strings.ToLower(s)
	}
	return t
}

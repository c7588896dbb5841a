package apiguard

import (
	"io"
	"net/http"
	"strings"
	"sync"

	"github.com/apiguard/caddy-api-guard/inventory"
	"github.com/apiguard/caddy-api-guard/inventory/catalogue"
)

// sampling is the part of an exchange that a sample is filled from, of the few
// requests that are looked at in full.
type sampling struct {
	sample *inventory.Sample
	body   *sampledBody
}

// sample lets the inventory look at the request and its answer, if it wants to.
// Both bodies pass as they do otherwise; their beginnings are copied on the way.
func (x *exchange) sample() {
	m, t := &x.request.Match, &x.request.Target
	if m.Outcome == catalogue.Found && x.request.Problem != "" {
		return // it is judged and recorded as one that no document has
	}
	s := x.app.recorder.Draw(m, t.Host, x.request.Method, t.Path, x.request.Now.UnixNano())
	if s == nil {
		return
	}
	s.Integration = x.verdict.Consumer
	s.TakeRequest(x.r.Header, t.RawQuery)
	x.sampling = sampling{sample: s}
	x.response.copy = &s.Answer
	if x.r.Body != nil && x.r.Body != http.NoBody {
		x.sampling.body = &sampledBody{ReadCloser: x.r.Body, message: &s.Request}
		x.r.Body = x.sampling.body
	}
}

// submit hands the sample over when the answer has ended. Its header must still be
// there.
func (x *exchange) submit(status int) {
	p := &x.sampling
	if p.sample == nil {
		return
	}
	x.detach()
	p.sample.TakeAnswer(x.w.Header())
	if x.response.cut || x.staysOpen() {
		p.sample.Answer.Whole = false
	}
	if p.body != nil && !p.body.ended {
		p.sample.Request.Whole = false
	}
	p.sample.Submit(&inventory.Outcome{
		Status: x.said(status), Forwarded: x.forwarded(), Caller: x.introduce(),
	})
	p.sample = nil
}

// submitOpen hands over the sample of an answer that may stay open for hours: there are
// only so many samples at a time, and those of open tunnels, streams of events and calls
// of gRPC would in the end be all. Nothing of what passes in them later is looked at.
func (x *exchange) submitOpen() {
	if x.sampling.sample != nil && x.staysOpen() {
		x.submit(x.response.status)
	}
}

// submitLong hands over the sample of an answer of which no more is looked at: it may take
// a slow client hours to get the rest.
func (x *exchange) submitLong() {
	if !x.response.tap.holds() && !x.response.call.open {
		x.submit(x.response.status)
	}
}

// staysOpen reports whether the answer is of a kind that goes on until somebody ends it.
func (x *exchange) staysOpen() bool {
	if x.said(x.response.status) == http.StatusSwitchingProtocols || x.response.call.meant {
		return true
	}
	h := x.w.Header()
	kind, _, _ := strings.Cut(contentType(h), ";")
	switch strings.ToLower(strings.TrimSpace(kind)) {
	case "text/event-stream", "multipart/x-mixed-replace":
		return announced(h) < 0
	}
	return false
}

// drop gives up a sample whose request did not come to an end.
func (x *exchange) dropSample() {
	x.detach()
	x.sampling.sample.Discard()
	x.sampling = sampling{}
}

// detach makes sure that nothing writes into the sample any more: a transport may
// still read the request's body after the answer has ended.
func (x *exchange) detach() {
	x.response.copy = nil
	if b := x.sampling.body; b != nil {
		b.mu.Lock()
		defer b.mu.Unlock()
		b.message = nil
	}
}

// sampledBody copies what upstream reads of a request's body.
type sampledBody struct {
	io.ReadCloser
	mu      sync.Mutex
	message *inventory.Message // nil: nobody looks any more
	ended   bool
}

// Read implements io.Reader.
func (b *sampledBody) Read(p []byte) (int, error) {
	n, err := b.ReadCloser.Read(p)
	b.mu.Lock()
	defer b.mu.Unlock()
	if b.message != nil {
		b.message.Add(p[:n])
		b.ended = b.ended || err == io.EOF
	}
	return n, err
}

// Package page is the inventory as a web page: what exists, what is wrong with it
// and who calls it, rendered on the server with html/template, with a little style
// and script of its own and nothing from outside. It imports no Caddy package; who
// may see it is decided before it is called.
//
// Everything that requests brought (paths, hosts, methods) is hostile text. It goes
// through html/template only, and characters that could change how the text around
// them reads are spelled out.
package page

import (
	"bytes"
	"crypto/hmac"
	"crypto/rand"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"net/http"
	"net/url"
	"strconv"
	"strings"
	"time"

	"github.com/apiguard/caddy-api-guard/inventory"
)

// Source is what the page shows. *inventory.Inventory is one.
type Source interface {
	// APIs are those of the active configuration, in declared order.
	APIs() inventory.List[inventory.APIEntry]
	// Hosts are declared and seen ones, by name. The errors of this and of the other
	// lists say what is wrong with the query.
	Hosts(inventory.HostQuery) (inventory.List[inventory.HostEntry], error)
	// Routes are documented and seen operations, in the query's order.
	Routes(inventory.RouteQuery) (inventory.List[inventory.RouteEntry], error)
	// Detail is the route with an id, with its days; false: there is none.
	Detail(id string) (inventory.RouteDetail, bool)
	// Consumers are who called which version, by API, version and consumer.
	Consumers(inventory.ConsumerQuery) (inventory.List[inventory.ConsumerEntry], error)
	// Flows are the classes of data that consumers get and send.
	Flows(inventory.FlowQuery) (inventory.List[inventory.FlowEntry], error)
	// Findings are what is wrong, or was: the severe first, then by kind.
	Findings(inventory.FindingQuery) (inventory.List[inventory.FindingEntry], error)
	// FindingCounts are the open findings of each kind that has any.
	FindingCounts() []inventory.FindingCount
	// Health says how far all of this can be trusted.
	Health() inventory.Health
	// Review records what an operator says of the route with an id. It is called only
	// with Options.Review.
	Review(id string, r inventory.Review) (inventory.RouteEntry, error)
}

// Options say how a page works.
type Options struct {
	// Source is required.
	Source Source
	// Coverage says what the guard stands before. Default: there is no such view.
	Coverage func() []Covered
	// Plan says how the versions stand at a time, and whom they would refuse then.
	// Default: there is no such view.
	Plan func(at time.Time) inventory.Plan
	// Document is an OpenAPI document, for the query that /api_guard/openapi takes:
	// one in force, or a draft of what is undocumented. Default: none are linked.
	Document func(url.Values) (any, error)
	// Review lets viewers accept and ignore routes. Default: they can only look.
	Review bool
	// Now is the clock. Default time.Now.
	Now func() time.Time
}

// Covered is a handler as requests for one host get to it by one listener.
type Covered struct {
	Listener, Host, Route, Handler string // as in coverage.Entry
	Status, Why                    string // as in coverage.Entry, spelled out
	Open                           bool   // requests of the host get by the guard, or that cannot be ruled out
}

// Page serves the views. Make one with New.
type Page struct {
	source   Source
	coverage func() []Covered
	plan     func(time.Time) inventory.Plan
	document func(url.Values) (any, error)
	review   bool
	now      func() time.Time
	key      [32]byte // of the tokens in forms
	cross    *http.CrossOriginProtection
}

// New makes a page.
func New(o Options) *Page {
	p := &Page{source: o.Source, coverage: o.Coverage, plan: o.Plan, document: o.Document, review: o.Review, now: o.Now, cross: http.NewCrossOriginProtection()}
	if p.now == nil {
		p.now = time.Now
	}
	// Its only error ends the process before it returns (crypto/rand, Read).
	_, _ = rand.Read(p.key[:])
	return p
}

// policy is the Content-Security-Policy of every answer: nothing from outside, no
// inline script or style, no frame around it.
const contentPolicy = "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self'; " +
	"form-action 'self'; frame-ancestors 'none'; base-uri 'none'"

// ServeHTTP answers for name, the path below the page's own: "" or "routes" or
// "assets/page.css". Links are relative to it, so the page works wherever it is put,
// as long as the page's own path ends with a slash. viewer tells one user from
// another and binds the tokens of forms; it may be empty.
func (p *Page) ServeHTTP(w http.ResponseWriter, r *http.Request, name, viewer string) {
	h := w.Header()
	h.Set("Content-Security-Policy", contentPolicy)
	h.Set("X-Content-Type-Options", "nosniff")
	h.Set("Referrer-Policy", "same-origin")
	h.Set("Cross-Origin-Opener-Policy", "same-origin")
	h.Set("Cross-Origin-Resource-Policy", "same-origin")
	if asset, ok := strings.CutPrefix(name, "assets/"); ok {
		serveAsset(w, r, asset)
		return
	}
	h.Set("Cache-Control", "no-store")
	if name == "openapi" && p.document != nil && r.Method == http.MethodGet {
		p.sendDocument(w, r)
		return
	}
	id, isRoute := strings.CutPrefix(name, "routes/")
	if isRoute && r.Method == http.MethodPost {
		p.postReview(w, r, id, viewer)
		return
	}
	if r.Method != http.MethodGet && r.Method != http.MethodHead {
		h.Set("Allow", "GET, HEAD")
		p.fail(w, r, name, http.StatusMethodNotAllowed, "The inventory is read with GET.")
		return
	}
	v := p.newView(name)
	switch {
	case name == "":
		p.overview(v)
	case name == "routes":
		p.routes(v, r.URL.Query())
	case isRoute:
		p.route(v, id, viewer)
	case name == "findings":
		p.findings(v, r.URL.Query())
	case name == "consumers":
		p.consumers(v, r.URL.Query())
	case name == "flows":
		p.flows(v, r.URL.Query())
	case name == "hosts":
		p.hosts(v, r.URL.Query())
	case name == "coverage" && p.coverage != nil:
		p.guards(v, r.URL.Query())
	case name == "plan" && p.plan != nil:
		p.ahead(v, r.URL.Query())
	default:
		v.wrong(http.StatusNotFound, "There is no such page.")
	}
	v.send(w, r)
}

// postReview records what a viewer says of a route and shows the route again.
func (p *Page) postReview(w http.ResponseWriter, r *http.Request, id, viewer string) {
	name := "routes/" + id
	if !p.review {
		p.fail(w, r, name, http.StatusForbidden, "Reviews are not allowed here. Add review to api_inventory.")
		return
	}
	if err := p.cross.Check(r); err != nil {
		p.fail(w, r, name, http.StatusForbidden, "The form was sent from another site.")
		return
	}
	r.Body = http.MaxBytesReader(w, r.Body, 8*inventory.MaxNote)
	if err := r.ParseForm(); err != nil {
		p.fail(w, r, name, http.StatusBadRequest, "The form cannot be read.")
		return
	}
	if !hmac.Equal([]byte(r.PostForm.Get("token")), []byte(p.token(id, viewer))) {
		p.fail(w, r, name, http.StatusForbidden, "The form is out of date. Load the page again and repeat it.")
		return
	}
	review := inventory.Review{Review: r.PostForm.Get("review"), Note: strings.TrimSpace(r.PostForm.Get("note"))}
	if _, err := p.source.Review(id, review); err != nil {
		p.fail(w, r, name, http.StatusBadRequest, "The review was not recorded: "+err.Error()+".")
		return
	}
	w.Header().Set("Location", id)
	w.WriteHeader(http.StatusSeeOther)
}

// sendDocument sends an OpenAPI document as a file.
func (p *Page) sendDocument(w http.ResponseWriter, r *http.Request) {
	document, err := p.document(r.URL.Query())
	if err != nil {
		p.fail(w, r, "openapi", http.StatusNotFound, "There is no such document: "+err.Error()+".")
		return
	}
	text, err := json.MarshalIndent(document, "", "  ")
	if err != nil {
		p.fail(w, r, "openapi", http.StatusInternalServerError, "The document cannot be written.")
		return
	}
	w.Header().Set("Content-Type", "application/json")
	w.Header().Set("Content-Disposition", `attachment; filename="openapi.json"`)
	_, _ = w.Write(text)
}

// token proves that a form came from this page, for this route and viewer.
func (p *Page) token(id, viewer string) string {
	mac := hmac.New(sha256.New, p.key[:])
	mac.Write([]byte(strconv.Itoa(len(id)) + ":" + id + viewer))
	return hex.EncodeToString(mac.Sum(nil)[:16])
}

func (p *Page) fail(w http.ResponseWriter, r *http.Request, name string, status int, message string) {
	v := p.newView(name)
	v.wrong(status, message)
	v.send(w, r)
}

// send renders the view. It is rendered whole before anything is sent, so that a
// template's failure is a 500 and not half a page.
func (v *view) send(w http.ResponseWriter, r *http.Request) {
	var page bytes.Buffer
	if err := templates.ExecuteTemplate(&page, "page.html", v); err != nil {
		http.Error(w, "rendering the page failed", http.StatusInternalServerError)
		return
	}
	w.Header().Set("Content-Type", "text/html; charset=utf-8")
	w.Header().Set("Content-Length", strconv.Itoa(page.Len()))
	w.WriteHeader(v.Status)
	if r.Method != http.MethodHead {
		// A viewer who leaves is no error of ours.
		_, _ = w.Write(page.Bytes())
	}
}

package apiguard

import (
	"bytes"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"mime"
	"net/http"
	"net/url"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"sync"
	"time"

	"github.com/apiguard/caddy-api-guard/inventory/catalogue"
	"github.com/apiguard/caddy-api-guard/inventory/spec"
	"github.com/apiguard/caddy-api-guard/policy"
)

const (
	apiCatalogOn  = "on"
	apiCatalogOff = "off"

	// apiCatalogPath is where clients look for what a host serves (RFC 9727,
	// section 2).
	apiCatalogPath = "/.well-known/api-catalog"
	// mediaTypeLinkset is RFC 9264's, with the profile of RFC 9727, section 4.2.
	mediaTypeLinkset = `application/linkset+json; profile="https://www.rfc-editor.org/info/rfc9727"`
)

// apiCatalog is what /.well-known/api-catalog answers, by host. Documents are read
// when they are first asked for.
type apiCatalog struct {
	byHost map[*catalogue.Host][]*listedVersion
}

// listedVersion is a version as one host lists it.
type listedVersion struct {
	api       *catalogue.API
	version   *catalogue.Version
	bases     []string
	documents []*servedDocument
}

// servedDocument is a document with the bytes of its file, once they were asked
// for.
type servedDocument struct {
	*spec.Document
	opts  spec.Options
	once  sync.Once
	bytes []byte // nil: the file is another one now
}

func newAPICatalog(cat *catalogue.Catalogue, opts spec.Options) *apiCatalog {
	c := &apiCatalog{byHost: map[*catalogue.Host][]*listedVersion{}}
	documents := map[*spec.Document]*servedDocument{}
	for _, api := range cat.APIs {
		for _, v := range api.Versions {
			at := map[*catalogue.Host]*listedVersion{}
			list := func(h *catalogue.Host, base string) {
				l := at[h]
				if l == nil {
					l = &listedVersion{api: api, version: v}
					for _, d := range v.Documents {
						if documents[d] == nil {
							documents[d] = &servedDocument{Document: d, opts: opts}
						}
						l.documents = append(l.documents, documents[d])
					}
					at[h] = l
					c.byHost[h] = append(c.byHost[h], l)
				}
				if base == "" {
					base = "/"
				}
				if !slices.Contains(l.bases, base) {
					l.bases = append(l.bases, base)
				}
			}
			for _, name := range v.Hosts {
				if h := cat.HostOf(name); h != nil && (len(v.Claims) > 0 || len(v.Documents) == 0) {
					for _, base := range claimedBases(v) {
						list(h, base)
					}
				}
			}
			for _, r := range cat.Routes {
				if r.Version == v {
					for _, h := range r.Hosts {
						list(h, strings.TrimSuffix(r.Path, r.Operation.Template))
					}
				}
			}
		}
	}
	return c
}

// claimedBases are the paths of a version's claims; those without one, and
// versions without a document, answer for what their documents say, or the root.
func claimedBases(v *catalogue.Version) []string {
	var bases []string
	for _, c := range v.Claims {
		if c.Path != "" {
			bases = append(bases, c.Path)
		}
	}
	if len(bases) == 0 && len(v.Documents) == 0 {
		return []string{"/"}
	}
	return bases
}

// asksForCatalog reports whether the guard itself answers the request: for the
// catalogue of a declared host, where no document, no limit and no passthrough has the path.
// In monitor no path is answered.
func (x *exchange) asksForCatalog() bool {
	q := &x.request
	if q.Target.Path != apiCatalogPath || x.app.catalog == nil || q.Problem != "" || q.Match.Bound != 0 || q.Method != http.MethodGet && q.Method != http.MethodHead {
		return false
	}
	switch m := &q.Match; m.Outcome {
	case catalogue.Unclaimed, catalogue.NoDocument, catalogue.NoRoute:
		return m.Host != nil && x.app.policy.TellsOn(m.Host)
	default:
		return false
	}
}

// serveCatalog answers with what the caller's audience may see.
func (x *exchange) serveCatalog() error {
	x.observed = true   // it is no route of anybody's
	x.verdict.Refused() // as little as a refusal is it an answer of upstream
	h := x.w.Header()
	x.decorate(h)
	if !x.failed.again { // else an intercept has taken the first answer, with its header
		x.app.counting.count(&x.request.Match, &x.verdict)
		x.publish()
		h.Add("Link", "<"+apiCatalogPath+`>; rel="api-catalog"`)
	}
	h.Set("Cache-Control", "private, no-cache")
	visible := x.visible()
	if x.request.Target.RawQuery != "" {
		return x.serveDocument(visible)
	}
	body, err := json.Marshal(x.linkset(visible))
	if err != nil {
		return err
	}
	h["Content-Type"] = []string{mediaTypeLinkset}
	http.ServeContent(x.w, x.r, "", time.Time{}, bytes.NewReader(append(body, '\n')))
	return nil
}

// visible are the versions of the host that the caller may reach now.
func (x *exchange) visible() []*listedVersion {
	var list []*listedVersion
	for _, l := range x.app.catalog.byHost[x.request.Match.Host] {
		state := l.version.StateAt(x.request.Now)
		if state != catalogue.StateDesign && state != catalogue.StateRetired && x.app.policy.Admits(l.version, x.request.Client) {
			list = append(list, l)
		}
	}
	return list
}

// link is a link of RFC 9264, section 4.2.4.
type link struct {
	Href  string `json:"href"`
	Type  string `json:"type,omitempty"`
	Title string `json:"title,omitempty"`
}

// linkset is RFC 9264's: the catalogue with its items (RFC 9727, section 3.1), and
// what there is to say of each item (RFC 8631, RFC 9745, RFC 8594, RFC 5829).
func (x *exchange) linkset(visible []*listedVersion) any {
	origin := x.origin()
	own := map[string]any{"anchor": origin + apiCatalogPath}
	items, contexts := []link{}, []map[string]any{own}
	for _, l := range visible {
		title := l.api.Name + " " + l.version.Name
		for _, base := range l.bases {
			anchor := origin + base
			items = append(items, link{Href: anchor, Title: title})
			context := map[string]any{"anchor": anchor}
			var descriptions []link
			for i, d := range l.documents {
				descriptions = append(descriptions, link{Href: origin + documentTarget(l, i), Type: mediaTypeOf(d.Document), Title: title})
			}
			if descriptions != nil {
				context["service-desc"] = descriptions
			}
			if l.version.Docs != "" {
				context["service-doc"] = []link{{Href: l.version.Docs, Type: "text/html"}}
			}
			l.retirement(context, x.successorOf(l), x.request.Now)
			contexts = append(contexts, context)
		}
	}
	own["item"] = items
	return map[string]any{"linkset": contexts}
}

// successorOf is where a version's successor is, unless that is a version that the
// caller may not reach, or that is not there yet.
func (x *exchange) successorOf(l *listedVersion) string {
	for _, v := range l.api.Versions {
		if v.Name == l.version.Successor && (v.StateAt(x.request.Now) == catalogue.StateDesign || !x.app.policy.Admits(v, x.request.Client)) {
			return ""
		}
	}
	return x.app.policy.SuccessorOf(l.version)
}

// retirement adds the links that a deprecated version's answers carry too.
func (l *listedVersion) retirement(context map[string]any, successor string, now time.Time) {
	v := l.version
	if v.Docs != "" && v.StateAt(now) == catalogue.StateDeprecated {
		context["deprecation"] = []link{{Href: v.Docs, Type: "text/html"}}
	}
	if v.Docs != "" && !v.Sunset.IsZero() {
		context["sunset"] = []link{{Href: v.Docs, Type: "text/html"}}
	}
	if successor != "" && (v.StateAt(now) == catalogue.StateDeprecated || !v.Sunset.IsZero()) {
		context["successor-version"] = []link{{Href: successor}}
	}
}

// origin is where the caller reached the host.
func (x *exchange) origin() string {
	scheme := "http"
	if x.r.TLS != nil || x.trusted() && x.r.Header.Get("X-Forwarded-Proto") == "https" {
		scheme = "https"
	}
	return scheme + "://" + x.request.Target.Authority
}

// documentTarget is the address of a version's i-th document on its host.
func documentTarget(l *listedVersion, i int) string {
	query := url.Values{"api": {l.api.Name}, "version": {l.version.Name}}
	if i > 0 {
		query.Set("document", strconv.Itoa(i+1))
	}
	return apiCatalogPath + "?" + query.Encode()
}

// mediaTypeOf is a document's by its name, else by what it is: RFC 9512 for YAML.
func mediaTypeOf(d *spec.Document) string {
	switch ext := strings.ToLower(filepath.Ext(d.Base())); {
	case ext == ".json", d.JSON && ext != ".yaml" && ext != ".yml":
		return "application/json"
	default:
		return "application/yaml"
	}
}

// serveDocument answers with the file of a document that the caller may see, as
// long as it is the one that is in force.
func (x *exchange) serveDocument(visible []*listedVersion) error {
	query, err := url.ParseQuery(x.request.Target.RawQuery)
	number := 1
	for name, values := range query {
		if len(values) != 1 || name != "api" && name != "version" && name != "document" {
			err = fmt.Errorf("query parameter %q", name)
		}
	}
	if text := query.Get("document"); text != "" && err == nil {
		number, err = strconv.Atoi(text)
	}
	if err != nil {
		return x.missing()
	}
	i := slices.IndexFunc(visible, func(l *listedVersion) bool {
		return l.api.Name == query.Get("api") && l.version.Name == query.Get("version")
	})
	if i < 0 || number < 1 || number > len(visible[i].documents) {
		return x.missing()
	}
	d := visible[i].documents[number-1]
	d.once.Do(d.read)
	if d.bytes == nil {
		return x.missing()
	}
	h := x.w.Header()
	h["Content-Type"] = []string{mediaTypeOf(d.Document)}
	h["Etag"] = []string{`"` + hex.EncodeToString(d.Hash[:16]) + `"`}
	h["X-Content-Type-Options"] = []string{"nosniff"}
	h["Content-Disposition"] = []string{mime.FormatMediaType("inline", map[string]string{"filename": d.Base()})}
	http.ServeContent(x.w, x.r, "", time.Time{}, bytes.NewReader(d.bytes))
	return nil
}

// read takes the document's bytes if they still are those that are in force.
func (d *servedDocument) read() { d.bytes, _ = d.Source(d.opts) }

// missing answers for what is not there, or not for this caller: both look alike.
func (x *exchange) missing() error {
	x.verdict.Object(policy.RuleNone, policy.Enforce, policy.ReasonUnknownRoute, http.StatusNotFound)
	h := x.w.Header()
	x.verdict.SetRefusal(h, &x.values)
	return x.sendProblem(h)
}

package coverage

import (
	"encoding/json"
	"slices"
	"strings"

	"github.com/caddyserver/caddy/v2/modules/caddyhttp"
	"github.com/caddyserver/caddy/v2/modules/caddyhttp/fileserver"
	"github.com/caddyserver/caddy/v2/modules/caddyhttp/headers"
	"github.com/caddyserver/caddy/v2/modules/caddyhttp/intercept"
	"github.com/caddyserver/caddy/v2/modules/caddyhttp/reverseproxy"
	"github.com/caddyserver/caddy/v2/modules/caddyhttp/rewrite"
)

// passing are the handlers that pass a request on as it is, or answer it with
// nothing but what the configuration or they themselves say.
var passing = map[string]bool{
	"http.handlers.authentication":        true,
	"http.handlers.copy_response_headers": true,
	"http.handlers.encode":                true,
	"http.handlers.log_append":            true,
	"http.handlers.map":                   true,
	"http.handlers.push":                  true,
	"http.handlers.request_body":          true,
	"http.handlers.templates":             true,
	"http.handlers.timeouts":              true,
	"http.handlers.tracing":               true,
	"http.handlers.vars":                  true,
}

// answering are the handlers that answer with what the configuration or Caddy
// itself says, and pass nothing on.
var answering = map[string]string{
	"http.handlers.static_response": "answers what the configuration says",
	"http.handlers.error":           "answers an error",
	"http.handlers.metrics":         "answers Caddy's own metrics",
	"http.handlers.api_inventory":   "answers with the inventory's page",
	"http.handlers.copy_response":   "sends the answer that came before it",
}

// Known reports whether a handler is one that the proof can read. All of Caddy's
// standard handlers are.
func Known(id string) bool {
	if passing[id] || answering[id] != "" {
		return true
	}
	switch id {
	case GuardID, "http.handlers.subroute", "http.handlers.invoke", "http.handlers.reverse_proxy", "http.handlers.file_server",
		"http.handlers.intercept", "http.handlers.headers", "http.handlers.rewrite", "http.handlers.acme_server":
		return true
	}
	return false
}

// handle follows requests through one handler.
func (w *walker) handle(h *module, p point) {
	here := mark{at: w.clock, conditions: p.conditions, name: h.name(), judged: true}
	if h.value == nil {
		w.opaque(h, p, here)
		return
	}
	switch value := h.value.(type) {
	case *caddyhttp.Subroute:
		w.subroute(value, p)
		return
	case *caddyhttp.Invoke:
		w.invoke(value, p)
		return
	case *reverseproxy.Handler:
		w.proxy(value, p, here)
		return
	case *fileserver.FileServer:
		w.judge(p, h.name(), changeNone)
		if !value.PassThru {
			w.trail.ends = append(w.trail.ends, here)
		}
		return
	case *intercept.Intercept:
		w.responses(value.HandleResponse, p)
		return
	case *headers.Handler:
		if changesHost(value.Request) {
			here.change, here.host = changeBends, true
			w.trail.rewrites = append(w.trail.rewrites, here)
		}
		return
	case *rewrite.Rewrite:
		if here.change = changeOf(value); here.change != changeNone {
			w.trail.rewrites = append(w.trail.rewrites, here)
		}
		return
	}
	switch {
	case h.id == GuardID:
		here.rewritten = w.changedBetween(0, here.at, p.conditions)
		here.host = here.rewritten && !slices.ContainsFunc(w.trail.rewrites, func(r mark) bool { return !r.host && !w.apart(r.conditions, p.conditions) })
		w.trail.guards = append(w.trail.guards, here)
	case answering[h.id] != "":
		if best := w.guard(p.conditions); best != nil && best.rewritten && !w.inError {
			w.report(p, h.name(), Rewritten, best.whyRewritten()+". Nothing is behind it: it "+answering[h.id], false)
		} else {
			w.report(p, h.name(), NoBackend, answering[h.id], false)
		}
		w.trail.ends = append(w.trail.ends, here)
	case h.id == "http.handlers.acme_server":
		w.report(p, h.name(), NoBackend, "answers for Caddy's own certificate authority", false)
	case passing[h.id]:
	default:
		w.opaque(h, p, here)
	}
}

// opaque reports a handler that is not known: it may answer, pass on or rewrite.
func (w *walker) opaque(h *module, p point, here mark) {
	why, open := "this handler is not known here: it may answer or send the request elsewhere, and ", true
	switch best := w.guard(p.conditions); {
	case best == nil:
		why += "no api_guard stands before it"
	case best.rewritten:
		why += best.whyRewritten()
	case w.bent(best.at, p.conditions):
		why += whyBent
	default:
		why, open = "this handler is not known here; api_guard stands before it", false
	}
	w.report(p, h.name(), Opaque, why, open)
	w.trail.opaque = append(w.trail.opaque, here)
}

// responses follows the routes that run on an answer of what stands behind. They
// do not replace what comes after the handler.
func (w *walker) responses(list []caddyhttp.ResponseHandler, p point) {
	for i := range list {
		before := w.trail.clip()
		w.walk(list[i].Routes, p.route+".handle_response.routes", p.conditions)
		w.trail = before
	}
}

func (w *walker) invoke(value *caddyhttp.Invoke, p point) {
	route, ok := w.server.NamedRoutes[value.Name]
	if !ok {
		w.report(p, "invoke", Opaque, "the named route "+value.Name+" does not exist", true)
		return
	}
	if slices.Contains(w.invoking, value.Name) {
		w.report(p, "invoke", Opaque, "the named route "+value.Name+" invokes itself", true)
		return
	}
	w.invoking = append(w.invoking, value.Name)
	w.walk(caddyhttp.RouteList{*route}, "named_routes."+value.Name, p.conditions)
	w.invoking = w.invoking[:len(w.invoking)-1]
}

// proxy is a reverse_proxy, in the Caddyfile also a php_fastcgi or forward_auth.
func (w *walker) proxy(value *reverseproxy.Handler, p point, here mark) {
	name := "reverse_proxy"
	if speaksFastCGI(value) {
		name = "php_fastcgi"
	}
	own := changeOf(value.Rewrite)
	if asksLeave(value) {
		w.report(p, "forward_auth", NoBackend, "asks an authentication service by a target of its own; the request itself goes on", false)
		w.responses(value.HandleResponse, p)
		return
	}
	w.judge(p, name, own)
	w.responses(value.HandleResponse, p)
	if len(value.HandleResponse) == 0 {
		w.trail.ends = append(w.trail.ends, here)
	}
}

func speaksFastCGI(value *reverseproxy.Handler) bool {
	if value.Transport != nil {
		m := loaded(value.Transport)
		return m.name() == "fastcgi"
	}
	var transport struct {
		Protocol string `json:"protocol"`
	}
	return json.Unmarshal(value.TransportRaw, &transport) == nil && transport.Protocol == "fastcgi"
}

// asksLeave recognises forward_auth: a proxy with a method and target of its own,
// whose answer decides whether the request goes on.
func asksLeave(value *reverseproxy.Handler) bool {
	return len(value.HandleResponse) > 0 && value.Rewrite != nil && value.Rewrite.Method != "" && changeOf(value.Rewrite) == changeFixed
}

// changesHost reports whether the operations may change the host that a request is for,
// which is the field Host to them.
func changesHost(ops *headers.HeaderOps) bool {
	if ops == nil {
		return false
	}
	host := func(name string) bool { return strings.EqualFold(name, "Host") || strings.Contains(name, "{") }
	for name := range ops.Add { // the last one is taken
		if host(name) {
			return true
		}
	}
	for name := range ops.Set {
		if host(name) {
			return true
		}
	}
	for name := range ops.Replace {
		if host(name) || name == "*" {
			return true
		}
	}
	return slices.ContainsFunc(ops.Delete, func(name string) bool {
		core := strings.ToLower(strings.Trim(name, "*"))
		switch first, last := strings.HasPrefix(name, "*"), strings.HasSuffix(name, "*"); {
		case host(name), name == "*":
			return true
		case first && last:
			return strings.Contains("host", core)
		case first:
			return strings.HasSuffix("host", core)
		case last:
			return strings.HasPrefix("host", core)
		}
		return false
	})
}

// change is what a rewrite does to the target.
type change uint8

const (
	changeNone change = iota
	// changeKeeps only adds or takes a prefix or suffix of the path: what was
	// judged is still told apart.
	changeKeeps
	// changeBends makes it another target.
	changeBends
	// changeFixed leaves nothing of the client's target.
	changeFixed
)

func (c change) bends() bool { return c == changeBends || c == changeFixed }

// keeping are placeholders of the whole path, or of a file that was found by it.
var keeping = []string{"{http.request.uri}", "{http.request.uri.path}", "{http.request.orig_uri}", "{http.request.orig_uri.path}", "{http.matchers.file.relative}"}

func changeOf(r *rewrite.Rewrite) change {
	switch {
	case r == nil:
		return changeNone
	case r.URI != "":
		for _, placeholder := range keeping {
			if strings.Contains(r.URI, placeholder) && r.Method == "" {
				return changeKeeps
			}
		}
		if !strings.Contains(r.URI, "{http.request.") && !strings.Contains(r.URI, "{http.re") && !strings.HasPrefix(r.URI, "?") {
			return changeFixed
		}
		return changeBends
	case r.Method != "", len(r.URISubstring) > 0, len(r.PathRegexp) > 0, r.Query != nil:
		return changeBends
	case r.StripPathPrefix != "", r.StripPathSuffix != "":
		return changeKeeps
	}
	return changeNone
}

package apiguard

import (
	"errors"
	"fmt"
	"net"
	"net/http"
	"net/netip"
	"strings"

	"github.com/caddyserver/caddy/v2"
	"github.com/caddyserver/caddy/v2/modules/caddyhttp"

	"github.com/apiguard/caddy-api-guard/inventory/page"
)

// Who may see the page.
const (
	accessLocal         = "local"
	accessAuthenticated = "authenticated"
	accessAnyone        = "anyone"
)

// Page is the HTTP handler `api_inventory`: the inventory as a web page, from any
// site. (Browsers cannot open pages on Caddy's admin endpoint, which refuses what
// they send when somebody types its address.) It answers every request that reaches
// it.
type Page struct {
	// Where the page is: the path that its views are below, as the handler sees it
	// after handle_path and rewrites. Default: "/".
	Path string `json:"path,omitempty"`

	// Who may see it; others get 403. "local": clients on this machine and users
	// whom Caddy authenticated. "authenticated": only the latter. "anyone": the
	// configuration around it decides, by a matcher or by the network. A request
	// counts as local when its client address is a loopback address, it names a
	// loopback host (so that no other site's name can be pointed here), and no
	// proxy has passed it on but one that is trusted, with trusted_proxies_strict. Default: local. Caddyfile:
	// `access local|authenticated|anyone`.
	Access string `json:"access,omitempty"`

	// Let viewers accept and ignore routes. Default: they can only look.
	Review bool `json:"review,omitempty"`

	app  *App
	page *page.Page
}

// CaddyModule returns the Caddy module information.
func (*Page) CaddyModule() caddy.ModuleInfo {
	return caddy.ModuleInfo{ID: "http.handlers.api_inventory", New: func() caddy.Module { return new(Page) }}
}

// Provision finds the inventory.
func (p *Page) Provision(ctx caddy.Context) error {
	app, err := ctx.AppIfConfigured("api_guard")
	if errors.Is(err, caddy.ErrNotConfigured) {
		return errors.New("the handler api_inventory needs the app api_guard: add the global option api_guard with at least one api")
	}
	if err != nil {
		return err
	}
	switch p.Access {
	case "":
		p.Access = accessLocal
	case accessLocal, accessAuthenticated, accessAnyone:
	default:
		return fmt.Errorf("access: unrecognized value %q: write %s, %s or %s", p.Access, accessLocal, accessAuthenticated, accessAnyone)
	}
	if p.Path == "" {
		p.Path = "/"
	}
	if p.Path[0] != '/' {
		return fmt.Errorf("path: %q does not begin with a slash", p.Path)
	}
	if !strings.HasSuffix(p.Path, "/") {
		p.Path += "/"
	}
	p.app = app.(*App)
	p.page = page.New(page.Options{Source: p.app.shared.inventory, Coverage: p.coverage, Plan: p.app.planAt, Document: p.app.openapi, Review: p.Review})
	return nil
}

// coverage is the proof as the page shows it.
func (p *Page) coverage() []page.Covered {
	var out []page.Covered
	for _, e := range p.app.coverage(p.app.now.Load().policy.Catalogue()) {
		out = append(out, page.Covered{
			Listener: e.Listener, Host: e.Host, Route: e.Route, Handler: e.Handler, Status: string(e.Status), Why: e.Why, Open: e.Open,
		})
	}
	return out
}

// ServeHTTP implements caddyhttp.MiddlewareHandler.
func (p *Page) ServeHTTP(w http.ResponseWriter, r *http.Request, _ caddyhttp.Handler) error {
	viewer := authenticatedUser(r)
	if !p.admits(r, viewer) {
		return caddyhttp.Error(http.StatusForbidden, errors.New("api_inventory is for local clients and authenticated users: "+
			"add an authentication handler before it, or say access anyone"))
	}
	// Links are relative, so the page's own path needs its slash; handle_path gives one
	// to what it has stripped to nothing.
	if original := originalPath(r); strings.TrimSuffix(r.URL.Path, "/") == strings.TrimSuffix(p.Path, "/") && !strings.HasSuffix(original, "/") {
		w.Header().Set("Location", "./"+original[strings.LastIndexByte(original, '/')+1:]+"/")
		w.WriteHeader(http.StatusPermanentRedirect)
		return nil
	}
	name, ok := strings.CutPrefix(r.URL.Path, p.Path)
	if !ok && r.URL.Path != strings.TrimSuffix(p.Path, "/") {
		return caddyhttp.Error(http.StatusNotFound, fmt.Errorf("api_inventory is at %s", p.Path))
	}
	p.page.ServeHTTP(&settledWriter{ResponseWriter: w, r: r, inventory: p.app.shared.inventory}, r, name, viewer)
	return nil
}

func originalPath(r *http.Request) string {
	if original, ok := r.Context().Value(caddyhttp.OriginalRequestCtxKey).(http.Request); ok && original.URL != nil {
		return original.URL.Path
	}
	return r.URL.Path
}

func authenticatedUser(r *http.Request) string {
	replacer, ok := r.Context().Value(caddy.ReplacerCtxKey).(*caddy.Replacer)
	if !ok {
		return ""
	}
	user, _ := replacer.GetString("http.auth.user.id")
	return user
}

func (p *Page) admits(r *http.Request, viewer string) bool {
	switch {
	case p.Access == accessAnyone, viewer != "":
		return true
	case p.Access == accessAuthenticated:
		return false
	default:
		return local(r)
	}
}

// local reports whether the client is on this machine, as far as it can be told.
func local(r *http.Request) bool {
	client, _ := caddyhttp.GetVar(r.Context(), caddyhttp.ClientIPVarKey).(string)
	address, err := netip.ParseAddr(client)
	if err != nil || !address.Unmap().IsLoopback() || !loopbackName(r.Host) {
		return false
	}
	if trusted, _ := caddyhttp.GetVar(r.Context(), caddyhttp.TrustedProxyVarKey).(bool); trusted {
		// The client address is the one that the proxy tells; without
		// trusted_proxies_strict it is the one that the client tells the proxy.
		server, _ := r.Context().Value(caddyhttp.ServerCtxKey).(*caddyhttp.Server)
		return server != nil && server.TrustedProxiesStrict != 0
	}
	for _, name := range []string{"X-Forwarded-For", "X-Forwarded-Host", "X-Real-Ip", "Forwarded", "Via"} {
		if len(r.Header[name]) > 0 {
			return false
		}
	}
	return true
}

// loopbackName reports whether a Host means this machine: localhost, a name below
// it (RFC 6761, section 6.3) or a loopback address.
func loopbackName(host string) bool {
	if name, _, err := net.SplitHostPort(host); err == nil {
		host = name
	}
	host = strings.ToLower(strings.TrimSuffix(strings.Trim(host, "[]"), "."))
	if address, err := netip.ParseAddr(host); err == nil {
		return address.Unmap().IsLoopback()
	}
	return host == "localhost" || strings.HasSuffix(host, ".localhost")
}

var (
	_ caddyhttp.MiddlewareHandler = (*Page)(nil)
	_ caddy.Provisioner           = (*Page)(nil)
)

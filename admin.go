package apiguard

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"slices"
	"strings"
	"time"

	"github.com/caddyserver/caddy/v2"

	"github.com/apiguard/caddy-api-guard/inventory"
	"github.com/apiguard/caddy-api-guard/inventory/catalogue"
)

// Admin is the module admin.api.api_guard: what the guard knows, as JSON under
// /api_guard/ on Caddy's admin endpoint. It holds nothing and asks the running
// configuration each time, because Caddy makes the router before it knows whether
// a new configuration holds.
type Admin struct{}

// CaddyModule returns the Caddy module information.
func (*Admin) CaddyModule() caddy.ModuleInfo {
	return caddy.ModuleInfo{ID: "admin.api.api_guard", New: func() caddy.Module { return new(Admin) }}
}

const (
	adminPrefix = "/api_guard/"
	// storePatience is how long an answer waits for the inventory's file.
	storePatience = 5 * time.Second
	// maxDiscarded is how much of a body that is refused is read all the same.
	maxDiscarded = 1 << 20
)

// Routes implements caddy.AdminRouter.
func (a *Admin) Routes() []caddy.AdminRoute {
	return []caddy.AdminRoute{{Pattern: adminPrefix, Handler: caddy.AdminHandlerFunc(a.serve)}}
}

// serve answers a request under the prefix. Methods are looked at here, so that
// a wrong one gets an error in Caddy's own form.
func (a *Admin) serve(w http.ResponseWriter, r *http.Request) error {
	err := a.serveRunning(w, r)
	if err != nil {
		// A client that is still sending when the connection ends never sees why.
		_, _ = io.CopyN(io.Discard, r.Body, maxDiscarded)
	}
	if wrong := (methodError{}); errors.As(err, &wrong) {
		w.Header().Set("Allow", wrong.allow)
		return apiError(http.StatusMethodNotAllowed, wrong.message)
	}
	return err
}

// methodError is a 405, which must name the methods that there are (RFC 9110,
// section 15.5.6).
type methodError struct{ allow, message string }

func (e methodError) Error() string { return e.message }

// getOnly says that only GET, and HEAD with it, is there.
func getOnly(name string) error {
	return methodError{"GET, HEAD", adminPrefix + name + " takes GET only"}
}

func (a *Admin) serveRunning(w http.ResponseWriter, r *http.Request) error {
	app := runningApp()
	if app == nil {
		return apiError(http.StatusServiceUnavailable, "the running configuration has no api_guard app: add the global option api_guard")
	}
	return app.serveAdmin(w, r)
}

// serveAdmin answers a request under the prefix for a configuration.
func (app *App) serveAdmin(w http.ResponseWriter, r *http.Request) error {
	name := strings.TrimPrefix(r.URL.Path, adminPrefix)
	// [url.URL.Query] leaves out what it cannot read: a filter would not filter.
	if _, err := url.ParseQuery(r.URL.RawQuery); err != nil {
		return apiError(http.StatusBadRequest, "reading query: "+err.Error()+": percent-encode what is no letter, digit or one of - . _ ~")
	}
	view := app.shared.inventory
	view.AwaitStore(r.Context(), storePatience)
	if name == "feed" {
		return app.feed(w, r)
	}
	if done, err := app.export(name, w, r); done {
		return err
	}
	answer, err := app.answer(name, r)
	if err != nil {
		return err
	}
	// What is answered holds over a crash.
	settle(r.Context(), view)
	w.Header().Set("Content-Type", "application/json")
	w.Header().Set("Cache-Control", "no-store")
	if r.Method == http.MethodHead {
		return nil
	}
	var text bytes.Buffer
	writeJSON(&text, answer)
	_, err = w.Write(text.Bytes())
	return err
}

// adminNames are what stands behind adminPrefix.
var adminNames = []string{
	"apis", "hosts", "routes", "routes/{id}", "routes/{id}/review", "routes/{id}/template", "consumers", "findings", "flows",
	"feed", "coverage", "plan", "openapi", "limits", "override", "health",
}

func (app *App) answer(name string, r *http.Request) (any, error) {
	switch name {
	case "limits":
		return app.limits(r)
	case "override":
		return app.override(r)
	}
	view := app.shared.inventory
	if id, ok := reviewed(name); ok {
		return app.review(id, r)
	}
	if id, ok := templated(name); ok {
		return app.pin(id, r)
	}
	id, isRoute := strings.CutPrefix(name, "routes/")
	switch {
	case name == "apis", name == "hosts", name == "routes", name == "consumers", name == "findings", name == "flows", name == "coverage", name == "plan", name == "openapi", name == "health", isRoute && id != "" && !strings.Contains(id, "/"):
	default:
		return nil, apiError(http.StatusNotFound, fmt.Sprintf("there is no %q%s; there are %s", adminPrefix+name, catalogue.Nearly(name, adminNames), strings.Join(adminNames, ", ")))
	}
	if r.Method != http.MethodGet && r.Method != http.MethodHead {
		return nil, getOnly(name)
	}
	query := r.URL.Query()
	switch name {
	case "plan":
		return app.plan(r)
	case "openapi":
		return app.openapi(query)
	case "hosts":
		q, err := inventory.ParseHostQuery(query)
		if err != nil {
			return nil, apiError(http.StatusBadRequest, err.Error())
		}
		q.Limit = app.pageSize(q.Limit)
		list, err := view.Hosts(q)
		return list, badRequest(err)
	case "routes":
		q, err := inventory.ParseRouteQuery(query)
		if err != nil {
			return nil, apiError(http.StatusBadRequest, err.Error())
		}
		q.Limit = app.pageSize(q.Limit)
		list, err := view.Routes(q)
		return list, badRequest(err)
	case "consumers":
		q, err := inventory.ParseConsumerQuery(query)
		if err != nil {
			return nil, apiError(http.StatusBadRequest, err.Error())
		}
		q.Limit = app.pageSize(q.Limit)
		list, err := view.Consumers(q)
		return list, badRequest(err)
	case "flows":
		q, err := inventory.ParseFlowQuery(query)
		if err != nil {
			return nil, apiError(http.StatusBadRequest, err.Error())
		}
		q.Limit = app.pageSize(q.Limit)
		list, err := view.Flows(q)
		if err == nil && len(list.Items) == 0 {
			err = app.knowsIntegrations(q.Integration)
		}
		return list, badRequest(err)
	case "findings":
		q, err := inventory.ParseFindingQuery(query)
		if err != nil {
			return nil, apiError(http.StatusBadRequest, err.Error())
		}
		q.Limit = app.pageSize(q.Limit)
		list, err := view.Findings(q)
		return list, badRequest(err)
	}
	for parameter := range query {
		return nil, apiError(http.StatusBadRequest, fmt.Sprintf("unknown query parameter %q: %s%s takes none", parameter, adminPrefix, name))
	}
	switch name {
	case "apis":
		return view.APIs(), nil
	case "coverage":
		return app.coverageAnswer(), nil
	case "health":
		return app.shared.health(view), nil
	}
	entry, ok := view.Detail(id)
	if !ok {
		return nil, apiError(http.StatusNotFound, fmt.Sprintf("there is no route with the id %q", id))
	}
	return entry, nil
}

// knowsIntegrations reports one that is not declared: what nobody is called has no flow,
// and looks as if a third party got nothing.
func (app *App) knowsIntegrations(named []string) error {
	declared := integrationNames(app)
	for _, name := range named {
		if !slices.Contains(declared, name) {
			return fmt.Errorf("integration %.100q is not declared%s", name, catalogue.Nearly(name, declared))
		}
	}
	return nil
}

func (app *App) pageSize(asked int) int {
	if asked == 0 && app.Inventory != nil {
		return app.Inventory.PageSize
	}
	return asked
}

func apiError(status int, message string) error {
	return caddy.APIError{HTTPStatus: status, Err: errors.New(message)}
}

func badRequest(err error) error {
	if err == nil {
		return nil
	}
	return apiError(http.StatusBadRequest, err.Error())
}

var _ caddy.AdminRouter = (*Admin)(nil)

package apiguard

import (
	"cmp"
	"errors"
	"net/http"
	"net/url"
	"slices"

	"github.com/apiguard/caddy-api-guard/inventory"
	"github.com/apiguard/caddy-api-guard/inventory/catalogue"
	"github.com/apiguard/caddy-api-guard/policy"
)

// openapi answers with the draft of what no document has, or with the document in
// force and what really applies to its operations.
func (app *App) openapi(query url.Values) (any, error) {
	q, err := inventory.ParseOpenAPIQuery(query)
	if err != nil {
		return nil, apiError(http.StatusBadRequest, err.Error())
	}
	view := app.shared.inventory
	if q.Unknown {
		return view.Draft(q.Draft), nil
	}
	limits := app.now.Load().policy.Limits()
	document, err := view.Served(q.API, q.Version, q.Spec, func(route *catalogue.Route) map[string]any {
		return map[string]any{
			"limits":      limitsOn(limits, route),
			"credentials": map[string]any{"documented": route.Operation.AsksCredentials()},
		}
	})
	switch {
	case errors.Is(err, inventory.ErrNoVersion):
		return nil, apiError(http.StatusNotFound, cmp.Or(app.declares(q.API, q.Version), err).Error())
	case errors.Is(err, inventory.ErrNoDocument):
		return nil, apiError(http.StatusNotFound, err.Error())
	case err != nil:
		return nil, apiError(http.StatusBadRequest, err.Error())
	}
	return document, nil
}

// limitsOn are the limits that an operation is charged to, in the order of the
// configuration.
func limitsOn(limits []policy.LimitEntry, route *catalogue.Route) []policy.LimitEntry {
	out := []policy.LimitEntry{}
	name := route.Operation.Method + " " + route.Operation.Template
	for i := range limits {
		l := &limits[i]
		if l.API == route.API.Name && (l.Version == "" || l.Version == route.Version.Name) &&
			(len(l.Operations) == 0 || slices.Contains(l.Operations, name) || route.Operation.ID != "" && slices.Contains(l.Operations, route.Operation.ID)) {
			out = append(out, *l)
		}
	}
	return out
}

package apiguard

import (
	"errors"
	"fmt"
	"net/http"
	"net/url"
	"slices"
	"time"

	"github.com/apiguard/caddy-api-guard/inventory"
	"github.com/apiguard/caddy-api-guard/inventory/catalogue"
	"github.com/apiguard/caddy-api-guard/policy"
)

// limitList answers /api_guard/limits. It never lists keys: who is limited is
// asked for one at a time.
type limitList struct {
	Items    any            `json:"items"`
	Next     string         `json:"next"`
	AsOf     inventory.Time `json:"as_of"`
	Complete bool           `json:"complete"`
	Gaps     []string       `json:"gaps"`
}

// limits answers without parameters with the limits in force, with limit and key
// with the state of that key's buckets; DELETE forgets them.
func (app *App) limits(r *http.Request) (any, error) {
	query := r.URL.Query()
	for parameter, values := range query {
		switch parameter {
		case "key":
			continue
		case "limit", "api", "version":
		default:
			return nil, apiError(http.StatusBadRequest, fmt.Sprintf("unknown query parameter %q: %slimits takes limit, key, api and version", parameter, adminPrefix))
		}
		if len(values) > 1 {
			return nil, apiError(http.StatusBadRequest, fmt.Sprintf("%s is given %d times: give it once", parameter, len(values)))
		}
	}
	limit, api, version := query.Get("limit"), query.Get("api"), query.Get("version")
	list := limitList{AsOf: inventory.Time{Time: time.Now().UTC()}, Complete: true, Gaps: []string{}}
	switch r.Method {
	case http.MethodGet, http.MethodHead:
		if len(query) == 0 {
			list.Items = app.now.Load().policy.Limits()
			return list, nil
		}
		if err := needsLimit(query); err != nil {
			return nil, err
		}
		buckets, err := app.now.Load().policy.Buckets(limit, api, version, query["key"])
		list.Items = buckets
		return list, app.limitError(err, query)
	case http.MethodDelete:
		if err := needsLimit(query); err != nil {
			return nil, err
		}
		forgotten, err := app.now.Load().policy.Forget(limit, api, version, query["key"])
		return struct {
			Forgotten int `json:"forgotten"`
		}{forgotten}, app.limitError(err, query)
	default:
		return nil, methodError{"GET, HEAD, DELETE", adminPrefix + "limits takes GET and DELETE only"}
	}
}

func needsLimit(query url.Values) error {
	if !query.Has("limit") {
		return apiError(http.StatusBadRequest, "a bucket has a limit and a key: give limit, and key once for each part that the limit counts by")
	}
	return nil
}

func (app *App) limitError(err error, query url.Values) error {
	if !errors.Is(err, policy.ErrNoLimit) {
		return badRequest(err)
	}
	const look = ": look at the list of limits (caddy api-guard limits, or GET without parameters)"
	limit, names := query.Get("limit"), app.now.Load().policy.LimitNames()
	if !slices.Contains(names, limit) {
		return apiError(http.StatusNotFound, "there is no limit of that name there"+catalogue.Nearly(limit, names)+look)
	}
	if err := app.declares(query.Get("api"), query.Get("version")); err != nil {
		return apiError(http.StatusNotFound, err.Error()+look)
	}
	return apiError(http.StatusNotFound, "the limit "+limit+" is none of that API or version"+look)
}

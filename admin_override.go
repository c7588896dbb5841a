package apiguard

import (
	"errors"
	"fmt"
	"net/http"
	"slices"
	"strings"

	"github.com/caddyserver/caddy/v2"

	"github.com/apiguard/caddy-api-guard/inventory"
	"github.com/apiguard/caddy-api-guard/inventory/catalogue"
)

// maxOverrideBody is room for the longest reason, each byte of it escaped, and
// what stands around it.
const maxOverrideBody = 6*maxOverrideWords + 1024

// override answers /api_guard/override: GET lists what is in force, POST adds one,
// DELETE with ?id= ends one before its time.
func (app *App) override(r *http.Request) (any, error) {
	query := r.URL.Query()
	for parameter := range query {
		if parameter != "id" || r.Method != http.MethodDelete {
			return nil, apiError(http.StatusBadRequest, fmt.Sprintf("unknown query parameter %q: %soverride takes id, with DELETE", parameter, adminPrefix))
		}
	}
	all := app.shared.overrides
	switch r.Method {
	case http.MethodGet, http.MethodHead:
		return inventory.ListOf(app.shared.inventory, all.list()), nil
	case http.MethodPost:
		return app.addOverride(r)
	case http.MethodDelete:
		if id := query["id"]; len(id) != 1 || id[0] == "" {
			return nil, apiError(http.StatusBadRequest, "say which one: DELETE "+adminPrefix+"override?id=<id>")
		}
		if !all.end(query.Get("id"), "somebody ended it") {
			return nil, apiError(http.StatusNotFound, fmt.Sprintf("there is no override with the id %q", query.Get("id")))
		}
		return inventory.ListOf(app.shared.inventory, all.list()), nil
	default:
		return nil, methodError{"GET, HEAD, POST, DELETE", adminPrefix + "override takes GET, POST and DELETE only"}
	}
}

// addOverride reads an override.
func (app *App) addOverride(r *http.Request) (any, error) {
	var in struct {
		Rule    string `json:"rule"`
		Mode    string `json:"mode"`
		TTL     string `json:"ttl"`
		Reason  string `json:"reason"`
		API     string `json:"api"`
		Version string `json:"version"`
		Limit   string `json:"limit"`
	}
	const example = `{"rule":"request","mode":"monitor","ttl":"15m","reason":"why"}`
	if err := readStatement(r, "an override", example, maxOverrideBody, &in); err != nil {
		return nil, err
	}
	ttl, err := caddy.ParseDuration(in.TTL)
	if err != nil {
		return nil, apiError(http.StatusBadRequest, fmt.Sprintf("ttl %q: write a duration such as 15m", in.TTL))
	}
	entry := Override{Rule: in.Rule, Mode: in.Mode, Reason: in.Reason, API: in.API, Version: in.Version, Limit: in.Limit}
	if err := app.knowsTarget(&entry); err != nil {
		return nil, apiError(http.StatusBadRequest, err.Error())
	}
	added, err := app.shared.overrides.add(entry, ttl)
	if errors.Is(err, errManyOverrides) {
		return nil, apiError(http.StatusConflict, err.Error())
	}
	return added, badRequest(err)
}

// declares reports an API, or a version of it, that the configuration does not have. Empty
// ones are any.
func (app *App) declares(api, version string) error {
	if api == "" {
		return nil
	}
	i := slices.IndexFunc(app.API, func(a *API) bool { return a.Name == api })
	if i < 0 {
		var names []string
		for _, a := range app.API {
			names = append(names, a.Name)
		}
		return fmt.Errorf("api %q is not in the catalogue%s", api, catalogue.Nearly(api, names))
	}
	var versions []string
	for _, v := range app.API[i].Version {
		versions = append(versions, v.Name)
	}
	if version != "" && !slices.Contains(versions, version) {
		return fmt.Errorf("api %q has no version %q%s: there are %s", api, version, catalogue.Nearly(version, versions), strings.Join(versions, ", "))
	}
	return nil
}

// knowsTarget reports what an override names and the configuration does not have:
// it would be in force and do nothing.
func (app *App) knowsTarget(o *Override) error {
	now := app.now.Load().policy
	if err := app.declares(o.API, o.Version); err != nil {
		return err
	}
	if o.Limit != "" && !slices.Contains(now.LimitNames(), o.Limit) {
		return fmt.Errorf("there is no limit %q%s", o.Limit, catalogue.Nearly(o.Limit, now.LimitNames()))
	}
	return nil
}

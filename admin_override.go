package apiguard

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"mime"
	"net/http"
	"slices"

	"github.com/caddyserver/caddy/v2"

	"github.com/apiguard/caddy-api-guard/inventory"
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
		return nil, apiError(http.StatusMethodNotAllowed, "override takes GET, POST and DELETE")
	}
}

// addOverride reads an override. The media type is asked for because a browser
// cannot send it to another origin without asking first.
func (app *App) addOverride(r *http.Request) (any, error) {
	if mediaType, _, err := mime.ParseMediaType(r.Header.Get("Content-Type")); err != nil || mediaType != "application/json" {
		return nil, apiError(http.StatusUnsupportedMediaType, "an override is JSON: send Content-Type: application/json")
	}
	var in struct {
		Rule    string `json:"rule"`
		Mode    string `json:"mode"`
		TTL     string `json:"ttl"`
		Reason  string `json:"reason"`
		API     string `json:"api"`
		Version string `json:"version"`
		Limit   string `json:"limit"`
	}
	text, err := io.ReadAll(io.LimitReader(r.Body, maxOverrideBody+1))
	if err != nil {
		return nil, apiError(http.StatusBadRequest, "reading the override: "+err.Error())
	}
	if len(text) > maxOverrideBody {
		return nil, apiError(http.StatusRequestEntityTooLarge, fmt.Sprintf("an override has at most %d bytes", maxOverrideBody))
	}
	decoder := json.NewDecoder(bytes.NewReader(text))
	decoder.DisallowUnknownFields()
	if err := decoder.Decode(&in); err != nil {
		return nil, apiError(http.StatusBadRequest, `reading the override: `+err.Error()+`: write {"rule":"request","mode":"monitor","ttl":"15m","reason":"why"}`)
	}
	if _, err := decoder.Token(); !errors.Is(err, io.EOF) {
		return nil, apiError(http.StatusBadRequest, "reading the override: something follows the object: send one")
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

// knowsTarget reports what an override names and the configuration does not have:
// it would be in force and do nothing.
func (app *App) knowsTarget(o *Override) error {
	now := app.now.Load().policy
	if o.API != "" {
		i := slices.IndexFunc(app.API, func(a *API) bool { return a.Name == o.API })
		if i < 0 {
			return fmt.Errorf("api %q is not in the catalogue", o.API)
		}
		if o.Version != "" && !slices.ContainsFunc(app.API[i].Version, func(v *Version) bool { return v.Name == o.Version }) {
			return fmt.Errorf("api %q has no version %q", o.API, o.Version)
		}
	}
	if o.Limit != "" && !slices.Contains(now.LimitNames(), o.Limit) {
		return fmt.Errorf("there is no limit %q", o.Limit)
	}
	return nil
}

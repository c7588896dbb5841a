package apiguard

import (
	"fmt"
	"net/http"
	"slices"
	"time"

	"github.com/apiguard/caddy-api-guard/inventory"
	"github.com/apiguard/caddy-api-guard/policy"
)

// plan answers /api_guard/plan: how the versions stand at some time, and what of
// the traffic that was seen they would refuse then.
func (app *App) plan(r *http.Request) (any, error) {
	query := r.URL.Query()
	for parameter, values := range query {
		if parameter != "at" || len(values) != 1 {
			return nil, apiError(http.StatusBadRequest, fmt.Sprintf("query parameter %q: %splan takes at, once", parameter, adminPrefix))
		}
	}
	at := time.Now()
	if query.Has("at") {
		var err error
		if at, err = parseDate(query.Get("at")); err != nil {
			return nil, apiError(http.StatusBadRequest, "at: "+err.Error())
		}
	}
	return app.planAt(at), nil
}

func (app *App) planAt(at time.Time) inventory.Plan {
	now := app.now.Load()
	return app.shared.inventory.Plan(inventory.PlanQuery{
		At: at,
		Mode: func(api, version string) string {
			return now.policy.ModeOf(api, version, policy.RuleLifecycle).String()
		},
		Excepted: app.excepted,
	})
}

// excepted is the exception from lifecycle that an integration has at a time.
func (app *App) excepted(api, version, integration string, at time.Time) string {
	i := slices.IndexFunc(app.Integration, func(in *Integration) bool { return in.Name == integration })
	if i < 0 || app.Integration[i].Until != "" && !untilAfter(app.Integration[i].Until, at) {
		return ""
	}
	for _, a := range app.API {
		for _, v := range a.Version {
			if a.Name != api || v.Name != version {
				continue
			}
			for _, e := range v.Exception {
				if e.Consumer == integration && e.Rule == policy.RuleLifecycle.String() && untilAfter(e.Until, at) {
					return e.Name
				}
			}
		}
	}
	return ""
}

func untilAfter(text string, at time.Time) bool {
	until, err := parseUntil(text)
	return err == nil && at.Before(until)
}

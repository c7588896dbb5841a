package apiguard

import (
	"fmt"
	"regexp"
	"slices"
	"strings"
)

// plainPlaceholder is one without a dot. Caddy has none, but for those that a map,
// a vars or another handler before the guard sets.
var plainPlaceholder = regexp.MustCompile(`\{[^{}.$\[]+\}`)

// latePlaceholder is one that the guard sets itself, once it has decided.
var latePlaceholder = regexp.MustCompile(`\{http\.api_guard\.(api|version|state|operation|verdict|rule|reason)\}`)

// freshPlaceholder is one that every request, or every connection, has another value
// of: each gets a bucket of its own, and the limit limits nothing.
var freshPlaceholder = regexp.MustCompile(`\{(http\.request\.(uuid|duration|duration_ms|remote|remote\.port)|time\.now[^{}]*)\}`)

// keys looks for parts of keys that no request will have. All its requests share
// one bucket then, and what was meant for each client is soon used up by all. It
// looks for the opposite too.
func (l *linter) keys() {
	look := func(api, version string, limits []*Limit) {
		for _, limit := range limits {
			for _, part := range limit.Key {
				known := expandShorthands(part)
				if found := plainPlaceholder.FindString(known); found != "" && !slices.Contains(l.app.Consumers, found) {
					l.add(lintUnknownKey, api, version, limit.Source, fmt.Sprintf("limit %q counts by %s, which Caddy does not have", limit.Name, found))
				} else if found := latePlaceholder.FindString(known); found != "" {
					l.add(lintUnknownKey, api, version, limit.Source, fmt.Sprintf("limit %q counts by %s, which is not known yet when limits are asked", limit.Name, found))
				} else if found := freshPlaceholder.FindString(known); found != "" {
					l.add(lintFreshKey, api, version, limit.Source, fmt.Sprintf("limit %q counts by %s, which is another one for each request or connection", limit.Name, found))
				} else if !strings.Contains(known, "{") {
					l.add(lintUnknownKey, api, version, limit.Source, fmt.Sprintf("limit %q counts by %q, which is the same for every request", limit.Name, part))
				}
			}
		}
	}
	if l.app.Policy != nil {
		look("", "", l.app.Policy.Limit)
	}
	for _, api := range l.app.API {
		look(api.Name, "", api.Limit)
		for _, v := range api.Version {
			look(api.Name, v.Name, v.Limit)
			for _, e := range v.Exception {
				look(api.Name, v.Name, e.Limit)
			}
		}
	}
}

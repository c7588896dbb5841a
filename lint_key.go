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

// keys looks for parts of keys that no request will have. All its requests share
// one bucket then, and what was meant for each client is soon used up by all.
func (l *linter) keys() {
	look := func(api, version string, limits []*Limit) {
		for _, limit := range limits {
			for _, part := range limit.Key {
				known := expandShorthands(part)
				if found := plainPlaceholder.FindString(known); found != "" && !slices.Contains(l.app.Consumers, found) {
					l.add(lintUnknownKey, api, version, limit.Source, fmt.Sprintf("limit %q counts by %s, which Caddy does not have", limit.Name, found))
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

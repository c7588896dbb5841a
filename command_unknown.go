package apiguard

import (
	"fmt"
	"net/url"
	"slices"
	"strings"

	"github.com/apiguard/caddy-api-guard/inventory"
	"github.com/apiguard/caddy-api-guard/inventory/catalogue"
)

// unknownName reports what the filters of an empty answer name and the running Caddy does
// not have: for a misspelt name nothing would be found, and look as if all were well.
// Whatever an answer is not empty for is known, as what was in an earlier configuration.
func (in *invocation) unknownName(filter url.Values) error {
	if len(filter["api"])+len(filter["version"])+len(filter["host"]) == 0 {
		return nil
	}
	var apis inventory.List[inventory.APIEntry]
	if err := in.ask("GET", "apis", nil, nil, &apis); err != nil {
		return err
	}
	var names, versions, hosts []string
	for _, a := range apis.Items {
		names = append(names, a.API)
		for _, v := range a.Versions {
			if len(filter["api"]) == 0 || slices.Contains(filter["api"], a.API) {
				versions = append(versions, v.Version)
			}
			hosts = append(hosts, v.Hosts...)
		}
	}
	for _, name := range filter["api"] {
		if !slices.Contains(names, name) {
			return fmt.Errorf("api %q is not in the catalogue%s: there are %s", name, catalogue.Nearly(name, names), strings.Join(names, ", "))
		}
	}
	for _, name := range filter["version"] {
		if !slices.Contains(versions, name) {
			of := "any api"
			if len(filter["api"]) > 0 {
				of = strings.Join(filter["api"], " or ")
			}
			return fmt.Errorf("there is no version %q%s of %s: there are %s", name, catalogue.Nearly(name, versions), of, strings.Join(versions, ", "))
		}
	}
	if len(filter["host"]) == 0 {
		return nil
	}
	var seen inventory.List[inventory.HostEntry]
	if err := in.ask("GET", "hosts", url.Values{"limit": {fmt.Sprint(mostPerPage)}}, nil, &seen); err != nil {
		return err
	}
	for _, h := range seen.Items {
		hosts = append(hosts, h.Host)
	}
	for _, name := range filter["host"] {
		if !slices.ContainsFunc(hosts, func(h string) bool { return catalogue.HostMatches(h, strings.ToLower(name)) }) {
			return fmt.Errorf("host %q is not declared, and nobody asked for it%s: caddy api-guard hosts lists those that are there", name, catalogue.Nearly(name, hosts))
		}
	}
	return nil
}

package coverage_test

import (
	"testing"

	"github.com/apiguard/caddy-api-guard/coverage"
)

// Caddy matches the xn-- form of a site's international name, which is what the
// catalogue has; before it is provisioned the configuration has the other one.
func TestAnInternationalHostIsTheOneThatRequestsName(t *testing.T) {
	const host = "api.xn--bcher-kva.example"
	config := adapted(t, `{
	admin off
	api_guard {
		api orders {
			version v1 {
				hosts api.bücher.example
			}
		}
	}
}
http://API.bücher.example:8080 {
	reverse_proxy 127.0.0.1:9
}
`)
	for name, servers := range map[string][]coverage.Server{"as written": decodedServers(t, config), "provisioned": provisionedServers(t, config)} {
		open := false
		for _, e := range coverage.Prove(servers, coverage.Catalogue{Hosts: []string{host}, Declares: func(h string) bool { return h == host }}) {
			open = open || e.Host == host && e.Catalogue && e.Open && e.Status == coverage.NotGuarded
		}
		if !open {
			t.Errorf("%s: the host that no guard stands before is not seen", name)
		}
	}
}

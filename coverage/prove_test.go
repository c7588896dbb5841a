package coverage_test

import (
	"encoding/json"
	"slices"
	"testing"

	"github.com/caddyserver/caddy/v2"
	"github.com/caddyserver/caddy/v2/caddyconfig"
	"github.com/caddyserver/caddy/v2/modules/caddyhttp"

	"github.com/apiguard/caddy-api-guard/coverage"
)

func text(entries []coverage.Entry) string {
	b, _ := json.MarshalIndent(entries, "", " ")
	return string(b)
}

func adapted(t *testing.T, caddyfile string) []byte {
	t.Helper()
	config, _, err := caddyconfig.GetAdapter("caddyfile").Adapt([]byte(caddyfile), map[string]any{"filename": "Caddyfile"})
	if err != nil {
		t.Fatal(err)
	}
	return config
}

func prove(t *testing.T, servers []coverage.Server) []coverage.Entry {
	t.Helper()
	hosts := []string{"api.example.com", "beta.example.com"}
	return coverage.Prove(servers, coverage.Catalogue{Hosts: hosts, Declares: func(h string) bool { return slices.Contains(hosts, h) }})
}

func decodedServers(t *testing.T, config []byte) []coverage.Server {
	t.Helper()
	var whole struct {
		Apps map[string]json.RawMessage `json:"apps"`
	}
	if err := json.Unmarshal(config, &whole); err != nil {
		t.Fatal(err)
	}
	servers, err := coverage.Servers(whole.Apps["http"])
	if err != nil {
		t.Fatal(err)
	}
	return servers
}

func provisionedServers(t *testing.T, config []byte) []coverage.Server {
	t.Helper()
	cfg := new(caddy.Config)
	if err := caddy.StrictUnmarshalJSON(config, cfg); err != nil {
		t.Fatal(err)
	}
	ctx, err := caddy.ProvisionContext(cfg)
	if err != nil {
		t.Fatal(err)
	}
	app, err := ctx.App("http")
	if err != nil {
		t.Fatal(err)
	}
	return coverage.SortServers(app.(*caddyhttp.App).Servers)
}

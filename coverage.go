package apiguard

import (
	"encoding/json"
	"fmt"
	"slices"
	"strings"

	"github.com/caddyserver/caddy/v2"
	"github.com/caddyserver/caddy/v2/modules/caddyhttp"
	"go.uber.org/zap"

	"github.com/apiguard/caddy-api-guard/coverage"
	"github.com/apiguard/caddy-api-guard/inventory"
	"github.com/apiguard/caddy-api-guard/inventory/catalogue"
	"github.com/apiguard/caddy-api-guard/policy"
	"github.com/apiguard/caddy-api-guard/ratelimit"
)

const (
	coverageWarn   = "warn"
	coverageStrict = "strict"

	// maxOpenLines is how many holes the log names at a start.
	maxOpenLines = 20
)

// prove walks the routes of the running Caddy and says what gets by the guard. With
// `coverage strict` a catalogue host that does is an error.
func (app *App) prove() error {
	now := app.now.Load()
	entries := app.coverage(now.policy.Catalogue())
	now.recorder.DeclareUnguarded(unguarded(entries))
	told, others := 0, map[string]bool{}
	for _, e := range entries {
		if !e.Open || e.Host != coverage.OtherHosts && !e.Catalogue {
			continue
		}
		if e.Host == coverage.OtherHosts {
			if others[e.Listener] {
				continue
			}
			others[e.Listener] = true
		}
		if told++; told <= maxOpenLines {
			app.logger.Warn("requests may get by the guard", zap.String("status", string(e.Status)), zap.String("listener", e.Listener),
				zap.String("host", e.Host), zap.String("route", e.Route), zap.String("handler", e.Handler), zap.String("why", e.Why))
		}
	}
	if told > maxOpenLines {
		app.logger.Warn("more requests may get by the guard: see caddy api-guard coverage --open", zap.Int("more", told-maxOpenLines))
	}
	if app.Coverage == coverageStrict {
		return openError(entries)
	}
	return nil
}

// unguarded are the hosts of which something stands open, as the inventory tells of
// them: each once, with its first place. What a listener answers by itself when no
// site has the host is no host that answers.
func unguarded(entries []coverage.Entry) []inventory.Unguarded {
	var hosts []inventory.Unguarded
	places := map[string]int{}
	for _, e := range entries {
		// Of modules that nobody can look into, those count that a declared host gets to.
		if !e.Open || e.Status == coverage.NoCatchAll || e.Status == coverage.Opaque && !e.Catalogue {
			continue
		}
		if places[e.Host]++; places[e.Host] > 1 {
			continue
		}
		hosts = append(hosts, inventory.Unguarded{Host: e.Host, Declared: e.Catalogue,
			Detail: fmt.Sprintf("On %s, %s (%s) is %s: %s.", e.Listener, e.Handler, e.Route, e.Status, strings.TrimSuffix(e.Why, "."))})
	}
	for i := range hosts {
		if n := places[hosts[i].Host] - 1; n > 0 {
			hosts[i].Detail += fmt.Sprintf(" So are %d more.", n)
		}
	}
	return hosts
}

// openError names the hosts of the catalogue that are open.
func openError(entries []coverage.Entry) error {
	open := coverage.Open(entries)
	if len(open) == 0 {
		return nil
	}
	var lines []string
	for _, e := range open[:min(len(open), maxOpenLines)] {
		lines = append(lines, fmt.Sprintf("%s on %s: %s is %s (%s): %s", e.Host, e.Listener, e.Handler, e.Status, e.Route, e.Why))
	}
	if n := len(open) - len(lines); n > 0 {
		lines = append(lines, fmt.Sprintf("and %d more", n))
	}
	return fmt.Errorf("coverage strict: requests for hosts of the catalogue get by the guard:\n%s", strings.Join(lines, "\n"))
}

// coverage is the proof for the running Caddy.
func (app *App) coverage(cat *catalogue.Catalogue) []coverage.Entry {
	declared := declaredHosts(cat)
	var servers []coverage.Server
	if loaded, err := app.ctx.AppIfConfigured("http"); err == nil {
		if http, ok := loaded.(*caddyhttp.App); ok {
			servers = coverage.SortServers(http.Servers)
		}
	}
	var apps []string
	for _, name := range caddy.Modules() {
		if _, err := app.ctx.AppIfConfigured(name); err == nil {
			apps = append(apps, name)
		}
	}
	return slices.Concat(coverage.Prove(servers, declared), coverage.Apps(apps), app.passing())
}

// passing lists what is declared to be no API: the guard stands before it, and only
// target and audience hold.
func (app *App) passing() []coverage.Entry {
	var entries []coverage.Entry
	for _, p := range app.Passthrough {
		for _, host := range p.Hosts {
			entries = append(entries, coverage.Entry{
				Host: host, Route: strings.TrimSpace(strings.Join(p.Methods, " ") + " " + strings.Join(p.Path, " ")), Handler: "passthrough " + p.Name,
				Status: coverage.Partial, Why: "passthrough, so that only target and audience hold: " + p.Reason, Catalogue: true,
			})
		}
	}
	return entries
}

// declaredHosts is what the proof needs of the catalogue.
func declaredHosts(cat *catalogue.Catalogue) coverage.Catalogue {
	declared := coverage.Catalogue{Declares: func(name string) bool { return cat.HostOf(name) != nil }}
	for _, h := range cat.Hosts {
		declared.Hosts = append(declared.Hosts, h.Name)
	}
	return declared
}

// coverageAnswer is /api_guard/coverage.
func (app *App) coverageAnswer() inventory.List[coverage.Entry] {
	return inventory.ListOf(app.shared.inventory, app.coverage(app.now.Load().policy.Catalogue()))
}

// proveConfig is the proof for an adapted configuration, of which nothing is
// provisioned but the catalogue, for the hosts of its documents.
func proveConfig(config []byte) ([]coverage.Entry, error) {
	app, apps, err := decodeConfig(config)
	if err != nil {
		return nil, err
	}
	var declared coverage.Catalogue
	if err := app.offline(func(_ *policy.Config, cat *catalogue.Catalogue) { declared = declaredHosts(cat) }); err != nil {
		return nil, err
	}
	servers, err := coverage.Servers(apps["http"])
	if err != nil {
		return nil, fmt.Errorf("reading the http app: %w", err)
	}
	var names []string
	for name := range apps {
		names = append(names, name)
	}
	slices.Sort(names)
	return slices.Concat(coverage.Prove(servers, declared), coverage.Apps(names), app.passing()), nil
}

// decodeConfig takes the app out of an adapted configuration.
func decodeConfig(config []byte) (*App, map[string]json.RawMessage, error) {
	var whole struct {
		Apps map[string]json.RawMessage `json:"apps"`
	}
	if err := json.Unmarshal(config, &whole); err != nil {
		return nil, nil, fmt.Errorf("reading the configuration: %w", err)
	}
	raw, ok := whole.Apps["api_guard"]
	if !ok {
		return nil, nil, fmt.Errorf("the configuration has no api_guard app: add the global option api_guard")
	}
	app := new(App)
	if err := caddy.StrictUnmarshalJSON(raw, app); err != nil {
		return nil, nil, fmt.Errorf("reading the api_guard app: %w", err)
	}
	if err := app.expand(); err != nil {
		return nil, nil, fmt.Errorf("reading the api_guard app: %w", err)
	}
	return app, whole.Apps, nil
}

// offline compiles the catalogue of a configuration that is not provisioned, for
// the length of f.
func (app *App) offline(f func(*policy.Config, *catalogue.Catalogue)) error {
	app.logger = zap.NewNop()
	documents := newDocuments(app)
	defer documents.release()
	b := &builder{app: app, load: documents.load}
	cfg, err := b.build()
	if err != nil {
		return app.conceal(err)
	}
	cfg.Table = ratelimit.NewTable(ratelimit.TableConfig{Slots: 1})
	compiled, err := policy.New(cfg)
	if err != nil {
		return app.locate(err)
	}
	cat := compiled.Catalogue()
	cat.Problems = append(cat.Problems, b.problems...)
	f(&cfg, cat)
	return nil
}

// Package apiguard is a Caddy module that puts one policy (rate limits, OpenAPI
// conformance, retirement of old versions) in front of every version of every
// API, on every host, and keeps an inventory of what really answers.
//
// This package is Caddy's side of it: the app with its configuration, the HTTP
// handler, the Caddyfile and the admin routes. What it does is in the packages
// below, none of which imports Caddy: inventory (what exists), policy (what is
// allowed) and ratelimit (how often).
package apiguard

import (
	"errors"
	"fmt"
	"sync"

	"github.com/caddyserver/caddy/v2"
	"go.uber.org/zap"

	"github.com/apiguard/caddy-api-guard/inventory"
	"github.com/apiguard/caddy-api-guard/inventory/catalogue"
	"github.com/apiguard/caddy-api-guard/policy"
)

func init() {
	caddy.RegisterModule(new(App))
	caddy.RegisterModule(new(Handler))
	caddy.RegisterModule(new(Admin))
}

const (
	refusalsDirect       = "direct"
	refusalsHandleErrors = "handle_errors"
	inventoryMemory      = "memory"
)

// App is the app `api_guard`: the catalogue, the policy and the inventory. The
// handlers of all sites ask the one App of their configuration.
type App struct {
	// "monitor" or "enforce": replaces the default mode of every rule and limit.
	// A rule's own line wins. Default: each rule's own default.
	Mode string `json:"mode,omitempty"`

	// Who answers refused requests: "direct" writes application/problem+json,
	// "handle_errors" hands the status to Caddy's error routes.
	// Default: direct.
	Refusals string `json:"refusals,omitempty"`

	// What the type of a problem document starts with, in place of
	// "urn:api-guard:".
	TypeBase string `json:"type_base,omitempty"`

	// Accept limits keyed on {client_ip} on a server that has trusted_proxies
	// without trusted_proxies_strict, although clients can then choose their
	// address. Default: that is a configuration error.
	LaxProxies bool `json:"lax_proxies,omitempty"`

	// How many buckets the table of the limits holds, at 72 bytes each. It is made
	// once per process: a change takes effect at the next start.
	// Default: 262144.
	TableSlots int `json:"table_slots,omitempty"`

	// Where the inventory is kept.
	Inventory *Inventory `json:"inventory,omitempty"`

	// What holds for every API.
	Policy *Policy `json:"policy,omitempty"`

	// The catalogue: what exists.
	API []*API `json:"api,omitempty"`

	logger   *zap.Logger
	shared   *shared // nil until acquired; stays when released, since requests may still read it
	released sync.Once
	policy   *policy.Policy
	recorder *inventory.Recorder
	allowed  [][catalogue.NumStates]published
	byClient bool // some limit counts by the client's address
}

// CaddyModule returns the Caddy module information.
func (*App) CaddyModule() caddy.ModuleInfo {
	return caddy.ModuleInfo{ID: "api_guard", New: func() caddy.Module { return new(App) }}
}

// Provision reads the documents and compiles the policy. It opens no store and
// no connection, since `caddy validate` provisions while a service runs.
func (app *App) Provision(ctx caddy.Context) error {
	app.logger = ctx.Logger()
	shared, err := acquireShared(app)
	if err != nil {
		return err
	}
	app.shared = shared
	cfg, err := (&builder{app: app, load: newDocuments(app.logger).load}).build()
	if err != nil {
		return err
	}
	cfg.Table = shared.table
	for _, limits := range allLimits(&cfg) {
		for _, l := range limits {
			app.byClient = app.byClient || l.ByClient()
		}
	}
	if app.policy, err = policy.New(cfg); err != nil {
		return app.locate(err)
	}
	cat := app.policy.Catalogue()
	app.allowed = allowedFacts(cat)
	app.recorder = shared.inventory.Bind(cat, app.meta()...)
	return nil
}

// meta is what the inventory shows of each version besides its declaration.
func (app *App) meta() []inventory.VersionMeta {
	var out []inventory.VersionMeta
	for _, api := range app.policy.Catalogue().APIs {
		for _, v := range api.Versions {
			out = append(out, inventory.VersionMeta{API: api.Name, Version: v.Name, PolicyDigest: app.policy.Digest(v)})
		}
	}
	return out
}

// Start implements caddy.App.
func (app *App) Start() error {
	app.shared.start(app)
	cat := app.policy.Catalogue()
	app.logger.Info("policy in force",
		zap.Int("apis", len(cat.APIs)),
		zap.Int("hosts", len(cat.Hosts)),
		zap.Int("operations", len(cat.Routes)),
		zap.Int64("limit_table_bytes", app.shared.table.Bytes()))
	for _, p := range cat.Problems {
		app.logger.Warn("part of a document is not in force",
			zap.String("api", p.API), zap.String("version", p.Version),
			zap.String("where", p.Where), zap.String("reason", p.Reason))
	}
	return nil
}

// Stop implements caddy.App. Requests may still be draining, so that everything
// stays until Cleanup.
func (*App) Stop() error { return nil }

// Cleanup gives back what Provision acquired. Caddy also calls it when Provision
// failed, and then the running configuration's share must not be touched.
func (app *App) Cleanup() error {
	if app.shared == nil {
		return nil
	}
	var err error
	app.released.Do(func() {
		app.shared.stop(app)
		err = releaseShared()
	})
	return err
}

// locate names the field and the source line of the API, version or limit that a
// compile error is about.
func (app *App) locate(err error) error {
	var about *catalogue.Error
	if !errors.As(err, &about) {
		return fmt.Errorf("compiling the policy: %w", err)
	}
	if app.Policy != nil {
		if at, source, ok := limitNamed(app.Policy.Limit, about.Limit); ok {
			return wrong("policy"+at, source, "%w", err)
		}
	}
	for i, api := range app.API {
		if api.Name != about.API {
			continue
		}
		at := fmt.Sprintf("api[%d]", i)
		if limit, source, ok := limitNamed(api.Limit, about.Limit); ok {
			return wrong(at+limit, source, "%w", err)
		}
		for j, v := range api.Version {
			within := fmt.Sprintf("%s.version[%d]", at, j)
			if v.Name == about.Version {
				return wrong(within, v.Source, "%w", err)
			}
			if limit, source, ok := limitNamed(v.Limit, about.Limit); ok {
				return wrong(within+limit, source, "%w", err)
			}
		}
		return wrong(at, api.Source, "%w", err)
	}
	return fmt.Errorf("compiling the policy: %w", err)
}

func limitNamed(limits []*Limit, name string) (at, source string, found bool) {
	for i, l := range limits {
		if l.Name == name {
			return fmt.Sprintf(".limit[%d]", i), l.Source, true
		}
	}
	return "", "", false
}

func allLimits(cfg *policy.Config) [][]policy.Limit {
	all := [][]policy.Limit{cfg.Limits}
	for _, api := range cfg.APIs {
		all = append(all, api.Limits)
		for _, v := range api.Versions {
			all = append(all, v.Limits)
		}
	}
	return all
}

var (
	_ caddy.App          = (*App)(nil)
	_ caddy.Provisioner  = (*App)(nil)
	_ caddy.CleanerUpper = (*App)(nil)
)

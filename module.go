// Package apiguard is a Caddy module that puts one policy (rate limits, OpenAPI
// conformance, retirement of old versions) in front of every version of every
// API, on every host, and keeps an inventory of what really answers.
//
// This package is Caddy's side of it: the app with its configuration, the HTTP
// handler, the Caddyfile and the admin routes. What it does is in the packages
// below, none of which imports Caddy: inventory (what exists), policy (what is
// allowed) and ratelimit (how often).
package apiguard

//go:generate go run ./internal/reference

import (
	"errors"
	"fmt"
	"slices"
	"sync"
	"sync/atomic"
	"time"

	"github.com/caddyserver/caddy/v2"
	"github.com/caddyserver/caddy/v2/modules/caddyevents"
	"go.uber.org/zap"

	"github.com/apiguard/caddy-api-guard/inventory/catalogue"
	"github.com/apiguard/caddy-api-guard/policy"
)

func init() {
	caddy.RegisterModule(new(App))
	caddy.RegisterModule(new(Handler))
	caddy.RegisterModule(new(Admin))
	caddy.RegisterModule(new(Page))
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
	// A rule's own line wins. Default: each rule's own default. Caddyfile:
	// `mode monitor|enforce`.
	Mode string `json:"mode,omitempty"`

	// Who answers refused requests: "direct" writes application/problem+json,
	// "handle_errors" hands the status to Caddy's error routes.
	// Default: direct. Caddyfile: `refusals direct|handle_errors`.
	Refusals string `json:"refusals,omitempty"`

	// What the type of a problem document starts with. Default: "urn:api-guard:".
	// Caddyfile: `type_base <uri>`.
	TypeBase string `json:"type_base,omitempty"`

	// Accept limits keyed on {client_ip}, and audiences, on a server that has
	// trusted_proxies or trusted_proxies_unix without trusted_proxies_strict, although
	// clients can then choose their address. Default: that is a configuration error.
	LaxProxies bool `json:"lax_proxies,omitempty"`

	// How many buckets the table of the limits holds at least, at 70 bytes each; 67108864 at
	// most, and 8388608 on systems of 32 bits. It is made once per process: a change
	// takes effect at the next start. Default: 262144.
	TableSlots int `json:"table_slots,omitempty"`

	// How much memory all bodies of requests and answers that are held to be judged
	// may take together, such as "512MiB"; from 2MiB, and a third more than the largest
	// max_body at least. A body that finds no room is refused with 503 and
	// Retry-After; in monitor it streams unjudged, and so does an answer in any
	// mode. The last quarter is for bodies
	// of up to 64 KiB, so that slow large ones keep out each other and not the
	// rest. Default: 256MiB.
	BodyMemory Size `json:"body_memory,omitempty"`

	// The largest document that is read, with the files that it refers to, such as
	// "64MiB": from 1KiB to 1GiB. It binds every document, whether it is a file or
	// fetched. Default: 32MiB.
	MaxDocument Size `json:"max_document,omitempty"`

	// Look at the documents every 2 seconds and put changed ones into force without
	// a reload. One that cannot be used changes nothing: the log and the gaps in
	// health say why. Documents by URL change with their hash, and so with the
	// configuration alone. Default: changes are picked up by a reload.
	Watch bool `json:"watch,omitempty"`

	// What to do when requests for a host of the catalogue get by the guard, by some
	// listener or route of this Caddy: "warn" says so in the log, "strict" refuses
	// to load such a configuration. `caddy api-guard coverage` shows it whole.
	// Default: warn. Caddyfile: `coverage warn|strict`.
	Coverage string `json:"coverage,omitempty"`

	// Whether hosts of the catalogue answer GET /.well-known/api-catalog (RFC 9727)
	// with what the caller's audience may see of them, its documents included: "on"
	// or "off". It is not answered where a document or a passthrough has the path,
	// nor where the rule lifecycle is in monitor or off. Default: on.
	APICatalog string `json:"api_catalog,omitempty"`

	// Where the inventory is kept.
	Inventory *Inventory `json:"inventory,omitempty"`

	// A Redis or Valkey that several Caddys share. Caddyfile: `cluster <url> { … }`.
	// Default: this one stands alone.
	Cluster *Cluster `json:"cluster,omitempty"`

	// Named networks, which versions may be reserved for. Caddyfile:
	// `audience <name> <network>...`.
	Audience []*Audience `json:"audience,omitempty"`

	// Declared third parties, for which exceptions may be made.
	Integration []*Integration `json:"integration,omitempty"`

	// Placeholders of values by which integrations are recognised, besides the
	// token of Authorization and API keys: "{http.auth.user.id}". Default: none.
	// Caddyfile: `consumers <placeholder>...`.
	Consumers []string `json:"consumers,omitempty"`

	// What is no API: health probes, static files, challenges of certificate
	// authorities. Only the rules target and audience hold for it.
	Passthrough []*Passthrough `json:"passthrough,omitempty"`

	// What holds for every API.
	Policy *Policy `json:"policy,omitempty"`

	// The catalogue: what exists.
	API []*API `json:"api,omitempty"`

	ctx      caddy.Context // the module's own: events bear its name
	logger   *zap.Logger
	events   *caddyevents.App
	shared   *shared // nil until acquired; stays when released, since requests may still read it
	released sync.Once
	expanded []expansion
	now      atomic.Pointer[inForce]
	watching *watching // nil: not watching
}

// CaddyModule returns the Caddy module information.
func (*App) CaddyModule() caddy.ModuleInfo {
	return caddy.ModuleInfo{ID: "api_guard", New: func() caddy.Module { return new(App) }}
}

// Provision reads the documents and compiles the policy. It opens no store, at whose
// file it only looks, and no connection, but to fetch a document by URL of which there
// is no copy, and it writes nothing, since `caddy validate` provisions while a service runs.
func (app *App) Provision(ctx caddy.Context) error {
	app.ctx, app.logger = ctx, ctx.Logger()
	if err := app.expand(); err != nil {
		return err
	}
	shared, err := acquireShared(app)
	if err != nil {
		return err
	}
	app.shared = shared
	if err := app.checkFile(); err != nil {
		return err
	}
	if err := shared.metrics.register(ctx.GetMetricsRegistry()); err != nil {
		return fmt.Errorf("registering metrics: %w", err)
	}
	if err := app.findEvents(ctx); err != nil {
		return err
	}
	now, err := app.compile()
	if err != nil {
		return err
	}
	app.now.Store(now)
	app.warn(now.lint)
	return nil
}

// Start implements caddy.App.
func (app *App) Start() error {
	// First, so that a configuration that is refused changes nothing.
	if err := app.prove(); err != nil {
		return err
	}
	app.shared.start(app)
	app.keepCopies(time.Now())
	app.now.Load().announce()
	app.logExceptions(time.Now())
	if app.Watch {
		app.watching = startWatching(app)
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
		app.watching.stop()
		app.shared.stop(app)
		if now := app.now.Load(); now != nil {
			now.documents.release()
		}
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
	for i, t := range app.Passthrough {
		if t.Name == about.Passthrough {
			return wrong(fmt.Sprintf("passthrough[%d]", i), t.Source, "%w", err)
		}
	}
	if app.Policy != nil {
		if at, source, ok := limitAbout(app.Policy.Limit, about); ok {
			return wrong("policy"+at, source, "%w", err)
		}
	}
	for i, api := range app.API {
		if api.Name != about.API {
			continue
		}
		at := fmt.Sprintf("api[%d]", i)
		if limit, source, ok := limitAbout(api.Limit, about); ok {
			return wrong(at+limit, source, "%w", err)
		}
		for j, v := range api.Version {
			within := fmt.Sprintf("%s.version[%d]", at, j)
			if v.Name == about.Version {
				return wrong(within, v.Source, "%w", err)
			}
			if limit, source, ok := limitAbout(v.Limit, about); ok {
				return wrong(within+limit, source, "%w", err)
			}
		}
		return wrong(at, api.Source, "%w", err)
	}
	return fmt.Errorf("compiling the policy: %w", err)
}

// limitAbout finds the limit, or the one of its operations, that an error is about.
func limitAbout(limits []*Limit, about *catalogue.Error) (at, source string, found bool) {
	for i, l := range limits {
		if l.Name != about.Limit {
			continue
		}
		at := fmt.Sprintf(".limit[%d]", i)
		if k := slices.Index(l.Operations, about.Operation); k >= 0 {
			at += fmt.Sprintf(".operations[%d]", k)
		}
		return at, l.Source, true
	}
	return "", "", false
}

func allLimits(cfg *policy.Config) [][]policy.Limit {
	all := [][]policy.Limit{cfg.Limits}
	for _, api := range cfg.APIs {
		all = append(all, api.Limits)
		for _, v := range api.Versions {
			all = append(all, v.Limits)
			for _, e := range v.Exceptions {
				all = append(all, e.Limits)
			}
		}
	}
	return all
}

var (
	_ caddy.App          = (*App)(nil)
	_ caddy.Provisioner  = (*App)(nil)
	_ caddy.CleanerUpper = (*App)(nil)
)

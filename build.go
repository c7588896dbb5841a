package apiguard

import (
	"fmt"
	"net/url"
	"path"
	"regexp"
	"slices"
	"strings"
	"time"

	"github.com/apiguard/caddy-api-guard/inventory/catalogue"
	"github.com/apiguard/caddy-api-guard/inventory/spec"
	"github.com/apiguard/caddy-api-guard/policy"
	"github.com/apiguard/caddy-api-guard/ratelimit"
)

// fieldError is a configuration error with the JSON path of the field that is
// wrong. The Caddyfile adapter turns the path into a file and line.
type fieldError struct {
	path   string
	source string // "Caddyfile:12" of the surrounding block, when known
	err    error
}

func (e *fieldError) Error() string {
	if e.source != "" {
		return fmt.Sprintf("%s: %s: %v", e.source, e.path, e.err)
	}
	return fmt.Sprintf("%s: %v", e.path, e.err)
}

func (e *fieldError) Unwrap() error { return e.err }

func wrong(path, source, format string, args ...any) error {
	return &fieldError{path: path, source: source, err: fmt.Errorf(format, args...)}
}

var namePattern = regexp.MustCompile(`^[A-Za-z0-9][A-Za-z0-9_.-]{0,63}$`)

// builder turns the configuration into the policy's. It is the one place that
// checks a configuration: the Caddyfile adapter runs it without documents, to
// name the line of what is wrong, and provisioning runs it with them.
type builder struct {
	app  *App
	load func(file string) (*spec.Document, error) // nil: leave documents out

	byAudience map[string]policy.Audience
	derived    map[*catalogue.Version]*derived
	problems   []catalogue.Problem // of what documents say that cannot be used
}

func (b *builder) build() (policy.Config, error) {
	app := b.app
	b.derived = map[*catalogue.Version]*derived{}
	cfg := policy.Config{Rules: policy.DefaultRules()}
	if app.Mode != "" {
		mode, err := policy.ParseMode(app.Mode)
		if err != nil || mode == policy.Off {
			return cfg, wrong("mode", "", "unrecognized mode %q: write enforce or monitor", app.Mode)
		}
		cfg.Rules.SetAll(mode)
	}
	if err := app.checkOptions(); err != nil {
		return cfg, err
	}
	if err := b.audiences(); err != nil {
		return cfg, err
	}
	if err := b.integrations(&cfg); err != nil {
		return cfg, err
	}
	if app.Policy != nil {
		if err := applyRules(&cfg.Rules, &app.Policy.Rules, "policy", "", false); err != nil {
			return cfg, err
		}
		if err := formats(&cfg, app.Policy.Format); err != nil {
			return cfg, err
		}
		limits, err := b.limits(app.Policy.Limit, nil, "policy", "")
		if err != nil {
			return cfg, err
		}
		cfg.Limits = limits
	}
	if err := b.passthroughs(&cfg); err != nil {
		return cfg, err
	}
	if len(app.API) == 0 {
		return cfg, wrong("api", "", "the catalogue is empty: declare at least one api with a version")
	}
	seen := map[string]bool{}
	for i, api := range app.API {
		at := fmt.Sprintf("api[%d]", i)
		if err := checkName(api.Name, "api", at, api.Source, seen); err != nil {
			return cfg, err
		}
		built, err := b.api(&cfg, api, at)
		if err != nil {
			return cfg, err
		}
		cfg.APIs = append(cfg.APIs, built)
	}
	return cfg, nil
}

func (app *App) checkOptions() error {
	switch app.Refusals {
	case "", refusalsDirect, refusalsHandleErrors:
	default:
		return wrong("refusals", "", "unrecognized value %q: write direct or handle_errors", app.Refusals)
	}
	switch app.Coverage {
	case "", coverageWarn, coverageStrict:
	default:
		return wrong("coverage", "", "unrecognized value %q: write warn or strict", app.Coverage)
	}
	switch app.APICatalog {
	case "", apiCatalogOn, apiCatalogOff:
	default:
		return wrong("api_catalog", "", "unrecognized value %q: write on or off", app.APICatalog)
	}
	if app.TypeBase != "" {
		if u, err := url.Parse(app.TypeBase); err != nil || u.Scheme == "" || strings.ContainsAny(app.TypeBase, "\"\\<> ") {
			return wrong("type_base", "", "%q is no absolute URI: write one such as https://errors.example.com/", app.TypeBase)
		}
	}
	if app.TableSlots < 0 || app.TableSlots > ratelimit.MaxSlots {
		return wrong("table_slots", "", "%d slots: write a number from 1 to %d", app.TableSlots, ratelimit.MaxSlots)
	}
	if app.BodyMemory != 0 && app.BodyMemory < leastBodyMemory {
		return wrong("body_memory", "", "%d bytes: write 2MiB or more, such as 256MiB", app.BodyMemory)
	}
	if app.MaxDocument != 0 && (app.MaxDocument < 1<<10 || app.MaxDocument > 1<<30) {
		return wrong("max_document", "", "%d bytes: write a size from 1KiB to 1GiB, such as 64MiB", app.MaxDocument)
	}
	if p := app.Policy; p != nil && p.Request != nil {
		if size, ceiling := int64(p.Request.MaxBody), app.bodyCeiling(); size > shareOf(size, ceiling) {
			return wrong("policy.request.max_body", "", "%d bytes never find room in three quarters of body_memory, which is %d: lower the one or raise the other", size, ceiling)
		}
	}
	if app.Cluster != nil {
		if err := app.Cluster.check(); err != nil {
			return err
		}
	}
	if inv := app.Inventory; inv != nil {
		if inv.Retention != 0 && time.Duration(inv.Retention) < time.Hour {
			return wrong("inventory.retention", "", "%s: write a duration of at least an hour, such as 90d", ratelimit.Span(time.Duration(inv.Retention)))
		}
		if _, err := app.sampling(); err != nil {
			return wrong("inventory.sample", "", "%w", err)
		}
		if inv.PageSize < 0 || inv.PageSize > 1000 {
			return wrong("inventory.page_size", "", "%d: write a number from 1 to 1000", inv.PageSize)
		}
	}
	return nil
}

func checkName(name, kind, at, source string, seen map[string]bool) error {
	if !namePattern.MatchString(name) {
		return wrong(at+".name", source, "%s name %q: use 1 to 64 letters, digits, '_', '-' and '.', beginning with a letter or digit", kind, name)
	}
	if seen[name] {
		return wrong(at+".name", source, "%s %q is declared twice", kind, name)
	}
	seen[name] = true
	return nil
}

func (b *builder) api(cfg *policy.Config, api *API, at string) (policy.API, error) {
	declared := &catalogue.API{Name: api.Name, Owner: api.Owner, Purpose: api.Purpose}
	out := policy.API{Declared: declared, Rules: cfg.Rules}
	if err := applyRules(&out.Rules, &api.Rules, at, api.Source, true); err != nil {
		return out, err
	}
	var err error
	if out.Limits, err = b.limits(api.Limit, cfg.Limits, at, api.Source); err != nil {
		return out, err
	}
	if len(api.Version) == 0 {
		return out, wrong(at+".version", api.Source, "api %q has no version: declare at least one", api.Name)
	}
	inherited := append(append([]policy.Limit(nil), cfg.Limits...), out.Limits...)
	seen := map[string]bool{}
	for i, v := range api.Version {
		at := fmt.Sprintf("%s.version[%d]", at, i)
		if err := checkName(v.Name, "version", at, v.Source, seen); err != nil {
			return out, err
		}
		version := policy.Version{Rules: out.Rules, Upgrades: v.Upgrades}
		for _, protocol := range v.Upgrades {
			if protocol != "websocket" {
				return out, wrong(at+".upgrades", v.Source, "upgrades %q: write websocket", protocol)
			}
		}
		if err := applyRules(&version.Rules, &v.Rules, at, v.Source, true); err != nil {
			return out, err
		}
		if len(v.Spec) == 0 && v.UnknownRoute == "" {
			// Without a document every route is unknown: refusing them all must be
			// said, not inherited.
			version.Rules.SetMode(policy.RuleUnknownRoute, max(policy.Monitor, version.Rules.Mode(policy.RuleUnknownRoute)))
		}
		if version.Limits, err = b.limits(v.Limit, inherited, at, v.Source); err != nil {
			return out, err
		}
		if version.Audience, err = b.audience(v, at); err != nil {
			return out, err
		}
		if version.Exceptions, err = b.exceptions(v, append(slices.Clone(inherited), version.Limits...), at); err != nil {
			return out, err
		}
		cv, err := b.version(v, at)
		if err != nil {
			return out, err
		}
		if b.load != nil {
			b.derive(api, v, cv, &version)
		}
		declared.Versions = append(declared.Versions, cv)
		out.Versions = append(out.Versions, version)
	}
	if b.load != nil {
		b.deriveLimits(cfg, api, &out)
	}
	return out, checkSuccessors(api, at)
}

func checkSuccessors(api *API, at string) error {
	for i, v := range api.Version {
		var others []string
		for _, o := range api.Version {
			if o.Name != v.Name {
				others = append(others, o.Name)
			}
		}
		if v.Successor == "" || slices.Contains(others, v.Successor) || isPage(v.Successor) {
			continue
		}
		known := "there is none"
		if len(others) > 0 {
			known = "there are " + strings.Join(others, ", ")
		}
		return wrong(fmt.Sprintf("%s.version[%d].successor", at, i), v.Source,
			"successor %q is no other version of api %q%s and no URL with http or https: %s", v.Successor, api.Name, catalogue.Nearly(v.Successor, others), known)
	}
	return nil
}

// cleanPrefix is a path prefix as claims compare it.
func cleanPrefix(p string) (string, bool) {
	if !strings.HasPrefix(p, "/") || strings.ContainsAny(p, "*?#%\\ ") {
		return "", false
	}
	clean := path.Clean(p)
	return clean, clean == p || clean+"/" == p
}

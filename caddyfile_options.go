package apiguard

import (
	"fmt"
	"path/filepath"
	"slices"
	"strconv"

	"github.com/caddyserver/caddy/v2/caddyconfig/caddyfile"
	"github.com/caddyserver/caddy/v2/caddyconfig/httpcaddyfile"

	"github.com/apiguard/caddy-api-guard/inventory/spec/remote"
)

func (p *parser) app(app *App) error {
	p.d.Next() // the option's name
	if p.d.NextArg() {
		return p.d.ArgErr()
	}
	return p.block("", options{
		"mode":        p.one(&app.Mode),
		"refusals":    p.one(&app.Refusals),
		"type_base":   p.one(&app.TypeBase),
		"lax_proxies": p.flag(&app.LaxProxies),
		"table_slots": p.positive(&app.TableSlots),
		"body_memory": p.size(&app.BodyMemory),

		"max_document": p.size(&app.MaxDocument),

		"watch":       p.flag(&app.Watch),
		"coverage":    p.one(&app.Coverage),
		"api_catalog": p.one(&app.APICatalog),
		"inventory":   func() error { return p.inventory(app) },
		"cluster":     func() error { return p.cluster(app) },
		"audience":    func() error { return p.audience(app) },
		"integration": func() error { return p.integration(app) },
		"consumers":   func() error { return p.consumers(app) },
		"passthrough": func() error { return p.passthrough(app) },
		"policy": func() error {
			app.Policy = new(Policy)
			if err := p.noArgs(); err != nil {
				return err
			}
			opts := p.rules(&app.Policy.Rules, "policy")
			opts["unknown_host"] = p.one(&app.Policy.UnknownHost)
			opts["format"] = func() error { return p.format(app.Policy) }
			return p.block("policy", opts, "limit", "format")
		},
		"api": func() error {
			api := &API{Source: p.source()}
			at := fmt.Sprintf("api[%d]", len(app.API))
			app.API = append(app.API, api)
			return p.api(api, at)
		},
	}, "api", "audience", "integration", "passthrough")
}

func (p *parser) noArgs() error {
	if p.d.NextArg() {
		return p.d.Errf("%q stands where the line should end, or a block begin", p.d.Val())
	}
	return nil
}

// cluster reads `cluster <url> { secret …; prefix … }`.
func (p *parser) cluster(app *App) error {
	c := new(Cluster)
	if !p.d.NextArg() {
		return p.d.Err("cluster takes the URL of a Redis: cluster redis://host:6379/0")
	}
	c.URL, app.Cluster = p.d.Val(), c
	p.mark("cluster.url")
	if err := p.noArgs(); err != nil {
		return err
	}
	return p.block("cluster", options{"secret": p.one(&c.Secret), "prefix": p.one(&c.Prefix)})
}

func (p *parser) inventory(app *App) error {
	app.Inventory = new(Inventory)
	if err := p.noArgs(); err != nil {
		return err
	}
	return p.block("inventory", options{
		"file":      p.one(&app.Inventory.File),
		"sample":    func() error { return p.sample(app) },
		"retention": p.duration(&app.Inventory.Retention),
		"page_size": p.positive(&app.Inventory.PageSize),
	})
}

// rules are the rule lines that policy, api and version share.
func (p *parser) rules(r *Rules, at string) options {
	return options{
		"target":        p.one(&r.Target),
		"unknown_route": p.one(&r.UnknownRoute),
		"audience":      p.one(&r.Audience),
		"lifecycle":     p.one(&r.Lifecycle),
		"credentials":   p.one(&r.Credentials),
		"headers":       p.one(&r.Headers),
		"upgrade":       p.one(&r.Upgrade),
		"request":       func() error { return p.request(r, join(at, "request")) },
		"response":      func() error { return p.response(r, join(at, "response")) },
		"limit": func() error {
			limit := &Limit{Source: p.source()}
			at := fmt.Sprintf("%s.limit[%d]", at, len(r.Limit))
			r.Limit = append(r.Limit, limit)
			return p.limit(limit, at)
		},
	}
}

func (p *parser) request(r *Rules, at string) error {
	r.Request = new(RequestRule)
	if p.d.NextArg() {
		r.Request.Mode = p.d.Val()
	}
	if err := p.noArgs(); err != nil {
		return err
	}
	return p.block(at, options{
		"max_body":           p.size(&r.Request.MaxBody),
		"body_idle_timeout":  p.duration(&r.Request.BodyIdleTimeout),
		"body_timeout":       p.duration(&r.Request.BodyTimeout),
		"unknown_parameters": p.one(&r.Request.UnknownParameters),
		"status":             p.number(&r.Request.Status),
	})
}

func (p *parser) response(r *Rules, at string) error {
	r.Response = new(ResponseRule)
	if p.d.NextArg() {
		r.Response.Mode = p.d.Val()
	}
	if err := p.noArgs(); err != nil {
		return err
	}
	return p.block(at, options{"max_body": p.size(&r.Response.MaxBody)})
}

// named reads the name that a block begins with.
func (p *parser) named(name *string, at string) error {
	what := p.d.Val()
	if !p.d.NextArg() {
		return p.d.Errf("%s begins with a name: %s <name> { … }", what, what)
	}
	*name = p.d.Val()
	p.mark(at)
	p.mark(at + ".name")
	return p.noArgs()
}

func (p *parser) limit(l *Limit, at string) error {
	if err := p.named(&l.Name, at); err != nil {
		return err
	}
	return p.block(at, options{
		"operations": func() error { return p.operations(l) },
		"key": func() error {
			if err := p.some(&l.Key)(); err != nil {
				return err
			}
			for i, key := range l.Key {
				p.mark(fmt.Sprintf("%s.key[%d]", at, i))
				l.Key[i] = expandShorthands(key)
			}
			return nil
		},
		"rate":      p.one(&l.Rate),
		"algorithm": p.one(&l.Algorithm),
		"burst":     p.positive(&l.Burst),
		"count":     func() error { return p.count(l, at) },
		"penalty":   p.one(&l.Penalty),
		"cost":      p.positive(&l.Cost),
		"quota":     p.one(&l.Quota),

		"on_store_failure": p.one(&l.OnStoreFailure),
		"concurrency":      p.positive(&l.Concurrency),
		"protect":          p.flag(&l.Protect),
		"headers":          p.one(&l.Headers),
		"mode":             p.one(&l.Mode),
	}, "operations")
}

// count reads `count <what> [<status>...]`.
func (p *parser) count(l *Limit, at string) error {
	p.mark(at + ".statuses")
	if !p.d.NextArg() {
		return p.d.ArgErr()
	}
	l.Count = p.d.Val()
	for _, text := range p.d.RemainingArgs() {
		status, err := strconv.Atoi(text)
		if err != nil {
			return p.d.Errf("count %s: %q is no status: write numbers such as 401 403 422", l.Count, text)
		}
		l.Statuses = append(l.Statuses, status)
	}
	return nil
}

// positive reads one whole number from 1 on.
func (p *parser) positive(to *int) func() error {
	return func() error {
		if err := p.number(to)(); err != nil {
			return err
		}
		if *to < 1 {
			return p.d.Errf("%d: write a number from 1 on, or leave the line out", *to)
		}
		return nil
	}
}

// operations reads operationIds and templates. "METHOD /template" may be written
// with or without quotes.
func (p *parser) operations(l *Limit) error {
	args := p.d.RemainingArgs()
	if len(args) == 0 {
		return p.d.Err("operations takes operationIds, or METHOD /template, as documents have them")
	}
	for i := 0; i < len(args); i++ {
		if i+1 < len(args) && args[i+1] != "" && args[i+1][0] == '/' {
			l.Operations = append(l.Operations, args[i]+" "+args[i+1])
			i++
			continue
		}
		l.Operations = append(l.Operations, args[i])
	}
	return nil
}

// expandShorthands writes a placeholder in its long form, as the Caddyfile
// adapter does within sites but not within global options. A long form stays as it is.
// In JSON nobody else does it, and a short form has no value there: all requests would
// share one bucket.
func expandShorthands(s string) string {
	segment := caddyfile.Segment{{Text: s}}
	httpcaddyfile.NewShorthandReplacer().ApplyToSegment(&segment)
	return segment[0].Text
}

func (p *parser) api(api *API, at string) error {
	if err := p.named(&api.Name, at); err != nil {
		return err
	}
	opts := p.rules(&api.Rules, at)
	opts["owner"] = p.one(&api.Owner)
	opts["purpose"] = p.one(&api.Purpose)
	opts["version"] = func() error {
		v := &Version{Source: p.source()}
		at := fmt.Sprintf("%s.version[%d]", at, len(api.Version))
		api.Version = append(api.Version, v)
		return p.version(v, at)
	}
	return p.block(at, opts, "limit", "version")
}

func (p *parser) version(v *Version, at string) error {
	if err := p.named(&v.Name, at); err != nil {
		return err
	}
	opts := p.rules(&v.Rules, at)
	opts["hosts"] = p.some(&v.Hosts)
	opts["path"] = func() error { return p.path(v, at) }
	opts["select"] = func() error { return p.selector(v, "", at) }
	opts["default"] = p.flag(&v.Default)
	opts["spec"] = func() error { return p.spec(v, at) }
	opts["multi_segment"] = func() error { return p.multiSegment(v) }
	opts["upgrades"] = p.some(&v.Upgrades)
	opts["state"] = p.one(&v.State)
	opts["deprecated"] = p.one(&v.Deprecated)
	opts["sunset"] = p.one(&v.Sunset)
	opts["brownout"] = func() error { return p.brownout(v, at) }
	opts["successor"] = p.one(&v.Successor)
	opts["docs"] = p.one(&v.Docs)
	opts["audience"] = p.some(&v.Audience)
	opts["exception"] = func() error { return p.exception(v, at) }
	opts["environment"] = p.one(&v.Environment)
	opts["owner"] = p.one(&v.Owner)
	return p.block(at, opts, "limit", "select", "spec", "multi_segment", "brownout", "exception")
}

// path reads `path <prefix>`, or `path <prefix> { select … }` for a prefix and a
// selector that must both hold.
func (p *parser) path(v *Version, at string) error {
	if !p.d.NextArg() {
		return p.d.Err("path takes a prefix: path /v2")
	}
	prefix := p.d.Val()
	if err := p.noArgs(); err != nil {
		return err
	}
	before := len(v.Select)
	if err := p.block(join(at, "path"), options{
		"select": func() error { return p.selector(v, prefix, at) },
	}, "select"); err != nil {
		return err
	}
	if len(v.Select) == before {
		v.Path = prefix
	}
	return nil
}

// selector reads `select header|query <name> <value>`, `select accept <type>` or
// `select date <header>`.
func (p *parser) selector(v *Version, prefix, at string) error {
	if !p.d.NextArg() {
		return p.d.Err("select takes header, query, accept or date, and what it is to be: select header X-Api-Version v2")
	}
	s := &Selector{Path: prefix}
	var into []*string
	kind := p.d.Val()
	switch kind {
	case "header":
		into = []*string{&s.Header, &s.Value}
	case "query":
		into = []*string{&s.Query, &s.Value}
	case "accept":
		into = []*string{&s.Accept}
	case "date":
		into = []*string{&s.Date}
	default:
		return p.d.Errf("select %q: write header, query, accept or date", kind)
	}
	if !p.d.AllArgs(into...) {
		return p.d.Errf("select %s takes %s", kind, [...]string{1: "one value", 2: "a name and a value"}[len(into)])
	}
	p.mark(fmt.Sprintf("%s.select[%d]", at, len(v.Select)))
	v.Select = append(v.Select, s)
	return nil
}

// spec reads the files of the version's documents, and URLs with their hashes. A
// relative path starts at the folder of the Caddyfile and is written out whole, since
// the Caddy that runs it may run elsewhere.
func (p *parser) spec(v *Version, at string) error {
	var args []string
	if err := p.some(&args)(); err != nil {
		return err
	}
	documents, err := remote.Join(args, globalPlaceholder.MatchString)
	if err != nil {
		return p.d.WrapErr(err)
	}
	before := len(v.Spec)
	v.Spec = append(v.Spec, documents...)
	for i := before; i < len(v.Spec); i++ {
		p.mark(fmt.Sprintf("%s.spec[%d]", at, i))
		if filepath.IsAbs(v.Spec[i]) || remote.IsURL(v.Spec[i]) {
			continue
		}
		file, err := filepath.Abs(filepath.Join(filepath.Dir(p.d.File()), v.Spec[i]))
		if err != nil {
			return p.d.WrapErr(err)
		}
		v.Spec[i] = file
	}
	return nil
}

// multiSegment reads `multi_segment <operation> <parameter>`.
func (p *parser) multiSegment(v *Version) error {
	var operation, parameter string
	if !p.d.AllArgs(&operation, &parameter) {
		return p.d.Err("multi_segment takes an operation and one of its path parameters")
	}
	if v.MultiSegment == nil {
		v.MultiSegment = map[string][]string{}
	}
	if slices.Contains(v.MultiSegment[operation], parameter) {
		return p.d.Errf("multi_segment %s %s is written twice", operation, parameter)
	}
	v.MultiSegment[operation] = append(v.MultiSegment[operation], parameter)
	return nil
}

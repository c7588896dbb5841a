package apiguard

import (
	"encoding/json"
	"errors"
	"fmt"
	"maps"
	"path/filepath"
	"slices"
	"strings"

	"github.com/caddyserver/caddy/v2"
	"github.com/caddyserver/caddy/v2/caddyconfig"
	"github.com/caddyserver/caddy/v2/caddyconfig/caddyfile"
	"github.com/caddyserver/caddy/v2/caddyconfig/httpcaddyfile"
	"github.com/caddyserver/caddy/v2/modules/caddyhttp"
)

func init() {
	httpcaddyfile.RegisterGlobalOption("api_guard", parseGlobalOption)
	httpcaddyfile.RegisterHandlerDirective("api_guard", parseDirective)
	// Early, so that the client's own target is judged, before redirects, rewrites
	// and authentication. Whoever wants limits by user places it later in `route`.
	httpcaddyfile.RegisterDirectiveOrder("api_guard", httpcaddyfile.Before, "redir")
}

// parseDirective reads the directive in a site:
//
//	api_guard [<matcher>]
func parseDirective(h httpcaddyfile.Helper) (caddyhttp.MiddlewareHandler, error) {
	h.Next()
	if h.NextArg() {
		return nil, h.Errf("%q: the directive takes a matcher alone; the policy stands in the global option api_guard, and holds for all APIs", h.Val())
	}
	if h.NextBlock(0) {
		return nil, h.Errf("unrecognized option %q: the directive has none; the policy stands in the global option api_guard", h.Val())
	}
	return new(Handler), nil
}

// parseGlobalOption reads the global option api_guard; docs/configuration.md has
// its syntax.
func parseGlobalOption(d *caddyfile.Dispenser, existing any) (any, error) {
	if existing != nil {
		d.Next()
		return nil, d.Err("api_guard is written twice: merge the blocks, since there is one policy")
	}
	p := parser{d: d, at: map[string]caddyfile.Token{}}
	app := new(App)
	if err := p.app(app); err != nil {
		return nil, err
	}
	if err := p.check(app); err != nil {
		return nil, err
	}
	return httpcaddyfile.App{Name: "api_guard", Value: caddyconfig.JSON(app, nil)}, nil
}

// parser reads the global option and remembers where each field stands.
type parser struct {
	d  *caddyfile.Dispenser
	at map[string]caddyfile.Token // by JSON path
}

// check looks for what is wrong, with what {env.*} and {file.*} stand for here. If
// they stand for nothing, the Caddyfile may be meant for another machine: the Caddy
// that provisions it looks then.
func (p *parser) check(app *App) error {
	resolved := new(App)
	if err := json.Unmarshal(caddyconfig.JSON(app, nil), resolved); err != nil {
		return err
	}
	if err := resolved.expand(); err != nil {
		return nil
	}
	_, err := (&builder{app: resolved}).build()
	return resolved.conceal(p.locate(err))
}

// mark remembers the current line for the field.
func (p *parser) mark(field string) { p.at[field] = p.d.Token() }

// locate adds the file and line of the field that an error is about, or of the
// nearest block around it.
func (p *parser) locate(err error) error {
	var field *fieldError
	if !errors.As(err, &field) {
		return err // nil, too
	}
	for at := field.path; ; at = at[:strings.LastIndexByte(at, '.')] {
		if token, ok := p.at[at]; ok {
			return fmt.Errorf("%w, at %s:%d", field.err, token.File, token.Line)
		}
		if !strings.Contains(at, ".") {
			return fmt.Errorf("%s: %w, at %s:%d", field.path, field.err, p.d.File(), p.d.Line())
		}
	}
}

// options are the lines that a block may have, by their first word.
type options map[string]func() error

// block reads a block whose lines are opts. A line may stand once, but for those
// named in repeat.
func (p *parser) block(at string, opts options, repeat ...string) error {
	seen := map[string]bool{}
	for nesting := p.d.Nesting(); p.d.NextBlock(nesting); {
		name := p.d.Val()
		parse, ok := opts[name]
		if !ok {
			known := slices.Sorted(maps.Keys(opts))
			return p.d.Errf("unrecognized option %q%s: there are %s", name, meantOption(name, known), strings.Join(known, ", "))
		}
		if seen[name] && !slices.Contains(repeat, name) {
			return p.d.Errf("%s is written twice: write it once, with several values behind each other where it takes them", name)
		}
		seen[name] = true
		p.mark(join(at, name))
		if err := parse(); err != nil {
			return err
		}
	}
	return nil
}

func join(at, name string) string {
	if at == "" {
		return name
	}
	return at + "." + name
}

// one reads exactly one argument into to.
func (p *parser) one(to *string) func() error {
	return func() error {
		name := p.d.Val()
		if !p.d.AllArgs(to) {
			return p.d.Errf("%s takes one value, in quotes if there are blanks in it", name)
		}
		return nil
	}
}

// some reads one argument or more into to.
func (p *parser) some(to *[]string) func() error {
	return func() error {
		name := p.d.Val()
		args := p.d.RemainingArgs()
		if len(args) == 0 {
			return p.d.Errf("%s takes one value or more", name)
		}
		*to = append(*to, args...)
		return nil
	}
}

// flag reads a word that stands alone.
func (p *parser) flag(to *bool) func() error {
	return func() error {
		name := p.d.Val()
		*to = true
		if p.d.NextArg() {
			return p.d.Errf("%s stands alone: leave out %q", name, p.d.Val())
		}
		return nil
	}
}

// number reads one whole number.
func (p *parser) number(to *int) func() error {
	return func() error {
		name, text := p.d.Val(), ""
		if !p.d.AllArgs(&text) {
			return p.d.Errf("%s takes one whole number", name)
		}
		if _, err := fmt.Sscanf(text, "%d", to); err != nil || fmt.Sprint(*to) != text {
			return p.d.Errf("%q is no whole number", text)
		}
		return nil
	}
}

// size reads one number of bytes.
func (p *parser) size(to *Size) func() error {
	return func() error {
		name, text := p.d.Val(), ""
		if !p.d.AllArgs(&text) {
			return p.d.Errf("%s takes one size, without blanks: 65536, 512KiB or 1MiB", name)
		}
		size, err := parseSize(text)
		if err != nil {
			return p.d.WrapErr(err)
		}
		*to = size
		return nil
	}
}

// duration reads one duration other than 0.
func (p *parser) duration(to *caddy.Duration) func() error {
	return func() error {
		name, text := p.d.Val(), ""
		if !p.d.AllArgs(&text) {
			return p.d.Errf("%s takes one duration, without blanks: 10s, 5m or 90d", name)
		}
		parsed, err := caddy.ParseDuration(text)
		if err != nil || parsed == 0 {
			return p.d.WrapErr(noDuration(text))
		}
		*to = caddy.Duration(parsed)
		return nil
	}
}

// source is where the current line stands, for messages at provisioning.
func (p *parser) source() string {
	return fmt.Sprintf("%s:%d", filepath.Base(p.d.File()), p.d.Line())
}

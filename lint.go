package apiguard

import (
	"cmp"
	"fmt"
	"slices"
	"strings"
	"time"

	"go.uber.org/zap"

	"github.com/apiguard/caddy-api-guard/inventory/catalogue"
	"github.com/apiguard/caddy-api-guard/inventory/spec"
	"github.com/apiguard/caddy-api-guard/policy"
	"github.com/apiguard/caddy-api-guard/policy/conformance"
)

// Lint is something in a configuration that works and is probably not meant so.
type Lint struct {
	Kind    string `json:"kind"`    // such as "no-owner"
	API     string `json:"api"`     // empty: it belongs to none
	Version string `json:"version"` // empty: it belongs to none
	// Where is the line of the configuration, in JSON the field's path, or the place
	// in a document.
	Where  string `json:"where"`
	Detail string `json:"detail"` // what was found, for people
	Advice string `json:"advice"` // what to do about it; of the kind
}

// Kinds of lint.
const (
	lintNoOwner      = "no-owner"
	lintNoDocument   = "no-document"
	lintNoOperations = "no-operations"
	lintNoRetirement = "no-retirement-plan"
	lintNoSuccessor  = "no-successor"
	lintBetaWeaker   = "beta-weaker"
	lintNarrowLimit  = "narrow-limit"
	lintUnknownKey   = "unknown-key"
	lintFreshKey     = "fresh-key"
	lintForeignHost  = "document-host-not-declared"
	lintSameShape    = "identical-templates"
	lintPattern      = "unsupported-pattern"
	lintUnchecked    = "unchecked"
	lintDocument     = "document-not-in-force"
	lintExpired      = "expired-exception"
	lintGone         = "expired-integration"
)

var lintAdvice = map[string]string{
	lintNoOwner:      "add owner to the version, or to its api",
	lintNoDocument:   "add spec: without a document requests are not checked and each route is a shadow",
	lintNoOperations: "name the document that has the API's paths: by this one nothing is checked, and each route is a shadow",
	lintNoRetirement: "add sunset, the date from which it is refused, and successor",
	lintNoSuccessor:  "add successor, so that the Link field tells callers where to go",
	lintBetaWeaker:   "give the beta version what the production version has: one policy holds for all",
	lintNarrowLimit:  "move the limit up into the api: another version is a way round it",
	lintUnknownKey:   "write a placeholder such as {client_ip}: what a request does not have is one bucket for all; leave it if a map or vars before api_guard sets it",
	lintFreshKey:     "write what tells clients apart, such as {client_ip}: a bucket for each request limits nothing",
	lintForeignHost:  "add the host to the version's hosts, or take it out of the document's servers",
	lintSameShape:    "merge the templates: nobody can tell which of them a request is for (OpenAPI 3.1.1, Path Templating Matching)",
	lintPattern:      "write the pattern without look-around and back references; until then its values are unchecked",
	lintUnchecked:    "mend the document if it is that; what has no reader here, such as XML, passes as it comes: have the upstream check it",
	lintDocument:     "mend the document: this part of it is not in force",
	lintExpired:      "take the exception out, or renew it",
	lintGone:         "take the integration out, or renew it",
}

// soon is how long before a sunset a successor is missed.
const soon = 30 * 24 * time.Hour

// linter collects lint.
type linter struct {
	app  *App
	cfg  *policy.Config
	cat  *catalogue.Catalogue
	now  time.Time
	list []Lint
}

// lint looks for what a configuration that works is probably not meant to be.
func lint(app *App, cfg *policy.Config, cat *catalogue.Catalogue, now time.Time) []Lint {
	l := &linter{app: app, cfg: cfg, cat: cat, now: now}
	for i, api := range app.API {
		at := fmt.Sprintf("api[%d]", i)
		for j, v := range api.Version {
			within := fmt.Sprintf("%s.version[%d]", at, j)
			l.version(api, v, cfg.APIs[i].Declared.Versions[j], within)
			l.limits(api, v, &cfg.APIs[i], j, within)
		}
		l.betas(api, &cfg.APIs[i], at)
	}
	l.keys()
	for i, in := range app.Integration {
		if in.Until != "" && !untilAfter(in.Until, now) {
			l.add(lintGone, "", "", cmp.Or(in.Source, fmt.Sprintf("integration[%d]", i)), fmt.Sprintf("integration %q ended %s", in.Name, in.Until))
		}
	}
	for _, p := range cat.Problems {
		l.add(lintDocument, p.API, p.Version, p.Where, p.Reason)
	}
	return l.list
}

func (l *linter) add(kind, api, version, where, detail string) {
	l.list = append(l.list, Lint{Kind: kind, API: api, Version: version, Where: where, Detail: detail, Advice: lintAdvice[kind]})
}

func (l *linter) version(api *API, v *Version, declared *catalogue.Version, at string) {
	add := func(kind, format string, args ...any) {
		l.add(kind, api.Name, v.Name, cmp.Or(v.Source, at), fmt.Sprintf(format, args...))
	}
	if declared.Owner == "" {
		add(lintNoOwner, "nobody answers for it")
	}
	if len(declared.Documents) == 0 {
		add(lintNoDocument, "no document describes it")
	}
	switch declared.StateAt(l.now) {
	case catalogue.StateDeprecated:
		if declared.Sunset.IsZero() {
			add(lintNoRetirement, "it is deprecated and has no sunset")
		} else if declared.Successor == "" && declared.Sunset.Before(l.now.Add(soon)) {
			add(lintNoSuccessor, "it ends %s and names no successor", declared.Sunset.Format(time.DateOnly))
		}
	}
	for i, e := range v.Exception {
		if !untilAfter(e.Until, l.now) {
			l.add(lintExpired, api.Name, v.Name, cmp.Or(e.Source, fmt.Sprintf("%s.exception[%d]", at, i)), fmt.Sprintf("exception %q ended %s", e.Name, e.Until))
		}
	}
	for _, d := range declared.Documents {
		l.document(api.Name, v.Name, d)
	}
}

// document looks at what a document says that is not, or cannot be, in force.
func (l *linter) document(api, version string, d *spec.Document) {
	add := func(kind, where, detail string) { l.add(kind, api, version, d.Name+": "+where, detail) }
	for _, p := range d.Problems {
		add(lintDocument, p.Where, p.Reason)
	}
	if len(d.Operations) == 0 {
		add(lintNoOperations, "paths", "the document describes no operation")
	}
	lintExtensions(d, false, func(where, detail string) { add(lintDocument, where, detail) })
	hosts := map[string]bool{}
	for _, op := range d.Operations {
		for _, s := range append(slices.Clip(d.Servers), op.Servers...) {
			if s.Host != "" && l.cat.HostOf(s.Host) == nil && !hosts[s.Host] {
				hosts[s.Host] = true
				add(lintForeignHost, "servers", fmt.Sprintf("the document names the host %s, which no version declares", s.Host))
			}
		}
	}
	shapes := map[string]string{}
	for _, op := range d.Operations {
		shape := shapeOf(op.Template)
		if other, ok := shapes[shape]; ok && other != op.Template {
			add(lintSameShape, op.Template, fmt.Sprintf("%s and %s are one path with two names", other, op.Template))
			continue
		}
		shapes[shape] = op.Template
	}
	for _, p := range conformance.UnsupportedPatterns(d) {
		add(lintPattern, p.Where, p.Reason)
	}
}

// shapeOf is a template without its parameters' names.
func shapeOf(template string) string {
	b := make([]byte, 0, len(template))
	inside := false
	for _, c := range []byte(template) {
		switch {
		case c == '{':
			inside = true
			b = append(b, "{}"...)
		case c == '}':
			inside = false
		case !inside:
			b = append(b, c)
		}
	}
	return string(b)
}

// limits looks for limits that hold in one version only. An operation that is
// limited in one version is reached by the others all the same.
func (l *linter) limits(api *API, v *Version, built *policy.API, nth int, at string) {
	if len(api.Version) < 2 {
		return
	}
	for i := range built.Versions[nth].Limits {
		limit := &built.Versions[nth].Limits[i]
		same := func(o policy.Limit) bool { return o.Name == limit.Name }
		if slices.ContainsFunc(l.cfg.Limits, same) || slices.ContainsFunc(built.Limits, same) {
			continue // a tighter one beside the API's
		}
		var without []string
		for j := range built.Versions {
			if !slices.ContainsFunc(built.Versions[j].Limits, same) {
				without = append(without, api.Version[j].Name)
			}
		}
		if len(without) > 0 {
			where := cmp.Or(v.Source, at) // of a document
			if i < len(v.Limit) {
				where = cmp.Or(v.Limit[i].Source, fmt.Sprintf("%s.limit[%d]", at, i))
			}
			l.add(lintNarrowLimit, api.Name, v.Name, where, fmt.Sprintf("limit %q holds in %s and not in %s", limit.Name, v.Name, strings.Join(without, ", ")))
		}
	}
}

// betas compares the beta versions of an API with those in production.
func (l *linter) betas(api *API, built *policy.API, at string) {
	declared := built.Declared.Versions
	for i, beta := range declared {
		if beta.StateAt(l.now) != catalogue.StateBeta {
			continue
		}
		for j, production := range declared {
			if production.StateAt(l.now) != catalogue.StateActive {
				continue
			}
			for _, weaker := range weakerThan(&built.Versions[i], &built.Versions[j], beta, production) {
				where := cmp.Or(api.Version[i].Source, fmt.Sprintf("%s.version[%d]", at, i))
				l.add(lintBetaWeaker, api.Name, beta.Name, where, weaker+" in "+production.Name+", which is in production")
			}
		}
	}
}

// weakerThan says in what a version asks less than another one.
func weakerThan(a, b *policy.Version, av, bv *catalogue.Version) []string {
	var out []string
	for _, rule := range policy.AllRules() {
		if rule == policy.RuleUnknownRoute && len(av.Documents) == 0 {
			continue // it has no routes to know
		}
		if am, bm := a.Rules.Mode(rule), b.Rules.Mode(rule); am.Looser(bm) {
			out = append(out, fmt.Sprintf("%s is %s, and %s", rule, am, bm))
		}
	}
	open := map[string]bool{}
	for _, d := range av.Documents {
		for _, op := range d.Operations {
			open[operationKey(op)] = !op.AsksCredentials()
		}
	}
	var unasked []string
	for _, d := range bv.Documents {
		for _, op := range d.Operations {
			if open[operationKey(op)] && op.AsksCredentials() {
				unasked = append(unasked, operationKey(op))
			}
		}
	}
	if len(unasked) > 0 {
		out = append(out, fmt.Sprintf("%d operations (%s) ask for no credentials, and do", len(unasked), strings.Join(unasked[:min(len(unasked), 5)], ", ")))
	}
	return out
}

// operationKey is what makes an operation one and the same across versions.
func operationKey(op *spec.Operation) string {
	if op.ID != "" {
		return op.ID
	}
	return op.Method + " " + op.Template
}

// maxLintLines is how many lines of lint a start writes.
const maxLintLines = 20

// warn writes lint to the log.
func (app *App) warn(list []Lint) {
	for _, l := range list[:min(len(list), maxLintLines)] {
		app.logger.Warn("lint: "+l.Detail, zap.String("kind", l.Kind), zap.String("api", l.API), zap.String("version", l.Version),
			zap.String("where", l.Where), zap.String("advice", l.Advice))
	}
	if n := len(list) - maxLintLines; n > 0 {
		app.logger.Warn("there is more lint: see caddy api-guard lint", zap.Int("more", n))
	}
}

// lintConfig is the lint of an adapted configuration, whose documents are read.
func lintConfig(config []byte, now time.Time) ([]Lint, error) {
	app, _, err := decodeConfig(config)
	if err != nil {
		return nil, err
	}
	var list []Lint
	err = app.offline(func(cfg *policy.Config, cat *catalogue.Catalogue) {
		list = append(lint(app, cfg, cat, now), lintOperations(cfg, cat)...)
	})
	return list, err
}

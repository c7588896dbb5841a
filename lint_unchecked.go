package apiguard

import (
	"fmt"
	"slices"
	"strings"

	"github.com/apiguard/caddy-api-guard/inventory/catalogue"
	"github.com/apiguard/caddy-api-guard/inventory/dataclass"
	"github.com/apiguard/caddy-api-guard/inventory/spec"
	"github.com/apiguard/caddy-api-guard/policy"
	"github.com/apiguard/caddy-api-guard/policy/conformance"
)

// lintOperations looks for what of requests cannot be checked, and for classes of data
// and extensions that are none, each reason once for a version. It compiles and walks all schemas of all
// documents, which a start does not: there each is looked at at its first use.
func lintOperations(cfg *policy.Config, cat *catalogue.Catalogue) []Lint {
	type reason struct{ kind, api, version, what string }
	where := map[reason][]string{}
	var order []reason
	add := func(k reason, op *spec.Operation) {
		if where[k] == nil {
			order = append(order, k)
		}
		if at := op.Method + " " + op.Template; !slices.Contains(where[k], at) {
			where[k] = append(where[k], at)
		}
	}
	for _, r := range cat.Routes {
		for _, op := range append([]*spec.Operation{r.Operation}, r.Alternatives...) {
			o := conformance.New(op, r.Params, conformance.Config{Formats: cfg.Formats})
			for _, what := range o.Problems() {
				if aboutPattern(op.Document, what) {
					continue // lint has it by the pattern
				}
				add(reason{lintUnchecked, r.API.Name, r.Version.Name, what}, op)
			}
			for _, what := range dataclass.Problems(op.Path, op.Op) {
				add(reason{lintDocument, r.API.Name, r.Version.Name, what}, op)
			}
		}
	}
	var list []Lint
	for _, k := range order {
		at := where[k][0]
		if more := len(where[k]) - 1; more > 0 {
			at += fmt.Sprintf(" and %d more", more)
		}
		list = append(list, Lint{Kind: k.kind, API: k.api, Version: k.version, Where: at, Detail: k.what, Advice: lintAdvice[k.kind]})
	}
	for i := range cfg.APIs {
		api := cfg.APIs[i].Declared
		for _, v := range api.Versions {
			for _, d := range v.Documents {
				lintExtensions(d, true, func(where, detail string) {
					list = append(list, Lint{Kind: lintDocument, API: api.Name, Version: v.Name, Where: d.Name + ": " + where, Detail: detail, Advice: lintAdvice[lintDocument]})
				})
			}
		}
	}
	return list
}

func aboutPattern(d *spec.Document, what string) bool {
	return slices.ContainsFunc(conformance.UnsupportedPatterns(d), func(p spec.Problem) bool { return strings.Contains(what, p.Reason) })
}

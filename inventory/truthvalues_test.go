//go:build !race

package inventory

import (
	"fmt"
	"math"
	"slices"
	"strings"

	"github.com/apiguard/caddy-api-guard/inventory/spec"
)

// zipf draws one of n things, few of them often.
func (g *truth) zipf(n int, power float64) int {
	return int(math.Pow(float64(n), math.Pow(g.rng.Float64(), power))) % n
}

var (
	firstNames = strings.Fields("ada grace alan linus barbara ken dennis margaret edsger donald radia tim vint leslie john frances mary jean guido bjarne anders james brendan larry yukihiro rob robert ivan niklaus tony")
	things     = strings.Fields("blue red api web core data cloud fast tiny open deep smart dev ops test demo infra mobile legacy next old hello world shop store cart pay user auth edge mesh node graph stream batch query cache proxy agent build deploy site docs blog app client server tools utils kit lab hub flow")
)

func (g *truth) pick(words []string) string { return words[g.rng.IntN(len(words))] }

func (g *truth) digits(n int) string {
	b := make([]byte, n)
	for i := range b {
		b[i] = byte('0' + g.rng.IntN(10))
	}
	b[0] = byte('1' + g.rng.IntN(9))
	return string(b)
}

func (g *truth) hex(n int) string {
	const alphabet = "0123456789abcdef"
	b := make([]byte, n)
	for i := range b {
		b[i] = alphabet[g.rng.IntN(16)]
	}
	return string(b)
}

// population is a set of values that requests draw from.
func (g *truth) population(n int, one func() string) func() string {
	values := make([]string, n)
	for i := range values {
		values[i] = one()
	}
	return func() string { return values[g.zipf(n, 0.8)] }
}

func (g *truth) slug() string {
	s := g.pick(things) + "-" + g.pick(things)
	switch g.rng.IntN(4) {
	case 0:
		return s + "-" + g.digits(1+g.rng.IntN(2))
	case 1:
		return g.pick(things) + g.pick(things)
	default:
		return s
	}
}

func (g *truth) login() string {
	s := g.pick(firstNames)
	switch g.rng.IntN(4) {
	case 0:
		return s + g.digits(2)
	case 1:
		return s + "-" + g.pick(things)
	case 2:
		return s + g.pick(firstNames)
	default:
		return s
	}
}

// value is a realistic value of a parameter, by its name and schema.
func (g *truth) value(op *spec.Operation, name string) string {
	if values := enumOf(op, name); len(values) > 0 {
		return values[g.rng.IntN(len(values))]
	}
	draw := g.cache[name]
	if draw == nil {
		draw = g.source(name)
		g.cache[name] = draw
	}
	return draw()
}

func (g *truth) source(name string) func() string {
	lower := strings.ToLower(name)
	has := func(parts ...string) bool {
		return slices.ContainsFunc(parts, func(p string) bool { return strings.Contains(lower, p) })
	}
	switch {
	case has("gist_id"):
		return g.population(500, func() string { return g.hex(32) })
	case has("sha", "digest"):
		return g.population(3000, func() string { return g.hex(40) })
	case has("uuid", "guid", "delivery"):
		return g.population(3000, func() string {
			return g.hex(8) + "-" + g.hex(4) + "-4" + g.hex(3) + "-a" + g.hex(3) + "-" + g.hex(12)
		})
	case has("owner", "org", "username", "login", "account", "assignee", "enterprise", "collaborator", "user") && !has("_id"):
		return g.population(400, g.login)
	case has("number"):
		return g.population(900, func() string { return g.digits(1 + g.rng.IntN(4)) })
	case has("_id", "id"):
		return g.population(4000, func() string { return g.digits(5 + g.rng.IntN(6)) })
	case has("date"):
		return g.population(200, func() string { return fmt.Sprintf("2026-%02d-%02d", 1+g.rng.IntN(12), 1+g.rng.IntN(28)) })
	case has("extension"):
		return func() string { return g.pick([]string{"png", "jpg"}) }
	default: // repositories, branches, teams, environments, keys, names
		return g.population(600, g.slug)
	}
}

func enumOf(op *spec.Operation, name string) []string {
	var values []string
	for _, ref := range append(slices.Clone(op.Path.Parameters), op.Op.Parameters...) {
		if p := ref.Value; p != nil && p.In == "path" && p.Name == name && p.Schema != nil && p.Schema.Value != nil {
			for _, v := range p.Schema.Value.Enum {
				values = append(values, fmt.Sprint(v))
			}
		}
	}
	return values
}

package generate

import (
	"fmt"
	"math"
	"math/rand/v2"
	"strings"

	"github.com/getkin/kin-openapi/openapi3"
	"pgregory.net/rapid"
)

// Generator makes requests from a seed.
type Generator struct {
	*rand.Rand
	patterns map[string][]string
	dense    bool // make most of the optional members
}

// New is a generator; the same seed gives the same requests.
func New(seed uint64) *Generator {
	return &Generator{Rand: rand.New(rand.NewPCG(seed, seed)), patterns: map[string][]string{}}
}

// maxDepth is how deep optional members are made.
const maxDepth = 4

// flat is a schema with its allOf merged in: what a value must hold together.
type flat struct {
	*openapi3.Schema
	properties map[string]*openapi3.Schema
	required   []string
	closed     bool // additionalProperties: false
	members    *openapi3.Schema
	choices    []openapi3.SchemaRefs // oneOf and anyOf
	opaque     bool                  // what one part does not allow another may
}

func flatten(s *openapi3.Schema) flat {
	f := flat{Schema: s, properties: map[string]*openapi3.Schema{}}
	f.add(s)
	return f
}

func (f *flat) add(s *openapi3.Schema) {
	for name, p := range s.Properties {
		if p.Value != nil {
			f.properties[name] = p.Value
		}
	}
	f.required = append(f.required, s.Required...)
	if has := s.AdditionalProperties.Has; has != nil && !*has {
		f.closed = true
	}
	if p := s.AdditionalProperties.Schema; p != nil {
		f.members = p.Value
	}
	for _, of := range []openapi3.SchemaRefs{s.OneOf, s.AnyOf} {
		if len(of) > 0 {
			f.choices = append(f.choices, of)
		}
	}
	f.opaque = f.opaque || len(s.AnyOf)+len(s.OneOf) > 0 || s.Not != nil
	for _, part := range s.AllOf {
		if part.Value != nil {
			if f.Type == nil && part.Value.Type != nil {
				whole := *f.Schema
				whole.Type = part.Value.Type
				f.Schema = &whole
			}
			f.add(part.Value)
		}
	}
}

// Value is a value that the schema allows.
func (g *Generator) Value(s *openapi3.Schema, depth int) any {
	switch {
	case len(s.Enum) > 0:
		return s.Enum[g.IntN(len(s.Enum))]
	}
	if len(s.AllOf) == 1 && len(s.Properties) == 0 && s.AllOf[0].Value != nil {
		return g.Value(s.AllOf[0].Value, depth)
	}
	for _, part := range s.AllOf {
		// A scalar is what the one part says that has its type.
		if p := part.Value; p != nil && s.Type == nil && (p.Type.Is("string") || p.Type.Is("integer") || p.Type.Is("number") || p.Type.Is("boolean")) {
			return g.Value(p, depth)
		}
	}
	f := flatten(s)
	switch {
	case len(f.choices) > 0:
		return g.alternative(s, depth)
	case f.Type.Is("string"):
		return g.text(s)
	case f.Type.Is("integer"):
		low, high := bounds(s)
		return int64(low) + g.Int64N(int64(high-low)+1)
	case f.Type.Is("number"):
		low, high := bounds(s)
		if s.Format == "int32" || s.Format == "int64" {
			return low + math.Trunc(g.Float64()*(high-low))
		}
		return low + math.Trunc(g.Float64()*(high-low)*4)/4
	case f.Type.Is("boolean"):
		return g.IntN(2) == 0
	case f.Type.Is("array"):
		return g.list(s, depth)
	case f.Type.Is("object") || len(f.properties) > 0 || f.members != nil:
		return g.object(&f, depth)
	case f.Type.Includes("string"):
		return g.text(s)
	case f.Type.Includes("object"):
		return g.object(&f, depth)
	case f.Type.Includes("integer"):
		return int64(g.IntN(100))
	case f.Type.Is("null"):
		return nil
	}
	return g.word(1, 12) // any value is allowed
}

// alternative makes one of several forms, by kin-openapi's judgement just one where
// that is asked for: forms overlap, and then the optional members tell them apart.
func (g *Generator) alternative(s *openapi3.Schema, depth int) any {
	var v any
	for tries := range 40 {
		g.dense = tries > 10
		v = g.either(s, depth)
		if s.VisitJSON(v) == nil {
			break
		}
	}
	g.dense = false
	return v
}

// either makes one of several forms. With members beside the alternatives it makes
// the object that has both.
func (g *Generator) either(s *openapi3.Schema, depth int) any {
	f := flatten(s)
	for i := 0; i < len(f.choices) && i < 10; i++ { // an alternative may have some of its own
		of := f.choices[i]
		picked := of[g.IntN(len(of))].Value
		if !f.Type.Is("object") && len(f.properties) == 0 && len(f.choices) == 1 {
			return g.Value(picked, depth)
		}
		f.add(picked)
	}
	return g.object(&f, depth)
}

func bounds(s *openapi3.Schema) (low, high float64) {
	low, high = -1000, 1000
	if s.Min != nil {
		low, high = *s.Min, math.Max(high, *s.Min+1000)
	}
	if s.Max != nil {
		high = *s.Max
		if s.Min == nil {
			low = math.Min(low, high-1000)
		}
	}
	return math.Ceil(low), math.Floor(high)
}

const letters = "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789"

// word is text that needs no escaping anywhere.
func (g *Generator) word(least, most int) string {
	b := make([]byte, least+g.IntN(max(most-least, 0)+1))
	for i := range b {
		b[i] = letters[g.IntN(len(letters))]
	}
	return string(b)
}

func (g *Generator) text(s *openapi3.Schema) string {
	if s.Pattern != "" {
		pool := g.patterns[s.Pattern]
		if pool == nil {
			for seed := range 200 {
				text, ok := matching(s.Pattern, seed)
				if !ok {
					break
				}
				if n := uint64(len([]rune(text))); n < s.MinLength || s.MaxLength != nil && n > *s.MaxLength || strings.ContainsAny(text, "\r\n\x00") {
					continue
				}
				if pool = append(pool, text); len(pool) == 20 {
					break
				}
			}
			g.patterns[s.Pattern] = pool
		}
		if len(pool) > 0 {
			return pool[g.IntN(len(pool))]
		}
	}
	day := fmt.Sprintf("20%02d-%02d-%02d", g.IntN(60), 1+g.IntN(12), 1+g.IntN(28))
	switch s.Format {
	case "date":
		return day
	case "date-time":
		return fmt.Sprintf("%sT%02d:%02d:%02d%s", day, g.IntN(24), g.IntN(60), g.IntN(60), []string{"Z", ".25Z", "+02:00"}[g.IntN(3)])
	case "email":
		return g.word(1, 9) + "@example.com"
	case "uri", "url":
		return "https://example.com/" + g.word(0, 9)
	case "uuid":
		return fmt.Sprintf("%08x-%04x-4%03x-8%03x-%012x", g.Uint32(), g.IntN(1<<16), g.IntN(1<<12), g.IntN(1<<12), g.Int64N(1<<48))
	case "ipv4":
		return "192.0.2.1"
	case "ipv6":
		return "2001:db8::1"
	case "hostname":
		return "www.example.com"
	case "byte":
		return "aGVsbG8="
	case "time":
		return "10:30:00Z"
	}
	least, most := int(max(s.MinLength, 1)), int(s.MinLength)+12
	if s.MaxLength != nil {
		most = min(most, int(*s.MaxLength))
	}
	return g.word(least, max(least, most))
}

// matching is text of a pattern; false when nothing matches it, as nothing does
// ".^".
func matching(pattern string, seed int) (text string, ok bool) {
	defer func() {
		if recover() != nil {
			ok = false
		}
	}()
	return rapid.StringMatching(pattern).Example(seed), true
}

func (g *Generator) list(s *openapi3.Schema, depth int) any {
	n := g.IntN(3)
	if depth > maxDepth {
		n = 0
	}
	n = max(n, int(s.MinItems))
	if s.MaxItems != nil {
		n = min(n, int(*s.MaxItems))
	}
	list := make([]any, 0, n)
	seen := map[string]bool{}
	for tries := 0; len(list) < n && tries < 50; tries++ {
		item := any(g.word(1, 8))
		if s.Items != nil && s.Items.Value != nil {
			item = g.Value(s.Items.Value, depth+1)
		}
		if s.UniqueItems && seen[fmt.Sprint(item)] {
			continue
		}
		seen[fmt.Sprint(item)] = true
		list = append(list, item)
	}
	return list
}

func (g *Generator) object(f *flat, depth int) any {
	members := map[string]any{}
	for _, name := range f.required {
		if p := f.properties[name]; p != nil {
			members[name] = g.Value(p, depth+1)
		} else {
			members[name] = g.word(1, 8)
		}
	}
	most := math.MaxInt
	if f.MaxProps != nil {
		most = int(*f.MaxProps)
	}
	for _, name := range sorted(f.properties) {
		p := f.properties[name]
		if _, has := members[name]; has || p.ReadOnly || depth >= maxDepth || len(members) >= most || !g.dense && g.IntN(3) > 0 {
			continue
		}
		members[name] = g.Value(p, depth+1)
	}
	for tries := 0; len(members) < int(f.MinProps) && tries < 100; tries++ {
		name := g.word(3, 8)
		if names := sorted(f.properties); len(names) > 0 && (f.closed || g.IntN(2) == 0) {
			name = names[g.IntN(len(names))]
		}
		if p := f.properties[name]; p != nil {
			members[name] = g.Value(p, depth+1)
		} else if f.members != nil {
			members[name] = g.Value(f.members, depth+1)
		} else {
			members[name] = g.word(1, 8)
		}
	}
	if f.members != nil && depth < maxDepth && len(members) < most && g.IntN(2) == 0 {
		members["x"+g.word(3, 8)] = g.Value(f.members, depth+1)
	}
	return members
}

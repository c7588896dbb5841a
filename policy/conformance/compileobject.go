package conformance

import (
	"fmt"
	"slices"
	"sort"
)

func (b *builder) arrays(n *node, m map[string]any) (err error) {
	rules := arrayRules{
		min: countOf(m["minItems"]), max: countOf(m["maxItems"]), unique: m["uniqueItems"] == true,
		minContains: 1, maxContains: countOf(m["maxContains"]),
	}
	if rules.prefix, err = b.list(m["prefixItems"]); err != nil {
		return err
	}
	if rules.items, err = b.optional(m["items"]); err != nil {
		return err
	}
	if v, ok := m["contains"]; ok {
		if rules.contains, err = b.schema(v); err != nil {
			return err
		}
		if at := countOf(m["minContains"]); at >= 0 {
			rules.minContains = at
		}
	}
	if rules.min >= 0 || rules.max >= 0 || rules.unique || rules.prefix != nil || rules.items != nil || rules.contains != nil {
		n.array = &rules
	}
	return nil
}

func (b *builder) objects(n *node, m map[string]any) (err error) {
	rules := objectRules{min: countOf(m["minProperties"]), max: countOf(m["maxProperties"])}
	if err := b.properties(&rules, m); err != nil {
		return err
	}
	patterns, _ := m["patternProperties"].(map[string]any)
	for _, source := range sortedKeys(patterns) {
		p, err := b.l.pattern(source)
		if err != nil {
			return err
		}
		child, err := b.optional(patterns[source])
		if err != nil {
			return err
		}
		rules.patterns = append(rules.patterns, p)
		rules.patternOf = append(rules.patternOf, child)
	}
	if rules.rest, err = b.optional(m["additionalProperties"]); err != nil {
		return err
	}
	if rules.nameSchema, err = b.optional(m["propertyNames"]); err != nil {
		return err
	}
	if err := b.dependents(&rules, m); err != nil {
		return err
	}
	if rules.min >= 0 || rules.max >= 0 || rules.names != nil || rules.patterns != nil ||
		rules.rest != nil || rules.nameSchema != nil || rules.dependents != nil {
		n.object = &rules
		rules.order = newOrder(&rules)
	}
	return nil
}

// properties puts the required names first: they have the 64 bits of needed.
func (b *builder) properties(rules *objectRules, m map[string]any) error {
	declared, _ := m["properties"].(map[string]any)
	required, _ := m["required"].([]any)
	if len(required) > 64 {
		return fmt.Errorf("compiling more than 64 required properties: %w", errUncovered)
	}
	for i, name := range required {
		rules.names = append(rules.names, name.(string))
		rules.needed |= 1 << i
	}
	for _, name := range sortedKeys(declared) {
		if !slices.Contains(rules.names[:len(required)], name) {
			rules.names = append(rules.names, name)
		}
	}
	rules.nodes = make([]*node, len(rules.names))
	for i, name := range rules.names {
		v, ok := declared[name]
		if !ok {
			continue
		}
		child, err := b.schema(v)
		if err != nil {
			return err
		}
		rules.nodes[i] = child
	}
	if len(rules.names) >= 1<<16-1 {
		return fmt.Errorf("compiling %d properties: %w", len(rules.names), errUncovered)
	}
	rules.index()
	return nil
}

func (b *builder) dependents(rules *objectRules, m map[string]any) error {
	required, _ := m["dependentRequired"].(map[string]any)
	for _, name := range sortedKeys(required) {
		d := dependent{name: name}
		for _, need := range required[name].([]any) {
			d.needs = append(d.needs, need.(string))
		}
		rules.dependents = append(rules.dependents, d)
	}
	schemas, _ := m["dependentSchemas"].(map[string]any)
	for _, name := range sortedKeys(schemas) {
		child, err := b.schema(schemas[name])
		if err != nil {
			return err
		}
		rules.dependents = append(rules.dependents, dependent{name: name, node: child})
	}
	return nil
}

func sortedKeys(m map[string]any) []string {
	keys := make([]string, 0, len(m))
	for k := range m {
		keys = append(keys, k)
	}
	sort.Strings(keys)
	return keys
}

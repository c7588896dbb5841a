package conformance

import (
	"encoding/json"
	"fmt"
	"math"
	"strconv"
	"strings"
)

func (b *builder) values(n *node, m map[string]any) error {
	list, ok := m["enum"].([]any)
	keyword := "enum"
	if c, isConst := m["const"]; isConst {
		if ok {
			return fmt.Errorf("compiling const beside enum: %w", errUncovered)
		}
		list, keyword, ok = []any{c}, "const", true
	}
	if !ok {
		return nil
	}
	text, err := json.Marshal(list)
	if err != nil {
		return fmt.Errorf("compiling %s: %w", keyword, err)
	}
	l := &literals{keyword: keyword, detail: literalDetail(list), tape: &tape{}}
	if f := l.tape.read(text); f != noFault {
		return fmt.Errorf("compiling %s: a value %s", keyword, f.detail())
	}
	for i, k := uint32(1), l.tape; int(i) < len(k.toks); i = k.toks[i].next {
		if k.toks[i].kind == kindString {
			l.texts = append(l.texts, k.text(i, nil))
		} else {
			l.others = append(l.others, i)
		}
	}
	if len(l.texts) > linear {
		l.set = make(map[string]struct{}, len(l.texts))
		for _, s := range l.texts {
			l.set[string(s)] = struct{}{}
		}
	}
	n.values = l
	return nil
}

// literalDetail lists the allowed values, as long as people would read it.
func literalDetail(list []any) string {
	var b strings.Builder
	b.WriteString("must be ")
	if len(list) != 1 {
		b.WriteString("one of ")
	}
	for i, v := range list {
		text, err := json.Marshal(v)
		if err != nil || b.Len()+len(text) > 200 {
			b.WriteString("…")
			break
		}
		if i > 0 {
			b.WriteString(", ")
		}
		b.Write(text)
	}
	return b.String()
}

func (b *builder) numbers(n *node, m map[string]any) error {
	rules := numberRules{}
	for _, k := range []struct {
		keyword     string
		below, open bool
	}{
		{"minimum", false, false}, {"maximum", true, false},
		{"exclusiveMinimum", false, true}, {"exclusiveMaximum", true, true},
	} {
		if v, ok := m[k.keyword].(json.Number); ok {
			rules.bounds = append(rules.bounds, bound{parseDecimal([]byte(v)), k.below, k.open, k.keyword})
		}
	}
	if v, ok := m["multipleOf"].(json.Number); ok {
		d := parseDecimal([]byte(v))
		if d.neg || !d.big && d.coef == 0 {
			return fmt.Errorf("compiling multipleOf %q: it must be greater than 0", v)
		}
		rules.multiple = &d
	}
	if name, ok := m["format"].(string); ok {
		rules.format, rules.name = b.l.formats.number(name), name
	}
	if rules.bounds != nil || rules.multiple != nil || rules.format != nil {
		n.number = &rules
	}
	rules.low, rules.high = math.MinInt64, math.MaxInt64
	whole := rules.multiple == nil
	for i := range rules.bounds {
		whole = rules.integers(&rules.bounds[i]) && whole
	}
	if rules.format == nil {
		rules.name = ""
	}
	switch rules.name {
	case "", "int64", "double", "float": // 18 digits are in all of them
	case "int32":
		rules.low, rules.high = max(rules.low, math.MinInt32), min(rules.high, math.MaxInt32)
	default:
		whole = whole && rules.format == nil
	}
	n.plainInt = whole && n.types&typeInteger != 0 && m["enum"] == nil && !hasConst(m) && !combines(m)
	return nil
}

// integers narrows low and high to a bound that is an integer. It reports false for
// another one.
func (n *numberRules) integers(b *bound) bool {
	v, ok := smallInt(b.limit.text)
	if !ok {
		return false
	}
	switch {
	case b.below && b.open:
		n.high = min(n.high, v-1)
	case b.below:
		n.high = min(n.high, v)
	case b.open:
		n.low = max(n.low, v+1)
	default:
		n.low = max(n.low, v)
	}
	return true
}

func hasConst(m map[string]any) bool {
	_, ok := m["const"]
	return ok
}

// combines tells whether keywords beside those of numbers judge a number.
func combines(m map[string]any) bool {
	for _, k := range []string{"allOf", "anyOf", "oneOf", "not", "if"} {
		if _, ok := m[k]; ok {
			return true
		}
	}
	return false
}

func (b *builder) texts(n *node, m map[string]any) error {
	rules := textRules{min: countOf(m["minLength"]), max: countOf(m["maxLength"])}
	if source, ok := m["pattern"].(string); ok {
		p, err := b.l.pattern(source)
		if err != nil {
			return err
		}
		rules.pattern = p
	}
	if name, ok := m["format"].(string); ok {
		rules.format, rules.name = b.l.formats.text(name), name
	}
	if rules.min >= 0 || rules.max >= 0 || rules.pattern != nil || rules.format != nil {
		n.text = &rules
	}
	rules.lengthOnly = rules.max >= 0 && rules.pattern == nil && rules.format == nil
	rules.sure = -1
	if rules.min > 0 {
		rules.sure = 12 * (rules.min - 1)
	}
	return nil
}

// countOf is a limit on a count, -1 for none.
func countOf(v any) int {
	number, ok := v.(json.Number)
	if !ok {
		return -1
	}
	n, err := strconv.Atoi(string(number))
	if err != nil {
		return -1
	}
	return n
}

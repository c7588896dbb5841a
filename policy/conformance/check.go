package conformance

import "sync"

// run is one judgement of a tape by a program.
type run struct {
	t     *tape // &own
	own   tape
	steps int
	spent bool // the step budget is used up: the verdict is no
	memo  map[uint64]bool
	depth int // of combinators around the present value

	// report is nil while only the verdict counts.
	report *report // &why
	why    report
	name   []byte  // for unescaped names
	extras []extra // names that the schema does not declare, while a body is read
	value  []byte  // for unescaped values
	buf    []byte  // the text of a parameter

	// decimal is the number being judged. It stands here since formats are
	// function values, and what they are given would be allocated each time.
	decimal decimal
}

// budget bounds the work of one judgement: combinators can ask about one value
// again and again. Plain schemas take about one step a token.
func budget(t *tape) int { return 100_000 + stepsPerToken*len(t.toks) }

const stepsPerToken = 64

var runs = sync.Pool{New: func() any { return new(run) }}

func newRun() *run {
	r := runs.Get().(*run)
	r.t = &r.own
	return r
}

func (r *run) release() {
	if !r.own.keep() {
		r.own = tape{}
	}
	r.report, r.spent, r.depth = nil, false, 0
	if len(r.memo) > maxPooledTokens {
		r.memo = nil
	}
	if len(r.memo) > 0 {
		clear(r.memo)
	}
	if cap(r.buf)+cap(r.name)+cap(r.value) > maxPooledText {
		r.buf, r.name, r.value = nil, nil, nil
	}
	runs.Put(r)
}

// holds is the verdict of s on the value i. A judgement that uses up its budget
// is a no, whatever a `not` on the way made of it.
func (r *run) holds(s schema, i uint32) bool {
	r.steps = budget(r.t)
	return s.judge(r, i) && !r.spent
}

// explain says why s does not hold. It is never empty.
func (r *run) explain(s schema, i uint32, in Where, name string) []Error {
	r.why = report{in: in, name: name, path: r.why.path[:0]}
	report := &r.why
	if !r.spent {
		r.steps = budget(r.t)
		r.report = report
		s.judge(r, i)
		r.report = nil
	}
	if r.spent || len(report.errors) == 0 {
		report.path = nil
		report.errors = nil
		report.add("complexity", "must be simple enough to be checked against its schema")
	}
	return report.errors
}

// check tells whether the value i satisfies n. When it reports, it goes on after
// the first failure, to say all that is wrong.
func (r *run) check(n *node, i uint32) bool {
	if n == nil {
		return true
	}
	if r.steps--; r.steps < 0 {
		r.spent = true
		return false
	}
	if r.report != nil {
		return len(r.report.errors) < MaxErrors && r.judge(n, i)
	}
	if n.memo && r.depth > 0 && r.t.toks[i].kind >= kindArray {
		return r.remembered(n, i)
	}
	return r.judge(n, i)
}

func (r *run) remembered(n *node, i uint32) bool {
	key := uint64(n.id)<<32 | uint64(i)
	if ok, known := r.memo[key]; known {
		return ok
	}
	ok := r.judge(n, i)
	if r.memo == nil {
		r.memo = map[uint64]bool{}
	}
	r.memo[key] = ok
	return ok
}

func (r *run) judge(n *node, i uint32) bool {
	if n.never {
		return r.fail("false", "is not allowed")
	}
	k := &r.t.toks[i]
	if n.plainInt && k.flags&flagInteger != 0 {
		if v, ok := smallInt(r.t.src[k.start:k.end]); ok && (n.number == nil || v >= n.number.low && v <= n.number.high) {
			return true
		}
	}
	d := &r.decimal
	if k.kind == kindNumber && (n.number != nil || n.types&typeNumber == 0) {
		*d = parseDecimal(r.t.raw(i))
	}
	if n.types != anyType && n.types&ofKind[k.kind] == 0 &&
		!(k.kind == kindNumber && n.types&typeInteger != 0 && (k.flags&flagInteger != 0 || d.integer())) {
		return r.failType(n)
	}
	ok := true
	if n.values != nil && !r.literal(n.values, i) {
		if ok = r.fail(n.values.keyword, n.values.detail); r.report == nil {
			return false
		}
	}
	switch k.kind {
	case kindNumber:
		ok = (n.number == nil || r.number(n.number, d)) && ok
	case kindString:
		ok = (n.text == nil || r.text(n.text, i)) && ok
	case kindArray:
		ok = (n.array == nil || r.array(n.array, i)) && ok
	case kindObject:
		ok = (n.object == nil || r.object(n.object, i)) && ok
	}
	if n.combine != nil && (ok || r.report != nil) {
		ok = r.combined(n.combine, i) && ok
	}
	return ok
}

func (r *run) literal(l *literals, i uint32) bool {
	if r.t.toks[i].kind == kindString {
		b := r.unescaped(i)
		if l.set != nil {
			_, ok := l.set[string(b)]
			return ok
		}
		for _, s := range l.texts {
			if string(s) == string(b) {
				return true
			}
		}
		return false
	}
	for _, j := range l.others {
		if r.t.equal(i, l.tape, j) {
			return true
		}
	}
	return false
}

// unescaped is the value of a string. It is good until the next call.
func (r *run) unescaped(i uint32) []byte {
	k := &r.t.toks[i]
	if k.flags&flagEscaped == 0 {
		return r.t.src[k.start:k.end]
	}
	r.value = appendUnescaped(r.value[:0], r.t.src[k.start:k.end])
	return r.value
}

func (r *run) number(n *numberRules, d *decimal) bool {
	ok := true
	for x := range n.bounds {
		b := &n.bounds[x]
		c := d.compare(&b.limit)
		if b.below {
			c = -c
		}
		if c > 0 || c == 0 && !b.open {
			continue
		}
		if ok = r.failBound(b); r.report == nil {
			return false
		}
	}
	if n.multiple != nil && !d.multipleOf(n.multiple) {
		if ok = r.fail("multipleOf", "must be a multiple of ", string(n.multiple.text)); r.report == nil {
			return false
		}
	}
	if n.format != nil && !n.format(d) {
		ok = r.fail("format", "must be in the format ", n.name)
	}
	return ok
}

func (r *run) text(n *textRules, i uint32) bool {
	k := &r.t.toks[i]
	if k.flags&flagSized == 0 && n.surely(int(k.end-k.start)) {
		return true
	}
	ok := true
	b := r.unescaped(i)
	if n.min >= 0 || n.max >= 0 {
		size := runes(b, r.t.toks[i].flags)
		if k.flags&flagSized != 0 {
			size = int(k.count)
		}
		if n.min >= 0 && size < n.min {
			ok = r.failCount("minLength", "must have at least ", n.min, " characters")
		}
		if n.max >= 0 && size > n.max {
			ok = r.failCount("maxLength", "must have at most ", n.max, " characters")
		}
		if !ok && r.report == nil {
			return false
		}
	}
	if n.pattern != nil && !n.pattern.match(b) {
		if ok = r.fail("pattern", "must match the pattern ", n.pattern.source); r.report == nil {
			return false
		}
	}
	if n.format != nil && !n.format(b) {
		ok = r.fail("format", "must be in the format ", n.name)
	}
	return ok
}

func (r *run) array(n *arrayRules, i uint32) bool {
	k := &r.t.toks[i]
	ok := true
	if n.min >= 0 && int(k.count) < n.min {
		ok = r.failCount("minItems", "must have at least ", n.min, " items")
	}
	if n.max >= 0 && int(k.count) > n.max {
		ok = r.failCount("maxItems", "must have at most ", n.max, " items")
	}
	if !ok && r.report == nil {
		return false
	}
	if n.items != nil || len(n.prefix) > 0 {
		position := 0
		for e := i + 1; e < k.next; e = r.t.toks[e].next {
			item := n.items
			if position < len(n.prefix) {
				item = n.prefix[position]
			}
			if item != nil && !r.element(item, e, position) {
				if ok = false; r.report == nil {
					return false
				}
			}
			position++
		}
	}
	if n.contains != nil && !r.contains(n, i) {
		if ok = r.fail("contains", "must contain the items that the schema asks for"); r.report == nil {
			return false
		}
	}
	if ok && n.unique && !r.t.unique(i) {
		ok = r.fail("uniqueItems", "must not have two equal items")
	}
	return ok
}

func (r *run) contains(n *arrayRules, i uint32) bool {
	matches := 0
	for e := i + 1; e < r.t.toks[i].next; e = r.t.toks[e].next {
		if r.silently(n.contains, e) {
			matches++
		}
	}
	return matches >= n.minContains && (n.maxContains < 0 || matches <= n.maxContains)
}

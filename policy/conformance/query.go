package conformance

import "strings"

// nextPair takes the next name=value off a query or a cookie.
func nextPair(s string, sep string) (name, value, rest string) {
	pair, rest, _ := strings.Cut(s, sep)
	if sep == ";" {
		pair = strings.Trim(pair, " \t")
	}
	name, value, _ = strings.Cut(pair, "=")
	return name, value, rest
}

// queryPair takes the next name=value off a query. plain says that the name is
// written as it is meant. One pass: names and values are short.
func queryPair(s string) (name, value, rest string, plain bool) {
	i := 0
	plain = true
	for i < len(s) && s[i] != '=' && s[i] != '&' {
		plain = plain && s[i] != '%' && s[i] != '+'
		i++
	}
	name = s[:i]
	if i == len(s) || s[i] == '&' {
		return name, "", s[min(i+1, len(s)):], plain
	}
	s = s[i+1:]
	if i = strings.IndexByte(s, '&'); i < 0 {
		return name, s, "", plain
	}
	return name, s[:i], s[i+1:], plain
}

// seen is a set of query parameters.
type seen [maxQueryParameters / 64]uint64

func (s *seen) has(i int) bool { return s[i>>6]&(1<<(i&63)) != 0 }
func (s *seen) add(i int)      { s[i>>6] |= 1 << (i & 63) }

// undeclared is what Result.Undeclared has, however many there are: the names
// are the client's and are not repeated.
func undeclared() []Error {
	return []Error{{In: InQuery, Keyword: "unknown-parameter", Detail: "the query must not have parameters that the document does not declare"}}
}

// query judges the query parameters: scalars on the way through the query, the
// others once it is known which of them it has.
func (j *judge) query(raw string) {
	var found, many seen
	rules := j.rules
	unknown := false
	next := 0 // queries are mostly in the order of the description
	for rest := raw; rest != ""; {
		var name, value string
		var plain, ok bool
		i := next
		if i < len(rules.query) && rules.query[i].leads(rest) {
			value, rest, _ = strings.Cut(rest[len(rules.query[i].lead):], "&")
		} else {
			if name, value, rest, plain = queryPair(rest); name == "" && value == "" {
				continue
			}
			if plain {
				i, ok = rules.named(name)
			} else {
				i, ok = j.find(name)
			}
			if !ok {
				unknown = !j.claimed(name, &found) || unknown
				continue
			}
		}
		next = i + 1
		p := &rules.query[i]
		if found.has(i) {
			many.add(i)
		}
		found.add(i)
		if p.plain() && !many.has(i) {
			j.judge(p, source{text: value})
		}
	}
	for i := range rules.query {
		p := &rules.query[i]
		switch {
		case many.has(i) && !p.multiple():
			j.fault(p, faultRepeated)
		case found.has(i) && !p.plain():
			j.judge(p, source{text: j.value(p, raw), all: raw, many: many.has(i)})
		case !found.has(i) && p.required:
			j.missing(p)
		}
	}
	if unknown && !rules.whole {
		j.result.Undeclared = undeclared()
	}
}

// decoded undoes the encoding of a query name, which is empty when malformed. It
// is good until the next call.
func (j *judge) decoded(name string) []byte {
	var ok bool
	r := j.run()
	if r.name, ok = percentDecode(r.name[:0], name, true); !ok {
		return nil
	}
	return r.name
}

// leads tells whether a query begins with the parameter's name as it is mostly
// written.
func (p *parameter) leads(query string) bool {
	return p.lead != "" && strings.HasPrefix(query, p.lead)
}

// named is the position of a parameter, other than a deepObject, by its name.
func (p *parameterRules) named(name string) (int, bool) {
	if len(p.query) > linear {
		i, ok := p.byName[name]
		return i, ok && p.query[i].named
	}
	for i := range p.query {
		if q := &p.query[i]; q.name == name {
			return i, q.named
		}
	}
	return 0, false
}

func encoded(name string) bool { return strings.ContainsAny(name, "%+") }

// find is the position of the parameter that a query name stands for.
func (j *judge) find(name string) (int, bool) {
	if !encoded(name) {
		i, ok := j.rules.byName[name]
		if !ok || j.rules.query[i].style == styleDeep {
			return 0, false
		}
		return i, true
	}
	i, ok := j.rules.byName[string(j.decoded(name))]
	return i, ok && j.rules.query[i].style != styleDeep
}

// claimed tells whether a name that is no parameter's is part of one, or an API
// key's.
func (j *judge) claimed(name string, found *seen) bool {
	b := j.decoded(name)
	for i := range j.rules.query {
		p := &j.rules.query[i]
		if p.style == styleDeep && len(b) > len(p.name) && b[len(p.name)] == '[' && string(b[:len(p.name)]) == p.name {
			found.add(i)
			return true
		}
	}
	for _, key := range j.rules.keys {
		if key == string(b) {
			return true
		}
	}
	claimed := false
	for _, i := range j.rules.loose {
		p := &j.rules.query[i]
		if _, ok := p.hint.props[string(b)]; ok || p.hint.open || string(b) == p.name && len(p.shapes) > 1 {
			found.add(i)
			claimed = true
		}
	}
	return claimed
}

// value is the text of a parameter's first occurrence.
func (j *judge) value(p *parameter, raw string) string {
	for rest := raw; rest != ""; {
		var name, value string
		name, value, rest = nextPair(rest, "&")
		if j.named(name, p.name) {
			return value
		}
	}
	return ""
}

func (j *judge) named(name, want string) bool {
	return name == want || encoded(name) && string(j.decoded(name)) == want
}

// queryArray adds the values of every occurrence.
func (j *judge) queryArray(b *reading, p *parameter, all string) {
	self := b.open(kindArray)
	count := uint32(0)
	for all != "" {
		var name, value string
		name, value, all = nextPair(all, "&")
		if j.named(name, p.name) {
			b.scalar(value, p.hint.itemTypes())
			count++
		}
	}
	b.close(self, count)
}

// queryObject adds the members of an exploded object: every name of the query
// that is no other parameter's.
func (j *judge) queryObject(b *reading, p *parameter, all string) {
	self := b.open(kindObject)
	count := uint32(0)
	for all != "" {
		var name, value string
		name, value, all = nextPair(all, "&")
		if name == "" && value == "" {
			continue
		}
		if _, other := j.find(name); other {
			continue
		}
		_, ok := p.hint.props[string(j.decoded(name))]
		if ok || p.hint.open && !j.taken(name) {
			b.member(name, value, p.hint)
			count++
		}
	}
	b.closeObject(self, count)
}

// taken tells whether a name belongs to a deepObject or an API key.
func (j *judge) taken(name string) bool {
	b := string(j.decoded(name))
	for _, key := range j.rules.keys {
		if key == b {
			return true
		}
	}
	at := strings.IndexByte(b, '[')
	if at < 0 {
		return false
	}
	i, ok := j.rules.byName[b[:at]]
	return ok && j.rules.query[i].style == styleDeep
}

// deepObject adds the members name[member]=value.
func (j *judge) deepObject(b *reading, p *parameter, all string) {
	self := b.open(kindObject)
	count := uint32(0)
	for rest := all; rest != ""; {
		var name, value string
		name, value, rest = nextPair(rest, "&")
		member, ok := j.member(p, name)
		if !ok {
			continue
		}
		if strings.ContainsAny(member, "[]") {
			b.undefined = true
			return
		}
		h := p.hint.props[member]
		b.named(member)
		allowed := h.scalars()
		b.undefined = b.undefined || allowed&typeArray != 0
		b.scalar(value, allowed)
		count++
	}
	b.closeObject(self, count)
}

// member is the name in brackets of a deepObject's member.
func (j *judge) member(p *parameter, name string) (string, bool) {
	b := j.decoded(name)
	n := len(p.name)
	if len(b) < n+2 || string(b[:n]) != p.name || b[n] != '[' {
		return "", false
	}
	if b[len(b)-1] != ']' {
		return string(b[n:]), true
	}
	return string(b[n+1 : len(b)-1]), true
}

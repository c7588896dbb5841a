package inventory

import (
	"bytes"
	"cmp"
	"net/url"
	"slices"
	"strings"
)

// ConsumerQuery selects and pages consumers. The zero value lists the first 100
// of all. Several values of one field mean either.
type ConsumerQuery struct {
	API     []string // names, exact
	Version []string // names, exact
	Rule    []string // only whom one of them refused, or would have
	Limit   int      // 1 to 1000; 0: 100
	Cursor  string   // List.Next of the page before, of the same query
}

// ParseConsumerQuery reads the parameters api, version, rule, limit and cursor.
func ParseConsumerQuery(v url.Values) (ConsumerQuery, error) {
	if err := checkNames(v, []string{"api", "version", "rule", "limit", "cursor"}, "limit", "cursor"); err != nil {
		return ConsumerQuery{}, err
	}
	q := ConsumerQuery{API: v["api"], Version: v["version"], Rule: v["rule"], Cursor: v.Get("cursor")}
	var err error
	if q.Limit, err = parseLimit(v); err != nil {
		return ConsumerQuery{}, err
	}
	if _, err := q.check(); err != nil {
		return ConsumerQuery{}, err
	}
	return q, nil
}

func (q *ConsumerQuery) check() (position, error) {
	if err := checkValues("rule", q.Rule, ruleNames[:]); err != nil {
		return position{}, err
	}
	return checkPage(q.Limit, q.Cursor, q.hash())
}

func (q *ConsumerQuery) hash() uint64 {
	r := RouteQuery{API: q.API, Version: q.Version, Reason: q.Rule, Sort: "consumers"}
	return r.hash()
}

// Consumers lists who called which version, by API, version and consumer. An
// error says what is wrong with the query.
func (inv *Inventory) Consumers(q ConsumerQuery) (List[ConsumerEntry], error) {
	at, err := q.check()
	if err != nil {
		return List[ConsumerEntry]{}, err
	}
	if q.Limit == 0 {
		q.Limit = defaultLimit
	}
	inv.mu.RLock()
	defer inv.mu.RUnlock()
	list := newList[ConsumerEntry](inv, inv.now(), false)
	list.consumerGap(inv.consumers)

	after := consumerRecord{kind: consumerKind(at.key.number), id: at.key.id, version: &versionRecord{key: versionKey{at.key.a, at.key.b}}}
	page := smallest[consumerRecord]{keep: q.Limit + 1, compare: (*consumerRecord).compare}
	add := func(r *consumerRecord) {
		k := &r.version.key
		if either(q.API, k.api) && either(q.Version, k.version) && (len(q.Rule) == 0 || inv.objectedBy(r, q.Rule)) && (!at.started || r.compare(&after) > 0) {
			page.add(r)
		}
	}
	inv.eachConsumer(add)
	records := page.sorted()
	if len(records) > q.Limit {
		records = records[:q.Limit]
		last := records[q.Limit-1]
		next := position{key: sortKey{number: int64(last.kind), a: last.version.key.api, b: last.version.key.version, id: last.id}}
		list.Next = next.text(q.hash())
	}
	for _, r := range records {
		e := inv.consumers.entry(r)
		e.Refused, e.WouldRefuse = inv.verdictsOn(r)
		list.Items = append(list.Items, e)
	}
	return list, nil
}

// objectedBy reports whether one of the rules refused a consumer, or would have.
func (inv *Inventory) objectedBy(r *consumerRecord, rules []string) bool {
	c := inv.consumers
	for o := c.listOf(r); o != nil; o = o.next {
		if either(rules, ruleNames[o.index%numRules]) {
			return true
		}
	}
	for _, share := range c.shares[consumerID{r.id, r.kind, r.version}] {
		if slices.ContainsFunc(share.objections, func(s savedObjection) bool { return either(rules, s.Rule) }) {
			return true
		}
	}
	return false
}

// verdictsOn are a consumer's refusals by rule, on whatever route.
func (inv *Inventory) verdictsOn(r *consumerRecord) (refused, would map[string]uint64) {
	refused, would = make(map[string]uint64), make(map[string]uint64)
	for s, n := range inv.objections(r) {
		if s.Would {
			would[s.Rule] += n
		} else {
			refused[s.Rule] += n
		}
	}
	return refused, would
}

// compare puts records in the order of answers. What it goes by never changes, so
// a walk sees all that is there throughout.
func (r *consumerRecord) compare(s *consumerRecord) int {
	return cmp.Or(
		strings.Compare(r.version.key.api, s.version.key.api), strings.Compare(r.version.key.version, s.version.key.version),
		cmp.Compare(r.kind, s.kind), bytes.Compare(r.id[:], s.id[:]),
	)
}

func (c *consumers) entry(r *consumerRecord) ConsumerEntry {
	e := ConsumerEntry{API: r.version.key.api, Version: r.version.key.version, FirstSeen: instant(r.first)}
	s := &r.version.others
	switch r.kind {
	case consumerUser:
		e.Consumer = "user:" + r.id.String()
	case consumerIntegration:
		e.Consumer, e.Name = "integration:"+r.id.String(), r.name
	case consumerNetwork:
		e.Consumer = "network:" + r.id.String()
	default:
		e.Consumer = hostOther
	}
	count, last := s.count.Load(), s.last.Load()
	if r.kind != consumerOther {
		count, last = c.counted(r)
	}
	more, lately := c.elsewhere(r)
	e.Count, e.LastSeen = count+more, instant(max(last, lately, r.first))
	return e
}

// consumerGap states what the list of consumers cannot show.
func (l *List[T]) consumerGap(c *consumers) {
	if n := c.refused.Load() + c.dropped.Load(); n > 0 {
		l.Complete = false
		l.Gaps = append(l.Gaps, Gap{Kind: GapConsumers, Count: n,
			Detail: `The table of consumers is or was full, or new ones came too fast; the count says how many requests are summed up under "(other)" or were not counted by consumer.`})
	}
	if n := c.untold.Load(); n > 0 {
		l.Complete = false
		l.Gaps = append(l.Gaps, Gap{Kind: GapRefusals, Count: n,
			Detail: "More consumers were refused, or would have been, than can be told apart by rule; the count says how many times that is missing in refused and would_refuse."})
	}
}

package inventory

import (
	"cmp"
	"net/url"
	"strconv"
	"strings"

	"github.com/apiguard/caddy-api-guard/inventory/dataclass"
)

// FlowEntry is a class of data that a consumer or third party gets or sends.
type FlowEntry struct {
	// Integration is the declared third party, empty for a consumer that is none;
	// then Consumer is who it is, as in /api_guard/consumers.
	Integration string `json:"integration"`
	Consumer    string `json:"consumer"`   // as in ConsumerEntry; empty beside Integration
	Purpose     string `json:"purpose"`    // of the integration
	Owner       string `json:"owner"`      // of the integration
	API         string `json:"api"`        // whose samples showed it
	Version     string `json:"version"`    // whose samples showed it
	DataClass   string `json:"data_class"` // one of dataclass.Names
	Direction   string `json:"direction"`  // to: the party gets it; from: it sends it
	// Declared: the integration is declared now, with this class.
	Declared  bool   `json:"declared"`
	FirstSeen Time   `json:"first_seen"` // the first sample that showed it
	LastSeen  Time   `json:"last_seen"`  // the latest
	Count     uint64 `json:"count"`      // samples that showed it
}

// FlowQuery selects and pages flows. The zero value lists the first 100 of all.
// Several values of one field mean either.
type FlowQuery struct {
	API         []string // names, exact
	Version     []string // names, exact
	Integration []string // names, exact
	DataClass   []string // of dataclass.Names
	Declared    []bool   // empty: either
	Limit       int      // 1 to 1000; 0: 100
	Cursor      string   // List.Next of the page before, of the same query
}

// ParseFlowQuery reads the parameters api, version, integration, data_class,
// declared, limit and cursor.
func ParseFlowQuery(v url.Values) (FlowQuery, error) {
	if err := checkNames(v, []string{"api", "version", "integration", "data_class", "declared", "limit", "cursor"}, "limit", "cursor"); err != nil {
		return FlowQuery{}, err
	}
	q := FlowQuery{API: v["api"], Version: v["version"], Integration: v["integration"], DataClass: v["data_class"], Cursor: v.Get("cursor")}
	var err error
	if q.Declared, err = parseBools("declared", v["declared"]); err != nil {
		return FlowQuery{}, err
	}
	if q.Limit, err = parseLimit(v); err != nil {
		return FlowQuery{}, err
	}
	if _, err := q.check(); err != nil {
		return FlowQuery{}, err
	}
	return q, nil
}

func (q *FlowQuery) check() (position, error) {
	if err := checkValues("data_class", q.DataClass, dataclass.Names()); err != nil {
		return position{}, err
	}
	return checkPage(q.Limit, q.Cursor, q.hash())
}

func (q *FlowQuery) hash() uint64 {
	r := RouteQuery{API: q.API, Version: q.Version, Host: q.Integration, Method: q.DataClass, Sort: "flows"}
	for _, d := range q.Declared {
		r.State = append(r.State, State(strconv.FormatBool(d)))
	}
	return r.hash()
}

// Flows lists which classes of data consumers and third parties get and send:
// declared third parties first. An error says what is wrong with the query.
func (inv *Inventory) Flows(q FlowQuery) (List[FlowEntry], error) {
	at, err := q.check()
	if err != nil {
		return List[FlowEntry]{}, err
	}
	if q.Limit == 0 {
		q.Limit = defaultLimit
	}
	inv.mu.RLock()
	defer inv.mu.RUnlock()
	now := inv.now()
	list := newList[FlowEntry](inv, now, false)
	list.sampled(inv)
	page := smallest[flow]{keep: q.Limit + 1, compare: (*flow).compare}
	after := flowAt(at.key)
	for _, f := range inv.flows {
		if either(q.API, f.api) && either(q.Version, f.version) && either(q.Integration, f.integration) &&
			either(q.DataClass, f.class.String()) && either(q.Declared, inv.declared(&f.flowKey, now)) && (!at.started || f.compare(after) > 0) {
			page.add(f)
		}
	}
	found := page.sorted()
	if len(found) > q.Limit {
		found = found[:q.Limit]
		next := position{key: found[q.Limit-1].sortKey()}
		list.Next = next.text(q.hash())
	}
	for _, f := range found {
		e := FlowEntry{
			Integration: f.integration, Consumer: f.consumer, API: f.api, Version: f.version, DataClass: f.class.String(), Direction: "from",
			Declared: inv.declared(&f.flowKey, now), FirstSeen: instant(f.first), LastSeen: instant(f.last), Count: f.total(),
		}
		if f.out {
			e.Direction = "to"
		}
		if inv.active != nil {
			if p := inv.active.parties[f.integration]; p != nil {
				e.Purpose, e.Owner = p.Purpose, p.Owner
			}
		}
		list.Items = append(list.Items, e)
	}
	return list, nil
}

// compare puts flows in the order of answers. What it goes by never changes.
func (f *flow) compare(g *flow) int {
	none := func(f *flow) int {
		if f.integration == "" {
			return 1
		}
		return 0
	}
	return cmp.Or(cmp.Compare(none(f), none(g)), f.flowKey.compare(&g.flowKey))
}

func (k *flowKey) compare(o *flowKey) int {
	return cmp.Or(strings.Compare(k.integration+k.consumer, o.integration+o.consumer), strings.Compare(k.api, o.api), strings.Compare(k.version, o.version),
		cmp.Compare(k.number(), o.number()))
}

// number holds what a cursor has no text for.
func (k *flowKey) number() int64 {
	n := int64(k.class) * 2
	if k.out {
		n++
	}
	return n
}

func (f *flow) sortKey() sortKey {
	n := f.number() * 2
	if f.integration == "" {
		n++
	}
	return sortKey{number: n, a: f.integration + f.consumer, b: f.api, c: f.version}
}

func flowAt(k sortKey) *flow {
	f := &flow{flowKey: flowKey{integration: k.a, api: k.b, version: k.c, out: k.number/2%2 == 1, class: dataclass.Class(k.number / 4)}}
	if k.number%2 == 1 {
		f.integration, f.consumer = "", k.a
	}
	return f
}

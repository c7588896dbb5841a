package inventory

import "cmp"

// RouteRefusal is how often a rule refused, or would have refused, a consumer at a
// route.
type RouteRefusal struct {
	Consumer string `json:"consumer"` // as in ConsumerEntry
	Name     string `json:"name"`     // of an integration; else empty
	Rule     string `json:"rule"`     // as configurations spell it: "limit"
	Verdict  string `json:"verdict"`  // refuse or would_refuse
	Count    uint64 `json:"count"`    // requests
}

// maxRefusals is how many an answer has.
const maxRefusals = 100

// refusalsAt are those of a route, the most frequent first. Inventory.mu is held.
func (inv *Inventory) refusalsAt(e *entry) []RouteRefusal {
	type candidate struct {
		who   *consumerRecord
		index int
		count uint64
	}
	var found []candidate
	c, spelled, where := inv.consumers, e.id.String(), versionKey{e.key.api, e.key.version}
	inv.eachConsumer(func(r *consumerRecord) {
		if r.version.key != where {
			return
		}
		var counts [2 * numRules]uint64
		any := false
		for o := c.listOf(r); o != nil; o = o.next {
			if o.route != (routeID{}) && inv.whereTo(o.route) == e.id {
				counts[o.index] += o.count.Load()
				any = true
			}
		}
		for _, share := range c.shares[consumerID{r.id, r.kind, r.version}] {
			for _, s := range share.objections {
				if s.Route == spelled {
					counts[s.index()] += s.Count
					any = true
				}
			}
		}
		if !any {
			return
		}
		for i, n := range counts {
			if n > 0 {
				found = append(found, candidate{r, i, n})
			}
		}
	})
	page := smallest[candidate]{keep: maxRefusals, compare: func(a, b *candidate) int {
		return cmp.Or(-cmp.Compare(a.count, b.count), a.who.compare(b.who), cmp.Compare(a.index, b.index))
	}}
	for i := range found {
		page.add(&found[i])
	}
	list := []RouteRefusal{}
	for _, f := range page.sorted() {
		who := c.entry(f.who)
		refusal := RouteRefusal{Consumer: who.Consumer, Name: who.Name, Rule: ruleNames[f.index%numRules], Verdict: "refuse", Count: f.count}
		if f.index >= numRules {
			refusal.Verdict = "would_refuse"
		}
		list = append(list, refusal)
	}
	return list
}

// eachConsumer calls f for each consumer of each version, and for those without
// room. Inventory.mu is held.
func (inv *Inventory) eachConsumer(f func(*consumerRecord)) {
	for i := range inv.consumers.records {
		f(&inv.consumers.records[i])
	}
	for _, v := range inv.versions {
		if first := v.othersFirst.Load(); first != 0 {
			f(&consumerRecord{kind: consumerOther, first: first, version: v})
		}
	}
}

func (inv *Inventory) refusals(id string) []RouteRefusal {
	key, _ := parseRouteID(id)
	inv.mu.RLock()
	defer inv.mu.RUnlock()
	if e := inv.routes[key]; e != nil {
		return inv.refusalsAt(e)
	}
	return []RouteRefusal{}
}

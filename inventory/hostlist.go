package inventory

import (
	"slices"
	"strings"
)

// Hosts lists hosts by name. An error says what is wrong with the query.
func (inv *Inventory) Hosts(q HostQuery) (List[HostEntry], error) {
	at, err := q.check()
	if err != nil {
		return List[HostEntry]{}, err
	}
	if q.Limit == 0 {
		q.Limit = defaultLimit
	}
	inv.mu.RLock()
	defer inv.mu.RUnlock()
	list := newList[HostEntry](inv, inv.now(), false)

	traffic := inv.documentedTraffic()
	records := make([]*hostRecord, 0, len(inv.hosts))
	for _, h := range inv.hosts {
		if (!at.started || h.name > at.key.a) && either(q.Host, h.name) && either(q.Declared, h.declared) &&
			(h.declared || h.seen.any() || traffic[h.name].count > 0) {
			records = append(records, h)
		}
	}
	slices.SortFunc(records, func(a, b *hostRecord) int { return strings.Compare(a.name, b.name) })
	if len(records) > q.Limit {
		records = records[:q.Limit]
		next := position{key: sortKey{a: records[q.Limit-1].name}}
		list.Next = next.text(q.hash())
	}
	for _, h := range records {
		list.Items = append(list.Items, inv.hostEntry(h, traffic[h.name]))
	}
	return list, nil
}

// documentedTraffic sums up, by host, the requests to operations that a
// configuration documents or documented.
func (inv *Inventory) documentedTraffic() map[string]*totals {
	traffic := make(map[string]*totals, len(inv.hosts))
	for name := range inv.hosts {
		traffic[name] = new(totals)
	}
	for _, e := range inv.routes {
		if t := traffic[e.key.host]; t != nil && e.hits != nil {
			t.addCounters(e.hits)
		}
	}
	return traffic
}

func (inv *Inventory) hostEntry(h *hostRecord, t *totals) HostEntry {
	t.addTally(&h.seen)
	entry := HostEntry{
		Host: h.name, Declared: h.declared, APIs: []string{},
		FirstSeen: instant(t.first), LastSeen: instant(t.last), Count: t.count, Statuses: t.statuses(), Evidence: evidenceOf[t.best],
		Baseline: h.baseline.texts(), Scans: []ScanHour{},
	}
	if h.declared {
		if declared := inv.active.declares(h.name); declared != nil {
			for _, api := range declared.APIs {
				entry.APIs = append(entry.APIs, api.Name)
			}
		}
	}
	for _, x := range h.scans() {
		entry.Scans = append(entry.Scans, ScanHour{Hour: instant(x.start), Refused: x.refused, Scanned: x.scanned, Routes: x.routes})
	}
	return entry
}

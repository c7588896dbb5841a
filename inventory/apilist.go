package inventory

import (
	"slices"
	"strings"

	"github.com/apiguard/caddy-api-guard/inventory/catalogue"
	"github.com/apiguard/caddy-api-guard/inventory/spec"
)

// APIs lists the active configuration's APIs in declared order.
func (inv *Inventory) APIs() List[APIEntry] {
	inv.mu.RLock()
	defer inv.mu.RUnlock()
	now := inv.now()
	list := newList[APIEntry](inv, now, false)
	if inv.active == nil {
		return list
	}
	r := inv.active
	type use struct {
		totals
		operations map[*spec.Operation]bool
		hosts      map[string]bool
		bases      []string
	}
	uses := make(map[versionKey]*use, len(r.places))
	for k := range r.places {
		uses[k] = &use{hosts: make(map[string]bool), operations: make(map[*spec.Operation]bool)}
		if v := inv.versions[k]; v != nil {
			uses[k].addTally(&v.seen)
		}
	}
	for _, e := range inv.routes {
		u := uses[versionKey{e.key.api, e.key.version}]
		if u == nil || e.hits == nil {
			continue
		}
		u.addCounters(e.hits)
		if inv.documented(e) {
			// One on three hosts and two base paths is one.
			u.operations[e.slot.route.Operation] = true
			u.hosts[e.key.host] = true
			u.bases = append(u.bases, strings.TrimSuffix(e.key.path, e.slot.route.Operation.Template))
		}
	}
	for _, api := range r.cat.APIs {
		entry := APIEntry{API: api.Name, Owner: api.Owner, Purpose: api.Purpose, Versions: []VersionEntry{}}
		for _, version := range api.Versions {
			k := versionKey{api.Name, version.Name}
			u, p := uses[k], r.places[k]
			v := VersionEntry{
				Version: version.Name, Hosts: hostsOf(version, u.hosts), Path: pathsOf(version, u.bases), State: version.StateAt(now).String(),
				Environment: version.Environment, Audience: p.meta.Audience, Owner: p.owner(), Docs: version.Docs, Spec: specsOf(version.Documents),
				Deprecated: date(version.Deprecated), Sunset: date(version.Sunset), Brownouts: brownoutsOf(version), Successor: version.Successor, PolicyDigest: p.meta.PolicyDigest, PolicyDiffers: append([]string{}, p.meta.Differs...),
				Contact: p.meta.Contact, DocumentVersion: p.meta.DocumentVersion, Origins: orEmpty(p.meta.Origins),
				Operations: len(u.operations), Requests: u.count, LastSeen: instant(u.last),
			}
			entry.Versions = append(entry.Versions, v)
		}
		list.Items = append(list.Items, entry)
	}
	return list
}

func brownoutsOf(v *catalogue.Version) []Window {
	windows := make([]Window, 0, len(v.Brownouts))
	for _, w := range v.Brownouts {
		windows = append(windows, Window{From: date(w.From), To: date(w.To)})
	}
	return windows
}

// hostsOf are the version's hosts as declared, else as its documents give them.
func hostsOf(v *catalogue.Version, documented map[string]bool) []string {
	if len(v.Hosts) > 0 {
		return slices.Clone(v.Hosts)
	}
	hosts := make([]string, 0, len(documented))
	for h := range documented {
		hosts = append(hosts, h)
	}
	slices.Sort(hosts)
	return hosts
}

// pathsOf are the version's base paths as claimed, else as its documents give
// them; "/" is the root.
func pathsOf(v *catalogue.Version, documented []string) string {
	var paths []string
	for _, c := range v.Claims {
		if c.Path != "" {
			paths = append(paths, c.Path)
		}
	}
	if len(paths) == 0 {
		slices.Sort(documented)
		for _, base := range slices.Compact(documented) {
			paths = append(paths, "/"+strings.TrimPrefix(base, "/"))
		}
	}
	if len(paths) == 0 {
		return "/"
	}
	slices.Sort(paths)
	return strings.Join(slices.Compact(paths), ", ")
}

func specsOf(documents []*spec.Document) string {
	var names []string
	for _, d := range documents {
		names = append(names, d.Name)
	}
	slices.Sort(names)
	return strings.Join(slices.Compact(names), ", ")
}

func orEmpty(m map[string]string) map[string]string {
	if m == nil {
		return map[string]string{}
	}
	return m
}

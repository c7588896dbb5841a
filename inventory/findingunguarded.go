package inventory

import "time"

// Unguarded is a host of which requests get by the guard, or of which that cannot be
// ruled out.
type Unguarded struct {
	Host     string // a name, a pattern, or what stands for all other hosts
	Declared bool   // some version is served there
	Detail   string // where they get by, and why: a sentence
}

// DeclareUnguarded gives the hosts whose requests get by the guard, each once. Call it
// before Activate.
func (r *Recorder) DeclareUnguarded(hosts []Unguarded) { r.unguarded = hosts }

// findUnguarded opens what the routes of the running Caddy say: it needs no request,
// since the guard would not see it.
func (inv *Inventory) findUnguarded(now time.Time) {
	for _, u := range inv.active.unguarded {
		kind := findUnguardedSite
		if u.Declared {
			kind = findUnguarded
		}
		inv.hold(now, findingKey{kind: kind, host: u.Host}, nil, proof{detail: u.Detail}, 0, 0)
	}
}

package inventory

import "github.com/apiguard/caddy-api-guard/inventory/catalogue"

func (r *Recorder) hit(s *slot, o *Outcome) {
	if o.Caller != nil {
		r.inv.meet(s, o)
	}
	s.judge(o)
	s.hits.add(o, &r.inv.epoch)
}

// meet takes in who called a documented operation.
func (inv *Inventory) meet(s *slot, o *Outcome) {
	c := o.Caller
	seen := c.traits(s.place.keys, o.Forwarded)
	s.hits.note(seen, o.unauthenticated(seen), o.Time)
	if o.Forwarded && seen&traitPublic != 0 {
		s.hits.reach(o.Time)
	}
	hash := inv.consumers.hash(c)
	if hash == 0 {
		return
	}
	s.hits.consumers().add(hash)
	var to objections
	if o.Verdict != Allow {
		to = o.objections()
	}
	inv.consumers.count(c, hash, s.place.record, o.Time, to, s.entry.id)
}

// unauthenticated reports whether upstream gave a good answer to a caller without
// any credentials.
func (o *Outcome) unauthenticated(seen traits) bool {
	return o.Forwarded && classOf(o.Status) == 2 && seen&anyCredentials == 0
}

// passBy takes in who made a request that no document has, and lets go of the
// caller. The consumer is counted where a version is known; what rules had against
// it is, where its route is known: see objectTo.
func (r *Recorder) passBy(m *catalogue.Match, o *Outcome, ob *observation) {
	c := o.Caller
	o.Caller = nil
	if c == nil {
		return
	}
	var p *place
	if m.API != nil && m.Version != nil {
		p = r.places[versionKey{m.API.Name, m.Version.Name}]
	}
	keys := r.keys
	if p != nil && len(p.keys) > 0 {
		keys = p.keys
	}
	ob.traits = c.traits(keys, o.Forwarded)
	ob.anonymous = o.unauthenticated(ob.traits)
	ob.consumer = r.inv.consumers.hash(c)
	if p != nil && ob.consumer != 0 {
		r.inv.consumers.count(c, ob.consumer, p.record, o.Time, 0, routeID{})
	}
}

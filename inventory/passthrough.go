package inventory

import "github.com/apiguard/caddy-api-guard/inventory/catalogue"

// passed records a request to what is no API. It has no version, so that nobody
// becomes a consumer by it.
func (r *Recorder) passed(p *catalogue.Pass, o *Outcome) {
	hits := r.passes[p.Index].hits
	if c := o.Caller; c != nil {
		hits.note(c.traits(nil, o.Forwarded), false, o.Time)
		o.Caller = nil
	}
	hits.add(o, &r.inv.epoch)
}

// passesThrough reports whether an undocumented route that was learned under
// another configuration is declared to be no API by now.
func (r *Recorder) passesThrough(k *routeKey) bool {
	if len(r.passes) == 0 {
		return false
	}
	q := catalogue.Query{Host: k.host, Method: k.method, Path: k.path}
	var m catalogue.Match
	r.cat.Match(&q, &m)
	return r.cat.Pass(&q, &m)
}

package inventory

import (
	"slices"
	"time"

	"github.com/apiguard/caddy-api-guard/inventory/dataclass"
)

// Party is a declared third party, as far as data flows go.
type Party struct {
	Name    string        // of the integration, unlike those of all others
	Purpose string        // what it is for, a sentence; may be empty
	Owner   string        // the team that answers for it; may be empty
	Data    dataclass.Set // the classes that it is declared to get or send
	Until   time.Time     // from when on it is declared no more; zero: never
}

// DeclareParties says which third parties the configuration declares. Call it
// before Activate.
func (r *Recorder) DeclareParties(list []Party) {
	r.parties = make(map[string]*Party, len(list))
	for i := range list {
		r.parties[list[i].Name] = &list[i]
	}
}

// maxFlows is how many flows are held; those beyond are summed up, a version each.
const maxFlows = 10_000

// flowKey is who gets or sends which class of data, in which version.
type flowKey struct {
	integration  string
	consumer     string // as /api_guard/consumers spells it, of who is no integration; "(other)"
	api, version string
	out          bool // to the party
	class        dataclass.Class
}

// flow is what samples showed of it. Inventory.mu guards it.
type flow struct {
	flowKey
	count       uint64
	first, last int64
	unsaved     bool
	shares      []flowShare // of other nodes
}

// flow notes the data that a sample's caller sent and got.
func (inv *Inventory) flow(s *Sample, sent, got dataclass.Set) {
	if sent|got == 0 || s.version == "" {
		return
	}
	k := flowKey{integration: s.Integration, api: s.api, version: s.version}
	if k.integration == "" {
		if k.consumer = inv.consumers.shown(&s.caller); k.consumer == "" {
			return
		}
	}
	for class := range dataclass.NumClasses {
		k.class = class
		if k.out = false; sent.Has(class) {
			inv.count(k, s.Time)
		}
		if k.out = true; got.Has(class) {
			inv.count(k, s.Time)
		}
	}
}

func (inv *Inventory) count(k flowKey, at int64) {
	f := inv.flows[k]
	if f == nil && len(inv.flows) >= maxFlows && k.integration == "" {
		k.consumer = hostOther
		f = inv.flows[k]
	}
	if f == nil {
		f = &flow{flowKey: k, first: at}
		inv.flows[k] = f
	}
	f.count++
	f.last, f.unsaved = max(f.last, at), true
}

// shown is how a consumer is spelled in answers, empty for nobody.
func (c *consumers) shown(id *identity) string {
	if id.hash == 0 || c.key.Load() == nil {
		return ""
	}
	name := c.name(id)
	if id.kind == consumerUser {
		return "user:" + name.String()
	}
	return "network:" + name.String()
}

// declared reports whether the configuration declares the flow.
func (inv *Inventory) declared(k *flowKey, now time.Time) bool {
	p := inv.party(k.integration, now)
	return p != nil && p.Data.Has(k.class)
}

// party is a third party that is declared now, nil for none.
func (inv *Inventory) party(name string, now time.Time) *Party {
	if inv.active == nil || name == "" {
		return nil
	}
	p := inv.active.parties[name]
	if p == nil || !p.Until.IsZero() && !now.Before(p.Until) {
		return nil
	}
	return p
}

// forgetCarried lets go of flows, and of places of data, that were last seen before
// a time.
func (inv *Inventory) forgetCarried(before int64) {
	for k, f := range inv.flows {
		if f.last < before {
			delete(inv.flows, k)
			inv.remove(bucketFlows, k.id())
		}
	}
	for _, e := range inv.routes {
		if x := e.exposure; x != nil {
			had := len(x.data)
			e.whole.Store(nil)
			x.data = slices.DeleteFunc(x.data, func(d datum) bool { return d.last < before })
			e.unsaved = e.unsaved || len(x.data) < had
		}
		e.forgetElsewhere(before)
	}
}

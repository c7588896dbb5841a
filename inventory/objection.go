package inventory

import (
	"cmp"
	"slices"
	"strings"
	"sync/atomic"
)

const (
	// maxApart is how many rules and routes are told apart for a consumer of a
	// version. Beyond them, only the rules are.
	maxApart = 24
	// A table of n consumers has room for n objections that tell their route, and
	// for twice as many that do not.
	roomForRules = 2
	// maxMoves is how many routes that were folded into others are remembered.
	maxMoves = 10_000
)

// objection is how often a rule did not let a consumer of a version pass at a
// route. Requests count without a lock; once it is in a list only count changes.
type objection struct {
	next  *objection
	count atomic.Uint64
	index int8
	route routeID // zero: it is not told
}

// objectionList are those of a consumer of a version.
type objectionList = atomic.Pointer[objection]

// object counts that rules did not let a consumer pass at a route. It allocates
// where one does for the first time.
func (c *consumers) object(list *objectionList, to objections, at routeID) {
	for i := range to.all {
		c.addObjection(list, int8(i), at, 1)
	}
}

func (c *consumers) addObjection(list *objectionList, index int8, at routeID, n uint64) {
	for {
		head, length := list.Load(), 0
		for o := head; o != nil; o = o.next {
			if o.index == index && o.route == at {
				o.count.Add(n)
				return
			}
			length++
		}
		room := &c.routesTold
		if at == (routeID{}) {
			room = &c.rulesTold
		}
		if full := int(room.Load()) >= c.max*c.roomOf(at); full || length >= maxApart && at != (routeID{}) {
			if at == (routeID{}) {
				c.untold.Add(n)
				return
			}
			at = routeID{}
			continue
		}
		o := &objection{next: head, index: index, route: at}
		o.count.Store(n)
		if list.CompareAndSwap(head, o) {
			room.Add(1)
			return
		}
	}
}

func (c *consumers) roomOf(at routeID) int {
	if at == (routeID{}) {
		return roomForRules
	}
	return 1
}

// dismissObjections forgets those of a consumer that is forgotten.
func (c *consumers) dismissObjections(list *objection) {
	for o := list; o != nil; o = o.next {
		if o.route == (routeID{}) {
			c.rulesTold.Add(-1)
		} else {
			c.routesTold.Add(-1)
		}
	}
}

// objectTo counts what a rule had against a request that no document has, whose
// route is known only here. Inventory.mu is held.
func (inv *Inventory) objectTo(ob *observation, e *entry) {
	to := ob.outcome.objections()
	if to == 0 || ob.consumer == 0 || ob.version == "" {
		return
	}
	c, v := inv.consumers, inv.version(versionKey{ob.api, ob.version})
	s, _, found := c.find(keyFor(ob.consumer, v))
	if !found {
		// It may have come just now: who calls is queued before what was called.
		inv.welcomeAll()
		if s, _, found = c.find(keyFor(ob.consumer, v)); !found {
			s = &v.others
		}
	}
	c.object(&s.objections, to, e.id)
}

// welcomeAll takes in all consumers that wait. Inventory.mu is held.
func (inv *Inventory) welcomeAll() {
	for {
		select {
		case a := <-inv.consumers.arrivals:
			inv.welcome(&a)
		default:
			return
		}
	}
}

// moved notes that a route is part of another now.
func (inv *Inventory) moved(from, to routeID) {
	if inv.moves == nil || len(inv.moves) >= maxMoves {
		inv.moves = make(map[routeID]routeID)
	}
	inv.moves[from] = to
}

// whereTo is the route that another one became part of, or the same.
func (inv *Inventory) whereTo(id routeID) routeID {
	for range 16 { // a template can be folded as often as it has segments
		to, ok := inv.moves[id]
		if !ok {
			break
		}
		id = to
	}
	return id
}

// objections yields those of a consumer, on this node and on others, by rule and
// route. Inventory.mu is held.
func (inv *Inventory) objections(r *consumerRecord) map[savedObjection]uint64 {
	c := inv.consumers
	counts := c.ownObjections(r, inv.whereTo)
	if c.shares != nil {
		for _, share := range c.shares[consumerID{r.id, r.kind, r.version}] {
			for _, s := range share.objections {
				if counts == nil {
					counts = make(map[savedObjection]uint64)
				}
				n := s.Count
				s.Count = 0
				counts[s] += n
			}
		}
	}
	return counts
}

// ownObjections are those of this node, nil for none.
func (c *consumers) ownObjections(r *consumerRecord, whereTo func(routeID) routeID) map[savedObjection]uint64 {
	list := c.listOf(r)
	if list == nil {
		return nil
	}
	counts := make(map[savedObjection]uint64)
	for o := list; o != nil; o = o.next {
		s := savedObjection{Rule: ruleNames[o.index%numRules], Would: o.index >= numRules}
		if o.route != (routeID{}) {
			s.Route = whereTo(o.route).String()
		}
		counts[s] += o.count.Load()
	}
	return counts
}

func (c *consumers) listOf(r *consumerRecord) *objection {
	switch {
	case r.kind == consumerOther:
		return r.version.others.objections.Load()
	case r.slot != noSlot:
		return c.slots[r.slot].objections.Load()
	default:
		return r.objections
	}
}

// savedObjection is an objection as the store has it.
type savedObjection struct {
	Rule  string `json:"rule"`
	Would bool   `json:"would,omitempty"`
	Route string `json:"route,omitempty"`
	Count uint64 `json:"count"`
}

// index is that of an objection. A rule that this version does not know counts as
// "other".
func (s *savedObjection) index() int {
	if s.Would {
		return ruleIndex(s.Rule) + numRules
	}
	return ruleIndex(s.Rule)
}

func savedObjections(counts map[savedObjection]uint64) []savedObjection {
	var list []savedObjection
	for s, n := range counts {
		s.Count = n
		list = append(list, s)
	}
	slices.SortFunc(list, func(a, b savedObjection) int {
		return cmp.Or(strings.Compare(a.Rule, b.Rule), strings.Compare(a.Route, b.Route), -cmp.Compare(a.Count, b.Count))
	})
	return list
}

// loadObjections adds what the store has. A route that cannot be read is none.
func (c *consumers) loadObjections(to *objectionList, list []savedObjection) {
	for _, s := range list {
		route, _ := parseRouteID(s.Route)
		c.addObjection(to, int8(s.index()), route, s.Count)
	}
}

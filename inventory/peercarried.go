package inventory

import (
	"slices"
)

// What other nodes of a fleet saw in their samples: what routes carry and tell, and
// which data flows to whom. Each node's numbers only grow, so that its latest report
// stands for all before it.

// raiseExposure takes in what a node saw of a route.
func (e *entry) raiseExposure(node *peer, s *savedExposure) {
	if s == nil {
		return
	}
	if e.elsewhere == nil {
		e.elsewhere = make(map[*peer]*savedExposure)
	}
	e.elsewhere[node] = s
	e.whole.Store(nil)
}

// carried is what samples of all nodes showed of a route; nil: nothing. It is not to
// be changed.
func (e *entry) carried() *exposure {
	if len(e.elsewhere) == 0 {
		return e.exposure
	}
	if x := e.whole.Load(); x != nil {
		return x
	}
	sum := entry{exposure: new(exposure)}
	sum.mergeExposure(e.exposure.save())
	for _, s := range e.elsewhere {
		sum.mergeExposure(s)
	}
	e.whole.Store(sum.exposure)
	return sum.exposure
}

// forgetElsewhere lets go of places of data that other nodes last saw before a time.
func (e *entry) forgetElsewhere(before int64) {
	for _, s := range e.elsewhere {
		n := len(s.Data)
		s.Data = slices.DeleteFunc(s.Data, func(d savedDatum) bool { return d.Last < before })
		if len(s.Data) < n {
			e.whole.Store(nil)
		}
	}
}

// flowShare is what another node counted of a flow.
type flowShare struct {
	node  *peer
	count uint64
}

// peerFlow takes in what another node has of a flow.
func (inv *Inventory) peerFlow(node string, key, value []byte) error {
	if value == nil {
		return nil // it has forgotten it, as this one will
	}
	k, s, err := readFlow(key, value)
	if err != nil {
		return err
	}
	from := inv.fleet.peerOf(node)
	inv.mu.Lock()
	defer inv.mu.Unlock()
	f := inv.flows[k]
	if f == nil {
		if len(inv.flows) >= maxFlows && k.integration == "" {
			return nil
		}
		f = &flow{flowKey: k, first: s.First}
		inv.flows[k] = f
	}
	i := slices.IndexFunc(f.shares, func(x flowShare) bool { return x.node == from })
	if i < 0 {
		i = len(f.shares)
		f.shares = append(f.shares, flowShare{node: from})
	}
	f.shares[i].count = max(f.shares[i].count, s.Count)
	f.first, f.last = earlier(f.first, s.First), max(f.last, s.Last)
	return nil
}

// total is how often a flow was seen, on all nodes.
func (f *flow) total() uint64 {
	n := f.count
	for _, x := range f.shares {
		n += x.count
	}
	return n
}

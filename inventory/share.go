package inventory

import "slices"

// share is what another node of the fleet counted of something. Its numbers only
// grow, so of two reports the greater one of each counts: reports may come late,
// twice or in another order.
type share struct {
	node            *peer
	hits            bool // of a documented operation's counters there
	classes         [numClasses]uint64
	verdicts        *verdicts
	unauthenticated uint64
}

// shares are those of all other nodes. Inventory.mu guards them.
type shares []share

// raise takes in a report.
func (s *shares) raise(node *peer, hits bool, counts *savedCounts, from *savedCallers) {
	i := slices.IndexFunc(*s, func(x share) bool { return x.node == node && x.hits == hits })
	if i < 0 {
		i = len(*s)
		*s = append(*s, share{node: node, hits: hits})
	}
	x := &(*s)[i]
	up := func(to *uint64, n uint64) { *to = max(*to, n) }
	for c, n := range counts.Classes {
		up(&x.classes[c], n)
	}
	if len(counts.Refused)+len(counts.WouldRefuse) > 0 && x.verdicts == nil {
		x.verdicts = new(verdicts)
	}
	for rule, n := range counts.Refused {
		up(&x.verdicts.refused[ruleIndex(rule)], n)
	}
	for rule, n := range counts.WouldRefuse {
		up(&x.verdicts.would[ruleIndex(rule)], n)
	}
	if from != nil {
		up(&x.unauthenticated, from.Unauthenticated)
	}
}

// without are those of the other nodes but one.
func (s shares) without(node *peer) shares {
	return slices.DeleteFunc(s, func(x share) bool { return x.node == node })
}

func (s shares) class(i int) uint64 {
	var n uint64
	for k := range s {
		n += s[k].classes[i]
	}
	return n
}

func (s shares) addTo(t *totals) {
	for k := range s {
		for i, n := range s[k].classes {
			t.classes[i] += n
			t.count += n
		}
	}
}

func (s shares) addVerdicts(v *verdicts) {
	for k := range s {
		if from := s[k].verdicts; from != nil {
			for i := range v.refused {
				v.refused[i] += from.refused[i]
				v.would[i] += from.would[i]
			}
		}
	}
}

func (s shares) unauthenticated() uint64 {
	var n uint64
	for k := range s {
		n += s[k].unauthenticated
	}
	return n
}

// withoutCounts is what another node knows of the same thing besides counts: times
// and classes, of which the wider one holds. Merging it twice changes nothing.
func (s *savedCounts) withoutCounts() *savedCounts {
	return &savedCounts{First: s.First, Last: s.Last, Best: s.Best, Good: s.Good, Closed: s.Closed}
}

func (s *savedCallers) withoutCounts() *savedCallers {
	if s == nil {
		return nil
	}
	return &savedCallers{Traits: s.Traits, Unguarded: s.Unguarded, Crowd: s.Crowd, One: s.One}
}

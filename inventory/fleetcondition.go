package inventory

import (
	"maps"
	"slices"
	"time"
)

// Cluster is the condition of the exchange with other nodes.
type Cluster struct {
	Part
	Node  string `json:"node"`  // this one's id; empty without a cluster
	Nodes []Peer `json:"nodes"` // the others
}

// Peer is another node of the fleet.
type Peer struct {
	Node  string `json:"node"`  // its id
	Name  string `json:"name"`  // for people: its host name
	Heard Time   `json:"heard"` // when it was last heard from
	Live  bool   `json:"live"`  // it was within ten seconds
}

func (f *fleet) condition() Cluster {
	f.mu.Lock()
	defer f.mu.Unlock()
	c := Cluster{Part: f.part, Nodes: []Peer{}}
	if !f.joined {
		c.Status = ClusterOff
		return c
	}
	c.Node = f.id
	for _, id := range slices.Sorted(maps.Keys(f.peers)) {
		p := f.peers[id]
		c.Nodes = append(c.Nodes, Peer{Node: p.id, Name: p.name, Heard: Time{p.heard.UTC()}, Live: time.Since(p.heard) < maxSilent})
	}
	return c
}

// incomplete reports whether answers cannot tell what the other nodes have.
func (f *fleet) incomplete() bool {
	f.mu.Lock()
	defer f.mu.Unlock()
	return f.joined && f.part.Status != ClusterOK
}

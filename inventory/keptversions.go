package inventory

import (
	"bytes"
	"encoding/json"
)

// savedVersion is a version's record as the store has it.
type savedVersion struct {
	API         string       `json:"api"`
	Version     string       `json:"version"`
	Seen        *savedCounts `json:"seen"`
	State       string       `json:"state,omitempty"`
	Refused     savedGrown   `json:"refused_retired"`
	Passed      savedGrown   `json:"passed_retired"`
	OthersFirst int64        `json:"others_first,omitempty"`
	OthersLast  int64        `json:"others_last,omitempty"`
	Others      uint64       `json:"others,omitempty"`
	Days        *savedDays   `json:"days,omitempty"`
	OthersDays  *savedDays   `json:"others_days,omitempty"`

	OthersObjections []savedObjection `json:"others_objections,omitempty"`
}

type savedGrown struct {
	Count uint64 `json:"count"`
	At    int64  `json:"at"`
}

func (inv *Inventory) saveVersions(all bool, put func(key, value []byte)) {
	inv.mu.RLock()
	defer inv.mu.RUnlock()
	for k, v := range inv.versions {
		b := saved(savedVersion{
			API: k.api, Version: k.version, Seen: v.seen.save(), State: v.state,
			Refused:     savedGrown{v.refusedRetired.count, v.refusedRetired.at},
			Passed:      savedGrown{v.passedRetired.count, v.passedRetired.at},
			OthersFirst: v.othersFirst.Load(), OthersLast: v.others.last.Load(), Others: v.others.count.Load(),
			Days: v.days.save(), OthersDays: v.othersDays.save(),
			OthersObjections: savedObjections(inv.consumers.ownObjections(&consumerRecord{kind: consumerOther, version: v}, inv.whereTo)),
		})
		if all || !bytes.Equal(b, v.kept) {
			v.kept = b
			put(k.bytes(), b)
		}
	}
}

func (inv *Inventory) loadVersion(key, value []byte) error {
	var s savedVersion
	if err := json.Unmarshal(value, &s); err != nil {
		return err
	}
	k := versionKey{s.API, s.Version}
	if !bytes.Equal(key, k.bytes()) {
		return errKey
	}
	inv.mu.Lock()
	defer inv.mu.Unlock()
	v := inv.version(k)
	if s.Seen != nil {
		inv.passEpoch(s.Seen.Touched)
		v.seen.merge(s.Seen)
	}
	if s.State != "" {
		v.state = s.State
	}
	// A file that does not tell days apart says nothing of when its requests came.
	v.days, v.othersDays = days{}, days{}
	v.days.load(s.Days)
	v.othersDays.load(s.OthersDays)
	v.refusedRetired = grown{v.refusedRetired.count + s.Refused.Count, max(v.refusedRetired.at, s.Refused.At)}
	v.passedRetired = grown{v.passedRetired.count + s.Passed.Count, max(v.passedRetired.at, s.Passed.At)}
	if s.Others > 0 {
		inv.consumers.loadObjections(&v.others.objections, s.OthersObjections)
		v.others.count.Add(s.Others)
		v.others.last.Store(max(v.others.last.Load(), s.OthersLast))
		v.othersFirst.Store(earlier(v.othersFirst.Load(), s.OthersFirst))
	}
	return nil
}

// savedMeta is what the store has of the inventory as a whole.
type savedMeta struct {
	Since int64  `json:"since"` // when counts began
	Key   []byte `json:"key"`   // of the consumers' hashes
	Node  string `json:"node"`  // this one's id in a fleet
	// Lost is the number up to which the feed's changes are not kept any more.
	Lost uint64 `json:"feed_lost,omitempty"`
	// What gaps count.
	Routes           uint64 `json:"routes_full,omitempty"`
	Hosts            uint64 `json:"hosts_full,omitempty"`
	Trimmed          uint64 `json:"trimmed,omitempty"`
	Internal         uint64 `json:"internal,omitempty"`
	Dropped          uint64 `json:"dropped,omitempty"`
	FeedDropped      uint64 `json:"feed_dropped,omitempty"`
	Unsampled        uint64 `json:"unsampled,omitempty"`
	ConsumersRefused uint64 `json:"consumers_refused,omitempty"`
	ConsumersDropped uint64 `json:"consumers_dropped,omitempty"`
	RefusalsUntold   uint64 `json:"refusals_untold,omitempty"`
}

var metaKey = []byte("meta")

func (inv *Inventory) saveMeta(all bool, put func(key, value []byte)) {
	inv.mu.RLock()
	defer inv.mu.RUnlock()
	b := saved(savedMeta{
		Node: inv.fleet.node(), Since: inv.start, Key: inv.consumers.keyToKeep(),
		Lost: inv.feed.log.lostUpTo(), Routes: inv.gaps.routes, Hosts: inv.gaps.hosts, Trimmed: inv.gaps.trimmed, Internal: inv.gaps.internal,
		Dropped: inv.dropped.Load(), FeedDropped: inv.feed.dropped.Load(), Unsampled: inv.sampler.dropped.Load(),
		ConsumersRefused: inv.consumers.refused.Load(), ConsumersDropped: inv.consumers.dropped.Load(),
		RefusalsUntold: inv.consumers.untold.Load(),
	})
	if all || !bytes.Equal(b, inv.keptMeta) {
		inv.keptMeta = b
		put(metaKey, b)
	}
}

func (inv *Inventory) loadMeta(_, value []byte) error {
	var s savedMeta
	if err := json.Unmarshal(value, &s); err != nil {
		return err
	}
	inv.consumers.settle(s.Key)
	inv.fleet.settle(s.Node)
	inv.feed.log.setLost(s.Lost)
	inv.mu.Lock()
	defer inv.mu.Unlock()
	inv.start = earlier(inv.start, s.Since)
	inv.gaps.routes += s.Routes
	inv.gaps.hosts += s.Hosts
	inv.gaps.trimmed += s.Trimmed
	inv.gaps.internal += s.Internal
	inv.dropped.Add(s.Dropped)
	inv.feed.dropped.Add(s.FeedDropped)
	inv.sampler.dropped.Add(s.Unsampled)
	inv.consumers.refused.Add(s.ConsumersRefused)
	inv.consumers.dropped.Add(s.ConsumersDropped)
	inv.consumers.untold.Add(s.RefusalsUntold)
	return nil
}

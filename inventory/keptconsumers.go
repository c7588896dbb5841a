package inventory

import (
	"bytes"
	"encoding/json"
	"fmt"
	"slices"
)

// savedConsumer is a consumer of a version as the store has it.
type savedConsumer struct {
	Kind    string `json:"kind"`
	API     string `json:"api"`
	Version string `json:"version"`
	First   int64  `json:"first"`
	Last    int64  `json:"last"`
	Count   uint64 `json:"count"`

	Name string     `json:"name,omitempty"`
	Days *savedDays `json:"days,omitempty"`

	Objections []savedObjection `json:"objections,omitempty"`
}

// consumerKinds are the names of kinds in the store.
var consumerKinds = [...]string{consumerNetwork: "network", consumerUser: "user", consumerIntegration: "integration"}

func (r *consumerRecord) storeKey() []byte {
	b := append(make([]byte, 0, 64), consumerKinds[r.kind]...)
	b = append(b, ':')
	b = append(b, r.id[:]...)
	return append(b, r.version.key.bytes()...)
}

// sliceLength is about how many consumers a transaction writes: a mebibyte at most, of
// the pairs and of the pages that they are on.
const sliceLength = 1000

// consumerSlices is in how many transactions the consumers that changed are written:
// each has those whose ids begin alike, which stand side by side in the file. They are
// hashes, so that the slices are about equal.
func (inv *Inventory) consumerSlices() int {
	inv.mu.RLock()
	defer inv.mu.RUnlock()
	c := inv.consumers
	changed := 0
	for i := range c.records {
		r := &c.records[i]
		if count, last := c.counted(r); count != r.keptCount || last != r.keptLast {
			changed++
		}
	}
	return min((changed+sliceLength-1)/sliceLength, 256)
}

// counted is what requests counted of a consumer. What is kept of one that has a slot
// is the store's, which writes it while answers are made.
func (c *consumers) counted(r *consumerRecord) (count uint64, last int64) {
	if r.slot == noSlot {
		return r.keptCount, r.keptLast
	}
	s := &c.slots[r.slot]
	return s.count.Load(), s.last.Load()
}

func (inv *Inventory) saveConsumers(all bool, put func(key, value []byte)) {
	inv.putConsumers(all, 0, 1, put)
}

func (inv *Inventory) saveConsumerSlice(slice, of int, put func(key, value []byte)) {
	inv.putConsumers(false, slice, of, put)
}

func (inv *Inventory) putConsumers(all bool, slice, of int, put func(key, value []byte)) {
	inv.mu.RLock()
	defer inv.mu.RUnlock()
	c := inv.consumers
	for i := range c.records {
		r := &c.records[i]
		if int(r.id[0])*of>>8 != slice {
			continue
		}
		count, last := c.counted(r)
		if !all && count == r.keptCount && last == r.keptLast {
			continue
		}
		if r.slot != noSlot { // else it is what answers go by, which may read it now
			r.keptCount, r.keptLast = count, last
		}
		objections := savedObjections(c.ownObjections(r, inv.whereTo))
		k := &r.version.key
		put(r.storeKey(), saved(savedConsumer{consumerKinds[r.kind], k.api, k.version, r.first, last, count, r.name, r.days.save(), objections}))
	}
}

func (inv *Inventory) loadConsumer(key, value []byte) error {
	var s savedConsumer
	if err := json.Unmarshal(value, &s); err != nil {
		return err
	}
	kind := slices.Index(consumerKinds[:], s.Kind)
	if kind < 0 {
		return fmt.Errorf("unknown kind of consumer %q", s.Kind)
	}
	inv.mu.Lock()
	defer inv.mu.Unlock()
	c := inv.consumers
	r := consumerRecord{
		kind: consumerKind(kind), slot: noSlot, first: s.First, version: inv.version(versionKey{s.API, s.Version}),
		keptCount: s.Count, keptLast: s.Last, name: s.Name,
	}
	r.days.load(s.Days)
	_, rest, _ := bytes.Cut(key, []byte(":"))
	copy(r.id[:], rest)
	if !bytes.Equal(key, r.storeKey()) {
		return errKey
	}
	if len(c.records) >= c.max {
		c.refused.Add(s.Count)
		return nil
	}
	var list objectionList
	c.loadObjections(&list, s.Objections)
	r.objections = list.Load()
	if c.absent == nil {
		c.absent = make(map[consumerID]uint32)
	}
	c.absent[consumerID{r.id, r.kind, r.version}] = uint32(len(c.records))
	c.records = append(c.records, r)
	r.version.consumers++
	return nil
}

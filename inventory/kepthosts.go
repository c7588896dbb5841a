package inventory

import (
	"encoding/json"
	"time"
)

// savedHost is a host's record as the store has it.
type savedHost struct {
	Seen      *savedCounts   `json:"seen"`
	Permanent bool           `json:"permanent,omitempty"`
	Baseline  []*savedAnswer `json:"baseline,omitempty"` // that was learned
	Hours     []savedHour    `json:"hours,omitempty"`
	Told      uint64         `json:"told,omitempty"` // of a scan, in the feed
	ToldAt    int64          `json:"told_at,omitempty"`
}

type savedHour struct {
	Start   int64  `json:"start"`
	Refused uint64 `json:"refused"`
	Scanned uint64 `json:"scanned"`
	Routes  uint64 `json:"routes"`
	// Parts are requests and routes by five minutes, of the latest hours.
	Parts [][2]uint32 `json:"parts,omitempty"`
}

// keptParts is for how many hours the store has parts: what is older is no scan any more.
const keptParts = 3

func (inv *Inventory) saveHosts(all bool, put func(key, value []byte)) {
	inv.mu.RLock()
	defer inv.mu.RUnlock()
	for _, h := range inv.hosts {
		if !all && !h.unsaved && !inv.changed(h.seen.touched, h.mark) {
			continue
		}
		h.mark, h.unsaved, h.kept = h.seen.touched, false, true
		s := savedHost{Seen: h.seen.save(), Permanent: h.permanent}
		if h.told > 0 {
			s.Told, s.ToldAt = h.told, h.toldAt.UnixNano()
		}
		for _, a := range h.baseline.learned() {
			s.Baseline = append(s.Baseline, a.save())
		}
		for _, x := range h.hours {
			s.Hours = append(s.Hours, x.save(h.hours[len(h.hours)-1].start))
		}
		put([]byte(h.name), saved(s))
	}
}

// save is the hour as the store has it, where the latest one began at that time.
func (x *hour) save(latest int64) savedHour {
	s := savedHour{Start: x.start, Refused: x.refused, Scanned: x.scanned, Routes: x.routes}
	if x.start > latest-keptParts*int64(time.Hour) {
		for _, p := range x.parts {
			s.Parts = append(s.Parts, [2]uint32{p.requests, p.routes})
		}
	}
	return s
}

// recordOf is the record of the host with that name, which the store has or had.
func (inv *Inventory) recordOf(name string) *hostRecord {
	h := inv.hosts[name]
	if h == nil {
		h = newHostRecord(name)
		inv.hosts[name] = h
		if name != hostInvalid && name != hostOther {
			inv.strangers++
		}
	}
	return h
}

func (inv *Inventory) loadHost(key, value []byte) error {
	var s savedHost
	if err := json.Unmarshal(value, &s); err != nil {
		return err
	}
	inv.mu.Lock()
	defer inv.mu.Unlock()
	h := inv.recordOf(string(key))
	h.kept = true
	if s.Permanent && !h.permanent {
		h.permanent = true
		inv.strangers--
	}
	if s.Seen != nil {
		h.mark = s.Seen.Touched
		inv.passEpoch(s.Seen.Touched)
		h.seen.merge(s.Seen)
	}
	for _, a := range s.Baseline {
		if a.Echoes {
			h.baseline.findEcho(a.answer()).learned = true
		} else {
			h.baseline.find(a.answer()).learned = true
		}
	}
	if s.Told > 0 && h.told == 0 {
		h.told, h.toldAt = s.Told, time.Unix(0, s.ToldAt)
	}
	var hours []hour
	for _, x := range s.Hours {
		one := hour{start: x.Start}
		one.add(&x)
		hours = append(hours, one)
	}
	for _, x := range h.hours {
		if n := len(hours); n > 0 && hours[n-1].start == x.start {
			late := x.save(x.start)
			hours[n-1].add(&late)
			continue
		}
		hours = append(hours, x)
	}
	h.hours = hours[max(len(hours)-maxHours, 0):]
	return nil
}

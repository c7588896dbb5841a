package inventory

import (
	"crypto/sha256"
	"encoding/binary"
	"encoding/json"
	"errors"

	"github.com/apiguard/caddy-api-guard/inventory/dataclass"
)

// savedExposure is what samples showed of a route, as the store has it.
type savedExposure struct {
	Data     []savedDatum      `json:"data,omitempty"`
	Attacks  map[string]uint64 `json:"attacks,omitempty"`
	Open     int64             `json:"open,omitempty"`
	Software []Software        `json:"software,omitempty"`
	Seen     int64             `json:"seen,omitempty"`
}

type savedDatum struct {
	Class     string `json:"class"`
	Answer    bool   `json:"answer,omitempty"`
	In        string `json:"in"`
	Pointer   string `json:"pointer,omitempty"`
	Count     uint64 `json:"count"`
	First     int64  `json:"first"`
	Last      int64  `json:"last"`
	Anonymous int64  `json:"anonymous,omitempty"`
}

func (x *exposure) save() *savedExposure {
	if x == nil {
		return nil
	}
	s := &savedExposure{Attacks: attackSigns(&x.attacks), Open: x.open, Software: x.software, Seen: x.softwareSeen}
	for i := range x.data {
		d := &x.data[i]
		s.Data = append(s.Data, savedDatum{d.class.String(), d.answer, d.in, d.pointer, d.count, d.first, d.last, d.anonymous})
	}
	return s
}

// mergeExposure adds what an earlier process saw.
func (e *entry) mergeExposure(s *savedExposure) {
	if s == nil {
		return
	}
	if e.exposure == nil {
		e.exposure = new(exposure)
	}
	x := e.exposure
	e.whole.Store(nil)
	for i, name := range attackNames {
		x.attacks[i] += s.Attacks[name]
	}
	x.open = max(x.open, s.Open)
	if x.softwareSeen < s.Seen {
		x.software, x.softwareSeen = s.Software, s.Seen
	}
	for _, d := range s.Data {
		class, ok := dataclass.Parse(d.Class)
		if !ok || len(x.data) >= maxPlaces {
			continue
		}
		p := dataPlace{answer: d.Answer, in: d.In, pointer: d.Pointer, class: class}
		x.see(p, d.First, false)
		for i := range x.data {
			if had := &x.data[i]; had.dataPlace == p {
				had.count += d.Count - 1
				had.first, had.last, had.anonymous = earlier(had.first, d.First), max(had.last, d.Last), max(had.anonymous, d.Anonymous)
			}
		}
	}
}

// savedFlow is a flow as the store has it.
type savedFlow struct {
	Integration string `json:"integration,omitempty"`
	Consumer    string `json:"consumer,omitempty"`
	API         string `json:"api"`
	Version     string `json:"version"`
	Out         bool   `json:"out,omitempty"`
	Class       string `json:"class"`
	Count       uint64 `json:"count"`
	First       int64  `json:"first"`
	Last        int64  `json:"last"`
}

func (k *flowKey) id() []byte {
	var b []byte
	for _, s := range [...]string{k.integration, k.consumer, k.api, k.version} {
		b = binary.AppendUvarint(b, uint64(len(s)))
		b = append(b, s...)
	}
	sum := sha256.Sum256(binary.AppendVarint(b, k.number()))
	return sum[:len(routeID{})]
}

func (inv *Inventory) saveFlows(all bool, put func(key, value []byte)) {
	inv.mu.RLock()
	defer inv.mu.RUnlock()
	for _, f := range inv.flows {
		if (all || f.unsaved) && f.count > 0 {
			f.unsaved = false
			put(f.id(), saved(savedFlow{f.integration, f.consumer, f.api, f.version, f.out, f.class.String(), f.count, f.first, f.last}))
		}
	}
}

// readFlow reads what saveFlows has put, of this process or of another node.
func readFlow(key, value []byte) (k flowKey, s savedFlow, err error) {
	if err := json.Unmarshal(value, &s); err != nil {
		return k, s, err
	}
	class, ok := dataclass.Parse(s.Class)
	if !ok {
		return k, s, errors.New("unknown class of data")
	}
	k = flowKey{integration: s.Integration, consumer: s.Consumer, api: s.API, version: s.Version, out: s.Out, class: class}
	if string(key) != string(k.id()) {
		return k, s, errKey
	}
	return k, s, nil
}

func (inv *Inventory) loadFlow(key, value []byte) error {
	k, s, err := readFlow(key, value)
	if err != nil {
		return err
	}
	inv.mu.Lock()
	defer inv.mu.Unlock()
	f := inv.flows[k]
	if f == nil {
		f = &flow{flowKey: k, first: s.First}
		inv.flows[k] = f
	}
	f.count += s.Count
	f.first, f.last = earlier(f.first, s.First), max(f.last, s.Last)
	return nil
}

package ratelimit

import (
	"encoding/binary"
	"errors"
	"fmt"
	"math/bits"
	"sync/atomic"
)

// What quotas have used can be kept beside the table: in groups, each of a few
// neighbouring sets, so that a store of it can never hold more than the table does,
// and what the table has forgotten leaves the store with the next group written.
const (
	// maxGroups are those of the largest table, so that a table can tell which of
	// a larger one are to be removed.
	maxGroups   = 2 * MaxSlots / lines / groupSets
	groupSets   = 16
	groupHeader = 8 // the fingerprint of the secret that keys are made with
	groupCell   = 8 + 1 + 4 + 3 + 3
)

const (
	keptShadow  = 1 << 7
	keptProtect = 1 << 6
)

// touched notes that a set has a quota to be saved.
func (t *Table) touched(index uint32) {
	group := index / groupSets
	word := &t.dirty[group/64]
	if bit := uint64(1) << (group % 64); atomic.LoadUint64(word)&bit == 0 {
		atomic.OrUint64(word, bit)
	}
}

// SaveQuotas puts what quotas have used, by groups of cells: those that changed since
// the last call, or all. A group without a quota has no cells, and whatever is kept
// of it is to be removed. One goroutine at a time may call it; requests go on.
// Charges that newcomers to a full protected set share are not told apart and not
// saved.
func (t *Table) SaveQuotas(all bool, put func(group uint32, cells []byte)) {
	for w := range t.dirty {
		changed := atomic.SwapUint64(&t.dirty[w], 0)
		if all {
			changed = ^uint64(0)
		}
		for ; changed != 0; changed &= changed - 1 {
			group := uint32(w*64 + bits.TrailingZeros64(changed))
			if first := int(group) * groupSets; first < len(t.sets) {
				cells := t.saveGroup(first)
				if cells != nil || !all {
					put(group, cells)
				}
			} else if !all {
				put(group, nil)
			}
		}
	}
}

func (t *Table) saveGroup(first int) (cells []byte) {
	for index := first; index < min(first+groupSets, len(t.sets)); index++ {
		s, mu := &t.sets[index], t.lockOf(uint32(index))
		mu.Lock()
		now := t.clock()
		for w := int8(0); w < ways; w += s.span(w) {
			c := s.at(w)
			if c.kind()&^kindShadow != kindQuota || c.all().quotaDebt(now) == 0 {
				continue
			}
			if cells == nil {
				cells = binary.BigEndian.AppendUint64(nil, t.fingerprint())
			}
			flags := byte(c.window)
			if c.kind()&kindShadow != 0 {
				flags |= keptShadow
			}
			if uint32(index) >= t.ordinary {
				flags |= keptProtect
			}
			cells = append(binary.BigEndian.AppendUint64(cells, c.all().words()[2]), flags)
			cells = binary.BigEndian.AppendUint32(cells, c.epoch)
			cells = append24(append24(cells, c.total()), t.fits[index].capacity(w))
		}
		mu.Unlock()
	}
	return cells
}

func append24(b []byte, n uint32) []byte { return append(b, byte(n>>16), byte(n>>8), byte(n)) }

func read24(b []byte) uint32 { return uint32(b[0])<<16 | uint32(b[1])<<8 | uint32(b[2]) }

// RestoreQuotas charges what SaveQuotas put before the process ended, on top of what
// is used already. What belongs to periods that are over, or was made with another
// secret, is dropped, and its group is put again by the next SaveQuotas. Call it once
// for each group. An error says that cells are not what SaveQuotas put; nothing of
// them is charged.
func (t *Table) RestoreQuotas(group uint32, cells []byte) error {
	if len(cells) < groupHeader || (len(cells)-groupHeader)%groupCell != 0 || len(cells) > groupHeader+groupSets*lines*groupCell {
		return fmt.Errorf("reading quotas: a group of %d bytes", len(cells))
	}
	if group >= maxGroups {
		return errors.New("reading quotas: a group that no table has")
	}
	if group*groupSets >= uint32(len(t.sets)) || binary.BigEndian.Uint64(cells) != t.fingerprint() {
		t.touched(group * groupSets)
	}
	if binary.BigEndian.Uint64(cells) != t.fingerprint() {
		return nil
	}
	cells = cells[groupHeader:]
	for rest := cells; len(rest) > 0; rest = rest[groupCell:] {
		if l := keptLimit(rest); !l.Usable() {
			return errors.New("reading quotas: a cell that no limit has")
		}
	}
	for ; len(cells) > 0; cells = cells[groupCell:] {
		l := keptLimit(cells)
		c := Charge{
			Limit: l, Key: Key(binary.BigEndian.Uint64(cells)), Cost: read24(cells[13:]),
			Shadow: cells[8]&keptShadow != 0, When: Look,
		}
		if number, _ := l.Period.at(t.wall()); binary.BigEndian.Uint32(cells[9:]) == number && c.Cost != 0 {
			t.Settle(&c, true)
		}
		t.touched(group * groupSets)
	}
	return nil
}

// keptLimit is as much of a limit as its saved cell needs.
func keptLimit(cell []byte) *Limit {
	return &Limit{
		Name: "kept", Algorithm: Quota, Period: Period(cell[8] &^ (keptShadow | keptProtect)),
		Rate: int(read24(cell[16:])), Protect: cell[8]&keptProtect != 0,
	}
}

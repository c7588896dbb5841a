package ratelimit

import (
	"bytes"
	"encoding/binary"
	"testing"
	"time"
)

// manual is a clock that a test moves.
type manual struct{ ns int64 }

func (m *manual) now() int64            { return m.ns }
func (m *manual) sleep(d time.Duration) { m.ns += int64(d) }

// tiny is a table of one set in each part, where everything meets.
func tiny(m *manual) *Table {
	return NewTable(TableConfig{Slots: lines, ProtectedSlots: lines, Now: m.now})
}

// room is how many clients of a limit have cells of their own in one set, as long as they
// use little of it.
func room(l *Limit) int {
	if l.Algorithm == Window && !l.Protect {
		return ways
	}
	return lines
}

func valid(tb testing.TB, l Limit) *Limit {
	tb.Helper()
	if l.Name == "" {
		l.Name = "limit"
	}
	if l.Space == 0 {
		l.Space = SpaceOf("test", l.Name)
	}
	if err := l.Validate(); err != nil {
		tb.Fatal(err)
	}
	return &l
}

func keyOf(t *Table, l *Limit, client string) Key {
	k := t.Key(l.Space)
	k.String(client)
	return k.Sum()
}

// ask charges one client to one limit.
func ask(t *Table, l *Limit, client string, cost uint32) Decision {
	var out [1]Decision
	t.Take([]Charge{{Limit: l, Key: keyOf(t, l, client), Cost: cost}}, out[:])
	return out[0]
}

// image is every byte of a table that a client can change.
func image(tb testing.TB, t *Table) []byte {
	tb.Helper()
	var b bytes.Buffer
	write := func(v any) {
		if err := binary.Write(&b, binary.LittleEndian, v); err != nil {
			tb.Fatal(err)
		}
	}
	cell := func(c *small) {
		write([]uint64{c.meta, uint64(c.window), uint64(c.epoch)})
		write(c.data)
	}
	for i := range t.sets {
		write(t.fits[i])
		for w := range t.sets[i] {
			cell(&t.sets[i][w])
		}
	}
	for i := range t.shared {
		cell(&t.shared[i].small)
		write(t.shared[i].more)
	}
	write([]uint64{t.evicts.cells.Load(), t.evicts.debt.Load(), t.evicts.shadows.Load(), t.evicts.shared.Load()})
	return b.Bytes()
}

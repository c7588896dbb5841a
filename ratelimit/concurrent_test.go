package ratelimit

import (
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/anishathalye/porcupine"
)

// together runs n goroutines that start at once.
func together(n int, f func(worker int)) {
	var begin, end sync.WaitGroup
	begin.Add(1)
	for i := range n {
		end.Go(func() {
			begin.Wait()
			f(i)
		})
	}
	begin.Done()
	end.Wait()
}

func TestSixteenGoroutinesAreAdmittedAsOftenAsOne(t *testing.T) {
	for _, alg := range []Algorithm{Window, Bucket} {
		m := &manual{}
		table := tiny(m)
		l := valid(t, Limit{Rate: 1000, Window: time.Hour, Algorithm: alg})
		k := keyOf(table, l, "client")
		var admitted atomic.Int64
		together(16, func(int) {
			var out [1]Decision
			for range 200 {
				if table.Take([]Charge{{Limit: l, Key: k}}, out[:]) {
					admitted.Add(1)
				}
			}
		})
		if n := admitted.Load(); n != 1000 {
			t.Errorf("%s: %d admitted, limit 1000", alg, n)
		}
	}
}

// The same with the process's own clock, which moves while they run.
func TestTheRealClockAdmitsNoMoreThanItsBound(t *testing.T) {
	table := NewTable(TableConfig{Slots: 64})
	l := valid(t, Limit{Rate: 500, Window: MaxWindow})
	b := valid(t, Limit{Name: "b", Rate: 500, Window: MaxWindow, Algorithm: Bucket})
	var admitted [2]atomic.Int64
	together(16, func(worker int) {
		limit := []*Limit{l, b}[worker%2]
		k := keyOf(table, limit, "client")
		var out [1]Decision
		for range 300 {
			if table.Take([]Charge{{Limit: limit, Key: k}}, out[:]) {
				admitted[worker%2].Add(1)
			}
		}
	})
	for i := range admitted {
		if n := admitted[i].Load(); n != 500 {
			t.Errorf("%s: %d admitted, limit 500", Algorithm(i), n)
		}
	}
}

func TestAllOrNothingWhileOthersWantTheSameCells(t *testing.T) {
	m := &manual{}
	table := NewTable(TableConfig{Slots: 64, Now: m.now})
	limits := []*Limit{
		valid(t, Limit{Name: "wide", Rate: 1000, Window: time.Hour}),
		valid(t, Limit{Name: "narrow", Rate: 10, Window: time.Hour, Algorithm: Bucket}),
		valid(t, Limit{Name: "middle", Rate: 300, Window: time.Hour, Protect: true}),
	}
	keys := make([]Key, len(limits))
	for i, l := range limits {
		keys[i] = keyOf(table, l, "client")
	}
	var charged [3]atomic.Int64
	together(16, func(worker int) {
		out := make([]Decision, 3)
		for round := range 300 {
			// Every order and every subset, so that locks are asked for crosswise.
			var charges []Charge
			var which []int
			for j := range 3 {
				if i := (j*(1+round%2) + worker) % 3; round%7>>i&1 == 0 {
					charges = append(charges, Charge{Limit: limits[i], Key: keys[i], Cost: 1})
					which = append(which, i)
				}
			}
			if table.Take(charges, out[:len(charges)]) {
				for _, i := range which {
					charged[i].Add(1)
				}
			}
		}
	})
	for i, l := range limits {
		st, n := table.Peek(l, keys[i]), int(charged[i].Load())
		if st.Used != n || n > l.Rate || n == 0 {
			t.Errorf("%s: %d admitted, %d charged, limit %d", l.Name, n, st.Used, l.Rate)
		}
	}
	if n := charged[1].Load(); n != 10 {
		t.Errorf("the narrow limit admitted %d of 10 although hundreds asked", n)
	}
}

// asked is what a client of the linearizability test does: charge the first
// limit, the second, or both.
type asked struct{ first, second uint32 }

// limited is the sequential model: what is left of both. Time stands still.
func limited(first, second uint32) porcupine.Model {
	type left struct{ first, second uint32 }
	return porcupine.Model{
		Init: func() any { return left{first, second} },
		Step: func(state, input, output any) (bool, any) {
			s, in := state.(left), input.(asked)
			fits := in.first <= s.first && in.second <= s.second
			if output.(bool) != fits {
				return false, s
			}
			if fits {
				s.first -= in.first
				s.second -= in.second
			}
			return true, s
		},
	}
}

func TestTakeIsLinearizable(t *testing.T) {
	for name, inputs := range map[string][]asked{
		"one limit":           {{1, 0}, {2, 0}, {3, 0}},
		"two limits together": {{1, 0}, {0, 1}, {1, 1}, {2, 1}, {1, 3}},
	} {
		for _, alg := range []Algorithm{Window, Bucket} {
			t.Run(alg.String()+"/"+name, func(t *testing.T) {
				for range 30 {
					if !linearizable(t, alg, inputs) {
						t.Fatal("no order of the calls explains what they were told")
					}
				}
			})
		}
	}
}

func linearizable(t *testing.T, alg Algorithm, inputs []asked) bool {
	m := &manual{}
	table := NewTable(TableConfig{Slots: 64, Now: m.now})
	limits := []*Limit{
		valid(t, Limit{Name: "first", Rate: 9, Window: time.Hour, Algorithm: alg}),
		valid(t, Limit{Name: "second", Rate: 7, Window: time.Hour, Algorithm: alg}),
	}
	keys := []Key{keyOf(table, limits[0], "c"), keyOf(table, limits[1], "c")}
	const workers, calls = 4, 8
	history := make([]porcupine.Operation, workers*calls)
	var tick atomic.Int64
	together(workers, func(worker int) {
		var out [2]Decision
		for i := range calls {
			in := inputs[(worker*3+i)%len(inputs)]
			charges := make([]Charge, 0, 2)
			for j, cost := range []uint32{in.first, in.second} {
				if cost > 0 {
					charges = append(charges, Charge{Limit: limits[j], Key: keys[j], Cost: cost})
				}
			}
			called := tick.Add(1)
			admitted := table.Take(charges, out[:len(charges)])
			history[worker*calls+i] = porcupine.Operation{ClientId: worker, Input: in, Call: called, Output: admitted, Return: tick.Add(1)}
		}
	})
	return porcupine.CheckOperations(limited(9, 7), history)
}

// Everything at once, for the race detector: claims, evictions, shared cells,
// looks, forgetting.
func TestEverythingAtOnce(t *testing.T) {
	table := NewTable(TableConfig{Slots: 32, ProtectedSlots: 16})
	limits := []*Limit{
		valid(t, Limit{Name: "a", Rate: 5, Window: time.Second}),
		valid(t, Limit{Name: "b", Rate: 5, Window: time.Minute, Algorithm: Bucket}),
		valid(t, Limit{Name: "c", Rate: 5, Window: time.Minute, Protect: true}),
		valid(t, Limit{Name: "d", Space: SpaceOf("test", "a"), Rate: 9, Window: 3 * time.Second}), // a after a reload
	}
	together(8, func(worker int) {
		var charges [4]Charge
		var out [4]Decision
		for i := range 2000 {
			for j := range charges {
				l := limits[(i+j+worker)%len(limits)]
				charges[j] = Charge{Limit: l, Key: Key(uint64((i*7+j)%200+1) * 0x9e3779b97f4a7c15), Shadow: (i+j)%5 == 0}
			}
			n := 1 + i%4
			table.Take(charges[:n], out[:n])
			switch {
			case i%17 == 0:
				table.Forget(charges[0].Limit, charges[0].Key)
			case i%13 == 0:
				table.Peek(charges[0].Limit, charges[0].Key)
			case i%501 == 0:
				table.Stats()
			}
		}
	})
	if st := table.Stats(); st.Evicted == 0 || st.Shared == 0 {
		t.Errorf("not everything happened: %+v", st)
	}
}

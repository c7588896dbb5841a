package ratelimit

import (
	"bytes"
	"fmt"
	"testing"
	"time"

	"pgregory.net/rapid"
)

func TestARefusalChargesNothingAnywhere(t *testing.T) {
	for _, order := range [][]int{{0, 1}, {1, 0}} {
		m := &manual{}
		table := tiny(m)
		limits := []*Limit{
			valid(t, Limit{Name: "narrow", Rate: 5, Window: time.Hour}),
			valid(t, Limit{Name: "wide", Rate: 100, Window: time.Hour}),
		}
		var charges []Charge
		for _, i := range order {
			charges = append(charges, Charge{Limit: limits[i], Key: keyOf(table, limits[i], "client"), Cost: 1})
		}
		out := make([]Decision, 2)
		admitted := 0
		for range 100 {
			if table.Take(charges, out) {
				admitted++
			}
		}
		wide := table.Peek(limits[1], keyOf(table, limits[1], "client"))
		if admitted != 5 || wide.Used != 5 {
			t.Errorf("order %v: 100 requests, %d admitted, %d charged to the wide limit; want 5 and 5", order, admitted, wide.Used)
		}
		for i, d := range out {
			if want := order[i] == 1; d.Admitted != want {
				t.Errorf("order %v: limit %s says %+v", order, limits[order[i]].Name, d)
			} else if want && d.Remaining != 95 {
				t.Errorf("order %v: a refused request used some of what remains: %+v", order, d)
			}
		}
	}
}

func TestARefusalWritesNothing(t *testing.T) {
	rapid.Check(t, func(rt *rapid.T) {
		m := &manual{}
		table := tiny(m)
		var limits []*Limit
		for i := range 4 {
			limits = append(limits, valid(t, Limit{
				Name: fmt.Sprint(i), Rate: rapid.IntRange(1, 4).Draw(rt, "rate"), Window: genWindow(rt),
				Algorithm: Algorithm(rapid.IntRange(0, 1).Draw(rt, "algorithm")), Protect: rapid.Bool().Draw(rt, "protect"),
			}))
		}
		refused := 0
		for range rapid.IntRange(20, 80).Draw(rt, "requests") {
			m.sleep(time.Duration(rapid.Int64Range(0, int64(20*time.Second)).Draw(rt, "step")))
			charges := make([]Charge, rapid.IntRange(1, 5).Draw(rt, "charges"))
			for i := range charges {
				l := limits[rapid.IntRange(0, 3).Draw(rt, "limit")]
				client := fmt.Sprint(rapid.IntRange(0, 12).Draw(rt, "client"))
				charges[i] = Charge{Limit: l, Key: keyOf(table, l, client), Cost: rapid.Uint32Range(0, 3).Draw(rt, "cost"), Shadow: rapid.IntRange(0, 3).Draw(rt, "shadow") == 0}
			}
			before := image(t, table)
			out := make([]Decision, len(charges))
			if table.Take(charges, out) {
				continue
			}
			refused++
			if !bytes.Equal(before, image(t, table)) {
				rt.Fatalf("a refused call changed the table: %+v", out)
			}
		}
		if refused == 0 {
			rt.Skip("nothing was refused")
		}
	})
}

func TestTheSameCellTwiceInOneCall(t *testing.T) {
	for _, alg := range []Algorithm{Window, Bucket} {
		for name, tc := range map[string]struct {
			costs    []uint32
			before   uint32
			admitted bool
			used     int
		}{
			"both fit":                                    {[]uint32{2, 3}, 0, true, 5},
			"each fits, both do not":                      {[]uint32{3, 3}, 0, false, 0},
			"each fits what is left, both do not":         {[]uint32{1, 2}, 3, false, 3},
			"both fit what is left":                       {[]uint32{1, 1}, 3, true, 5},
			"three of them":                               {[]uint32{1, 1, 1}, 2, true, 5},
			"three of them, and the third is one to many": {[]uint32{1, 1, 1}, 3, false, 3},
		} {
			t.Run(alg.String()+"/"+name, func(t *testing.T) {
				m := &manual{}
				table := tiny(m)
				l := valid(t, Limit{Rate: 5, Window: time.Hour, Algorithm: alg})
				k := keyOf(table, l, "client")
				if tc.before > 0 {
					ask(table, l, "client", tc.before)
				}
				var charges []Charge
				for _, c := range tc.costs {
					charges = append(charges, Charge{Limit: l, Key: k, Cost: c})
				}
				out := make([]Decision, len(charges))
				admitted := table.Take(charges, out)
				if st := table.Peek(l, k); admitted != tc.admitted || st.Used != tc.used {
					t.Fatalf("admitted %v, used %d: %+v", admitted, st.Used, out)
				}
				last := out[len(out)-1]
				if last.Admitted != tc.admitted {
					t.Errorf("the last charge says %+v", last)
				}
				if want := 5 - tc.used; last.Remaining != want && tc.admitted || last.Remaining > want {
					t.Errorf("%d remain, said to be %d", want, last.Remaining)
				}
			})
		}
	}
}

func TestAShadowRefusesNobodyAndTouchesNothingEnforced(t *testing.T) {
	for _, alg := range []Algorithm{Window, Bucket} {
		m := &manual{}
		table := tiny(m)
		l := valid(t, Limit{Name: "tried", Rate: 2, Window: time.Hour, Algorithm: alg})
		other := valid(t, Limit{Name: "enforced", Rate: 4, Window: time.Hour, Algorithm: alg})
		k, ko := keyOf(table, l, "client"), keyOf(table, other, "client")
		both := []Charge{{Limit: l, Key: k, Shadow: true}, {Limit: other, Key: ko}}
		out := make([]Decision, 2)
		var admitted, would int
		for range 6 {
			if table.Take(both, out) {
				admitted++
				if out[0].Admitted {
					would++
				}
			}
		}
		if admitted != 4 || would != 2 {
			t.Errorf("%s: %d admitted, %d by the shadow; want 4 and 2", alg, admitted, would)
		}
		if st := table.Peek(l, k); st.Found {
			t.Errorf("%s: a shadow charged the enforced cell: %+v", alg, st)
		}
		if st := table.PeekShadow(l, k); st.Used != 2 {
			t.Errorf("%s: the shadow holds %+v; what it would refuse it must not charge, nor what others refuse", alg, st)
		}
		if d := ask(table, l, "client", 2); !d.Admitted {
			t.Errorf("%s: the enforced cell is not its own: %+v", alg, d)
		}
	}
}

func TestAShadowIsNotChargedWhenAnotherLimitRefuses(t *testing.T) {
	m := &manual{}
	table := tiny(m)
	l := valid(t, Limit{Name: "tried", Rate: 9, Window: time.Hour})
	other := valid(t, Limit{Name: "enforced", Rate: 1, Window: time.Hour})
	charges := []Charge{{Limit: l, Key: keyOf(table, l, "c"), Shadow: true}, {Limit: other, Key: keyOf(table, other, "c")}}
	out := make([]Decision, 2)
	for range 5 {
		table.Take(charges, out)
	}
	if st := table.PeekShadow(l, charges[0].Key); st.Used != 1 || !out[0].Admitted || out[0].Remaining != 8 {
		t.Fatalf("the shadow holds %+v and says %+v, one request was admitted", st, out[0])
	}
}

func TestAShadowThatWasRefusedLeavesRoomForTheNextOfItsCall(t *testing.T) {
	m := &manual{}
	table := tiny(m)
	l := valid(t, Limit{Rate: 5, Window: time.Hour})
	k := keyOf(table, l, "client")
	out := make([]Decision, 3)
	table.Take([]Charge{{Limit: l, Key: k, Cost: 2, Shadow: true}, {Limit: l, Key: k, Cost: 4, Shadow: true}, {Limit: l, Key: k, Cost: 3, Shadow: true}}, out)
	if !out[0].Admitted || out[1].Admitted || !out[2].Admitted || table.PeekShadow(l, k).Used != 5 {
		t.Fatalf("2, 4 and 3 of 5: %+v, then %+v", out, table.PeekShadow(l, k))
	}
}

func TestMistakesOfTheCallerAreRefusals(t *testing.T) {
	m := &manual{}
	table := tiny(m)
	good := valid(t, Limit{Rate: 100, Window: time.Hour})
	k := keyOf(table, good, "c")
	one := []Charge{{Limit: good, Key: k}}
	many := func(n int) []Charge {
		c := make([]Charge, n)
		for i := range c {
			c[i] = one[0]
		}
		return c
	}
	for name, tc := range map[string]struct {
		charges []Charge
		out     int
		want    bool
	}{
		"one charge":                              {one, 1, true},
		"no charge":                               {nil, 0, true},
		"sixteen charges":                         {many(MaxCharges), MaxCharges, true},
		"seventeen charges":                       {many(MaxCharges + 1), MaxCharges + 1, false},
		"too few decisions":                       {one, 0, false},
		"too many decisions":                      {one, 2, false},
		"no limit":                                {[]Charge{{Key: k}}, 1, false},
		"a limit without rate":                    {[]Charge{{Limit: &Limit{Window: time.Hour}, Key: k}}, 1, false},
		"a limit without window":                  {[]Charge{{Limit: &Limit{Rate: 1}, Key: k}}, 1, false},
		"a rate too high":                         {[]Charge{{Limit: &Limit{Rate: MaxRate + 1, Window: time.Hour}, Key: k}}, 1, false},
		"a window too long":                       {[]Charge{{Limit: &Limit{Rate: 1, Window: MaxWindow + 1}, Key: k}}, 1, false},
		"a negative burst":                        {[]Charge{{Limit: &Limit{Rate: 1, Window: time.Hour, Algorithm: Bucket, Burst: -1}, Key: k}}, 1, false},
		"a burst that refills in years":           {[]Charge{{Limit: &Limit{Rate: 1, Window: time.Hour, Algorithm: Bucket, Burst: MaxRate}, Key: k}}, 1, false},
		"an algorithm of another time":            {[]Charge{{Limit: &Limit{Rate: 1, Window: time.Hour, Algorithm: 7}, Key: k}}, 1, false},
		"a bad limit in shadow refuses nobody":    {[]Charge{{Limit: nil, Shadow: true}, one[0]}, 2, true},
		"a good limit does not make up for a bad": {[]Charge{one[0], {Limit: nil}}, 2, false},
	} {
		t.Run(name, func(t *testing.T) {
			before := table.Peek(good, k).Used
			out := make([]Decision, tc.out)
			if got := table.Take(tc.charges, out); got != tc.want {
				t.Fatalf("admitted %v, want %v: %+v", got, tc.want, out)
			}
			if used := table.Peek(good, k).Used; !tc.want && used != before {
				t.Errorf("refused, but %d were charged", used-before)
			}
		})
	}
}

func TestAForgottenCostIsOne(t *testing.T) {
	m := &manual{}
	table := tiny(m)
	l := valid(t, Limit{Rate: 2, Window: time.Hour})
	for i, want := range []bool{true, true, false} {
		if d := ask(table, l, "client", 0); d.Admitted != want {
			t.Fatalf("request %d without cost: %+v", i, d)
		}
	}
}

func TestAClockThatStepsBackAdmitsNoMore(t *testing.T) {
	for _, alg := range []Algorithm{Window, Bucket} {
		m := &manual{ns: int64(time.Hour)}
		table := tiny(m)
		l := valid(t, Limit{Rate: 3, Window: time.Minute, Algorithm: alg})
		admitted := 0
		for _, step := range []time.Duration{0, -time.Second, -time.Hour, 30 * time.Second, -2 * time.Hour, time.Hour + 30*time.Second, 0} {
			m.sleep(step)
			if ask(table, l, "client", 1).Admitted {
				admitted++
			}
		}
		if admitted != 3 {
			t.Errorf("%s: %d admitted, want 3", alg, admitted)
		}
		m.ns = int64(time.Hour + 2*time.Minute)
		if !ask(table, l, "client", 1).Admitted {
			t.Errorf("%s: when time has really passed it is still refused", alg)
		}
	}
}

// Cells by themselves, too, without the table's clock that never steps back.
func TestACellReadBehindItsTimeForgetsNothing(t *testing.T) {
	rapid.Check(t, func(rt *rapid.T) {
		c := large{small: small{meta: isLarge}}
		sub := subWindow(60_000)
		at := rapid.Int64Range(0, 40*sub).Draw(rt, "at")
		c.chargeWindow(60_000, 7, at)
		back := rapid.Int64Range(0, at).Draw(rt, "back")
		if v := c.windowAt(back, sub); v.total != 7 {
			rt.Fatalf("charged at %d, at %d it holds %d", at, back, v.total)
		}
		c.chargeWindow(60_000, 1, back)
		if v := c.windowAt(at+int64(time.Minute), sub); v.total != 8 {
			rt.Fatalf("of 8 charged at %d and then at %d, %d are left a minute later", at, back, v.total)
		}
	})
}

func TestDecidingAllocatesNothing(t *testing.T) {
	table := NewTable(TableConfig{Slots: 1 << 12})
	limits := []*Limit{
		valid(t, Limit{Name: "window", Rate: 1000, Window: time.Hour}),
		valid(t, Limit{Name: "bucket", Rate: 1000, Window: time.Hour, Algorithm: Bucket, Burst: 7}),
		valid(t, Limit{Name: "protected", Rate: 1000, Window: time.Hour, Protect: true}),
	}
	for name, cost := range map[string]uint32{"admitted": 1, "refused": 1001} {
		client := 0
		if n := testing.AllocsPerRun(500, func() {
			client++
			var charges [6]Charge
			var out [6]Decision
			for i := range charges {
				l := limits[i%3]
				k := table.Key(l.Space)
				k.String("a consumer whose name is longer than the forty bytes that go in as they are")
				k.Missing()
				charges[i] = Charge{Limit: l, Key: k.Sum() + Key(client), Cost: cost, Shadow: i > 2}
			}
			table.Take(charges[:3], out[:3])
			table.Take(charges[:], out[:])
		}); n != 0 {
			t.Errorf("%s: %v allocations", name, n)
		}
	}
}

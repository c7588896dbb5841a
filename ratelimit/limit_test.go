package ratelimit

import (
	"strings"
	"testing"
	"time"
)

func TestValidateSaysWhatIsWrongAndHowToMendIt(t *testing.T) {
	ok := Limit{Name: "l", Rate: 5, Window: time.Minute}
	for name, tc := range map[string]struct {
		change func(*Limit)
		want   string // "" passes
	}{
		"an ordinary window":       {func(l *Limit) {}, ""},
		"the highest rate":         {func(l *Limit) { l.Rate = MaxRate }, ""},
		"a higher one":             {func(l *Limit) { l.Rate = MaxRate + 1 }, "use a shorter window"},
		"no rate":                  {func(l *Limit) { l.Rate = 0 }, "rate 0"},
		"a negative rate":          {func(l *Limit) { l.Rate = -5 }, "rate -5"},
		"the shortest window":      {func(l *Limit) { l.Window = time.Second }, ""},
		"a shorter one":            {func(l *Limit) { l.Window = 999 * time.Millisecond }, "window 999ms"},
		"the longest window":       {func(l *Limit) { l.Window = MaxWindow }, ""},
		"a longer one":             {func(l *Limit) { l.Window = MaxWindow + time.Millisecond }, "is not between"},
		"a part of a millisecond":  {func(l *Limit) { l.Window += time.Microsecond }, "whole number of milliseconds"},
		"a window with a burst":    {func(l *Limit) { l.Burst = 5 }, "use algorithm bucket"},
		"a bucket with a burst":    {func(l *Limit) { l.Burst, l.Algorithm = 5, Bucket }, ""},
		"a bucket without one":     {func(l *Limit) { l.Algorithm = Bucket }, ""},
		"a negative burst":         {func(l *Limit) { l.Burst, l.Algorithm = -1, Bucket }, "burst -1"},
		"a burst too large":        {func(l *Limit) { l.Burst, l.Algorithm = MaxRate+1, Bucket }, "burst 16777216"},
		"a burst of a month":       {func(l *Limit) { l.Burst, l.Algorithm = 5*60*24*31, Bucket }, ""},
		"and one more":             {func(l *Limit) { l.Burst, l.Algorithm = 5*60*24*31+1, Bucket }, "smaller burst or a higher rate"},
		"an algorithm unheard of":  {func(l *Limit) { l.Algorithm = 4 }, "use window, bucket, concurrency or quota"},
		"no name":                  {func(l *Limit) { l.Name = "" }, "a name has 1 to 64"},
		"the longest name":         {func(l *Limit) { l.Name = strings.Repeat("n", 64) }, ""},
		"a longer one by a letter": {func(l *Limit) { l.Name = strings.Repeat("n", 65) }, "this one 65"},
		"a name with a line feed":  {func(l *Limit) { l.Name = "a\nb" }, "printable ASCII"},
		"a name that is not ASCII": {func(l *Limit) { l.Name = "größe" }, "printable ASCII"},
		"a name with a quotation":  {func(l *Limit) { l.Name = `a"b` }, ""},
	} {
		t.Run(name, func(t *testing.T) {
			l := ok
			tc.change(&l)
			err := l.Validate()
			switch {
			case tc.want == "" && err != nil:
				t.Fatal(err)
			case tc.want != "" && (err == nil || !strings.Contains(err.Error(), tc.want)):
				t.Fatalf("%v, want %q", err, tc.want)
			case err == nil && !l.Usable():
				t.Fatal("valid, but not usable")
			}
		})
	}
}

func TestValidateAllBoundsHowManyBindOneRequest(t *testing.T) {
	limits := make([]*Limit, MaxCharges)
	for i := range limits {
		limits[i] = &Limit{Name: "l", Rate: 5, Window: time.Minute}
	}
	if err := ValidateAll(limits); err != nil {
		t.Fatal(err)
	}
	if err := ValidateAll(append(limits, limits[0])); err == nil || !strings.Contains(err.Error(), "17 limits bind one request, at most 16") {
		t.Fatal(err)
	}
	if err := ValidateAll([]*Limit{limits[0], nil}); err == nil {
		t.Fatal("nil passes")
	}
	if err := ValidateAll([]*Limit{limits[0], {Name: "bad"}}); err == nil || !strings.Contains(err.Error(), `"bad"`) {
		t.Fatal(err)
	}
}

func TestATableIsAsLargeAsItSays(t *testing.T) {
	for _, tc := range []struct {
		cfg   TableConfig
		slots int
		bytes int64
	}{
		{TableConfig{}, 262_144 + 65_536, 262_144*70 + 65_536*78 + 8192*8},
		{TableConfig{Slots: 1}, 16, 8*70 + 8*78 + 2*8},
		{TableConfig{Slots: 9, ProtectedSlots: 17}, 16 + 24, 16*70 + 24*78 + 8*8},
		{TableConfig{Slots: -4, ProtectedSlots: -4}, 262_144 + 65_536, 262_144*70 + 65_536*78 + 8192*8},
	} {
		table := NewTable(tc.cfg)
		if got := table.Stats(); got.Slots != tc.slots || table.Bytes() != tc.bytes {
			t.Errorf("%+v: %d slots, %d bytes; want %d, %d", tc.cfg, got.Slots, table.Bytes(), tc.slots, tc.bytes)
		}
	}
}

func TestForgetClearsACellAndItsShadow(t *testing.T) {
	m := &manual{}
	table := tiny(m)
	for _, l := range []*Limit{
		valid(t, Limit{Name: "a", Rate: 2, Window: time.Hour}),
		valid(t, Limit{Name: "b", Rate: 2, Window: time.Hour, Algorithm: Bucket, Protect: true}),
	} {
		k := keyOf(table, l, "client")
		if table.Forget(l, k) {
			t.Fatalf("%s: there was nothing", l.Name)
		}
		out := make([]Decision, 2)
		table.Take([]Charge{{Limit: l, Key: k, Cost: 2}, {Limit: l, Key: k, Cost: 1, Shadow: true}}, out)
		if table.Peek(l, k).Used != 2 || table.PeekShadow(l, k).Used != 1 {
			t.Fatalf("%s: %+v and %+v", l.Name, table.Peek(l, k), table.PeekShadow(l, k))
		}
		if !table.Forget(l, k) || table.Forget(l, k) {
			t.Fatalf("%s: forgotten not at all, or twice", l.Name)
		}
		if st := table.Peek(l, k); st.Found || st.Used != 0 || st.Remaining != 2 {
			t.Fatalf("%s: %+v", l.Name, st)
		}
		if table.PeekShadow(l, k).Found {
			t.Fatalf("%s: the shadow stays", l.Name)
		}
		if d := ask(table, l, "client", 2); !d.Admitted {
			t.Fatalf("%s: %+v", l.Name, d)
		}
	}
	if table.Peek(&Limit{}, 1) != (State{}) || table.Forget(nil, 1) {
		t.Fatal("a limit that cannot be computed has a state")
	}
}

package ratelimit

import (
	"fmt"
	"net/netip"
	"strings"
	"testing"

	"pgregory.net/rapid"
)

func TestOneClientHasOneKeyHoweverItIsWritten(t *testing.T) {
	table := NewTable(TableConfig{Slots: 8})
	key := func(s string) Key {
		k := table.Key(1)
		if s == "" {
			k.Addr(netip.Addr{})
		} else {
			k.Addr(netip.MustParseAddr(s))
		}
		return k.Sum()
	}
	for _, tc := range []struct {
		a, b string
		same bool
	}{
		{"192.0.2.1", "::ffff:192.0.2.1", true},
		{"192.0.2.1", "192.0.2.2", false},
		{"2001:db8:1:2::1", "2001:db8:1:2:ffff:ffff:ffff:ffff", true},
		{"2001:db8:1:2::1", "2001:db8:1:3::1", false},
		{"fe80::1%eth0", "fe80::1%eth1", true},
		{"fe80::1%eth0", "fe80::2", true},
		{"::1", "0.0.0.1", false},
		{"192.0.2.1", "c000:201::", false},
		{"", "", true},
		{"", "0.0.0.0", false},
		{"", "::", false},
	} {
		if got := key(tc.a) == key(tc.b); got != tc.same {
			t.Errorf("%q and %q: one client %v, want %v", tc.a, tc.b, got, tc.same)
		}
	}
}

func TestPartsOfAKeyDoNotRunIntoEachOther(t *testing.T) {
	table := NewTable(TableConfig{Slots: 8})
	long := strings.Repeat("x", 41)
	keys := map[Key]string{}
	for _, parts := range [][]string{
		{}, {""}, {"", ""}, {"a"}, {"", "a"}, {"a", ""}, {"ab"}, {"a", "b"}, {"b", "a"}, {"ab", ""},
		{"a\x04\x01b"}, {"\x01"}, {"\x04\x00"}, {long}, {long + "x"}, {long[:40]}, {long[:40], "x"}, {long, long}, {long, long, long, long, long},
		{long[:39], long[:39]}, {long[:39], long[:39], long[:39]}, {long[:38], "x" + long[:39]},
		{"?"}, {"?", "?"}, {"?", ""},
	} {
		k := table.Key(1)
		for _, p := range parts {
			if p == "?" {
				k.Missing()
			} else {
				k.String(p)
			}
		}
		if other, ok := keys[k.Sum()]; ok {
			t.Errorf("%q and %s are one client", parts, other)
		}
		keys[k.Sum()] = fmt.Sprintf("%q", parts)
	}
}

func TestSpacesKeepClientsApart(t *testing.T) {
	table := NewTable(TableConfig{Slots: 8})
	seen := map[Key]bool{}
	for space := range uint64(50) {
		a := table.Key(space)
		a.String("client")
		b := table.Key(space + 1)
		b.String("client")
		if a.Sum() != b.SumIn(space) {
			t.Fatal("a key hashed once and moved to a space is not the key made there")
		}
		if seen[a.Sum()] {
			t.Fatal("a client has the same key in two spaces")
		}
		seen[a.Sum()] = true
		before := a.Sum()
		a.String("more")
		if a.Sum() == before {
			t.Fatal("a part that came after the sum does not count")
		}
	}
}

func TestTablesOfOneSecretUnderstandEachOthersKeys(t *testing.T) {
	a := NewTable(TableConfig{Slots: 8, Secret: []byte("one")})
	b := NewTable(TableConfig{Slots: 800, Secret: []byte("one")})
	c := NewTable(TableConfig{Slots: 8})
	key := func(t *Table) Key {
		k := t.Key(1)
		k.String("client")
		return k.Sum()
	}
	if key(a) != key(b) {
		t.Error("one secret, two keys")
	}
	if key(a) == key(c) {
		t.Error("two secrets, one key: whoever knows one process's keys knows another's")
	}
}

func TestKeysSpreadOverSetsAndIdentities(t *testing.T) {
	table := NewTable(TableConfig{Slots: 8 * 1000, Secret: []byte("the same in each run")})
	l := valid(t, Limit{Rate: 1, Window: MinWindow})
	var sets [1000]int
	cells := map[[2]uint64]bool{}
	for i := range 100_000 {
		k := table.Key(l.Space)
		k.Addr(netip.AddrFrom4([4]byte{10, byte(i >> 16), byte(i >> 8), byte(i)}))
		index, id := table.place(l, k.Sum(), false)
		sets[index]++
		cells[[2]uint64{uint64(index), uint64(id)}] = true
	}
	for i, n := range sets {
		if n < 60 || n > 150 { // 100 expected, deviation 10
			t.Errorf("set %d has %d of 100,000 clients", i, n)
		}
	}
	if len(cells) != 100_000 {
		t.Errorf("100,000 clients have %d cells", len(cells))
	}
}

func TestSpaceOfIsTheSameEverywhere(t *testing.T) {
	if got := SpaceOf("orders", "per_client"); got != 0xcf26b2501b325bf8 {
		t.Errorf("%#x: stored counters of other processes are lost", got)
	}
	rapid.Check(t, func(rt *rapid.T) {
		parts := rapid.SliceOfN(rapid.StringN(0, 3, 6), 0, 3)
		a, b := parts.Draw(rt, "a"), parts.Draw(rt, "b")
		if same := fmt.Sprintf("%q", a) == fmt.Sprintf("%q", b); same != (SpaceOf(a...) == SpaceOf(b...)) {
			rt.Fatalf("%q and %q", a, b)
		}
	})
}

// FuzzKey builds a key from two lists of parts: they are one client exactly when
// they are the same parts.
func FuzzKey(f *testing.F) {
	f.Add("a", "b", "ab", "", byte(0))
	f.Add(strings.Repeat("y", 64), "", strings.Repeat("y", 40), strings.Repeat("y", 24), byte(3))
	f.Add("\x04\x01a", "?", "", "\x01", byte(9))
	f.Fuzz(func(t *testing.T, a, b, c, d string, missing byte) {
		table := NewTable(TableConfig{Slots: 8})
		build := func(first, second string, missing byte) Key {
			k := table.Key(7)
			k.String(first)
			if missing&1 == 1 {
				k.Missing()
			}
			k.String(second)
			if addr, ok := netip.AddrFromSlice([]byte(first)); ok && missing&2 == 2 {
				k.Addr(addr)
			}
			return k.Sum()
		}
		if first, again := build(a, b, missing), build(a, b, missing); first != again {
			t.Fatal("a client has two keys")
		}
		if got := build(a, b, missing&1) == build(c, d, missing&1); got != (a == c && b == d) {
			t.Fatalf("(%q, %q) and (%q, %q): one client is %v", a, b, c, d, got)
		}
		if build(a, b, 0) == build(a, b, 1) {
			t.Fatal("a missing part makes no difference")
		}
	})
}

// FuzzClientKey reads two addresses as Caddy gives them: they are one client
// exactly when they are the same IPv4 address, mapped into IPv6 or not, or stand in
// one /64.
func FuzzClientKey(f *testing.F) {
	for _, pair := range [][2]string{
		{"192.0.2.1", "::ffff:192.0.2.1"}, {"192.0.2.1", "192.0.2.2"}, {"::ffff:c000:201", "192.0.2.1"}, {"2001:db8::1", "2001:db8:0:0:ffff::"},
		{"2001:db8:0:1::", "2001:db8::1"}, {"fe80::1%eth0", "fe80::2"}, {"::", "0.0.0.0"}, {"::192.0.2.1", "192.0.2.1"}, {"64:ff9b::192.0.2.1", "64:ff9b::1"},
	} {
		f.Add(pair[0], pair[1])
	}
	table := NewTable(TableConfig{Slots: 8})
	f.Fuzz(func(t *testing.T, a, b string) {
		var keys [2]Key
		var clients [2]string
		for i, text := range []string{a, b} {
			addr, err := netip.ParseAddr(text)
			if err != nil {
				return
			}
			k := table.Key(7)
			k.Addr(addr)
			keys[i] = k.Sum()
			raw := addr.As16() // without the zone
			clients[i] = string(raw[:8])
			if strings.HasPrefix(string(raw[:]), "\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\xff\xff") {
				clients[i] = string(raw[12:])
			}
		}
		if (keys[0] == keys[1]) != (clients[0] == clients[1]) {
			t.Fatalf("%s and %s: one bucket is %v, one client is %v", a, b, keys[0] == keys[1], clients[0] == clients[1])
		}
		missing := table.Key(7)
		missing.Missing()
		if keys[0] == missing.Sum() {
			t.Fatalf("%s counts as no address", a)
		}
	})
}

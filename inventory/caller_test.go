package inventory

import (
	"net/netip"
	"testing"
)

// Every IPv4 network of 16 bits is of the class that netip gives it, and what lies
// between a provider and its customers is private.
func TestNetworksAreOfTheClassThatTheirAddressesHave(t *testing.T) {
	t.Parallel()
	between := netip.MustParsePrefix("100.64.0.0/10")
	for n := range 1 << 16 {
		a := netip.AddrFrom4([4]byte{byte(n >> 8), byte(n), 3, 4})
		want := traitPublic
		switch {
		case a.IsLoopback():
			want = traitLoopback
		case a.IsPrivate() || a.IsLinkLocalUnicast() || between.Contains(a):
			want = traitPrivate
		}
		for _, form := range []netip.Addr{a, netip.AddrFrom16(a.As16())} {
			if got := networkOf(form); got != want {
				t.Errorf("%s: %v, want %v", form, got.networks(), want.networks())
			}
		}
	}
	for text, want := range map[string]traits{
		"::1": traitLoopback, "fd00::1": traitPrivate, "fe80::1%eth0": traitPrivate, "2001:db8::1": traitPublic, "64:ff9b::a00:1": traitPublic,
	} {
		if got := networkOf(netip.MustParseAddr(text)); got != want {
			t.Errorf("%s: %v, want %v", text, got.networks(), want.networks())
		}
	}
	if got := networkOf(netip.Addr{}); got != 0 {
		t.Errorf("no address: %v", got.networks())
	}
}

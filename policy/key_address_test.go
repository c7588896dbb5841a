package policy

import (
	"net/http"
	"strings"
	"testing"
	"time"
)

// A client has a whole /64 of IPv6 addresses, and IPv4 addresses have several
// spellings: neither may buy a bucket, whichever way the address gets into the key.
func TestAnAddressInAKeyCountsAsTheClientsDoes(t *testing.T) {
	for _, c := range []struct {
		name, first, second string
		same                bool
	}{
		{"of one /64", "2001:db8:1:2::1", "2001:db8:1:2:ffff::9", true},
		{"spelled in full", "2001:db8::1", "2001:0DB8:0000:0000:0000:0000:0000:0002", true},
		{"with a zone", "fe80::1%eth0", "fe80::1%eth1", true},
		{"an IPv4 address within IPv6", "192.0.2.7", "::ffff:192.0.2.7", true},
		{"of another /64", "2001:db8:1:2::1", "2001:db8:1:3::1", false},
		{"another IPv4 address", "192.0.2.7", "192.0.2.8", false},
		{"words of hex digits", "dead.beef", "dead.bee0", false},
		{"words without a dot", "cafe", "cafe1", false},
		{"versions that are no addresses", "1.2.3", "1.2.4", false},
		{"with a port", "192.0.2.7:1", "192.0.2.7:2", false},
	} {
		for key, ask := range map[string]func(*fixture, string) *Verdict{
			"{http.request.header.X-Address}": func(f *fixture, value string) *Verdict {
				return f.ask(t, call{line: "GET api.example /v2/orders", header: http.Header{"X-Address": {value}}})
			},
			"{http.request.remote.host}": func(f *fixture, value string) *Verdict {
				r := request(t, f, call{line: "GET api.example /v2/orders"})
				r.Expand = func(string) (string, bool) { return value, true }
				v := new(Verdict)
				f.Decide(r, v)
				return v
			},
		} {
			f := newFixture(t, withLimits(Limit{Name: "l", Rate: 1, Window: time.Hour, Key: keyOf(t, key)}))
			if ask(f, c.first).Rule == RuleLimit {
				t.Fatalf("%s, %s: the first call is refused", c.name, key)
			}
			if same := ask(f, c.second).Rule == RuleLimit; same != c.same {
				t.Errorf("%s, %s: one bucket: %v", c.name, key, same)
			}
			if found, err := f.Buckets("l", "", "", []string{c.first}); err != nil || len(found) != 1 || found[0].Used != 1 {
				t.Errorf("%s, %s: the operator finds %v %v", c.name, key, found, err)
			}
		}
	}
}

func TestAnAddressStandsInAKeyOfItsOwn(t *testing.T) {
	for _, text := range []string{"ip {http.vars.client_ip}", "{client_ip}{http.request.header.A}", "{http.request.remote.host}-x"} {
		if _, err := ParseKeyPart(text); err == nil || !strings.Contains(err.Error(), "of its own") {
			t.Errorf("%s: %v", text, err)
		}
	}
	for _, text := range []string{"{client_ip}", "{http.vars.client_ip}", "{http.request.remote.host}", "{http.request.header.A}-{http.request.header.B}"} {
		if _, err := ParseKeyPart(text); err != nil {
			t.Errorf("%s: %v", text, err)
		}
	}
}

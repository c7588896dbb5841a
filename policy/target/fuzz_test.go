package target

import "testing"

// targetSeeds start the fuzzers where parsers have gone wrong before.
func targetSeeds() []string {
	return []string{
		"", "/", "//", "*", "/v2/orders/1?limit=10", "/v2/%2e%2e/v1", "/v2/..;/v1", "/v2/..%2fv1", "/v2%2fadmin",
		"/a%2F", "/a%2f%2fb", "/;id=5", "/a;b=%2F../c", "/%C3%A4", "/%c3%a4/%41", "/%C0%AF", "/%ED%A0%80", "/%F4%90%80%80",
		"/%", "/%2", "/%zz", "/%252e", "/%00", `/\`, "/#", "/x?", "/x??", "/x?#", "/?a=1;b=2", "/?%zz", "/?a[0]=1",
		"http://api.example.com/x", "http://api.example.com", "https://api.example.com?x", "HTTP://a@api.example.com/",
		"ftp://api.example.com/", "x:http://api.example.com/x", "http:x", "api.example.com:443", "/{a}|^`\"<>", "/!$&'()*+,=:@",
	}
}

func FuzzCanonical(f *testing.F) {
	for _, raw := range targetSeeds() {
		f.Add("GET", raw, "api.example.com", false)
	}
	f.Add("OPTIONS", "http://api.example.com", "API.example.com.:443", true)
	f.Add("CONNECT", "api.example.com:443", "api.example.com:443", true)
	f.Add("GET", "http://[::1]:8080/x", "[::1]:8080", false)
	f.Fuzz(func(t *testing.T, method, raw, host string, tls bool) {
		in := Input{Method: method, Raw: raw, Host: host, TLS: tls}
		got, problem := Canonical(in)
		lenient := Lenient(in)
		if len(lenient.Path) <= MaxLength {
			again, p := canonical(lenient.Path)
			if p != "" || again.Path != lenient.Path || again.Conditional != "" {
				t.Fatalf("%+v: Lenient gives %q, Canonical then %+v, %q", in, lenient.Path, again, p)
			}
		}
		if problem != "" {
			if got.Path != "" || got.RawQuery != "" || got.Changed || got.Conditional != "" {
				t.Fatalf("%+v: refused with %+v", in, got)
			}
			return
		}
		checkAccepted(t, in, got)
		checkWire(t, got)
	})
}

func FuzzHost(f *testing.F) {
	for _, host := range []string{
		"", ".", "api.example.com", "API.example.com.", "a:80", "a:443", "a:", "a:0", "a:65536", "a..b", "a b", "a,b", "u@a",
		"u:p@a", "[::1]", "[::1]:80", "[fe80::1%25eth0]", "[1.2.3.4]", "[]", "[", "]", "::1", "xn--mnchen-3ya", "münchen",
		"%61", "*.a", "0x7f.1", "[::ffff:1.2.3.4]:8080",
	} {
		f.Add(host, true)
		f.Add(host, false)
	}
	f.Fuzz(func(t *testing.T, host string, tls bool) {
		in := Input{Method: "GET", Raw: "/", Host: host, TLS: tls}
		got, problem := Canonical(in)
		lenient := Lenient(in)
		if problem != "" {
			if got != (Target{}) {
				t.Fatalf("%q: refused with %+v", host, got)
			}
			if lenient.Host == "" {
				return
			}
			if again, p := Canonical(Input{Raw: "/", Host: lenient.Authority, TLS: tls}); p != "" || again.Host != lenient.Host {
				t.Fatalf("%q: Lenient gives %+v, Canonical then %+v, %q", host, lenient, again, p)
			}
			return
		}
		if lenient.Host != got.Host || lenient.Authority != got.Authority {
			t.Fatalf("%q: Lenient gives %+v, Canonical %+v", host, lenient, got)
		}
		if len(got.Host) > maxName || len(got.Authority) > len(got.Host)+len("[]:65535") {
			t.Fatalf("%q: %+v", host, got)
		}
		checkAccepted(t, in, got)
		checkWire(t, got)
	})
}

func FuzzQuery(f *testing.F) {
	for _, query := range []string{
		"", "?", "a=1&b=2", "a[0]=1", "%zz", "%4", "%", "%C3%A4", "%c3", "%C0%80", "a;b", "a%3Bb", "#", " ", "ä", "\xff",
		"\x00", `"<>^{|}\`, "a=%0A", "%E2%82%AC%", "%ED%A0%80",
	} {
		f.Add(query)
	}
	f.Fuzz(func(t *testing.T, query string) {
		raw := "/x?" + query
		got, problem := canonical(raw)
		if problem != "" {
			return
		}
		if got.RequestURI() != raw || got.Changed {
			t.Fatalf("%q: %+v", raw, got)
		}
		checkAccepted(t, Input{Method: "GET", Raw: raw, Host: "api.example.com"}, got)
		checkWire(t, got)
	})
}

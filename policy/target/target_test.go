package target

import (
	"strings"
	"testing"
)

// canonical judges raw as a plain GET to one host.
func canonical(raw string) (Target, Problem) {
	return Canonical(Input{Method: "GET", Raw: raw, Host: "api.example.com"})
}

func TestFormsOfTheTarget(t *testing.T) {
	long := "/" + strings.Repeat("a", MaxLength-1)
	tests := []struct {
		name    string
		method  string // GET when empty
		raw     string
		host    string // api.example.com when empty
		want    string // the canonical target
		problem Problem
	}{
		{name: "origin-form passes", raw: "/v2/orders?x=1", want: "/v2/orders?x=1"},
		{name: "the root passes", raw: "/", want: "/"},
		{name: "no target at all (RFC 9112 3)", raw: "", problem: EmptyTarget},
		{name: "exactly MaxLength bytes pass", raw: long, want: long},
		{name: "one byte more does not (RFC 9112 3)", raw: long + "a", problem: TooLong},
		{name: "a query counts towards the length", raw: "/?" + long, problem: TooLong},

		{name: "asterisk-form (RFC 9112 3.2.4)", method: "OPTIONS", raw: "*", problem: AsteriskForm},
		{name: "asterisk-form with a method that must not use it", raw: "*", problem: AsteriskForm},
		{name: "an asterisk in a path passes", raw: "/*", want: "/*"},
		{name: "authority-form of CONNECT (RFC 9112 3.2.3)", method: "CONNECT", raw: "api.example.com:443", problem: AuthorityForm},
		{name: "authority-form of CONNECT without a port", method: "CONNECT", raw: "api.example.com", problem: AuthorityForm},
		{name: "authority-form of GET, a scheme to Go", raw: "api.example.test:80", problem: AuthorityForm},
		{name: "CONNECT with a path is for the caller to judge", method: "CONNECT", raw: "/v2", want: "/v2"},

		{name: "absolute-form becomes origin-form (RFC 9112 3.2.2)", raw: "http://api.example.com/v2?x", want: "/v2?x"},
		{name: "https absolute-form too", raw: "https://api.example.com/v2", want: "/v2"},
		{name: "a scheme has no letter case (RFC 3986 3.1)", raw: "HtTp://api.example.com/v2", want: "/v2"},
		{name: "absolute-form names the host in another spelling", raw: "http://API.example.com:80/v2", want: "/v2"},
		{name: "absolute-form without path is the root (RFC 3986 6.2.3)", raw: "http://api.example.com", want: "/"},
		{name: "absolute-form with only a query", raw: "http://api.example.com?x=1", want: "/?x=1"},
		{name: "absolute-form OPTIONS without path is OPTIONS * (RFC 9112 3.2.4)", method: "OPTIONS", raw: "http://api.example.com", problem: AsteriskForm},
		{name: "absolute-form OPTIONS with a path is not", method: "OPTIONS", raw: "http://api.example.com/", want: "/"},
		{name: "absolute-form naming another host", raw: "http://evil.example.com/v2", problem: AuthorityMismatch},
		{name: "absolute-form naming another port", raw: "http://api.example.com:8080/v2", problem: AuthorityMismatch},
		{name: "absolute-form naming the same other port", raw: "http://api.example.com:8080/v2", host: "api.example.com:8080", want: "/v2"},
		{name: "absolute-form with userinfo (RFC 9110 4.2.4)", raw: "http://api.example.com@evil.example.com/v2", host: "evil.example.com", problem: Userinfo},
		{name: "absolute-form with a password", raw: "http://a:b@api.example.com/v2", problem: Userinfo},
		{name: "absolute-form without a host (RFC 9110 4.2.1)", raw: "http:///v2", problem: HostMissing},
		{name: "absolute-form with an encoded host", raw: "http://%61pi.example.com/v2", problem: HostCharacter},
		{name: "absolute-form with a backslash before the path", raw: `http://api.example.com\@evil.example.com/`, problem: Userinfo},
		{name: "absolute-form with a backslash for the slash", raw: `http://api.example.com\v2`, problem: HostCharacter},
		{name: "absolute-form with dot segments", raw: "http://api.example.com/v2/../v1", problem: DotSegment},
		{name: "absolute-form with an empty segment", raw: "http://api.example.com//v2", problem: EmptySegment},
		{name: "absolute-form with a fragment only", raw: "http://api.example.com#x", problem: Fragment},
		{name: "another scheme (RFC 9110 7.4)", raw: "ftp://api.example.com/v2", problem: UnknownScheme},
		{name: "a websocket scheme is none of HTTP's", raw: "wss://api.example.com/v2", problem: UnknownScheme},
		{name: "a URL inside a query is data", raw: "/v2?next=http://evil.example.com/", want: "/v2?next=http://evil.example.com/"},
		{name: "a URL inside a path has an empty segment", raw: "/http://evil.example.com/", problem: EmptySegment},

		{name: "opaque target that hides a path from every matcher", raw: "x:http://api.example.com/v2/admin", problem: Opaque},
		{name: "opaque target with a known scheme", raw: "http:v2/admin", problem: Opaque},
		{name: "opaque asterisk", raw: "x:*", problem: Opaque},
		{name: "relative path", raw: "v2/admin", problem: Opaque},
		{name: "query alone", raw: "?x=1", problem: Opaque},
		{name: "something before a scheme", raw: "/ http://api.example.com/", problem: Control},

		{name: "fragment (RFC 9112 3.2)", raw: "/v2#admin", problem: Fragment},
		{name: "fragment behind a query", raw: "/v2?x#admin", problem: Fragment},
		{name: "an encoded # is data", raw: "/v2/%23admin", want: "/v2/%23admin"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			in := Input{Method: tt.method, Raw: tt.raw, Host: tt.host}
			if in.Method == "" {
				in.Method = "GET"
			}
			if in.Host == "" {
				in.Host = "api.example.com"
			}
			got, problem := Canonical(in)
			if problem != tt.problem {
				t.Fatalf("problem %q, want %q", problem, tt.problem)
			}
			if problem != "" {
				if got.Path != "" || got.RawQuery != "" || got.Changed || got.Conditional != "" {
					t.Fatalf("a refused target carries %+v", got)
				}
				return
			}
			if got.RequestURI() != tt.want {
				t.Fatalf("target %q, want %q", got.RequestURI(), tt.want)
			}
			checkAccepted(t, in, got)
		})
	}
}

func TestRefusedTargetKeepsItsHost(t *testing.T) {
	for _, raw := range []string{"/a//b", "/x?%zz", "*", "/" + strings.Repeat("a", MaxLength)} {
		got, problem := Canonical(Input{Method: "GET", Raw: raw, Host: "API.example.com:8080"})
		if problem == "" {
			t.Fatalf("%.20q passes", raw)
		}
		if want := (Target{Host: "api.example.com", Authority: "api.example.com:8080"}); got != want {
			t.Errorf("%.20q: %+v, want %+v", raw, got, want)
		}
	}
	if got, problem := Canonical(Input{Method: "GET", Raw: "/", Host: "a b"}); problem != HostCharacter || got != (Target{}) {
		t.Errorf("a bad host gives %+v, %q", got, problem)
	}
}

func TestChangedSaysWhetherTheLineIsRewritten(t *testing.T) {
	tests := []struct {
		name string
		in   Input
		want bool
	}{
		{"a canonical line", Input{Raw: "/v2/orders/1?a=%c3%a4", Host: "api.example.com"}, false},
		{"a canonical line with a port", Input{Raw: "/", Host: "api.example.com:8443"}, false},
		{"a canonical line with an address", Input{Raw: "/", Host: "[2001:db8::1]:8443"}, false},
		{"canonical escapes", Input{Raw: "/%C3%A4%20%2Fb", Host: "api.example.com"}, false},
		{"a query's escapes are nobody's business", Input{Raw: "/?%61=%c3%a4", Host: "api.example.com"}, false},
		{"lower-case hex", Input{Raw: "/%c3%a4", Host: "api.example.com"}, true},
		{"an encoded unreserved character", Input{Raw: "/us%65rs", Host: "api.example.com"}, true},
		{"an upper-case host", Input{Raw: "/", Host: "API.example.com"}, true},
		{"a final dot", Input{Raw: "/", Host: "api.example.com."}, true},
		{"the default port", Input{Raw: "/", Host: "api.example.com:80"}, true},
		{"absolute-form, whose host Go leaves in the URL", Input{Raw: "http://api.example.com/", Host: "api.example.com"}, true},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			got, problem := Canonical(tt.in)
			if problem != "" {
				t.Fatal(problem)
			}
			if got.Changed != tt.want {
				t.Errorf("Changed = %v, want %v", got.Changed, tt.want)
			}
			checkAccepted(t, tt.in, got)
		})
	}
}

func TestCanonicalInputAllocatesNothing(t *testing.T) {
	for _, in := range []Input{
		{Method: "GET", Raw: "/v2/orders/12345/items?limit=10&cursor=abc", Host: "api.example.com"},
		{Method: "GET", Raw: "/v2/%C3%A4/%2Fx;y?q=%C3%A4", Host: "api.example.com:8443", TLS: true},
		{Method: "GET", Raw: "/", Host: "api.example.com:443", TLS: true}, // a part of what came
		{Method: "GET", Raw: "/", Host: "[2001:db8::1]:8443"},
		{Method: "GET", Raw: "http://api.example.com/v2/x?y", Host: "api.example.com"},
		{Method: "GET", Raw: "/v2/../x", Host: "api.example.com"},
		{Method: "GET", Raw: "/v2/%C0%AF", Host: "api.example.com"},
	} {
		var sink Target
		if n := testing.AllocsPerRun(100, func() { sink, _ = Canonical(in) }); n != 0 {
			t.Errorf("%+v: %v allocations, target %+v", in, n, sink)
		}
	}
}

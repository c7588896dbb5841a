package target

import (
	"bufio"
	"bytes"
	"net/http"
	"strings"
	"testing"
)

// A request as bytes, read by net/http, judged, written back and sent on: what
// the upstream reads is asserted, not what the guard believes.
func TestWhatTheUpstreamReads(t *testing.T) {
	tests := []struct {
		name    string
		head    string // request line and fields
		want    string // the upstream's "target host"
		problem Problem
	}{
		{"a canonical request", "GET /v2/orders?x=1 HTTP/1.1|Host: api.example.com", "/v2/orders?x=1 api.example.com", ""},
		{"encoded letters", "GET /v2/us%65rs HTTP/1.1|Host: api.example.com", "/v2/users api.example.com", ""},
		{"hex in lower case", "GET /v2/caf%c3%a9 HTTP/1.1|Host: api.example.com", "/v2/caf%C3%A9 api.example.com", ""},
		{"delimiters that Go would encode", "GET /v2/a(b)!*' HTTP/1.1|Host: api.example.com", "/v2/a(b)!*' api.example.com", ""},
		{"an encoded delimiter that Go would decode", "GET /v2/a%3ab HTTP/1.1|Host: api.example.com", "/v2/a%3Ab api.example.com", ""},
		{"an encoded slash", "GET /v2/%61%2fb HTTP/1.1|Host: api.example.com", "/v2/a%2Fb api.example.com", ""},
		{"a bare question mark", "GET /v2/%61? HTTP/1.1|Host: api.example.com", "/v2/a? api.example.com", ""},
		{"a query as it came", "GET /v2/%61?a[]=\"{%c3%a4}\" HTTP/1.1|Host: api.example.com", "/v2/a?a[]=\"{%c3%a4}\" api.example.com", ""},
		{"another spelling of the host", "GET / HTTP/1.1|Host: API.example.com.:80", "/ api.example.com", ""},
		{"a port of its own", "GET / HTTP/1.1|Host: api.example.com:8080", "/ api.example.com:8080", ""},
		{"absolute-form wins over Host", "GET http://api.example.com/v2/%61?x HTTP/1.1|Host: evil.example.com", "/v2/a?x api.example.com", ""},
		{"absolute-form without path", "GET http://api.example.com?x HTTP/1.1|Host: api.example.com", "/?x api.example.com", ""},
		{"HTTP/1.0 with a host", "GET /v2 HTTP/1.0|Host: api.example.com", "/v2 api.example.com", ""},

		{"HTTP/1.0 without a host", "GET /v2 HTTP/1.0", "", HostMissing},
		{"an empty host", "GET /v2 HTTP/1.1|Host:", "", HostMissing},
		{"a port of letters", "GET /v2 HTTP/1.1|Host: api.example.com:abc", "", BadPort},
		{"an opaque target", "GET x:http://api.example.com/v2/admin HTTP/1.1|Host: api.example.com", "", Opaque},
		{"an authority for a target", "GET api.example.com:80 HTTP/1.1|Host: api.example.com", "", AuthorityForm},
		{"CONNECT", "CONNECT api.example.com:443 HTTP/1.1|Host: api.example.com", "", AuthorityForm},
		{"OPTIONS *", "OPTIONS * HTTP/1.1|Host: api.example.com", "", AsteriskForm},
		{"another scheme", "GET ftp://api.example.com/v2 HTTP/1.1|Host: api.example.com", "", UnknownScheme},
		{"userinfo, which net/http cuts off Host", "GET http://a@api.example.com/v2 HTTP/1.1|Host: api.example.com", "", Userinfo},
		{"an encoded name, which net/http decodes", "GET http://m%C3%BCnchen.example/ HTTP/1.1|Host: api.example.com", "", NonASCII},
		{"a fragment, which Go encodes", "GET /v2#x HTTP/1.1|Host: api.example.com", "", Fragment},
		{"a backslash, which Go encodes", `GET /v2\admin HTTP/1.1|Host: api.example.com`, "", Backslash},
		{"a raw byte, which Go encodes", "GET /v2/\xff HTTP/1.1|Host: api.example.com", "", NonASCII},
		{"dot segments", "GET /v2/../v1 HTTP/1.1|Host: api.example.com", "", DotSegment},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			r := readRequest(t, tt.head)
			got, problem := Canonical(Input{Method: r.Method, Raw: r.RequestURI, Host: r.Host, TLS: r.TLS != nil})
			if problem != tt.problem {
				t.Fatalf("problem %q, want %q", problem, tt.problem)
			}
			if problem != "" {
				return
			}
			if got.Changed {
				got.WriteTo(r.URL)
				r.Host = got.Authority
			}
			var wire bytes.Buffer
			if err := r.Write(&wire); err != nil {
				t.Fatal(err)
			}
			upstream, err := http.ReadRequest(bufio.NewReader(&wire))
			if err != nil {
				t.Fatal(err)
			}
			if read := upstream.RequestURI + " " + upstream.Host; read != tt.want {
				t.Errorf("the upstream reads %q, want %q", read, tt.want)
			}
		})
	}
}

func TestHeadersAsNetHTTPReadsThem(t *testing.T) {
	const chunked = "|Transfer-Encoding: chunked"
	tests := []struct {
		name, head string
		problem    Problem
	}{
		{"no trailer", "POST / HTTP/1.1|Host: a" + chunked, ""},
		{"a trailer that a chunked request announces", "POST / HTTP/1.1|Host: a|Trailer: X-Sum" + chunked, TrailerAnnounced},
		{"a trailer without chunks", "POST / HTTP/1.1|Host: a|Trailer: X-Sum", TrailerAnnounced},
		{"a connection that closes", "GET / HTTP/1.1|Host: a|Connection: close", ""},
		{"an end-to-end field behind close", "GET / HTTP/1.1|Host: a|Connection: close|connection: Cookie", ConnectionHeader},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			r := readRequest(t, tt.head)
			if problem := HeaderProblem(r.Header, r.Trailer); problem != tt.problem {
				t.Errorf("problem %q, want %q", problem, tt.problem)
			}
		})
	}
}

// readRequest reads a request head whose lines "|" separates.
func readRequest(t *testing.T, head string) *http.Request {
	t.Helper()
	wire := strings.ReplaceAll(head, "|", "\r\n") + "\r\n\r\n"
	r, err := http.ReadRequest(bufio.NewReader(strings.NewReader(wire)))
	if err != nil {
		t.Fatalf("net/http refuses %q: %v", head, err)
	}
	return r
}

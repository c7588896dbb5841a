package policy

import (
	"bufio"
	"maps"
	"net/http"
	"net/textproto"
	"slices"
	"strings"
	"testing"

	"github.com/apiguard/caddy-api-guard/policy/target"
)

// FuzzHeaders reads a header block as net/http does and holds what the guard lets
// pass of it against what proxies do with it: nothing in it replaces the method,
// the URL or the client, becomes a tunnel, or takes an end-to-end field away.
func FuzzHeaders(f *testing.F) {
	for _, block := range []string{
		"Host: h\r\nAccept: */*",
		"X-HTTP-Method-Override: DELETE\r\nx_original.url: /admin\r\nForwarded: for=1.2.3.4",
		"Connection: close, Authorization\r\nAuthorization: x",
		"Connection: keep-alive\r\nConnection: ,X-Forwarded-For ,",
		"Connection: Upgrade, HTTP2-Settings\r\nUpgrade: h2c\r\nHTTP2-Settings: AAMAAABk",
		"Upgrade: websocket\r\nConnection: upgrade",
		"Upgrade: websocket, h2c\r\nUpgrade: TLS/1.0",
		"Content-Length: 1\r\nContent-Length: 1",
		"Trailer: X-A\r\nTransfer-Encoding: chunked",
		"Expect: 100-continue\r\nExpect: other",
		"Proxy: http://evil/\r\nproxy-authorization: x\r\nTE: trailers",
		"X-Real-IP : 1\r\n folded\r\nX-Real-IP\t: 2",
	} {
		f.Add(block, true)
		f.Add(block, false)
	}
	fix := newFixture(f, nil)
	f.Fuzz(func(t *testing.T, block string, upgrades bool) {
		raw := "GET /v2/orders HTTP/1.1\r\nHost: api.example\r\n" + block + "\r\n\r\n"
		r, err := http.ReadRequest(bufio.NewReader(strings.NewReader(raw)))
		if err != nil {
			return
		}
		has := FieldsOf(r.Header)
		if problem := target.HeaderProblem(r.Header, r.Trailer); problem != "" {
			if has&FieldsFraming == 0 && len(r.Trailer) == 0 {
				t.Fatalf("%q: %s, and no field that would be judged is seen", block, problem)
			}
			return
		}
		line := "GET api.example /v2/orders"
		if upgrades {
			line = "GET api.example /v2/stream"
		}
		v := fix.ask(t, call{line: line, header: r.Header})
		came := r.Header.Clone()
		removed, would := v.Strip(r.Header, never)
		if len(removed) > 0 && has&FieldsStripped == 0 {
			t.Fatalf("%q: %v was removed, and no such field is seen", block, removed)
		}
		if len(would) != 0 {
			t.Fatalf("%q: would remove %v although all is enforced", block, would)
		}
		for key := range r.Header {
			plain := strings.ToLower(strings.NewReplacer("_", "-", ".", "-").Replace(key))
			if slices.ContainsFunc(StrippedHeaders(), func(name string) bool { return strings.ToLower(name) == plain }) {
				t.Fatalf("%q: %s is left", block, key)
			}
		}
		if upgrade := r.Header["Upgrade"]; len(upgrade) > 0 && (!upgrades || len(upgrade) != 1 || !strings.EqualFold(upgrade[0], "websocket")) {
			t.Fatalf("%q: Upgrade %q is left", block, upgrade)
		}
		for key := range came {
			if _, left := r.Header[key]; !left && key != "Upgrade" && key != "Http2-Settings" && overriding(key) == "" {
				t.Fatalf("%q: %s is gone, removed are %v", block, key, removed)
			}
		}
		// What a proxy takes away on the word of Connection (RFC 9110, section 7.6.1).
		for _, line := range r.Header["Connection"] {
			for option := range strings.SplitSeq(line, ",") {
				name := textproto.CanonicalMIMEHeaderKey(textproto.TrimString(option))
				if _, named := r.Header[name]; named && !slices.Contains([]string{
					"Keep-Alive", "Close", "Upgrade", "Te", "Http2-Settings", "Proxy-Connection", "Transfer-Encoding",
				}, name) {
					t.Fatalf("%q: Connection takes %s away", block, name)
				}
			}
		}
		left := maps.Clone(r.Header)
		if again, _ := v.Strip(r.Header, never); len(again) != 0 || len(left) != len(r.Header) {
			t.Fatalf("%q: a second look removes %v", block, again)
		}
	})
}

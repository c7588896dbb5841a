package caddytest

import (
	"bufio"
	"crypto/tls"
	"fmt"
	"io"
	"net"
	"net/http"
	"slices"
	"strings"
	"testing"
	"time"

	"golang.org/x/net/http2/hpack"

	"github.com/apiguard/caddy-api-guard/caddytest/internal/harness"
)

// startByConnection runs the fleet and a host whose document asks for a certificate of the
// client, with connections that may name another host than their requests.
func startByConnection(t *testing.T) (*harness.Caddy, *harness.Upstream) {
	t.Helper()
	up := harness.NewUpstream(t)
	cfg := fleetConfig(up)
	cfg.Guard += "api safe {\nversion v1 {\nhosts safe.example.com\nspec safe.json\n}\n}\n"
	cfg.Files["safe.json"] = `{"openapi":"3.1.0","info":{"title":"safe","version":"1"},"components":{"securitySchemes":{"certificate":{"type":"mutualTLS"}}},
"paths":{"/safe":{"get":{"security":[{"certificate":[]}],"responses":{"200":{"description":"ok"}}}}}}`
	cfg.Untrusted, cfg.Globals = true, "servers {\nstrict_sni_host insecure_off\n}\n"
	cfg.Sites += "https://safe.example.com:<https> {\ntls internal {\nclient_auth {\nmode request\n}\n}\nimport guarded\n}\n"
	return harness.Start(t, cfg), up
}

// over sends bytes on a connection, plain or over TLS when sni is not empty, and
// returns the statuses that come until the server closes it.
func over(t *testing.T, caddy *harness.Caddy, sni, request string) (answers []int) {
	t.Helper()
	var conn net.Conn
	harness.Await(t, "a connection for "+sni, func() (string, bool) { // as in Dial2
		var err error
		if sni == "" {
			conn, err = net.Dial("tcp", caddy.HTTP)
		} else {
			conn, err = tls.Dial("tcp", caddy.HTTPS, &tls.Config{ServerName: sni, InsecureSkipVerify: true, NextProtos: []string{"http/1.1"}})
		}
		return fmt.Sprint(err), err == nil
	})
	defer conn.Close()
	_ = conn.SetDeadline(time.Now().Add(time.Minute))
	if _, err := io.WriteString(conn, request); err != nil {
		t.Fatal(err)
	}
	in := bufio.NewReader(conn)
	for {
		resp, err := http.ReadResponse(in, nil)
		if err != nil {
			return answers
		}
		answers = append(answers, resp.StatusCode)
		if _, err := io.Copy(io.Discard, resp.Body); err != nil {
			return answers
		}
	}
}

// A host is what the request says, whatever the connection, its version of HTTP and the
// requests before it on the same connection say.
func TestTheHostIsTheRequestsWhateverTheConnectionSays(t *testing.T) {
	t.Parallel()
	caddy, up := startByConnection(t)
	for _, row := range []struct {
		name, request string // | is a line's end, and each request gets its trace
		status        []int
		seen          []string
	}{
		{"api", "GET /v2/orders HTTP/1.1|Host: api.example.com|Connection: close||", []int{200}, []string{"api.example.com /v2/orders"}},
		{"beta", "GET /v3/orders HTTP/1.1|Host: beta.example.com|Connection: close||", []int{200}, []string{"beta.example.com /v3/orders"}},
		{"a version of api on beta", "GET /v2/orders HTTP/1.1|Host: beta.example.com|Connection: close||", []int{404}, nil},
		{"a version of beta on api", "GET /v3/orders HTTP/1.1|Host: api.example.com|Connection: close||", []int{404}, nil},
		{"a retired one", "GET /v0/x HTTP/1.1|Host: legacy.example.com|Connection: close||", []int{410}, nil},
		{"a host that nobody knows", "GET /v2/orders HTTP/1.1|Host: shadow.example.com|Connection: close||", []int{421}, nil},
		{"HTTP/1.0", "GET /v2/orders HTTP/1.0|Host: api.example.com||", []int{200}, []string{"api.example.com /v2/orders"}},
		{"HTTP/1.0 without a host", "GET /v2/orders HTTP/1.0||", []int{400}, nil},
		{"HTTP/1.0 with an empty host", "GET /v2/orders HTTP/1.0|Host:||", []int{400}, nil},
		{"HTTP/1.0 in absolute form without a host", "GET http://beta.example.com/v3/orders HTTP/1.0||", []int{200}, []string{"beta.example.com /v3/orders"}},
		{"HTTP/1.0 of a retired one in absolute form", "GET http://legacy.example.com/v0/x HTTP/1.0|Host: api.example.com||", []int{410}, nil},
		{"HTTP/1.0 kept alive, to other hosts", "GET /v2/orders HTTP/1.0|Host: api.example.com|Connection: keep-alive||" +
			"GET /v0/x HTTP/1.0|Host: legacy.example.com|Connection: keep-alive||" +
			"GET /v2/orders HTTP/1.0|Connection: keep-alive||" +
			"GET /v3/orders HTTP/1.0|Host: beta.example.com||",
			[]int{200, 410, 400, 200}, []string{"api.example.com /v2/orders", "beta.example.com /v3/orders"}},
		{"one after another, to other hosts", "GET /v2/orders HTTP/1.1|Host: api.example.com||" +
			"GET /v2/orders HTTP/1.1|Host: shadow.example.com||GET /v0/x HTTP/1.1|Host: legacy.example.com||" +
			"GET /v3/orders HTTP/1.1|Host: beta.example.com|Connection: close||",
			[]int{200, 421, 410, 200}, []string{"api.example.com /v2/orders", "beta.example.com /v3/orders"}},
		{"an absolute form of another host", "GET http://beta.example.com/v3/orders HTTP/1.1|Host: api.example.com|Connection: close||", []int{200}, []string{"beta.example.com /v3/orders"}},
		{"an absolute form of a version of Host's", "GET http://beta.example.com/v2/orders HTTP/1.1|Host: api.example.com|Connection: close||", []int{404}, nil},
		{"an absolute form of a host that nobody knows", "GET http://shadow.example.com/v2/orders HTTP/1.1|Host: api.example.com|Connection: close||", []int{421}, nil},
		{"an absolute form without a host", "GET http:///v2/orders HTTP/1.1|Host: api.example.com|Connection: close||", []int{400}, nil},
		{"an absolute form of another scheme", "GET ftp://api.example.com/v2/orders HTTP/1.1|Host: api.example.com|Connection: close||", []int{400}, nil},
		{"two hosts", "GET /v2/orders HTTP/1.1|Host: api.example.com|Host: beta.example.com||", []int{400}, nil},
		{"two hosts in HTTP/1.0", "GET /v2/orders HTTP/1.0|Host: api.example.com|Host: beta.example.com||", []int{400}, nil},
		{"two hosts and an absolute form", "GET http://api.example.com/v2/orders HTTP/1.1|Host: api.example.com|Host: beta.example.com||", []int{400}, nil},
		{"two hosts in one", "GET /v2/orders HTTP/1.1|Host: api.example.com, beta.example.com|Connection: close||", []int{400}, nil},
		{"HTTP/0.9", "GET /v2/orders\r\n\r\n", []int{400}, nil},
		{"HTTP/0.9 by name", "GET /v2/orders HTTP/0.9|Host: api.example.com|Connection: close||", []int{505}, nil},
		{"HTTP/1.2", "GET /v2/orders HTTP/1.2|Host: api.example.com|Connection: close||", []int{200}, []string{"api.example.com /v2/orders"}},
		{"HTTP/1.2 to a host that nobody knows", "GET /v2/orders HTTP/1.2|Host: shadow.example.com|Connection: close||", []int{421}, nil},
		{"HTTP/2 on a connection of HTTP/1.1", "GET /v2/orders HTTP/2.0|Host: api.example.com|Connection: close||", []int{505}, nil},
		{"no certificate", "GET /safe HTTP/1.1|Host: safe.example.com|Connection: close||", []int{401}, nil},
		{"no certificate, in absolute form", "GET https://safe.example.com/safe HTTP/1.1|Host: api.example.com|Connection: close||", []int{401}, nil},
	} {
		for _, sni := range []string{"", "api.example.com", "beta.example.com", "safe.example.com"} {
			client := harness.NewClient()
			request := strings.ReplaceAll(strings.ReplaceAll(row.request, "||", "|X-Trace: "+client+"||"), "|", "\r\n")
			got := over(t, caddy, sni, request)
			var seen []string
			for _, r := range up.Requests("X-Trace", client) {
				seen = append(seen, strings.Join(r.Values("Host"), "+")+" "+r.Target())
			}
			if !slices.Equal(got, row.status) || !slices.Equal(seen, row.seen) {
				t.Errorf("%s, on a connection for %q: %v, the upstream got %q; want %v and %q", row.name, sni, got, seen, row.status, row.seen)
			}
		}
	}

	// On one connection of HTTP/2 for all of them.
	for _, sni := range []string{"api.example.com", "beta.example.com", "safe.example.com"} {
		h := caddy.Dial2(t, sni)
		for _, row := range []struct {
			host, path, named string
			status            int
		}{
			{"api.example.com", "/v2/orders", "", 200},
			{"beta.example.com", "/v3/orders", "", 200},
			{"beta.example.com", "/v2/orders", "", 404},
			{"legacy.example.com", "/v0/x", "", 410},
			{"shadow.example.com", "/v2/orders", "", 421},
			{"safe.example.com", "/safe", "", 401},
			{"beta.example.com", "/v2/orders", "api.example.com", 0}, // reset
			{"", "/v0/x", "legacy.example.com", 410},
			{"api.example.com", "/v2/orders", "", 200},
		} {
			fields := []hpack.HeaderField{{Name: ":method", Value: "GET"}, {Name: ":scheme", Value: "https"}, {Name: ":path", Value: row.path}}
			if row.host != "" {
				fields = append(fields, hpack.HeaderField{Name: ":authority", Value: row.host})
			}
			if row.named != "" {
				fields = append(fields, hpack.HeaderField{Name: "host", Value: row.named})
			}
			answer, err := h.Await(t, h.SendFields(t, fields, nil))
			if (err != nil) != (row.status == 0) || answer.Status != row.status {
				t.Errorf("HTTP/2, %+v on a connection for %s: %v, %v", row, sni, answer, err)
			}
		}
		h.Close()
	}
}

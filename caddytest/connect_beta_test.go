package caddytest

import (
	"strings"
	"testing"

	"golang.org/x/net/http2/hpack"

	"github.com/apiguard/caddy-api-guard/caddytest/internal/harness"
)

// However a CONNECT names a beta host, it makes no tunnel, and what of it reaches the
// guard is charged to the same bucket as on every other host.
func TestNoCONNECTIsAWayRoundThePolicyOnABetaHost(t *testing.T) {
	t.Setenv("GODEBUG", "http2xconnect=1")
	caddy, up := startUpgrading(t, "rate 100/1h", "rate 100/1h\nkey {http.request.header.X-Who}")
	const who = "connects"
	raw := func(line, host string) harness.Answer {
		return caddy.Raw(t, []byte(line+"\r\nHost: "+host+"\r\nX-Who: "+who+"\r\nConnection: close\r\n\r\n"), "GET")
	}
	const beta = "beta.example.com"
	for name, answer := range map[string]harness.Answer{
		"the authority of the beta host":           raw("CONNECT beta.example.com:443 HTTP/1.1", beta+":443"),
		"another authority than Host":              raw("CONNECT api.example.com:443 HTTP/1.1", beta),
		"a user in the authority":                  raw("CONNECT api.example.com@beta.example.com:443 HTTP/1.1", beta),
		"a path":                                   raw("CONNECT /feed HTTP/1.1", beta),
		"an absolute form":                         raw("CONNECT http://beta.example.com/feed HTTP/1.1", "api.example.com"),
		"a path that no document has":              raw("CONNECT /internal HTTP/1.1", beta),
		"a path and an Upgrade":                    raw("CONNECT /feed HTTP/1.1\r\nConnection: Upgrade\r\nUpgrade: websocket", beta),
		"a path and a field named as a pseudo one": raw("CONNECT /feed HTTP/1.1\r\n:protocol: websocket", beta),
	} {
		if answer.Status < 400 {
			t.Errorf("HTTP/1.1, %s: %v", name, answer)
		}
	}
	over2 := func(fields ...string) harness.Answer {
		h := caddy.Dial2(t, caddy.ServerName)
		defer h.Close()
		var head []hpack.HeaderField
		for i := 0; i < len(fields); i += 2 {
			head = append(head, hpack.HeaderField{Name: fields[i], Value: fields[i+1]})
		}
		answer, err := h.Await(t, h.SendHead(t, append(head, hpack.HeaderField{Name: "x-who", Value: who}), true))
		if err != nil && answer.Status == 0 {
			answer.Status = 400 // a reset or an end of the connection is a refusal
		}
		return answer
	}
	over3 := func(fields ...string) harness.Answer {
		h := caddy.Dial3(t, caddy.ServerName)
		defer h.Close()
		answer, err := h.Exchange(t, pairs(append(fields, "x-who", who)...), nil)
		if err != nil && answer.Status == 0 {
			answer.Status = 400
		}
		return answer
	}
	extended3 := func(protocol, authority, path string, more ...string) harness.Answer {
		return over3(append([]string{":method", "CONNECT", ":protocol", protocol, ":scheme", "https", ":authority", authority, ":path", path}, more...)...)
	}
	for name, answer := range map[string]harness.Answer{
		"plain":                              over3(":method", "CONNECT", ":authority", beta+":443"),
		"plain, with a Host":                 over3(":method", "CONNECT", ":authority", "api.example.com:443", "host", beta),
		"plain, with the same Host":          over3(":method", "CONNECT", ":authority", beta, "host", beta),
		"plain, with a path":                 over3(":method", "CONNECT", ":scheme", "https", ":authority", beta, ":path", "/feed"),
		"plain, with a path as authority":    over3(":method", "CONNECT", ":authority", "/feed"),
		"extended, another protocol":         extended3("connect-tcp", beta, "/feed"),
		"extended, in other letters":         extended3("WebSocket", beta, "/feed"),
		"extended, two protocols":            extended3("websocket, h2c", beta, "/feed"),
		"extended, as a version":             extended3("HTTP/1.1", beta, "/feed"),
		"extended, no protocol":              extended3("", beta, "/feed"),
		"extended, not documented":           extended3("websocket", beta, "/internal"),
		"extended, an absolute form":         extended3("websocket", beta, "https://api.example.com/feed"),
		"extended, an asterisk":              extended3("websocket", beta, "*"),
		"extended, dot segments":             extended3("websocket", beta, "/page/../feed"),
		"extended, an encoded slash":         extended3("websocket", beta, "/page%2F..%2Ffeed"),
		"extended, a host that nobody knows": extended3("websocket", "shadow.example.com", "/feed"),
		"extended, with a user":              extended3("websocket", "api.example.com@"+beta, "/feed"),
		"extended, with a user, scheme ws":   over3(":method", "CONNECT", ":protocol", "websocket", ":scheme", "ws", ":authority", "api.example.com@"+beta, ":path", "/feed"),
		"extended, with another Host":        extended3("websocket", beta, "/feed", "host", "api.example.com"),
		"extended, no authority":             over3(":method", "CONNECT", ":protocol", "websocket", ":scheme", "https", ":path", "/feed", "host", beta),
		"extended, of a GET":                 over3(":method", "GET", ":protocol", "websocket", ":scheme", "https", ":authority", beta, ":path", "/feed"),
		"a method in other letters":          over3(":method", "connect", ":scheme", "https", ":authority", beta, ":path", "/feed"),
	} {
		if answer.Status < 400 {
			t.Errorf("HTTP/3, %s: %v", name, answer)
		}
	}
	for name, answer := range map[string]harness.Answer{
		"plain":                      over2(":method", "CONNECT", ":authority", beta+":443"),
		"plain, with a Host":         over2(":method", "CONNECT", ":authority", "api.example.com:443", "host", beta),
		"plain, with a path":         over2(":method", "CONNECT", ":scheme", "https", ":authority", beta, ":path", "/feed"),
		"extended, another protocol": over2(":method", "CONNECT", ":protocol", "connect-tcp", ":scheme", "https", ":authority", beta, ":path", "/feed"),
		"extended, in other letters": over2(":method", "CONNECT", ":protocol", "WebSocket", ":scheme", "https", ":authority", beta, ":path", "/feed"),
		"extended, not documented":   over2(":method", "CONNECT", ":protocol", "websocket", ":scheme", "https", ":authority", beta, ":path", "/internal"),
		"extended, with a user":      over2(":method", "CONNECT", ":protocol", "websocket", ":scheme", "https", ":authority", "api.example.com@"+beta, ":path", "/feed"),
		"extended, of a GET":         over2(":method", "GET", ":protocol", "websocket", ":scheme", "https", ":authority", beta, ":path", "/feed"),
	} {
		if answer.Status < 400 {
			t.Errorf("HTTP/2, %s: %v", name, answer)
		}
	}
	if lines := up.take(); lines != "" {
		t.Errorf("the upstream got\n%s", lines)
	}
	// Those on a path of the API that the guard itself refused are charged as any other.
	before := counted(t, caddy, "all", who).Used
	if before == 0 {
		t.Error("nothing was charged")
	}
	raw("CONNECT /feed HTTP/1.1", beta)
	over2(":method", "CONNECT", ":protocol", "connect-tcp", ":scheme", "https", ":authority", "api.example.com", ":path", "/feed")
	extended3("connect-tcp", beta, "/feed")
	if b := counted(t, caddy, "all", who); b.Used != before+3 {
		t.Errorf("three more are %d", b.Used-before)
	}
	got := caddy.Do1(t, harness.Call{Method: "GET", Host: beta, Target: "/page"}.With("X-Who", who))
	if got.Status != 200 || !strings.HasPrefix(up.take(), "GET /page") {
		t.Errorf("a GET beside them: %v", got)
	}
}

package caddytest

import (
	"bytes"
	"strings"
	"testing"

	"golang.org/x/net/http2/hpack"

	"github.com/apiguard/caddy-api-guard/caddytest/internal/harness"
)

// wholeCall is a request with all that may come behind its header.
type wholeCall struct {
	fields   []harness.Field // the pseudo ones first
	body     string
	trailers []harness.Field
}

// send2 and send3 send it on a connection of its own. A stream that is reset has the
// status 0.
func (w wholeCall) send2(t *testing.T, caddy *harness.Caddy) harness.Answer {
	t.Helper()
	h := caddy.Dial2(t, caddy.ServerName)
	defer h.Close()
	coded := func(fields []harness.Field) (list []hpack.HeaderField) {
		for _, f := range fields {
			list = append(list, hpack.HeaderField{Name: f.Name, Value: f.Value})
		}
		return list
	}
	if len(w.trailers) == 0 {
		answer, _ := h.Await(t, h.SendFields(t, coded(w.fields), []byte(w.body)))
		return answer
	}
	answer, _ := h.Await(t, h.SendAll(t, coded(w.fields), []byte(w.body), coded(w.trailers)...))
	return answer
}

func (w wholeCall) send3(t *testing.T, caddy *harness.Caddy) harness.Answer {
	t.Helper()
	h := caddy.Dial3(t, caddy.ServerName)
	defer h.Close()
	answer, _ := h.Exchange(t, w.fields, []byte(w.body), w.trailers...)
	return answer
}

// pairs are fields from names and values in turn.
func pairs(text ...string) (fields []harness.Field) {
	for i := 0; i < len(text); i += 2 {
		fields = append(fields, harness.Field{Name: text[i], Value: text[i+1]})
	}
	return fields
}

// Over HTTP/2 and HTTP/3 trailers decide no more than over HTTP/1.1: they stand for no
// credential, key or address, have no body pass unjudged, and where the guard only watches
// upstream gets the very bytes that it gets without it.
func TestTrailersOverHTTP2And3DecideNothing(t *testing.T) {
	t.Parallel()
	const document = `{"openapi":"3.0.3","info":{"title":"t","version":"1"},
"components":{"securitySchemes":{"key":{"type":"apiKey","in":"header","name":"X-Key"}}},
"paths":{"/notes":{"post":{"security":[{"key":[]}],"requestBody":{"required":true,"content":{"application/json":{"schema":{"type":"object"}},"application/grpc":{}}},"responses":{"200":{"description":"ok"}}}}}}`
	up := harness.NewUpstream(t)
	start := func(mode, rules, directive string) *harness.Caddy {
		return harness.Start(t, harness.Config{
			Guard: mode + "\npolicy {\n" + rules + "\nlimit each {\nkey {http.request.header.X-Tenant} {client_ip}\nrate 2/1h\n}\n}\n" +
				"api notes {\nversion v1 {\nhosts api.example.com\nspec notes.json\n}\n}\n",
			Sites:    "http://:<http> {\nrespond 404\n}\nhttps://api.example.com:<https> {\ntls internal\nlog\n" + directive + "\nreverse_proxy 127.0.0.1:<upstream>\n}\n",
			Upstream: up, Files: map[string]string{"notes.json": document},
		})
	}
	const rules = "credentials enforce\nrequest enforce\nheaders enforce"
	enforced := start("", rules, "api_guard")
	half := start("", rules+"\ntarget monitor", "api_guard")
	watching := start("mode monitor", "", "api_guard")
	bare := start("mode monitor", "", "")
	key := pairs("x-key", "k")
	for _, row := range []struct {
		name, contentType, body  string
		fields, trailers         []harness.Field
		enforced, half, watching int
	}{
		{"none", "application/json", "{}", key, nil, 200, 200, 200},
		{"none, announced", "application/json", "{}", pairs("x-key", "k", "trailer", "x-sum"), nil, 400, 200, 200},
		{"a sum", "application/json", "{}", key, pairs("x-sum", "9"), 200, 200, 200},
		{"a sum that was announced", "application/json", "{}", pairs("x-key", "k", "trailer", "x-sum"), pairs("x-sum", "9"), 400, 200, 200},
		{"a sum behind a length", "application/json", "{}", pairs("x-key", "k", "content-length", "2", "trailer", "x-sum"), pairs("x-sum", "9"), 400, 200, 200},
		{"others than were announced", "application/json", "{}", pairs("x-key", "k", "trailer", "x-sum"), pairs("x-key", "other", "x-forwarded-for", "192.0.2.1"), 400, 200, 200},
		{"the credential", "application/json", "{}", nil, key, 401, 401, 200},
		{"the credential, announced", "application/json", "{}", pairs("trailer", "x-key"), key, 400, 401, 200},
		{"a wrong body", "application/json", "[]", key, pairs("x-sum", "9"), 400, 400, 200},
		{"a wrong body, announced", "application/json", "[]", pairs("x-key", "k", "trailer", "x-sum"), pairs("x-sum", "9"), 400, 400, 200},
		{"no body", "application/json", "", key, pairs("x-sum", "9"), 400, 400, 200},
		{"no body, announced", "application/json", "", pairs("x-key", "k", "trailer", "x-sum"), pairs("x-sum", "9"), 400, 400, 200},
		{"an address and another method, announced", "application/json", "{}", pairs("x-key", "k", "trailer", "x-forwarded-for, x-http-method-override"),
			pairs("x-forwarded-for", "192.0.2.1", "x-http-method-override", "DELETE"), 400, 200, 200},
		{"gRPC", "application/grpc", "\x00\x00\x00\x00\x00", pairs("x-key", "k", "te", "trailers"), nil, 200, 200, 200},
		{"gRPC with trailers", "application/grpc", "\x00\x00\x00\x00\x00", pairs("x-key", "k", "te", "trailers"), pairs("grpc-status", "0"), 200, 200, 200},
		{"gRPC with announced ones", "application/grpc", "\x00\x00\x00\x00\x00", pairs("x-key", "k", "te", "trailers", "trailer", "x-sum"), pairs("x-sum", "9"), 400, 200, 200},
	} {
		for door, send := range map[string]func(wholeCall, *testing.T, *harness.Caddy) harness.Answer{"HTTP/2": wholeCall.send2, "HTTP/3": wholeCall.send3} {
			client := harness.NewClient()
			call := wholeCall{body: row.body, trailers: row.trailers, fields: append(pairs(
				":method", "POST", ":scheme", "https", ":authority", "api.example.com", ":path", "/notes",
				"content-type", row.contentType, "x-forwarded-for", client, "x-trace", client, "x-tenant", client), row.fields...)}
			do := func(caddy *harness.Caddy) (int, []harness.Recorded) {
				before := len(up.Requests("X-Trace", client))
				answer := send(call, t, caddy)
				return answer.Status, up.Requests("X-Trace", client)[before:]
			}
			var seen [4][]harness.Recorded
			for i, with := range []struct {
				name   string
				caddy  *harness.Caddy
				status int
			}{{"enforced", enforced, row.enforced}, {"target watched", half, row.half}, {"watched", watching, row.watching}, {"bare", bare, 200}} {
				var status int
				status, seen[i] = do(with.caddy)
				if status != with.status || (len(seen[i]) == 1) != (with.status == 200) {
					t.Errorf("%s, %s, %s: %d, the upstream got %d requests; want %d", door, row.name, with.name, status, len(seen[i]), with.status)
				}
			}
			without := seen[3]
			if len(without) != 1 {
				continue
			}
			if s := seen[0]; len(s) == 1 && strings.Contains(string(s[0].Raw), "\r\n0\r\n") && !bytes.HasSuffix(s[0].Raw, []byte("\r\n0\r\n\r\n")) {
				t.Errorf("%s, %s: the upstream got trailers: %q", door, row.name, s[0].Raw)
			}
			if s := seen[2]; len(s) == 1 && !bytes.Equal(s[0].Raw, without[0].Raw) {
				t.Errorf("%s, %s, watched: the upstream got\n%q, without the guard\n%q", door, row.name, s[0].Raw, without[0].Raw)
			}
			if s := seen[1]; len(s) == 1 && tail(s[0]) != tail(without[0]) {
				t.Errorf("%s, %s, target watched: the upstream got %s, without the guard %s", door, row.name, tail(s[0]), tail(without[0]))
			}
		}
	}
}

package caddytest

import (
	"bytes"
	"fmt"
	"io"
	"net"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/apiguard/caddy-api-guard/caddytest/internal/harness"
	"github.com/google/go-cmp/cmp"
)

// identitySites are sites as they may stand anywhere, with what a proxy, an error,
// a page of Caddy's own and a compressed answer do. <guard> is where the directive
// goes, or nothing.
const identitySites = `
(identity) {
	log
	<guard>
	encode gzip
	redir /v2/old /v2/new
	respond /v2/local "from Caddy"
	@dead header X-Answer dead
	reverse_proxy @dead 127.0.0.1:1
	reverse_proxy 127.0.0.1:<upstream>
	handle_errors 404 {
		respond "no such page" 404
	}
}
http://:<http> {
	import identity
}
https://api.example.com:<https> {
	tls internal
	import identity
}
https://:<https> {
	tls internal
	import identity
}
`

// identical are two Caddys with one upstream: one with the guard in monitor mode,
// limits that everybody is over included, every exchange sampled and the inventory
// on disk, and one without it.
func identical(t *testing.T) (with, without *harness.Caddy, up *harness.Upstream) {
	t.Helper()
	up = harness.NewUpstream(t)
	up.Answer(answerByName)
	guard := strings.NewReplacer(
		"unknown_route enforce\n", "", "rate 5/1m", "rate 1/1d",
		"policy {", "policy {\nlimit all {\nkey {http.request.host}\nrate 1/1d\n}\nlimit body {\nkey {http.request.header.X-Tenant}\nrate 1/1d\nalgorithm bucket\n}\n",
	).Replace(fleet)
	files := map[string]string{"orders.yaml": ordersDocument}
	start := func(directive string) *harness.Caddy {
		sites := strings.Replace(identitySites, "<guard>", directive, 1)
		const all = "mode monitor\ninventory {\nfile <dir>/inventory.db\nsample 100% 1000\n}\n"
		return harness.Start(t, harness.Config{Untrusted: true, Guard: all + guard, Sites: sites, Upstream: up, Files: files})
	}
	return start("api_guard"), start(""), up
}

// identityTrace takes the place of what tells a call at the upstream.
const identityTrace = "the-one-call"

var (
	date    = regexp.MustCompile(`(?mi)^date: [^\r\n]*`)
	altPort = regexp.MustCompile(`(?i)(alt-svc: h3=":)\d+`)
)

// rawExchange sends bytes over HTTP/1.1 and returns all that comes back and all
// that the upstream got for it, but for dates, ports and the call's own mark.
func rawExchange(t *testing.T, c *harness.Caddy, up *harness.Upstream, call harness.Call) (answer string, sent []string) {
	t.Helper()
	call, trace := as(call)
	conn, err := net.Dial("tcp", c.HTTP)
	if err != nil {
		t.Fatal(err)
	}
	defer conn.Close()
	_ = conn.SetDeadline(time.Now().Add(time.Minute))
	go func() { _, _ = conn.Write(call.Wire()) }() // an answer may come before all is sent
	raw, err := io.ReadAll(conn)
	text := string(raw)
	if err != nil {
		text += "\n(the connection broke)"
	}
	text = altPort.ReplaceAllString(date.ReplaceAllString(unchunked(text), "Date: <date>"), "$1<port>")
	return strings.ReplaceAll(text, trace, identityTrace), upstreamGot(up, trace)
}

// upstreamGot is what the upstream got for a call: every byte but where chunks are cut.
func upstreamGot(up *harness.Upstream, trace string) (sent []string) {
	for _, r := range up.Requests("X-Trace", trace) {
		sent = append(sent, strings.ReplaceAll(unchunked(string(r.Raw)), trace, identityTrace))
	}
	return sent
}

var chunkedField = regexp.MustCompile(`(?i)\r\ntransfer-encoding: chunked\r\n`)

// unchunked is a message with its chunks made one, if it has any: where they are cut
// depends on when the bytes arrive. Interim answers before it stay, and so do trailers
// and what does not read as chunks.
func unchunked(message string) string {
	head := 0
	for {
		n := strings.Index(message[head:], "\r\n\r\n")
		if n < 0 {
			return message
		}
		interim := strings.HasPrefix(message[head:], "HTTP/1.1 1")
		here := message[head : head+n+2]
		if head += n + 4; interim {
			continue
		}
		if !chunkedField.MatchString(here) {
			return message
		}
		break
	}
	var content strings.Builder
	for rest := message[head:]; ; {
		line, after, ok := strings.Cut(rest, "\r\n")
		size, err := strconv.ParseUint(line, 16, 31)
		if !ok || err != nil || uint64(len(after)) < size+2 {
			return message
		}
		if size == 0 {
			return message[:head] + "(in chunks)" + content.String() + "(the last one)" + after
		}
		content.WriteString(after[:size])
		if rest, ok = strings.CutPrefix(after[size:], "\r\n"); !ok {
			return message
		}
	}
}

func TestChunksReadTheSameHoweverTheyAreCut(t *testing.T) {
	const head = "HTTP/1.1 103 Early Hints\r\nLink: x\r\n\r\nHTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n"
	want := unchunked(head + "5\r\nabcde\r\n0\r\nX-Sum: 9\r\n\r\n")
	if want == head+"5\r\nabcde\r\n0\r\nX-Sum: 9\r\n\r\n" || unchunked(head+"3\r\nabc\r\n2\r\nde\r\n0\r\nX-Sum: 9\r\n\r\n") != want {
		t.Errorf("got %q", want)
	}
	for name, other := range map[string]string{
		"another content":  head + "5\r\nabcdf\r\n0\r\nX-Sum: 9\r\n\r\n",
		"another trailer":  head + "5\r\nabcde\r\n0\r\nX-Sum: 8\r\n\r\n",
		"no last chunk":    head + "5\r\nabcde\r\n",
		"no chunks at all": strings.Replace(head, "Transfer-Encoding: chunked", "Content-Length: 5", 1) + "abcde",
		"another head":     strings.Replace(head, "200 OK", "201 Created", 1) + "5\r\nabcde\r\n0\r\nX-Sum: 9\r\n\r\n",
		"another hint":     strings.Replace(head, "Link: x", "Link: y", 1) + "5\r\nabcde\r\n0\r\nX-Sum: 9\r\n\r\n",
	} {
		if got := unchunked(other); got == want {
			t.Errorf("%s reads the same", name)
		}
	}
}

// streamExchange is the same over HTTP/2.
func streamExchange(t *testing.T, conn *harness.HTTP2, up *harness.Upstream, call harness.Call) (answer string, sent []string) {
	t.Helper()
	call, trace := as(call)
	got, err := conn.Await(t, conn.Send(t, call))
	got.Header.Del("Date")
	got.Header.Del("Alt-Svc") // names the port
	answer = fmt.Sprintf("%v %d %v %v\n%s\n%v", got.Interim, got.Status, got.Header, err, got.Body, got.Trailer)
	return strings.ReplaceAll(answer, trace, identityTrace), upstreamGot(up, trace)
}

// wantSame compares an exchange with and without the guard. Whether net/http still tells
// the length of an answer depends on when its bytes arrive, as where chunks are cut does,
// so a difference counts when it comes again.
func wantSame(t *testing.T, name string, with, without func() (string, []string)) {
	t.Helper()
	type wire struct {
		Client   string
		Upstream []string
	}
	var diff string
	for range 10 {
		var a, b wire
		a.Client, a.Upstream = without()
		b.Client, b.Upstream = with()
		if diff = cmp.Diff(a, b); diff == "" {
			return
		}
	}
	t.Errorf("%s (-without the guard +with it):\n%.3000s", name, diff)
}

func TestInMonitorEveryByteIsAsWithoutTheGuard(t *testing.T) {
	t.Parallel()
	with, without, up := identical(t)
	plain, coded := identityCorpus()
	for name, call := range plain {
		wantSame(t, "HTTP/1.1 "+name,
			func() (string, []string) { return rawExchange(t, with, up, call) },
			func() (string, []string) { return rawExchange(t, without, up, call) })
	}
	a, b := with.Dial2(t, "api.example.com"), without.Dial2(t, "api.example.com")
	for name, call := range coded {
		wantSame(t, "HTTP/2 "+name,
			func() (string, []string) { return streamExchange(t, a, up, call) },
			func() (string, []string) { return streamExchange(t, b, up, call) })
	}
	if n := len(plain) + len(coded); n < 500 {
		t.Errorf("the corpus has %d exchanges, want 500", n)
	}
	if s := storeOf(t, with); s.Status != "ok" {
		t.Errorf("the store is %+v", s)
	}
	var list listing[struct {
		Data        []struct{ Class, Source string }
		WouldRefuse map[string]uint64 `json:"would_refuse"`
	}]
	harness.Await(t, "the inventory to say what would have been refused, and what was sampled", func() (string, bool) {
		with.Query(t, "/api_guard/routes?limit=1000", &list)
		got := map[string]uint64{}
		for _, item := range list.Items {
			for rule, n := range item.WouldRefuse {
				got[rule] += n
			}
			for _, d := range item.Data {
				got[d.Source+" "+d.Class]++
			}
		}
		missing := slices.DeleteFunc([]string{"target", "unknown_host", "limit", "lifecycle", "unknown_route", "request", "response", "sample email"}, func(what string) bool { return got[what] > 0 })
		return fmt.Sprintf("%v: no %q", got, missing), len(missing) == 0
	})
}

func TestInMonitorAnUpgradedConnectionIsTheUpstreamsAndTheClients(t *testing.T) {
	t.Parallel()
	with, without, _ := identical(t)
	tunnel := func(c *harness.Caddy) string {
		got := untilFirstFrame(t, c, []byte("GET /v2/orders HTTP/1.1\r\nHost: api.example.com\r\nConnection: Upgrade\r\nUpgrade: websocket\r\nX-Answer: switch\r\n\r\n"))
		return date.ReplaceAllString(got, "Date: <date>")
	}
	if diff := cmp.Diff(tunnel(without), tunnel(with)); diff != "" {
		t.Errorf("(-without the guard +with it):\n%s", diff)
	}
}

// untilFirstFrame asks for an upgrade, and returns all that comes up to the end of the
// upstream's first frame.
func untilFirstFrame(t *testing.T, c *harness.Caddy, wire []byte) string {
	t.Helper()
	conn, err := net.Dial("tcp", c.HTTP)
	if err != nil {
		t.Fatal(err)
	}
	defer conn.Close()
	_ = conn.SetDeadline(time.Now().Add(time.Minute))
	if _, err := conn.Write(wire); err != nil {
		t.Fatal(err)
	}
	var got []byte
	for buf := make([]byte, 4096); !bytes.HasSuffix(got, []byte("first frame")); {
		n, err := conn.Read(buf)
		if got = append(got, buf[:n]...); err != nil {
			t.Fatalf("%v after %q", err, got)
		}
	}
	return string(got)
}

// answerByName is the upstream's script: the request says which answer it wants.
func answerByName(r harness.Recorded) string {
	if names := r.Values("X-Answer"); len(names) == 1 {
		if text, ok := scriptedAnswers[names[0]]; ok {
			return text
		}
	}
	return scriptedAnswers["json"]
}

var scriptedAnswers = map[string]string{
	"json":             "HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nContent-Length: 2\r\n\r\n{}",
	"created":          "HTTP/1.1 201 Created\r\nLocation: /v2/orders/7\r\nContent-Length: 0\r\n\r\n",
	"no content":       "HTTP/1.1 204 No Content\r\n\r\n",
	"not modified":     "HTTP/1.1 304 Not Modified\r\nETag: \"a\"\r\n\r\n",
	"redirect":         "HTTP/1.1 302 Found\r\nLocation: https://login.example.com/?next=%2Fv2\r\nContent-Length: 0\r\n\r\n",
	"unauthorized":     "HTTP/1.1 401 Unauthorized\r\nWWW-Authenticate: Bearer\r\nContent-Length: 0\r\n\r\n",
	"not found":        "HTTP/1.1 404 Not Found\r\nContent-Type: text/plain\r\nContent-Length: 4\r\n\r\nnone",
	"unavailable":      "HTTP/1.1 503 Service Unavailable\r\nRetry-After: 7\r\nContent-Length: 0\r\n\r\n",
	"odd status":       "HTTP/1.1 299 Whatever\r\nContent-Length: 1\r\n\r\nx",
	"chunks":           "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n3\r\nabc\r\n2\r\nde\r\n0\r\n\r\n",
	"trailers":         "HTTP/1.1 200 OK\r\nTrailer: X-Sum\r\nTransfer-Encoding: chunked\r\n\r\n3\r\nabc\r\n0\r\nX-Sum: 9\r\n\r\n",
	"early hints":      "HTTP/1.1 103 Early Hints\r\nLink: </a.css>; rel=preload\r\n\r\nHTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\n{}",
	"events":           "HTTP/1.1 200 OK\r\nContent-Type: text/event-stream\r\nTransfer-Encoding: chunked\r\n\r\n9\r\ndata: 1\n\n\r\n9\r\ndata: 2\n\n\r\n0\r\n\r\n",
	"own limit fields": "HTTP/1.1 200 OK\r\nRateLimit: \"own\";r=3;t=4\r\nRateLimit-Policy: \"own\";q=5;w=6\r\nContent-Length: 0\r\n\r\n",
	"own life fields":  "HTTP/1.1 200 OK\r\nDeprecation: @1\r\nSunset: Thu, 01 Jan 2099 00:00:00 GMT\r\nLink: </x>; rel=\"sunset\"\r\nVary: Accept\r\nContent-Length: 0\r\n\r\n",
	"cookies":          "HTTP/1.1 200 OK\r\nSet-Cookie: a=1\r\nSet-Cookie: b=2; Path=/\r\nX-Empty:\r\nContent-Length: 0\r\n\r\n",
	"compressible":     "HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nContent-Length: 4000\r\n\r\n" + strings.Repeat("[1] ", 1000),
	"addresses":        "HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nTransfer-Encoding: chunked\r\n\r\n1d\r\n[{\"email\":\"ann@example.com\"}]\r\n0\r\n\r\n",
	"large and wrong":  "HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nContent-Length: 120002\r\n\r\n[" + strings.Repeat("[1],[2], [3],", 9230) + "[4], [5]  ]",
	"no JSON":          "HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nContent-Length: 3\r\n\r\n{{{",
	"coded":            "HTTP/1.1 200 OK\r\nContent-Encoding: br\r\nContent-Length: 4\r\n\r\n\x8b\x01\x80x",
	"large":            "HTTP/1.1 200 OK\r\nContent-Type: application/octet-stream\r\nContent-Length: 300000\r\n\r\n" + strings.Repeat("0123456789", 30000),
	"grpc":             "HTTP/1.1 200 OK\r\nContent-Type: application/grpc\r\nTrailer: Grpc-Status\r\nTransfer-Encoding: chunked\r\n\r\n5\r\n\x00\x00\x00\x00\x00\r\n0\r\nGrpc-Status: 0\r\n\r\n",
	"switch":           "HTTP/1.1 101 Switching Protocols\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n\r\nfirst frame",
}

// bodies are contents that requests carry.
var bodies = map[string][]byte{
	"conforming": []byte(`{"sku":"ABC-1234","quantity":1}`),
	"wrong":      []byte(`{"sku":7}`),
	"no JSON":    []byte("{{{"),
	"empty":      {},
	"binary":     {0, 1, 2, 255},
	"over cap":   bytes.Repeat([]byte(`{"sku":"ABC-1234"},`), 70_000),
}

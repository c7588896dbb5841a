package caddytest

import (
	"bytes"
	"encoding/csv"
	"encoding/json"
	"fmt"
	"net"
	"net/url"
	"regexp"
	"strings"
	"testing"
	"time"
	"unicode"
	"unicode/utf8"

	"github.com/apiguard/caddy-api-guard/caddytest/internal/harness"
)

// hostileTexts do something in whatever shows them unprepared.
var hostileTexts = []string{
	`<script>alert(1)</script>`,
	`"><img src=x onerror=alert(1)>`,
	`';alert(1)//`,
	`{{constructor.constructor('alert(1)')()}}`,
	`=cmd|' /C calc'!A0`,
	`+SUM(1+1)*cmd|' /C calc'!A0`,
	`-2+3+cmd|' /C calc'!A0`,
	`@SUM(1+1)`,
	"\t=1+1",
	"x\",\"y\n=1+1",
	"\x1b[31mred\x1b[2J",
	"\x1b]0;title\x07",
	"\u009b31mred",
	"a\r\nSet-Cookie: hostile=1",
	"a\nlevel=error msg=forged",
	"\u202egnp.exe",
	"\u2066a\u2069\u200b\u2028\ufeff",
	"\xff\xfe\xc0\xaf",
}

// Hostile text comes in wherever a client or an upstream can put some. Whatever
// Caddy tells after it is valid and harmless: on the admin API in each form, in the
// log, in the metrics and in the guard's part of the access log.
func TestHostileTextIsHarmlessInEveryOutput(t *testing.T) {
	t.Parallel()
	up := harness.NewUpstream(t)
	up.Answer(func(r harness.Recorded) string {
		n := len(r.Target()) // so that answers differ
		text := hostileTexts[n%len(hostileTexts)]
		text = strings.NewReplacer("\r", "", "\n", "").Replace(text)
		body := fmt.Sprintf(`{%q:%q}`, text, text) + strings.Repeat(" ", n%500)
		return fmt.Sprintf("HTTP/1.1 200 OK\r\nContent-Type: application/json; x=%s\r\nServer: %s\r\nX-Powered-By: %s\r\nAccess-Control-Allow-Origin: %s\r\nContent-Length: %d\r\n\r\n%s",
			text, text, text, text, len(body), body)
	})
	caddy := harness.Start(t, harness.Config{
		Guard:    "mode monitor\n" + strings.Replace(fleet, "unknown_route enforce", "", 1),
		Sites:    "http://:<http> {\n\timport guarded\n}\n",
		Upstream: up,
		Files:    map[string]string{"orders.yaml": ordersDocument},
	})
	field := strings.NewReplacer("\r", "", "\n", "", "\x00", "")
	for i, text := range hostileTexts {
		escaped, word := url.PathEscape(text), field.Replace(text)
		name := url.QueryEscape(text)
		body, err := json.Marshal(map[string]string{text: text})
		if err != nil {
			t.Fatal(err)
		}
		raw(caddy, "GET", "/v2/"+escaped+"/x", "api.example.com", word, "")
		raw(caddy, "GET", "/v2/orders?"+name+"="+name, "api.example.com", word, "")
		raw(caddy, "POST", "/v2/orders", "api.example.com", word, string(body))
		raw(caddy, "GET", "/v2/"+strings.ReplaceAll(field.Replace(text), " ", "")+"/raw", "api.example.com", word, "")
		raw(caddy, "GET", "/", word, word, "")
		raw(caddy, "GET", "/", fmt.Sprintf("h%d.example.org", i), word, "")
		raw(caddy, strings.ReplaceAll(word, " ", ""), "/v2/orders", "api.example.com", word, "")
	}
	caddy.Do1(t, get("api.example.com", "/v2/last"))
	last := awaitRoute(t, caddy, "/api_guard/routes?limit=1000", "api.example.com", "GET", "/v2/last")

	for _, text := range hostileTexts {
		note, err := json.Marshal(map[string]string{"review": "accepted", "note": text})
		if err != nil {
			t.Fatal(err)
		}
		resp, err := client.Post("http://"+caddy.Admin+"/api_guard/routes/"+last.ID+"/review", "application/json", bytes.NewReader(note))
		if err != nil {
			t.Fatal(err)
		}
		_ = resp.Body.Close()
		checkCSV(t, caddy, "/api_guard/routes?path=/v2/last")
		_, answer := ask(t, caddy, "/api_guard/routes/"+last.ID, "*/*")
		checkText(t, "a reviewed route", answer, "\n")
		for _, route := range []string{"routes?state=", "routes/", "routes?cursor=", "feed?since=", "findings?", "limits?limit="} {
			_, answer := ask(t, caddy, "/api_guard/"+route+url.QueryEscape(text), "*/*")
			checkText(t, route+" with "+text, answer, "\n")
		}
	}
	for _, name := range adminRoutes(t, caddy) {
		_, answer := ask(t, caddy, "/api_guard/"+name, "application/json")
		checkText(t, name, answer, "\n")
		if name != "feed" && !json.Valid([]byte(answer)) {
			t.Errorf("%s is no JSON: %.200s", name, answer)
		}
		_, answer = ask(t, caddy, "/api_guard/"+name, "application/x-ndjson")
		checkText(t, name+" as lines", answer, "\n")
		if strings.Contains("routes hosts consumers findings", name) {
			checkCSV(t, caddy, "/api_guard/"+name)
		}
	}
	_, metrics := ask(t, caddy, "/metrics", "*/*")
	for line := range strings.Lines(metrics) {
		if strings.Contains(line, "api_guard") {
			checkText(t, "a metric", line, "\n")
		}
	}
	for line := range strings.Lines(caddy.Log()) {
		if strings.Contains(line, `"logger":"api_guard`) {
			checkText(t, "a line of the log", line, "\n")
			if !json.Valid([]byte(line)) {
				t.Errorf("a line of the log is no JSON: %q", line)
			}
		}
	}
	for _, entry := range caddy.AccessLog(t) {
		text, err := json.Marshal(entry["api_guard"])
		if err != nil {
			t.Fatal(err)
		}
		checkText(t, "the access log", string(text), "")
	}
}

// raw sends a request as the text says, hostile as it may be, and waits for the
// answer's first byte or the end.
func raw(caddy *harness.Caddy, method, target, host, value, body string) {
	conn, err := net.DialTimeout("tcp", caddy.HTTP, time.Minute)
	if err != nil {
		return
	}
	defer conn.Close()
	_ = conn.SetDeadline(time.Now().Add(time.Minute))
	fmt.Fprintf(conn, "%s %s HTTP/1.1\r\nHost: %s\r\nConnection: close\r\nUser-Agent: %s\r\nOrigin: %s\r\nAuthorization: Bearer %s\r\nX-Api-Key: %s\r\nCookie: %s=1\r\nContent-Type: application/json\r\nContent-Length: %d\r\n\r\n%s",
		method, target, host, value, value, value, value, value, len(body), body)
	_, _ = conn.Read(make([]byte, 1))
}

// adminRoutes are the names that the admin API says there are.
func adminRoutes(t *testing.T, caddy *harness.Caddy) []string {
	t.Helper()
	_, answer := ask(t, caddy, "/api_guard/nonsense", "*/*")
	_, list, ok := strings.Cut(answer, "there are ")
	if !ok {
		t.Fatalf("the admin API does not say what there is: %s", answer)
	}
	var names []string
	for _, name := range regexp.MustCompile(`[a-z_]+(/\{id\}[a-z/]*)?`).FindAllString(list, -1) {
		if name != "and" && !strings.Contains(name, "/") {
			names = append(names, name)
		}
	}
	if len(names) < 7 {
		t.Fatalf("names %q from %s", names, answer)
	}
	return names
}

// checkText fails the test when a text is not UTF-8, or has what a terminal, an
// editor or a browser would take for more than text. allowed are characters that
// may stand in it all the same.
func checkText(t *testing.T, what, text, allowed string) {
	t.Helper()
	if !utf8.ValidString(text) {
		t.Errorf("%s is no UTF-8: %.200q", what, text)
	}
	for i, r := range text {
		if !unicode.IsPrint(r) && !strings.ContainsRune(allowed, r) {
			t.Errorf("%s has %U: %.200q", what, r, text[max(i-50, 0):])
			return
		}
	}
	for _, tag := range []string{"<script", "<img"} {
		if strings.Contains(text, tag) {
			t.Errorf("%s has %s: %.200s", what, tag, text[max(strings.Index(text, tag)-50, 0):])
		}
	}
}

// checkCSV fails the test when a list as CSV is broken or has a formula.
func checkCSV(t *testing.T, caddy *harness.Caddy, path string) {
	t.Helper()
	_, text := ask(t, caddy, path, "text/csv")
	if !utf8.ValidString(text) {
		t.Errorf("%s as CSV is no UTF-8", path)
	}
	rows, err := csv.NewReader(strings.NewReader(text)).ReadAll()
	if err != nil {
		t.Errorf("%s as CSV: %v", path, err)
	}
	for _, row := range rows {
		for _, cell := range row {
			if strings.IndexAny(strings.TrimLeft(cell, " "), "=+-@|%\t\r\n") == 0 || strings.ContainsFunc(cell, func(r rune) bool { return !unicode.IsPrint(r) }) {
				t.Errorf("%s as CSV has the cell %q", path, cell)
			}
		}
	}
}

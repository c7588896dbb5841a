package caddytest

import (
	"bytes"
	"compress/gzip"
	"encoding/json"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/klauspost/compress/zstd"

	"github.com/apiguard/caddy-api-guard/caddytest/internal/harness"
)

// changing is what differs from run to run in the output of commands.
var changing = regexp.MustCompile(`\d{4}-\d\d-\d\dT\d\d:\d\d(:\d\d)?(\.\d+)?Z|\b\d{4}-\d\d-\d\d\b|network:[a-z2-7]{16}|127\.0\.0\.1:\d+|http://:\d+|\bsrv\d\b|\b\d+\.\d s\b`)

// steady replaces it by as many letters, so that columns stay where they are.
func steady(text string) string {
	return changing.ReplaceAllStringFunc(text, func(s string) string {
		switch {
		case strings.HasPrefix(s, "network:"):
			return "network:" + strings.Repeat("c", 16)
		case strings.HasPrefix(s, "srv"): // in the order of the ports
			return "srvN"
		case strings.HasPrefix(s, "http://:"):
			return "http://:" + strings.Repeat("9", len(s)-len("http://:"))
		case strings.HasPrefix(s, "127."):
			return "127.0.0.1:" + strings.Repeat("9", len(s)-len("127.0.0.1:"))
		case len(s) == len(time.DateOnly):
			if day, err := time.Parse(time.DateOnly, s); err != nil || time.Since(day).Abs() > 48*time.Hour {
				return s // it is in the configuration
			}
			return "DAY-------"
		case strings.HasSuffix(s, " s"):
			return "N s"
		default:
			return "TIME" + strings.Repeat("-", max(0, len("2026-11-22T12:00Z")-4))
		}
	})
}

// golden compares a command's output with testdata/commands/<name>.txt.
func golden(t *testing.T, name, got string) {
	t.Helper()
	file := filepath.Join("testdata/commands", name+".txt")
	got = steady(got)
	if *update {
		if err := os.WriteFile(file, []byte(got), 0o600); err != nil {
			t.Fatal(err)
		}
		return
	}
	want, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	if got != string(want) {
		t.Errorf("%s:\n%s\nwant:\n%s\nIf that is right: go test ./caddytest -run Commands -update", name, got, want)
	}
}

func TestCommandsShowWhatTheAdminAPIKnows(t *testing.T) {
	t.Parallel()
	notAtMidnight(t) // a route's calls are shown by days
	caddy, up := startFleet(t, "unknown_route enforce", "unknown_route monitor")
	up.Answer(func(harness.Recorded) string {
		return "HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nContent-Length: 31\r\n\r\n" + `{"email":"alice@mail.test.org"}`
	})
	for _, call := range []harness.Call{
		get("api.example.com", "/v2/orders"),
		get("api.example.com", "/v2/orders"),
		get("legacy.example.com", "/v1/orders"),
		get("legacy.example.com", "/v0/orders"),
		get("api.example.com", "/v2/debug/pprof"),
		get("stray.example.com", "/x"),
	} {
		caddy.Do1(t, call.With("X-Forwarded-For", "198.51.100.7"))
	}
	harness.Await(t, "the traffic is in the inventory", func() (string, bool) {
		var list listing[struct{ ID, Path string }]
		caddy.Query(t, "/api_guard/routes?path=/x", &list)
		return fmt.Sprint(len(list.Items)), len(list.Items) == 1
	})
	harness.Await(t, "the flows", func() (string, bool) {
		var list listing[struct{ Count int }]
		caddy.Query(t, "/api_guard/flows", &list)
		return fmt.Sprint(list.Items), len(list.Items) == 2 && list.Items[0].Count+list.Items[1].Count == 4
	})
	in := func(columns string, args ...string) (string, bool) {
		t.Helper()
		cfg := harness.Config{Caddyfile: "{\n}\n", Env: []string{"COLUMNS=" + columns}}
		return harness.Command(t, cfg, append(append([]string{"api-guard"}, args...), "--address", caddy.Admin)...)
	}
	run := func(args ...string) (string, bool) {
		t.Helper()
		return in("", args...)
	}
	text, ok := run("override", "request", "monitor", "--api", "orders", "--ttl", "15m", "--reason", "INC-41: a partner sends the quantity as a string until its next release", "--json")
	var override struct{ ID string }
	if err := json.Unmarshal([]byte(text), &override); !ok || err != nil || override.ID == "" {
		t.Fatal(text)
	}
	var shadow listing[struct{ ID, Path string }]
	caddy.Query(t, "/api_guard/routes?path=/v2/debug", &shadow)
	id := shadow.Items[0].ID

	for name, args := range map[string][]string{
		"routes":    {"routes", "--sort", "path", "--path", "/v2", "--evidence", "confirmed", "--evidence", "probable"},
		"show":      {"show", id},
		"findings":  {"findings", "--severity", "high"},
		"consumers": {"consumers", "--api", "orders"},
		"whom":      {"consumers", "--rule", "unknown_route"},
		"hosts":     {"hosts"},
		"flows":     {"flows"},
		"limits":    {"limits"},
		"bucket":    {"limits", "password_reset", "198.51.100.7"},
		"coverage":  {"coverage"},
		"plan":      {"plan", "--at", "2099-01-02"},
		"overrides": {"override"},
		"openapi":   {"openapi", "--unknown", "--host", "api.example.com"},
		"review":    {"review", id, "open"},
	} {
		for _, columns := range []string{"80", "200"} {
			text, ok := in(columns, args...)
			if !ok {
				t.Errorf("%s failed: %s", name, text)
			}
			golden(t, name+"-"+columns, strings.ReplaceAll(text, override.ID, "IDOFTHEOVERRIDE-"))
		}
		text, ok := run(append(args, "--json")...)
		if !ok || !json.Valid([]byte(text)) {
			t.Errorf("%s --json: %v %s", name, ok, text)
		}
	}

	t.Run("exit codes", func(t *testing.T) {
		for _, c := range []struct {
			args []string
			ok   bool
			says string
		}{
			{[]string{"routes", "--state", "shadow", "--strict"}, false, "--strict"},
			{[]string{"routes", "--state", "shadow", "--strict", "--json"}, false, "--strict"},
			{[]string{"routes", "--state", "active", "--strict"}, true, ""},
			{[]string{"findings", "--open", "true", "--strict"}, false, "--strict"},
			{[]string{"findings", "--open", "false", "--strict"}, true, ""},
			{[]string{"routes", "--state", "odd"}, false, "unrecognized value"},
			{[]string{"routes", "--limit", "0"}, false, "--limit 0"},
			{[]string{"show", "aaaaaaaaaaaaaaaa"}, false, "no route with the id"},
			{[]string{"show"}, false, "takes the id of a route"},
			{[]string{"review", id, "loved"}, false, "unrecognized review"},
			{[]string{"limits", "nothing", "x"}, false, "no limit of that name there: look"},
			{[]string{"limits", "pasword_reset", "x"}, false, "no limit of that name there (did you mean password_reset?)"},
			{[]string{"override", "request", "off", "--api", "oders", "--ttl", "1m", "--reason", "x"}, false, "oders\" is not in the catalogue (did you mean orders?)"},
			{[]string{"override", "requst", "off", "--ttl", "1m", "--reason", "x"}, false, "unrecognized rule \"requst\" (did you mean request?): write one of target, "},
			{[]string{"override", "request", "off", "--api", "orders", "--version", "betta", "--ttl", "1m", "--reason", "x"}, false, "has no version \"betta\" (did you mean beta?): there are "},
			{[]string{"hosts", "--strict"}, true, ""},
			{[]string{"limits", "password_reset"}, false, "counts by {client_ip}: give key once"},
			{[]string{"limits", "--forget"}, false, "need a limit"},
		} {
			text, ok := run(c.args...)
			if ok != c.ok || !strings.Contains(text, c.says) {
				t.Errorf("%v: success %v, want %v with %q: %s", c.args, ok, c.ok, c.says, text)
			}
		}
	})

	if text, ok := harness.Command(t, harness.Config{Caddyfile: "{\n}\n"}, "api-guard", "rotues"); ok || !strings.Contains(text, "no command") {
		t.Errorf("a command that is not there: success %v: %s", ok, text)
	}

	t.Run("pages", func(t *testing.T) {
		all, _ := run("routes", "--all", "--json")
		some, _ := run("routes", "--limit", "2")
		if strings.Count(some, "\n") != 4 || !strings.Contains(some, "These are the first 2") {
			t.Errorf("--limit 2: %s", some)
		}
		var list listing[struct{ ID, Path string }]
		if err := json.Unmarshal([]byte(all), &list); err != nil || len(list.Items) < 10 || list.Next != "" {
			t.Errorf("--all: %d items, %v", len(list.Items), err)
		}
	})

	t.Run("overrides", func(t *testing.T) {
		text, ok := run("override", "request", "monitor", "--ttl", "15m", "--reason", "INC-42")
		if !ok || !strings.Contains(text, "INC-42") {
			t.Fatalf("setting one: %s", text)
		}
		list, ok := run("override")
		if !ok || !strings.Contains(list, "INC-42") || !strings.Contains(list, "request") {
			t.Errorf("listing: %s", list)
		}
		if _, ok := run("override", "--end", override.ID); !ok {
			t.Error("the first cannot be ended")
		}
		var added string // its id stands first in its line
		for line := range strings.Lines(list) {
			if strings.Contains(line, "INC-42") {
				added = strings.Fields(line)[0]
			}
		}
		if text, ok := run("override", "--end", added); !ok || strings.Contains(text, "INC-42") {
			t.Errorf("ending: %s", text)
		}
		for _, args := range [][]string{{"request"}, {"request", "monitor"}, {"odd", "monitor", "--ttl", "1m", "--reason", "x"}, {"--end", "none"}, {"request", "off", "--end", "x"}} {
			if text, ok := run(append([]string{"override"}, args...)...); ok {
				t.Errorf("override %v was taken: %s", args, text)
			}
		}
	})

	t.Run("openapi", func(t *testing.T) {
		text, ok := run("openapi", "--api", "orders", "--version", "v2")
		var document struct{ Paths map[string]any }
		if err := json.Unmarshal([]byte(text), &document); !ok || err != nil || len(document.Paths) == 0 {
			t.Errorf("the document in force: %v %s", err, text)
		}
		text, ok = run("openapi", "--unknown")
		if err := json.Unmarshal([]byte(text), &document); !ok || err != nil || document.Paths["/v2/debug/pprof"] == nil {
			t.Errorf("the draft: %v %s", err, text)
		}
		for _, args := range [][]string{{}, {"--api", "orders"}, {"--api", "orders", "--version", "v9"}} {
			if text, ok := run(append([]string{"openapi"}, args...)...); ok {
				t.Errorf("openapi %v: %s", args, text)
			}
		}
	})

	t.Run("feed", func(t *testing.T) {
		var found string
		harness.Await(t, "the discoveries are told", func() (string, bool) {
			text, _ := run("feed")
			var lines []string
			for line := range strings.Lines(text) {
				if strings.Contains(line, "_discovered") {
					lines = append(lines, line)
				}
			}
			slices.SortFunc(lines, func(a, b string) int { return strings.Compare(steady(a), steady(b)) })
			found = strings.Join(lines, "")
			return text, len(lines) == 2
		})
		golden(t, "feed", found) // one line each, however narrow the terminal: for grep
		text, ok := run("feed")
		if !ok || !strings.Contains(text, "route_discovered orders v2 GET api.example.com/v2/debug/pprof shadow") {
			t.Errorf("feed: %s", text)
		}
		lines, _ := run("feed", "--json")
		var first struct{ Cursor, Event string }
		if err := json.Unmarshal([]byte(strings.Split(lines, "\n")[0]), &first); err != nil || first.Cursor == "" {
			t.Fatalf("feed --json: %v %s", err, lines)
		}
		_, later, _ := strings.Cut(lines, "\n")
		if rest, _ := run("feed", "--json", "--since", first.Cursor); !strings.HasPrefix(rest, later) { // there may be more by now
			t.Errorf("feed --since: %s", rest)
		}
		if text, ok := run("feed", "--since", "odd"); ok {
			t.Errorf("an odd cursor was taken: %s", text)
		}
	})

	t.Run("review and forget", func(t *testing.T) {
		if text, ok := run("review", id, "accepted", "--note", "as meant"); !ok || !strings.Contains(text, "as meant") {
			t.Errorf("review: %s", text)
		}
		if text, _ := run("findings", "--severity", "high", "--open", "true"); strings.Contains(text, "/v2/debug") {
			t.Errorf("the finding is open after the review: %s", text)
		}
		caddy.Do1(t, post("api.example.com", "/v2/password-reset/verify", `{"token":"123456"}`).With("X-Forwarded-For", "198.51.100.8"))
		if text, ok := run("limits", "password_reset", "198.51.100.8", "--forget"); !ok || !strings.Contains(text, "forgotten") {
			t.Errorf("forget: %s", text)
		}
	})
}

// accessLine is a line as Caddy logs it.
func accessLine(second int, client, host, uri string, status int) string {
	line, err := json.Marshal(map[string]any{
		"ts": 1791640536 + second, "status": status, "size": 10 + len(uri),
		"request": map[string]any{"client_ip": client, "proto": "HTTP/1.1", "method": "GET", "host": host, "uri": uri, "headers": map[string][]string{"Accept": {"*/*"}}},
	})
	if err != nil {
		panic(err)
	}
	return string(line) + "\n"
}

func TestReplayedLogsSayWhatWouldBeRefused(t *testing.T) {
	t.Parallel()
	var log strings.Builder
	for i := range 8 {
		log.WriteString(accessLine(i, "198.51.100.7", "api.example.com", "/v2/orders", 200))
	}
	log.WriteString("not a line\n")
	log.WriteString(accessLine(10, "198.51.100.7", "legacy.example.com", "/v0/orders", 200))
	log.WriteString(accessLine(11, "198.51.100.9", "legacy.example.com", "/v0/orders/17", 200))
	log.WriteString(accessLine(12, "2001:db8::7", "legacy.example.com", "/v1/orders", 200))
	log.WriteString(accessLine(13, "198.51.100.7", "api.example.com", "/v2/debug/vars", 200))
	log.WriteString(accessLine(14, "198.51.100.7", "api.example.com", "/v2/orders?limit=0", 200))
	log.WriteString(accessLine(15, "198.51.100.7", "api.example.com", "/v2/nothing", 404))
	log.WriteString(accessLine(16, "198.51.100.7", "stray.example.com", "/hello", 200))
	log.WriteString(accessLine(17, "198.51.100.7", "api.example.com", "/v2/%2e%2e/orders", 200))
	cfg := harness.Config{
		Guard: strings.Replace(fleet, "limit password_reset", "limit per_client {\nrate 5/1m\n}\nlimit password_reset", 1),
		Sites: sites, Upstream: harness.NewUpstream(t),
		Files: map[string]string{"orders.yaml": ordersDocument, "access.log": log.String()},
	}
	for _, columns := range []string{"80", "200"} {
		cfg := cfg
		cfg.Env = []string{"COLUMNS=" + columns}
		text, ok := harness.Command(t, cfg, "api-guard", "replay", "--config", "CADDYFILE", "--adapter", "caddyfile", "access.log")
		if !ok {
			t.Fatalf("replay failed: %s", text)
		}
		golden(t, "replay-"+columns, withoutLog(text))
	}
	cfg.Env = []string{"COLUMNS="}
	var zipped, rolled bytes.Buffer
	for to, w := range map[*bytes.Buffer]io.WriteCloser{&zipped: gzip.NewWriter(&zipped), &rolled: zstdTo(t, &rolled)} {
		if _, err := io.WriteString(w, log.String()); err != nil || w.Close() != nil || to.Len() < 200 {
			t.Fatal(err, to.Len())
		}
	}
	cfg.Files["zipped.log.gz"], cfg.Files["zipped"], cfg.Files["rolled.log.zst"] = zipped.String(), zipped.String(), rolled.String()
	cfg.Files["twice.gz"], cfg.Files["named.gz"], cfg.Files["empty.gz"] = zipped.String()+zipped.String(), log.String(), ""
	cfg.Files["cut.gz"], cfg.Files["head.gz"], cfg.Files["cut.zst"] = zipped.String()[:200], zipped.String()[:5], rolled.String()[:200]
	for _, c := range []struct {
		args []string
		ok   bool
		says string
	}{
		{[]string{"access.log", "--strict"}, false, "--strict"},
		{[]string{"access.log", "--at", "2020-01-01"}, true, "2026-10"},
		{[]string{"access.log", "--at", "tomorrow"}, false, "is no time"},
		{[]string{"missing.log"}, false, "no such file"},
		{[]string{"Caddyfile"}, false, "no request in"},
		{[]string{"zipped.log.gz"}, true, "16 requests in 17 lines"},
		{[]string{"zipped"}, true, "16 requests in 17 lines"},
		{[]string{"twice.gz"}, true, "32 requests in 34 lines"},
		{[]string{"empty.gz", "access.log", "rolled.log.zst"}, true, "32 requests in 34 lines"},
		{[]string{"named.gz"}, true, "16 requests in 17 lines"},
		{[]string{"cut.gz"}, false, "cut.gz: it breaks off within what is compressed: copy it again"},
		{[]string{"cut.zst"}, false, "cut.zst: it breaks off within what is compressed: copy it again"},
		{[]string{"head.gz"}, false, "head.gz: it breaks off"},
		{[]string{"empty.gz"}, false, "no request in empty.gz: there is no line"},
		{[]string{}, false, "takes an access log"},
	} {
		args := append([]string{"api-guard", "replay", "--config", "CADDYFILE", "--adapter", "caddyfile"}, c.args...)
		if text, ok := harness.Command(t, cfg, args...); ok != c.ok || !strings.Contains(text, c.says) {
			t.Errorf("%v: success %v, want %v with %q: %s", c.args, ok, c.ok, c.says, text)
		}
	}
}

func zstdTo(t *testing.T, w io.Writer) io.WriteCloser {
	t.Helper()
	out, err := zstd.NewWriter(w)
	if err != nil {
		t.Fatal(err)
	}
	return out
}

// The configuration that init writes starts, guards and finds a shadow route.
func TestInitWritesAConfigurationThatWorks(t *testing.T) {
	t.Parallel()
	files := map[string]string{"orders.yaml": ordersDocument}
	text, ok := harness.Command(t, harness.Config{Caddyfile: "{\n}\n", Files: files}, "api-guard", "init", "orders.yaml", "--upstream", "127.0.0.1:9", "--host", "API.example.com")
	if !ok {
		t.Fatal(text)
	}
	golden(t, "init", text)
	up := harness.NewUpstream(t)
	caddyfile := strings.NewReplacer(
		"127.0.0.1:9", "127.0.0.1:<upstream>",
		"\napi.example.com {", "\nhttp://api.example.com:<http> {", "\nhttps:// {", "\nhttps://:<https> {", "\nhttp:// {", "\nhttp://:<http> {",
		"{\n\tapi_guard {\n\t\tmode", "{\n\tadmin 127.0.0.1:<admin>\n\thttp_port <http>\n\thttps_port <https>\n\tdefault_bind 127.0.0.1\n\tskip_install_trust\n\tlocal_certs\n\tapi_guard {\n\t\tmode",
	).Replace(text)
	caddy := harness.Start(t, harness.Config{Caddyfile: caddyfile, Upstream: up, Files: files})
	if got := caddy.Do1(t, get("api.example.com", "/nobody/knows")); got.Status != 200 {
		t.Errorf("in monitor mode: %s", got)
	}
	harness.Await(t, "the shadow route", func() (string, bool) {
		var list listing[struct{ ID, Path string }]
		caddy.Query(t, "/api_guard/routes?state=shadow", &list)
		return fmt.Sprint(list.Items), len(list.Items) == 1 && list.Items[0].Path == "/nobody/knows"
	})

	for name, c := range map[string]struct {
		args []string
		says string
	}{
		"no upstream":        {[]string{"orders.yaml"}, "--upstream"},
		"no document":        {[]string{"none.yaml", "--upstream", "a:1"}, "none.yaml"},
		"odd upstream":       {[]string{"orders.yaml", "--upstream", "a b"}, "is no address"},
		"odd host":           {[]string{"orders.yaml", "--upstream", "a:1", "--host", "a_b..c"}, "a_b..c"},
		"one document twice": {[]string{"orders.yaml", "orders.yaml", "--upstream", "a:1", "--host", "api.example.com"}, "do not go together"},
	} {
		args := append([]string{"api-guard", "init"}, c.args...)
		if text, ok := harness.Command(t, harness.Config{Caddyfile: "{\n}\n", Files: files}, args...); ok || !strings.Contains(text, c.says) {
			t.Errorf("%s: success %v: %s", name, ok, text)
		}
	}
}

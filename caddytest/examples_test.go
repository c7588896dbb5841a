package caddytest

import (
	"compress/gzip"
	"context"
	"io"
	"net"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strings"
	"testing"

	"github.com/apiguard/caddy-api-guard/caddytest/internal/harness"
	"github.com/caddyserver/caddy/v2/caddyconfig/caddyfile"
)

// example is one of examples/ that runs, on free ports.
type example struct {
	t     *testing.T
	caddy *harness.Caddy
	text  string
}

// slowHash is that of the examples' passwords, as caddy hash-password makes it, and
// quickHash one of the same password that costs a thousandth.
const (
	slowHash  = "$2a$14$wB7DUpde3QqKzkEaiB9zpuNAbTEYYC66asuYhOa56MOCfwqW0rnBe"
	quickHash = "$2a$04$s2FHr6KHspFCF9SifnZetOgJ87gq7zDE50ZRZrIwk8r3D7rqu3qcq"
)

// changes are further ones than of ports. What the example limits by the minute is
// limited by the hour, so that it does not matter how fast this machine is.
func startExample(t *testing.T, name string, changes ...string) *example {
	t.Helper()
	dir := filepath.Join("../examples", name)
	files := map[string]string{}
	err := filepath.WalkDir(dir, func(path string, d os.DirEntry, err error) error {
		if err != nil || d.IsDir() {
			return err
		}
		content, err := os.ReadFile(path)
		files[strings.TrimPrefix(filepath.ToSlash(path), filepath.ToSlash(dir)+"/")] = string(content)
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
	text := files["Caddyfile"]
	delete(files, "Caddyfile")
	return &example{t: t, text: text, caddy: harness.Start(t, harness.Config{
		Caddyfile: strings.NewReplacer(append(changes, "/1m\n", "/1h\n", ":8080", ":<http>", ":8081", ":<https>",
			"\n{\n", "\n{\n\tadmin 127.0.0.1:<admin>\n", "{$EXAMPLE:examples/"+name+"}", "<dir>")...).Replace(text),
		Files: files,
	})}
}

// ask runs a command line of the example: curl with -i, -s, -u, -H, -d and
// --interface, as a client of the example's ports.
func (e *example) ask(command string) harness.Answer {
	e.t.Helper()
	if !strings.Contains(e.text, "\n#    "+command+"\n") {
		e.t.Errorf("the example does not tell to run %s", command)
	}
	var words []string
	for i, part := range strings.Split(command, "'") {
		if i%2 == 1 {
			words = append(words, part)
		} else {
			words = append(words, strings.Fields(part)...)
		}
	}
	dialer := net.Dialer{}
	request, err := http.NewRequest("GET", words[len(words)-1], nil)
	if err != nil {
		e.t.Fatal(err)
	}
	for i := 1; i < len(words)-1; i++ {
		switch words[i] {
		case "-i", "-s":
			continue
		case "-u":
			name, password, _ := strings.Cut(words[i+1], ":")
			request.SetBasicAuth(name, password)
		case "-H":
			name, value, _ := strings.Cut(words[i+1], ": ")
			request.Header.Set(name, value)
		case "-d":
			request.Method, request.ContentLength = "POST", int64(len(words[i+1]))
			request.Body = io.NopCloser(strings.NewReader(words[i+1]))
		case "--interface":
			dialer.LocalAddr = &net.TCPAddr{IP: net.ParseIP(words[i+1])}
		default:
			e.t.Fatalf("%q in %q is not known here", words[i], command)
		}
		i++
	}
	address := e.caddy.HTTP
	if request.URL.Port() == "2019" {
		address, request.Host = e.caddy.Admin, e.caddy.Admin
	}
	client := http.Client{
		Transport: &http.Transport{
			DisableKeepAlives: true, DisableCompression: true,
			DialContext: func(ctx context.Context, network, _ string) (net.Conn, error) {
				return dialer.DialContext(ctx, network, address)
			},
		},
		CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse },
	}
	response, err := client.Do(request)
	if err != nil {
		e.t.Fatalf("%s: %v", command, err)
	}
	defer response.Body.Close()
	body, err := io.ReadAll(response.Body)
	if err != nil {
		e.t.Fatalf("%s: %v", command, err)
	}
	return harness.Answer{Status: response.StatusCode, Header: response.Header, Body: body}
}

// want asks and compares the status.
func (e *example) want(status int, command string) harness.Answer {
	e.t.Helper()
	got := e.ask(command)
	if got.Status != status {
		e.t.Errorf("%s: %d %s, want %d", command, got.Status, got.Body, status)
	}
	return got
}

func TestTheInternalExampleKeepsOutWhomItSays(t *testing.T) {
	t.Parallel()
	e := startExample(t, "internal")
	if strings.Count(e.text, slowHash) != 1 {
		t.Error("the example has another password than it had")
	}
	e.want(200, "curl -i --interface 127.0.0.2 http://api.localhost:8080/v1/reports")
	e.want(200, "curl -i http://api.localhost:8080/v2/reports")
	refused(t, e.want(403, "curl -i --interface 127.0.0.2 http://api.localhost:8080/v2/reports"), 403, "audience-denied")
	e.want(403, "curl -i --interface 127.0.0.2 -H 'X-Forwarded-For: 127.0.0.1' http://api.localhost:8080/v2/reports")
	e.want(401, "curl -i http://inventory.localhost:8080/")
	if got := e.want(200, "curl -i -u alice:correct-horse http://inventory.localhost:8080/"); !strings.Contains(string(got.Body), "reports") {
		t.Errorf("the page: %s", got.Body)
	}
}

func TestThePartnerExampleExceptsOneRuleForOneCaller(t *testing.T) {
	t.Parallel()
	e := startExample(t, "partner")
	refused(t, e.ask(`curl -i -H 'Content-Type: application/json' -d '{"sku":"ABC-1234","quantity":"3"}' http://api.localhost:8080/v1/orders`), 400, "request-invalid")
	e.want(200, `curl -i -H 'X-Api-Key: acme-secret' -H 'Content-Type: application/json' -d '{"sku":"ABC-1234","quantity":"3"}' http://api.localhost:8080/v1/orders`)
	e.want(421, "curl -i -H 'X-Api-Key: acme-secret' http://staging.localhost:8080/v1/orders")
	mine, others := "curl -i -H 'X-Api-Key: acme-secret' http://api.localhost:8080/v1/orders", "curl -i http://api.localhost:8080/v1/orders"
	e.want(200, mine)
	e.want(200, mine)
	refused(t, e.ask(mine), 429, "quota-exceeded")
	e.want(200, others)
	harness.Await(t, "the partner among the consumers", func() (string, bool) {
		got := e.ask("curl -s 'http://localhost:2019/api_guard/consumers?api=orders'")
		return string(got.Body), strings.Contains(string(got.Body), `"name":"acme"`)
	})
}

func TestTheLoadBalancerExampleCountsByTheBalancersWord(t *testing.T) {
	t.Parallel()
	e := startExample(t, "loadbalancer")
	first := "curl -i -H 'X-Forwarded-For: 203.0.113.7' http://api.localhost:8080/v1/orders"
	for range 3 {
		e.want(200, first)
	}
	refused(t, e.ask(first), 429, "quota-exceeded")
	e.want(200, "curl -i -H 'X-Forwarded-For: 198.51.100.9' http://api.localhost:8080/v1/orders")
	e.want(429, "curl -i -H 'X-Forwarded-For: 192.0.2.55, 203.0.113.7' http://api.localhost:8080/v1/orders")
	for range 5 {
		e.want(200, "curl -i http://127.0.0.1:8080/healthz")
	}
	// Without `strict` it refuses to start, as it says.
	lax := strings.Replace(e.text, "\t\ttrusted_proxies_strict\n", "", 1)
	if out, ok := harness.Command(t, harness.Config{Caddyfile: lax, Files: map[string]string{"orders.yaml": "openapi: 3.1.0\ninfo: {title: x, version: x}\npaths: {}\n"}},
		"validate", "--config", "CADDYFILE", "--adapter", "caddyfile"); ok || !strings.Contains(out, "trusted_proxies_strict") {
		t.Errorf("without strict: %v %s", ok, out)
	}
}

func TestTheSideBySideExampleLeavesOtherHandlersTheirWork(t *testing.T) {
	t.Parallel()
	// Whether the password is that of the hash is seen by the internal example, which has
	// the same: the race detector makes each of these calls take many seconds.
	e := startExample(t, "sidebyside", slowHash, quickHash)
	if strings.Count(e.text, slowHash) != 2 {
		t.Error("the example has other passwords than the internal one")
	}
	got := e.want(200, "curl -i -H 'Accept-Encoding: gzip' http://api.localhost:8080/v1/orders")
	if plain, err := gzip.NewReader(strings.NewReader(string(got.Body))); err != nil || got.Header.Get("Content-Encoding") != "gzip" {
		t.Errorf("it is not compressed: %v", got)
	} else if text, err := io.ReadAll(plain); err != nil || !strings.Contains(string(text), `"orders"`) {
		t.Errorf("compressed is %q, %v", text, err)
	}
	if got := e.want(400, "curl -i 'http://api.localhost:8080/v1/orders?limit=1000'"); string(got.Body) != "<h1>400</h1><p>request-invalid</p>" {
		t.Errorf("the error page: %s", got.Body)
	}
	if got := e.want(200, "curl -i http://api.localhost:8080/static/hello.txt"); string(got.Body) != "hello\n" {
		t.Errorf("the file: %q", got.Body)
	}
	if got := e.want(401, "curl -i http://admin.localhost:8080/v1/orders"); string(got.Body) != "<h1>401</h1>" {
		t.Errorf("the error page before the guard: %s", got.Body)
	}
	alice, bob := "curl -i -u alice:correct-horse http://admin.localhost:8080/v1/orders", "curl -i -u bob:correct-horse http://admin.localhost:8080/v1/orders"
	e.want(200, alice)
	e.want(200, alice)
	if got := e.want(429, alice); string(got.Body) != "<h1>429</h1><p>quota-exceeded</p>" {
		t.Errorf("the error page behind the guard: %s", got.Body)
	}
	e.want(200, bob)
}

func TestTheAdoptExampleRecordsAndChangesNothing(t *testing.T) {
	t.Parallel()
	e := startExample(t, "adopt")
	if got := e.want(200, "curl -i 'http://api.localhost:8080/v2/orders?limit=10000'"); string(got.Body) != `{"orders":[]}` || got.Header.Get("Content-Type") != "application/json" {
		t.Errorf("the answer is not the upstream's: %v", got)
	}
	harness.Await(t, "what would have been refused", func() (string, bool) {
		got := e.ask("curl -s 'http://localhost:2019/api_guard/routes?api=orders'")
		return string(got.Body), strings.Contains(string(got.Body), `"would_refuse":{"request":1}`)
	})
	before, err := os.ReadFile("../examples/adopt/before.Caddyfile")
	if err != nil {
		t.Fatal(err)
	}
	for line := range strings.Lines(string(before)) {
		if !strings.HasPrefix(line, "#") && !strings.Contains(e.text, line) {
			t.Errorf("the line %q was taken away", line)
		}
	}
}

func TestTheMigratedLimitsAreThoseThatWereThere(t *testing.T) {
	t.Parallel()
	// By the hour: that the windows are those that were there is seen by the texts, below.
	e := startExample(t, "migrate", "rate 20/10s", "rate 20/1h")
	login := `curl -i -H 'Content-Type: application/json' -d '{"user":"alice"}' http://api.localhost:8080/v1/login`
	for range 5 {
		e.want(200, login)
	}
	refused(t, e.ask(login), 429, "quota-exceeded")
	e.want(429, `curl -i -H 'Content-Type: application/json' -d '{"user":"alice"}' http://beta.localhost:8080/v2/login`)
	for n := range 16 { // 20, of which 5 were logins
		want := 200
		if n == 15 {
			want = 429
		}
		e.want(want, "curl -i http://api.localhost:8080/v1/anything")
	}

	// Each zone of the Caddyfile before has its limit, of the same size and key.
	before, err := os.ReadFile("../examples/migrate/before.Caddyfile")
	if err != nil {
		t.Fatal(err)
	}
	if _, err := caddyfile.Parse("before.Caddyfile", before); err != nil {
		t.Fatal(err)
	}
	zone := regexp.MustCompile(`zone (\w+) \{(?s:.*?)key (\S+)\s+events (\d+)\s+window (\w+)`)
	zones := zone.FindAllStringSubmatch(string(before), -1)
	if len(zones) != 2 {
		t.Fatalf("zones: %q", zones)
	}
	for _, z := range zones {
		limit := regexp.MustCompile(`limit ` + z[1] + ` \{\n(?:\s+operations .*\n)?\s+key ` + regexp.QuoteMeta(z[2]) + `\n\s+rate ` + z[3] + "/" + z[4] + `\n`)
		if !limit.MatchString(e.text) {
			t.Errorf("zone %s has no limit of its name, key and rate", z[1])
		}
	}
}

// Without systemd the unit's lines are looked at.
func TestSystemdTakesTheUnit(t *testing.T) {
	t.Parallel()
	content, err := os.ReadFile("../examples/systemd/caddy-guard.service")
	if err != nil {
		t.Fatal(err)
	}
	text := string(content)
	line := regexp.MustCompile(`^([A-Z][A-Za-z]+=.+|\[(Unit|Service|Install)\]|#.*|)$`)
	for l := range strings.Lines(text) {
		if !line.MatchString(strings.TrimSuffix(l, "\n")) {
			t.Errorf("%q is no line of a unit", l)
		}
	}
	for _, needed := range []string{"\nExecStart=/usr/local/bin/caddy run ", "\nExecReload=/usr/local/bin/caddy reload ", "\nStateDirectory=caddy\n", "\nType=notify\n"} {
		if !strings.Contains(text, needed) {
			t.Errorf("the unit has no line %q", strings.TrimSpace(needed))
		}
	}
	verify, err := exec.LookPath("systemd-analyze")
	if err != nil {
		t.Log("systemd-analyze is not here: the unit's lines were looked at, and systemd was not asked")
		return
	}
	// It looks whether the programs are there.
	here, err := filepath.Abs(os.Args[0])
	if err != nil {
		t.Fatal(err)
	}
	unit := filepath.Join(t.TempDir(), "caddy-guard.service")
	if err := os.WriteFile(unit, []byte(strings.ReplaceAll(text, "/usr/local/bin/caddy", here)), 0o600); err != nil {
		t.Fatal(err)
	}
	if out, err := exec.Command(verify, "verify", "--man=no", unit).CombinedOutput(); err != nil || strings.Contains(string(out), "caddy-guard.service:") {
		t.Errorf("systemd-analyze verify: %v\n%s", err, out)
	}
}

package attacks

import (
	"bufio"
	"bytes"
	"encoding/json"
	"flag"
	"fmt"
	"math/rand/v2"
	"net/http"
	"os/exec"
	"strings"
	"testing"
	"time"

	"github.com/apiguard/caddy-api-guard/internal/needs"
	"github.com/apiguard/caddy-api-guard/inventory/catalogue"
	"github.com/apiguard/caddy-api-guard/inventory/spec"
	"github.com/apiguard/caddy-api-guard/policy"
	"github.com/apiguard/caddy-api-guard/policy/target"
	"github.com/apiguard/caddy-api-guard/ratelimit"
)

var targets = flag.Int("targets", 100_000, "how many generated targets the readers are asked about")

// decider is the guard's own reading of a target.
type decider struct {
	policy  *policy.Policy
	verdict policy.Verdict
}

func newDecider(t *testing.T) *decider {
	t.Helper()
	document, err := spec.Load("shop.yaml", []byte(shop), spec.Options{})
	if err != nil {
		t.Fatal(err)
	}
	rules := policy.DefaultRules()
	rules.SetMode(policy.RuleUnknownRoute, policy.Enforce)
	declared := &catalogue.API{Name: "shop", Versions: []*catalogue.Version{{
		Name: "v2", Hosts: []string{"h"}, Claims: []catalogue.Claim{{Path: "/v2"}}, Documents: []*spec.Document{document},
	}}}
	p, err := policy.New(policy.Config{
		Rules: rules,
		Table: ratelimit.NewTable(ratelimit.TableConfig{Slots: 1024}),
		APIs:  []policy.API{{Declared: declared, Rules: rules, Versions: []policy.Version{{Rules: rules}}}},
	})
	if err != nil {
		t.Fatal(err)
	}
	return &decider{policy: p}
}

// decide returns what the guard would send and the operation that it judged it
// by, or passed as false.
func (d *decider) decide(raw string) (sent, operation string, passed bool) {
	in := target.Input{Method: "GET", Raw: raw, Host: "h"}
	r := policy.Request{Now: time.Now(), Method: "GET", Header: http.Header{}, HasBody: func() bool { return false }}
	if r.Target, r.Problem = target.Canonical(in); r.Problem != "" {
		return "", "", false
	}
	q := catalogue.Query{Host: r.Target.Host, Method: "GET", Path: r.Target.Path, RawQuery: r.Target.RawQuery, Header: r.Header}
	d.policy.Catalogue().Match(&q, &r.Match)
	d.policy.Decide(&r, &d.verdict)
	if d.verdict.Outcome == policy.Refuse {
		return "", "", false
	}
	if r.Match.Route == nil {
		return r.Target.RequestURI(), "", true
	}
	return r.Target.RequestURI(), r.Match.Route.Operation.ID, true
}

// seeds are targets to begin with. Whatever ever made a reader disagree stays
// here.
var seeds = []string{
	"/v2/ping", "/v2/orders", "/v2/orders/7", "/v2/orders/a.b~c", "/v2/files/a/b", "/v2/files/a%2Fb", "/v2/colours/;c=red",
	"/v2/events", "/v2/admin", "/v2/orders?q=a", "/v1/orders", "/v2/orders/../admin", "/v2/files/..;/admin", "/v2/files/%252e%252e/admin",
}

// pieces are what mutations put in.
var pieces = []string{
	"/", "//", ".", "..", "/../", "/./", "%2e", "%2E%2e", "%2f", "%2F", "%5c", `\`, ";", ";x=1", "..;/", "%3b", "%00", "%25", "%252e", "%252f",
	"#", "?", "?a=1", "%c0%af", "%c0%ae", "%ef%bc%8f", "%c3%a9", "\xc3\xa9", "%20", "+", "%0a", "\t", " ", "admin", "v1", "%61", "%41", "~", ":", "@", "a", "7", "%", "%zz", "|", "&", "=", ",",
}

// data is what a parameter may well be made of.
var data = strings.Split("a b c x y z A Z 0 1 9 - . _ ~ ! $ & ' ( ) * + , = : @ %20 %22 %3C %7b %C3%A9 %e2%82%ac %F0%9F%98%80 %3a %40 %2B %41 %7E", " ")

// mutate changes a target in up to four places, after it got data of its own every
// other time.
func mutate(r *rand.Rand, s string) string {
	if strings.HasPrefix(s, "/v2/orders/") && r.IntN(2) == 0 {
		for range r.IntN(9) {
			s += data[r.IntN(len(data))]
		}
	}
	for range r.IntN(5) {
		at := r.IntN(len(s) + 1)
		switch r.IntN(11) {
		case 0, 1:
			s = s[:at] + pieces[r.IntN(len(pieces))] + s[at:]
		case 2, 3, 4: // a character in another spelling
			if at < len(s) && at > 0 && s[at] != '%' && s[at] != '?' {
				format := "%%%02x"
				if r.IntN(2) == 0 {
					format = "%%%02X"
				}
				s = s[:at] + fmt.Sprintf(format, s[at]) + s[at+1:]
			}
		case 5: // in the other letter case
			if at < len(s) && s[at]|0x20 >= 'a' && s[at]|0x20 <= 'z' {
				s = s[:at] + string(s[at]^0x20) + s[at+1:]
			}
		case 6:
			if at < len(s) && at > 0 {
				s = s[:at] + s[at+1:]
			}
		case 7:
			from := r.IntN(at + 1)
			s = s[:at] + s[from:at] + s[at:]
		default: // data, raw or encoded
			for range 1 + r.IntN(4) {
				s = s[:at] + data[r.IntN(len(data))] + s[at:]
			}
		}
	}
	return s
}

func TestEveryReaderResolvesWhatIsPassedToTheJudgedOperation(t *testing.T) {
	d := newDecider(t)
	r := rand.New(rand.NewPCG(4, 6))
	all := readers()
	passed, known := 0, map[string]bool{}
	var lines, operations []string
	for n := range *targets {
		raw := seeds[n%len(seeds)]
		if n >= len(seeds) {
			raw = mutate(r, raw)
		}
		sent, operation, ok := d.decide(raw)
		if !ok {
			continue
		}
		passed++
		for _, reader := range all {
			if got := reader.find(sent); got != operation {
				t.Errorf("%q is sent as %q and judged as %q; %s reads %q", raw, sent, operation, reader.name, got)
			}
		}
		if t.Failed() {
			return
		}
		if !known[sent] {
			known[sent] = true
			lines, operations = append(lines, sent), append(operations, operation)
		}
	}
	if passed < *targets/20 || len(known) < passed/20 {
		t.Errorf("%d of %d targets passed, %d of them distinct: too few to say anything", passed, *targets, len(known))
	}
	t.Logf("%d targets, %d passed, %d distinct, %d readers", *targets, passed, len(known), len(all))
	t.Run("nginx", func(t *testing.T) { nginx(t, lines, operations) })
	t.Run("Node's URL parser", func(t *testing.T) { node(t, lines, operations) })
}

// node asks Node's URL parser.
func node(t *testing.T, lines, operations []string) {
	t.Helper()
	binary := needs.Tool(t, "node")
	const script = `require('readline').createInterface({input: process.stdin}).on('line', l => console.log(JSON.stringify(new URL(l, 'http://h').pathname)))`
	cmd := exec.Command(binary, "-e", script)
	cmd.Stdin = strings.NewReader(strings.Join(lines, "\n") + "\n")
	out, err := cmd.Output()
	if err != nil {
		t.Fatalf("asking Node: %v", err)
	}
	raw := table(func(i int) string { return routes[i].raw })
	read, n := bufio.NewScanner(bytes.NewReader(out)), 0
	for ; read.Scan() && n < len(lines); n++ {
		var pathname string
		if err := json.Unmarshal(read.Bytes(), &pathname); err != nil {
			t.Fatal(err)
		}
		if got := raw(pathname); got != operations[n] || pathname != pathOf(lines[n]) {
			t.Errorf("%q was judged as %q; Node reads %q in %q", lines[n], operations[n], got, pathname)
		}
	}
	if n != len(lines) {
		t.Errorf("Node read %d of %d targets", n, len(lines))
	}
	t.Logf("Node agrees on %d targets", n)
}

// The readers themselves must be able to disagree.
func TestTheReadersSeeWhatGatewaysMissed(t *testing.T) {
	for target, want := range map[string]string{
		"/v2/orders/../admin":     "the URL Standard",
		"/v2/orders/%2e%2e/admin": "the URL Standard",
		"/v2/orders/..%2fadmin":   "decode, merge slashes, resolve dots (nginx)",
		"/v2%2fadmin":             "decode, then split (WSGI)",
		"/v2/ADMIN":               "letter case and a final slash mean nothing (Express)",
		"/v2/orders/..;/admin":    "parameters cut off, then decode (servlets)",
		"/v2/admin%00.json":       "the path ends at NUL (C)",
		`/v2\admin`:               "backslashes are slashes (IIS)",
		"/v2/%61dmin":             "decode, then split (WSGI)",
	} {
		for _, r := range readers() {
			if got := r.find(target); r.name == want && got != "admin" {
				t.Errorf("%s reads %q in %s, want admin", r.name, got, target)
			}
		}
	}
}

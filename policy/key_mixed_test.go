package policy

import (
	"net/http"
	"strings"
	"testing"
	"time"
)

// What placeholders have in text with several of them, and how an operator asks for it.
func TestEachPlaceholderOfATextCountsAsItWouldAlone(t *testing.T) {
	const key = "{http.request.uri.query.a}/{http.request.host}/{http.request.header.B}{http.request.cookie.c}."
	f := newFixture(t, withLimits(Limit{Name: "l", Rate: 1, Window: time.Hour, Key: keyOf(t, key)}))
	refused := func(host, a string, b []string, c string) bool {
		r := request(t, f, call{line: "GET " + host + " /v2/orders", header: http.Header{"B": b}})
		r.Expand = func(placeholder string) (string, bool) {
			value := map[string]string{"{http.request.uri.query.a}": a, "{http.request.cookie.c}": c}[placeholder]
			return value, value != ""
		}
		v := new(Verdict)
		f.Decide(r, v)
		return v.Rule == RuleLimit
	}
	if refused("api.example", "xy", []string{"b"}, "c") || !refused("API.example.:80", " Xy", []string{"b"}, "%63") {
		t.Error("spellings of all parts have two buckets")
	}
	for _, other := range []func() bool{
		func() bool { return refused("beta.example", "xy", []string{"b"}, "c") },
		func() bool { return refused("api.example", "xz", []string{"b"}, "c") },
		func() bool { return refused("api.example", "xy", []string{"B"}, "c") },
		func() bool { return refused("api.example", "xy", []string{"b"}, "C") },
		func() bool { return refused("api.example", "", []string{"b"}, "c") },
	} {
		if other() {
			t.Error("two clients have one bucket")
		}
	}
	// What misses a part is the shared bucket, which the last of them has used up.
	for n, missing := range []bool{
		refused("api.example", "xw", nil, "c"), refused("api.example", "xw", []string{"1", "2"}, "c"), refused("beta.example", "xw", []string{"b"}, ""), refused("api.example", " ", []string{"b"}, "c"),
	} {
		if !missing {
			t.Errorf("%d: what misses a part has a bucket of its own", n)
		}
	}
	for _, text := range []string{"xy/api.example/bc.", " XY/API.example./bc.", "xy/api.example:80/bc.", ""} {
		if found, err := f.Buckets("l", "", "", []string{text}); err != nil || len(found) != 1 || found[0].Used != 1 {
			t.Errorf("the operator finds %v %v by %q", found, err, text)
		}
	}
	for _, text := range []string{"xy", "x/api.example/bc", "/api.example/bc."} {
		if _, err := f.Buckets("l", "", "", []string{text}); err == nil || !strings.Contains(err.Error(), key) || !strings.Contains(err.Error(), "write the whole text") {
			t.Errorf("%q: %v", text, err)
		}
	}
}

// What is no pattern is an error, and no panic.
func TestAKeyThatIsNoUTF8IsAskedForInVain(t *testing.T) {
	f := newFixture(t, withLimits(Limit{Name: "l", Rate: 1, Window: time.Hour, Key: keyOf(t, "\xff-{http.request.uri.query.a}")}))
	if _, err := f.Buckets("l", "", "", []string{"\xff-a"}); err == nil || !strings.Contains(err.Error(), "UTF-8") {
		t.Errorf("%v", err)
	}
}

// A host alone is found with its port and in any spelling, too.
func TestAnOperatorFindsAHostInAnySpelling(t *testing.T) {
	f := newFixture(t, withLimits(Limit{Name: "l", Rate: 1, Window: time.Hour, Key: keyOf(t, "{http.request.host}")}))
	f.ask(t, call{line: "GET api.example /v2/orders"})
	for text, used := range map[string]int{"api.example": 1, "API.Example.": 1, "api.example:8443": 1, "beta.example": 0, "::1": 0} {
		if found, err := f.Buckets("l", "", "", []string{text}); err != nil || len(found) != 1 || found[0].Used != used {
			t.Errorf("%s: %v %v", text, found, err)
		}
	}
}

func TestABraceInAKeyIsAPlaceholders(t *testing.T) {
	for _, s := range []string{`\{x\}-{http.request.uri.query.a}`, `a\{b\}`} {
		if _, err := ParseKeyPart(s); err == nil || !strings.Contains(err.Error(), "backslash") {
			t.Errorf("%s: %v", s, err)
		}
	}
	for _, s := range []string{`a\b-{http.request.uri.query.a}`, "{http.request.uri.query.a}{http.request.uri.query.b}"} {
		if part, err := ParseKeyPart(s); err != nil || part.String() != s {
			t.Errorf("%s: %s %v", s, part, err)
		}
	}
	if _, err := ParseKeyPart("t-{http.request.header.X-*}"); err == nil || !strings.Contains(err.Error(), "name one header") {
		t.Errorf("a header with an asterisk: %v", err)
	}
}

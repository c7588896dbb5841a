package apiguard

import (
	"encoding/hex"
	"encoding/json"
	"net/url"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/caddyserver/caddy/v2/caddyconfig/caddyfile"
	"github.com/caddyserver/caddy/v2/caddyconfig/httpcaddyfile"

	"github.com/apiguard/caddy-api-guard/inventory/spec/remote"
	"github.com/apiguard/caddy-api-guard/policy"
)

// goldens are the configurations of the adapt tests, each as a Caddyfile and its JSON.
func goldens(t testing.TB) (texts []string) {
	t.Helper()
	names, err := filepath.Glob("caddytest/testdata/adapt/*.caddytest")
	if err != nil || len(names) == 0 {
		t.Fatal("no adapt goldens", err)
	}
	for _, name := range names {
		text, err := os.ReadFile(name)
		if err != nil {
			t.Fatal(err)
		}
		texts = append(texts, string(text))
	}
	return texts
}

// Whatever stands in the global option is an app whose JSON is read again, or an
// error that says something.
func FuzzGlobalOption(f *testing.F) {
	for _, text := range goldens(f) {
		if _, inside, ok := strings.Cut(text, "api_guard {"); ok {
			f.Add("api_guard {" + inside[:strings.Index(inside, "\n\t}\n")+4])
		}
	}
	for _, option := range []string{"mode", "api a {\nversion v {\nselect date X\n}\n}", "inventory {\nretention 9d\n}", "policy {\nlimit l {\nrate 1/1m\nquota 1/day\n}\n}"} {
		f.Add("api_guard {\n" + option + "\n}")
	}
	f.Fuzz(func(t *testing.T, text string) {
		if strings.Contains(text, "{file.") || strings.Contains(text, "{env.") {
			return // they are this machine's
		}
		tokens, err := caddyfile.Tokenize([]byte(text), "Caddyfile")
		if err != nil || len(tokens) == 0 {
			return
		}
		got, err := parseGlobalOption(caddyfile.NewDispenser(tokens), nil)
		if err != nil {
			if strings.TrimSpace(err.Error()) == "" {
				t.Error("an error without words")
			}
			return
		}
		if err := json.Unmarshal(got.(httpcaddyfile.App).Value, new(App)); err != nil {
			t.Errorf("%q is adapted to JSON that cannot be read: %v", text, err)
		}
	})
}

// A value is taken within its bounds or not at all.
func FuzzValues(f *testing.F) {
	for _, s := range []string{"5/1m", "600/m", "1/366d", "5/9999999999h", "5/213504d", "110000d", "1MiB", "0", "1e99", "2027-03-31", "2027-03-31T14:00Z", "2027-02-30", "1000/day", "9/month", "15m", "+5/1m", "5/+1m", "10.0.0.0/8", "::1", "fd00::/129", "{client_ip}", "{http.api_guard.body./a~1b/0}", "{http.request.header.X}", "https://docs.example.com/orders.yaml sha256:" + strings.Repeat("0a", 32)} {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, s string) {
		const longest = 366 * 24 * time.Hour
		if n, window, err := parseRate(s); err == nil && (n < 1 || window <= 0 || window > longest) {
			t.Errorf("the rate %q is %d in %v", s, n, window)
		}
		if d, err := parsePenalty(s); err == nil && (d <= 0 || d > longest) {
			t.Errorf("the penalty %q is %v", s, d)
		}
		if n, period, err := parseQuota(s); err == nil && (n < 1 || period == 0) {
			t.Errorf("the quota %q is %d in %v", s, n, period)
		}
		if n, err := parseSize(s); err == nil && (n < 1 || n > 1<<40) {
			t.Errorf("the size %q is %d", s, n)
		}
		if until, err := parseUntil(s); err == nil {
			if day, err := parseDate(s); err != nil || until.Before(day) {
				t.Errorf("until %q is %v, before it begins: %v, %v", s, until, day, err)
			}
		}
		if p, err := parseNetwork(s); err == nil && !p.IsValid() {
			t.Errorf("the network %q is %v", s, p)
		}
		if pin, err := remote.Parse(s); err == nil {
			u, err := url.Parse(pin.URL)
			again, wrong := remote.Parse(pin.URL + " " + remote.HashPrefix + hex.EncodeToString(pin.Sum[:]))
			if err != nil || wrong != nil || again != pin || u.Scheme != "https" || u.Host == "" || u.User != nil || u.Fragment != "" {
				t.Errorf("the document %q is %+v, and that %+v: %v", s, pin, again, wrong)
			}
		}
		_, _ = policy.ParseKeyPart(s)
		if d, err := parseDate(s); err == nil {
			if again, err := parseDate(d.Format(time.RFC3339Nano)); err != nil || !again.Equal(d) || d.Location() != time.UTC {
				t.Errorf("the date %q is %v, and that %v, %v", s, d, again, err)
			}
		}
	})
}

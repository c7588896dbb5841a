package caddytest

import (
	"bytes"
	"encoding/json"
	"flag"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/caddyserver/caddy/v2/caddyconfig"
	"github.com/google/go-cmp/cmp"
)

var update = flag.Bool("update", false, "write what the adapter gives into testdata/adapt")

// separator stands between the Caddyfile of a golden and what it adapts to.
const separator = "----------\n"

// here stands in goldens for the folder of the Caddyfile, which the adapter
// writes out whole.
const here = "<here>"

// adapt turns a Caddyfile of that name into JSON, or an error's text.
func adapt(t *testing.T, file, text string) (string, error) {
	t.Helper()
	config, warnings, err := caddyconfig.GetAdapter("caddyfile").Adapt([]byte(text), map[string]any{"filename": file})
	if err != nil {
		return "", err
	}
	for _, w := range warnings {
		if !strings.Contains(w.Message, "not formatted") {
			t.Errorf("warning: %v", w)
		}
	}
	var pretty bytes.Buffer
	if err := json.Indent(&pretty, config, "", "\t"); err != nil {
		t.Fatal(err)
	}
	folder, err := filepath.Abs(filepath.Dir(file))
	if err != nil {
		t.Fatal(err)
	}
	return strings.ReplaceAll(pretty.String(), folder, here) + "\n", nil
}

func TestCaddyfilesAdaptToTheirGoldens(t *testing.T) {
	files, err := filepath.Glob("testdata/adapt/*.caddytest")
	if err != nil || len(files) == 0 {
		t.Fatalf("no goldens: %v", err)
	}
	for _, file := range files {
		t.Run(strings.TrimSuffix(filepath.Base(file), ".caddytest"), func(t *testing.T) {
			golden, err := os.ReadFile(file)
			if err != nil {
				t.Fatal(err)
			}
			input, want, ok := strings.Cut(string(golden), separator)
			if !ok {
				t.Fatalf("%s has no line %s", file, strings.TrimSpace(separator))
			}
			got, err := adapt(t, file, input)
			if err != nil {
				got = err.Error() + "\n"
			}
			if *update {
				if err := os.WriteFile(file, []byte(input+separator+got), 0o644); err != nil {
					t.Fatal(err)
				}
				return
			}
			if diff := cmp.Diff(want, got); diff != "" {
				t.Errorf("adapting %s (-want +got; -update writes it):\n%s", file, diff)
			}
		})
	}
}

// inherits is a limit of an API and the same one in a version.
func inherits(above, below string) string {
	return "limit own {\nrate 5/1m\n" + above + "\n}\nversion v0 {\nhosts b.example.com\nlimit own {\n" + below + "\n}\n}"
}

// wrongOptions are lines of the block where they stand, in a Caddyfile whose
// lines are counted, and what the error must say besides the line.
var wrongOptions = []struct {
	name  string
	where string // one of blocks
	line  string
	says  []string
}{
	{"an unknown option", "top", "nonsense", []string{"nonsense"}},
	{"an unknown option in the policy", "policy", "nonsense enforce", []string{"nonsense"}},
	{"an unknown option in a limit", "limit", "nonsense 1", []string{"nonsense"}},
	{"an unknown option in an API", "api", "nonsense 1", []string{"nonsense"}},
	{"an unknown option in a version", "version", "nonsense 1", []string{"nonsense"}},
	{"an option of another block", "version", "rate 5/1m", []string{"rate"}},
	{"a cluster that is no Redis", "top", "cluster http://127.0.0.1", []string{"redis://"}},
	{"a cluster with a short secret", "top", "cluster redis://127.0.0.1 {\nsecret hush\n}", []string{"secret", "16"}},
	{"an unknown mode at the top", "top", "mode strict", []string{"strict", "enforce", "monitor"}},
	{"an unknown mode of a rule", "policy", "unknown_route strict", []string{"strict", "enforce", "monitor"}},
	{"a coverage that is none", "top", "coverage off", []string{"off", "warn", "strict"}},
	{"a catalogue that is neither on nor off", "top", "api_catalog maybe", []string{"maybe", "on", "off"}},
	{"a rule without a mode", "policy", "unknown_route", nil},
	{"a rule with two modes", "policy", "unknown_route enforce monitor", nil},
	{"a rule written twice", "policy", "target monitor\ntarget enforce", []string{"target"}},
	{"a format without a pattern", "policy", "format order-number", nil},
	{"a format written twice", "policy", "format a ^a\nformat a ^b", []string{"format a"}},
	{"a format that is no expression", "policy", "format order-number (", []string{"order-number"}},
	{"a format of numbers with a pattern", "policy", "format int64 ^1", []string{"int64", "off"}},
	{"a size that is none", "policy", "request enforce {\nmax_body many\n}", []string{"many", "1MiB"}},
	{"a ceiling on bodies that is too low", "top", "body_memory 1MiB", []string{"1048576", "2MiB"}},
	{"bodies that no ceiling has room for", "policy", "request enforce {\nmax_body 200MiB\n}", []string{"209715200", "body_memory"}},
	{"a status that is none of the two", "policy", "request enforce {\nstatus 418\n}", []string{"418", "400"}},
	{"a timeout that is none", "policy", "request enforce {\nbody_timeout soon\n}", []string{"soon", "10s"}},
	{"a timeout without a unit", "policy", "request enforce {\nbody_timeout 10\n}", []string{`"10"`, "a unit", "10s"}},
	{"a timeout of nothing", "policy", "request enforce {\nbody_idle_timeout 0s\n}", []string{"0s", "10s"}},
	{"a timeout of a day", "policy", "request enforce {\nbody_timeout 1d\n}", []string{"1d:", "1h"}},
	{"a longer timeout in a version", "version", "request enforce {\nbody_timeout 2m\n}", []string{"2m is looser than the inherited 1m:"}},
	{"a rate without a window", "limit", "rate 5", []string{"5", "5/1m"}},
	{"a rate of nothing", "limit", "rate 0/1m", []string{"0/1m"}},
	{"a rate in weeks", "limit", "rate 5/1w", []string{"5/1w"}},
	{"an algorithm that does not exist", "limit", "algorithm leaky", []string{"leaky", "window", "bucket"}},
	{"a burst of nothing", "limit", "algorithm bucket\nburst 0", []string{"0", "leave the line out"}},
	{"a table of nothing", "top", "table_slots 0", []string{"0", "leave the line out"}},
	{"a table larger than there is", "top", "table_slots 67108865", []string{"67108865", "67108864"}},
	{"answers too large to be judged", "policy", "response monitor {\nmax_body 2GiB\n}", []string{"2147483648", "1GiB"}},
	{"pages of nothing", "top", "inventory {\npage_size 0\n}", []string{"0", "leave the line out"}},
	{"an address within a key", "limit", "key \"from {client_ip}\"", []string{"of its own"}},
	{"a burst for a window", "limit", "burst 9", []string{"burst", "bucket"}},
	{"a count of nothing known", "limit", "count clicks", []string{"clicks", "failures"}},
	{"a status that is no number", "limit", "count failures many", []string{"many", "401"}},
	{"a status that is none", "limit", "count failures 42", []string{"42"}},
	{"a status twice", "limit", "count failures 401 401", []string{"401"}},
	{"statuses of what is no failure", "limit", "count unknown 404", []string{"failures"}},
	{"a penalty without a unit", "limit", "penalty 15", []string{"15", "15m"}},
	{"a penalty of a year", "limit", "penalty 365d", []string{"penalty"}},
	{"a cost of nothing", "limit", "cost 0", []string{"1"}},
	{"a cost that the limit does not hold", "limit", "cost 6", []string{"cost 6"}},
	{"a concurrency of nothing", "limit", "concurrency 0", []string{"1"}},
	{"a penalty without a rate", "policy", "limit empty {\nconcurrency 2\npenalty 1m\n}", []string{"penalty", "rate"}},
	{"a count without a rate", "policy", "limit empty {\nconcurrency 2\ncount failures\n}", []string{"count", "rate"}},
	{"a key from the body of every request", "limit", "key {http.api_guard.body./email}", []string{"operations"}},
	{"a key that is no pointer", "limit", "key {http.api_guard.body.email}", []string{"/email"}},
	{"a shorter penalty in a version", "api", inherits("penalty 1h", "penalty 1m"), []string{"1m is looser than the inherited 1h:"}},
	{"a bucket for a window in a version", "version", "limit guarded {\nalgorithm bucket\n}", []string{"guarded", "window"}},
	{"a higher concurrency in a version", "api", inherits("concurrency 2", "concurrency 3"), []string{"3", "looser", "2"}},
	{"a lower cost in a version", "api", inherits("cost 2", "cost 1"), []string{"1", "looser", "2"}},
	{"another count in a version", "version", "limit guarded {\ncount unknown\n}", []string{"guarded", "unknown"}},
	{"a limit without a rate", "policy", "limit empty {\nkey {client_ip}\n}", []string{"empty", "rate"}},
	{"two limits of one name", "limits", "limit guarded {\nrate 1/1m\n}", []string{"guarded"}},
	{"a date that is none", "version", "deprecated soon", []string{"soon", "2027-03-31"}},
	{"a year that nobody means", "version", "sunset 0226-01-01", []string{"0226-01-01", "1970"}},
	{"a day that does not exist", "version", "deprecated 2026-02-30", []string{"2026-02-30"}},
	{"a sunset before the deprecation", "version", "deprecated 2027-01-01\nsunset 2026-01-01", []string{"sunset", "deprecat"}},
	{"a state that follows from dates", "version", "state retired", []string{"retired", "beta"}},
	{"a brownout without a duration", "version", "brownout 2027-03-15T14:00Z", nil},
	{"a brownout at no time", "version", "brownout soon 2h", []string{"soon", "2027-03-31"}},
	{"a brownout of no length", "version", "brownout 2027-03-15T14:00Z 0s", []string{"0s", "2h"}},
	{"a brownout of some length", "version", "brownout 2027-03-15T14:00Z long", []string{"long", "2h"}},
	{"a brownout after the sunset", "version", "sunset 2027-01-01\nbrownout 2027-01-01 1h", []string{"brownout", "sunset"}},
	{"a design that is deprecated", "version", "state design\ndeprecated 2027-01-01", []string{"design"}},
	{"a successor that is nothing", "version", "deprecated 2026-01-01\nsuccessor v9", []string{"v9"}},
	{"a successor that is misspelt", "top", "api more {\nversion old {\nhosts m.example.com\npath /old\nsuccessor newr\n}\nversion beta {\nhosts m.example.com\npath /beta\n}\nversion newer {\nhosts m.example.com\npath /newer\n}\n}", []string{`successor "newr"`, "did you mean newer?", "there are beta, newer"}},
	{"a successor of the only version", "top", "api more {\nversion old {\nhosts m.example.com\nsuccessor old\n}\n}", []string{`successor "old"`, "there is none"}},
	{"a rule that is looser in a version", "version", "target monitor", []string{"monitor", "enforce", "stricter"}},
	{"a rule that is looser in an API", "api", "lifecycle off", []string{"off", "enforce", "stricter"}},
	{"a looser limit in a version", "version", "limit guarded {\nrate 500/1m\n}", []string{"guarded", "500/1m is looser than the inherited 5/1m,"}},
	{"a selector of no known kind", "version", "select moon phase full", []string{"moon"}},
	{"a query selector without a value", "version", "select query v", nil},
	{"a query selector with a space for a value", "version", `select query v " "`, []string{"value"}},
	{"an Accept selector that is no media type", "version", "select accept json", []string{"json", "application/vnd.example.v2+json"}},
	{"an Accept selector with a wildcard", "version", "select accept application/*", []string{"application/*", "wildcard"}},
	{"an Accept selector with a weight", "version", "select accept application/json;q=1", []string{"q"}},
	{"a date selector in a version without a date", "version", "select date X-Version", []string{"v1", "2026-03-10"}},
	{"a date selector with a value", "version", "select date X-Version 2026-03-10", nil},
	{"a header that is none", "version", "select header a(b 1", []string{"a(b"}},
	{"a selector without a value", "version", "select header X-Api-Version", nil},
	{"an audience without a name", "top", "audience", nil},
	{"an audience without a network", "top", "audience internal", []string{"internal", "10.0.0.0/8"}},
	{"an audience of no network", "top", "audience internal 10.0.0.0/33", []string{"10.0.0.0/33"}},
	{"a network with bits behind its length", "top", "audience internal 10.1.0.0/8", []string{"10.1.0.0/8", "10.0.0.0/8"}},
	{"an audience that bears a mode's name", "top", "audience monitor 10.0.0.0/8", []string{"monitor"}},
	{"two audiences of one name", "top", "audience a 10.0.0.0/8\naudience a 192.0.2.1", []string{"declared twice"}},
	{"an audience that nobody declared", "version", "audience internal", []string{"internal\" is not declared:", "audience internal <network>"}},
	{"an audience that is misspelt", "top", "audience internal 10.0.0.0/8\napi more {\nversion v1 {\nhosts m.example.com\naudience internel\n}\n}", []string{"internel", "did you mean internal?"}},
	{"a mode for a version's audience", "version", "audience off", []string{"off", "names audiences"}},
	{"everybody and somebody", "version", "audience public internal", []string{"public", "everybody"}},
	{"a looser audience rule in an API", "api", "audience monitor", []string{"monitor", "stricter"}},
	{"an integration without a credential", "top", "integration acme {\npurpose x\n}", []string{"acme", "sha256:"}},
	{"an integration with a bare credential", "top", "integration acme {\nconsumer s3cret\n}", []string{"acme", "sha256:"}},
	{"an integration with the digest of nothing", "top", "integration acme {\nconsumer sha256:e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855\n}", []string{"acme", "nothing", "empty"}},
	{"an integration with the digest of a line end", "top", "integration acme {\nconsumer sha256:01ba4719c80b6fe911b091a7c05124b64eeece964e09c058ef8f9805daca546b\n}", []string{"nothing"}},
	{"an integration with half a digest", "top", "integration acme {\nconsumer sha256:9f86d0\n}", []string{"64"}},
	{"an integration with an end that is none", "top", acme("until never"), []string{"never"}},
	{"two integrations of one credential", "top", acme("") + "\n" + strings.Replace(acme(""), "acme", "other", 1), []string{"acme", "other", "credential"}},
	{"consumers that are no placeholder", "top", "consumers alice", []string{"alice", "placeholder"}},
	{"an exception for nobody", "version", "exception x {\nconsumer acme\nrule request\nuntil 2027-06-30\nreason y\n}", []string{"acme\" is no declared integration,"}},
	{"an exception for a misspelt integration", "version", "exception x {\nconsumer partnr\nrule request\nuntil 2027-06-30\nreason y\n}", []string{"partnr", "did you mean partner?"}},
	{"a window of a year", "limit", "rate 5/365d", []string{"365d is not between 1s and 31d"}},
	{"an exception without a consumer", "version", "exception x {\nrule request\nuntil 2027-06-30\nreason y\n}", []string{"no consumer"}},
	{"an exception from a rule that is judged before the version is known", "version", partnerException("rule target"), []string{"target", "lifecycle"}},
	{"an exception from no rule", "version", partnerException(""), []string{"rule"}},
	{"an exception without an end", "version", strings.Replace(partnerException("rule request"), "until 2027-06-30", "", 1), []string{"until"}},
	{"an exception with an end that is none", "version", strings.Replace(partnerException("rule request"), "2027-06-30", "never", 1), []string{"never"}},
	{"an exception without a reason", "version", strings.Replace(partnerException("rule request"), "reason why", "", 1), []string{"reason"}},
	{"two exceptions of one name", "version", partnerException("rule request") + "\n" + partnerException("rule audience"), []string{"declared twice"}},
	{"one document twice", "version", "spec orders.yaml ./orders.yaml", []string{"orders.yaml", "written twice"}},
	{"a document by URL without a hash", "version", "spec https://example.com/orders.yaml", []string{"https://example.com/orders.yaml", "sha256:", "sha256sum"}},
	{"a document by URL before a file", "version", "spec https://example.com/orders.yaml orders.yaml", []string{"https://example.com/orders.yaml", "needs its hash"}},
	{"a document by URL with half a hash", "version", "spec https://example.com/orders.yaml sha256:9f86d0", []string{"sha256:9f86d0", "64 hex digits"}},
	{"a document by plain HTTP", "version", "spec http://example.com/orders.yaml " + someHash, []string{"http://example.com/orders.yaml", "https"}},
	{"a document by the URL of a file", "version", "spec file:///srv/orders.yaml " + someHash, []string{"file:///srv/orders.yaml", "path"}},
	{"a document of a user", "version", "spec https://user@example.com/orders.yaml " + someHash, []string{"user", "name the file"}},
	{"a hash for a file", "version", "spec orders.yaml " + someHash, []string{"sha256:9f86d081", "behind no URL"}},
	{"one URL with two hashes", "version", "spec https://example.com/a.yaml " + someHash + "\nspec https://example.com/a.yaml sha256:" + strings.Repeat("0", 64), []string{"https://example.com/a.yaml", "written twice"}},
	{"a document that may have no size", "top", "max_document 10B", []string{"10 bytes", "1KiB", "64MiB"}},
	{"a document of a size that is none", "top", "max_document large", []string{"large", "1MiB"}},
	{"a rate in two words", "version", "limit each {\nrate 5 1m\n}", []string{"rate takes one value"}},
	{"a rule without a mode", "version", "target", []string{"target takes one value"}},
	{"a limit without a name", "version", "limit {\nrate 5/1m\n}", []string{"limit <name>"}},
	{"a flag with a value", "version", "default yes", []string{"default stands alone", "yes"}},
	{"an option of another block", "version", "rate 5/1m", []string{"rate", "there are", "sunset"}},
	{"a brownout without an end", "version", "brownout 2027-01-01", []string{"brownout", "2h"}},
	{"a selector without a value", "version", "select header X-V", []string{"select header", "a name and a value"}},
	{"an exception's limit that nothing is there for", "version", partnerException("limit each {\nrate 5/1m\n}"), []string{"each", "no limit"}},
	{"an exception from all limits that sets some", "version", "limit each {\nrate 5/1m\n}\n" + partnerException("rule limit\nlimit each {\nrate 9/1m\n}"), []string{"rule limit", "inside"}},
	{"two exceptions that set limits for one consumer", "version", "limit each {\nrate 5/1m\n}\n" + partnerException("limit each {\nrate 9/1m\n}") + "\n" + strings.Replace(partnerException("rule limit"), "exception x", "exception y", 1), []string{"both set limits", "into one"}},
	{"an unknown option in an exception", "version", "exception x {\nnonsense 1\n}", []string{"nonsense"}},
	{"hosts without a host", "version", "hosts", nil},
	{"a path that is none", "version", "path v2", []string{"v2"}},
	{"two versions of one name", "versions", "version v1 {\nhosts b.example.com\n}", []string{"v1"}},
	{"two APIs of one name", "apis", "api orders {\nversion v1 {\nhosts b.example.com\n}\n}", []string{"orders"}},
	{"an API without a name", "top", "api {\n}", nil},
	{"an inventory that forgets at once", "top", "inventory {\nretention 5m\n}", []string{"5m:", "90d"}},
	{"an argument to the directive", "site", "api_guard strict", []string{"api_guard"}},
	{"a block for the directive", "site", "api_guard {\nmode monitor\n}", []string{"api_guard"}},
}

// someHash is what a document by URL may be pinned with.
const someHash = "sha256:9f86d081884c7d659a2feaa0c55ad015a3bf4f1b2b0b822cd15d6c15b0f00a08"

// acme is an integration with further lines.
func acme(lines string) string {
	return "integration acme {\nconsumer sha256:" + strings.Repeat("ab", 32) + "\n" + lines + "\n}"
}

// partnerException is an exception for the integration of wrongFile.
func partnerException(rule string) string {
	return "exception x {\nconsumer partner\n" + rule + "\nuntil 2027-06-30\nreason why\n}"
}

// wrongFile is the Caddyfile that wrongOptions go into.
const wrongFile = `{
	api_guard {
		integration partner {
			consumer sha256:cdcdcdcdcdcdcdcdcdcdcdcdcdcdcdcdcdcdcdcdcdcdcdcdcdcdcdcdcdcdcdcd
		}
		<top>
		policy {
			<policy>
			limit guarded {
				<limit>
				rate 5/1m
			}
			<limits>
		}
		api orders {
			<api>
			version v1 {
				<version>
				hosts a.example.com
			}
			<versions>
		}
		<apis>
	}
}
http://a.example.com {
	<site>
	api_guard
}
`

// blocks are the places in wrongFile where lines may go.
var blocks = []string{"top", "policy", "limit", "limits", "api", "version", "versions", "apis", "site"}

// place puts lines into a block and returns the file with the numbers of the
// first and the last of them.
func place(where, lines string) (text string, first, last int) {
	text = wrongFile
	for _, block := range blocks {
		if block != where {
			text = strings.Replace(text, "<"+block+">\n", "\n", 1)
		}
	}
	before, _, _ := strings.Cut(text, "<"+where+">")
	first = 1 + strings.Count(before, "\n")
	switch { // an option that the block has already is replaced, not repeated
	case where == "limit" && strings.HasPrefix(lines, "rate"):
		text = strings.Replace(text, "\trate 5/1m\n", "\n", 1)
	case where == "version" && strings.HasPrefix(lines, "hosts"):
		text = strings.Replace(text, "\thosts a.example.com\n", "\n", 1)
	}
	return strings.Replace(text, "<"+where+">", lines, 1), first, first + strings.Count(lines, "\n")
}

func TestAWrongOptionIsAnErrorThatNamesItsLine(t *testing.T) {
	right, _, _ := place("top", "")
	if _, err := adapt(t, "Caddyfile", right); err != nil {
		t.Fatalf("the file that the rows go into is wrong itself: %v", err)
	}
	for _, row := range wrongOptions {
		t.Run(row.name, func(t *testing.T) {
			text, first, last := place(row.where, row.line)
			_, err := adapt(t, "Caddyfile", text)
			if err == nil {
				t.Fatalf("no error for %q", row.line)
			}
			if !namesLine(err.Error(), first, last) {
				t.Errorf("the error %q names no line from Caddyfile:%d to %d", err, first, last)
			}
			for _, word := range row.says {
				if !strings.Contains(err.Error(), word) {
					t.Errorf("the error %q does not say %q", err, word)
				}
			}
		})
	}
}

// namesLine says whether text has Caddyfile:N with N from first to last.
func namesLine(text string, first, last int) bool {
	for part := range strings.SplitSeq(text, "Caddyfile:") {
		n, digits := 0, 0
		for digits < len(part) && part[digits] >= '0' && part[digits] <= '9' {
			n = n*10 + int(part[digits]-'0')
			digits++
		}
		if digits > 0 && first <= n && n <= last {
			return true
		}
	}
	return false
}

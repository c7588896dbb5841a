package policy

import (
	"net/http"
	"strings"
	"testing"
	"time"
)

// Upstream reads one line of a field that came in several: a guesser who keeps that
// one and changes the others must not get a fresh bucket for each guess.
func TestAKeyFieldInSeveralLinesBuysNoBucket(t *testing.T) {
	f := newFixture(t, withLimits(Limit{Name: "l", Rate: 1, Window: time.Hour, Operations: []string{"resetPassword"}, Key: keyOf(t, "{http.request.header.X-Api-Key}")}))
	guess := func(lines ...string) bool {
		return f.ask(t, call{line: "POST api.example /v2/reset", header: http.Header{"X-Api-Key": lines}}).Rule == RuleLimit
	}
	if guess("a") || guess("b") {
		t.Fatal("two clients share a bucket")
	}
	if !guess("a") {
		t.Fatal("the first client's second guess passes")
	}
	if guess("a", "1") {
		t.Fatal("the shared bucket is used up already")
	}
	for _, lines := range [][]string{{"a", "2"}, {"3", "a"}, {"a", "a"}, {""}, nil} {
		if !guess(lines...) {
			t.Errorf("%q has a bucket of its own", lines)
		}
	}
}

// net/http has the host apart from the other fields. Over HTTP/2 a second one may stand
// beside :authority, in whatever words.
func TestAKeyOfTheFieldHostIsTheHost(t *testing.T) {
	f := newFixture(t, withLimits(Limit{Name: "l", Rate: 1, Window: time.Hour, Key: keyOf(t, "{http.request.header.host}")}))
	refused := func(line string, header http.Header) bool {
		return f.ask(t, call{line: line, header: header}).Rule == RuleLimit
	}
	if refused("GET api.example /v2/orders", nil) || !refused("GET API.example:80 /v2/orders", http.Header{"Host": {"other"}}) {
		t.Error("a host has two buckets")
	}
	if refused("GET beta.example /v2/orders", nil) {
		t.Error("two hosts have one bucket")
	}
	if found, err := f.Buckets("l", "", "", []string{"API.example"}); err != nil || len(found) != 1 || found[0].Used != 1 {
		t.Errorf("the operator finds %v %v", found, err)
	}
}

// One credential or account has many spellings: none of them has a bucket of its own, and
// the operator finds it by any.
func TestASpellingOfACredentialBuysNoBucket(t *testing.T) {
	for _, c := range []twoValues{
		{"a scheme in other letters", "{http.request.header.authorization}", "Bearer abc", "bEARER abc", true},
		{"more blanks", "{http.request.header.Authorization}", "Bearer abc", "Bearer \t abc", true},
		{"a tab", "{http.request.header.Authorization}", "Bearer abc", "Bearer\t\tabc", true},
		{"another token behind a tab", "{http.request.header.Authorization}", "Bearer\tabc", "Bearer\tabd", false},
		{"another token", "{http.request.header.Authorization}", "Bearer abc", "Bearer abC", false},
		{"another scheme", "{http.request.header.Authorization}", "Bearer abc", "DPoP abc", false},
		{"a token alone", "{http.request.header.Authorization}", "abc", "ABC", false},
		{"base64 without padding", "{http.request.header.Authorization}", "Basic YTpiYw==", "Basic YTpiYw", true},
		{"base64 with other spare bits", "{http.request.header.Authorization}", "Basic YTpiYw==", "basic YTpiYx==", true},
		{"another password", "{http.request.header.Authorization}", "Basic YTpiYw==", "Basic YTpiZA==", false},
		{"base64 with what readers skip", "{http.request.header.Authorization}", "Basic YTpiYw==", "Basic Y!T:p iYw==", true},
		{"base64 with a part of a byte more", "{http.request.header.Authorization}", "Basic YTpi", "Basic YTpiY", true},
		{"base64 of URLs", "{http.request.header.Authorization}", "Basic YTo/Pj8+", "Basic YTo_Pj8-", true},
		{"base64 that goes on after its padding", "{http.request.header.Authorization}", "Basic YTpiYw==A", "Basic YTpiYw==B", true},
		{"that beside what does not", "{http.request.header.Authorization}", "Basic YTpiYw==A", "Basic YTpiYw==", false},
		{"a key where base64 is asked for", "{http.request.header.Authorization}", "Basic os_v2_app-1", "Basic os_v2_app-2", false},
		{"what is no base64", "{http.request.header.Authorization}", "Basic a:b", "Basic a:c", false},
		{"a key in other letters", "{http.request.header.X-Api-Key}", "abc", "Abc", false},
		{"a key that is encoded", "{http.request.header.X-Api-Key}", "abc", "%61bc", false},
		{"a cookie that is encoded", "{http.request.cookie.s}", "abc", "%61b%63", true},
		{"another cookie", "{http.request.cookie.s}", "abc", "%62bc", false},
		{"a cookie with a percent sign", "{http.request.cookie.s}", "50%", "51%", false},
		{"a parameter in other letters", "{http.request.uri.query.user}", "ada@x", " Ada@X ", true},
		{"another parameter", "{http.request.uri.query.user}", "ada@x", "ada@y", false},
		{"a segment in other letters", "{http.request.uri.path.1}", "ada", "ADA", true},
		{"a segment of the path as it was", "{http.request.orig_uri.path.1}", "ada", "ADA", true},
		{"a whole path in other letters", "{http.request.uri.path}", "/ada", "/ADA", false},
		{"a cookie in other letters", "{http.request.cookie.s}", "abc", "ABC", false},
		{"a parameter that is blank", "{http.request.uri.query.user}", "", " ", true},
		{"a cookie that is blank", "{http.request.cookie.s}", "", " ", false},
		{"an address of one /64", "{http.request.header.X-Api-Key}", "2001:db8:1:2::1", "2001:0db8:1:2:ffff::9", true},
		{"an address of another /64", "{http.request.header.X-Api-Key}", "2001:db8:1:2::1", "2001:db8:1:3::1", false},
		{"an IPv4 address within IPv6", "{http.request.cookie.s}", "192.0.2.7", "::ffff:192.0.2.7", true},
		{"a label of the host in other letters", "{http.request.host.labels.1}", "ada", "ADA", true},
	} {
		for _, around := range [][2]string{{}, {"t-"}, {"", " "}, {"{http.request.method}~", "~{http.request.method}"}} {
			c.count(t, around[0], around[1])
		}
	}
}

// twoValues is what a key counts by, in two spellings or two values of it.
type twoValues struct {
	name, key, first, second string
	same                     bool
}

// count checks it beside other text in the key, which makes no difference.
func (c *twoValues) count(t *testing.T, before, after string) {
	t.Helper()
	text := strings.NewReplacer("{http.request.method}", "GET")
	whole := func(value string) string { return text.Replace(before) + value + text.Replace(after) }
	f := newFixture(t, withLimits(Limit{Name: "l", Rate: 1, Window: time.Hour, Key: keyOf(t, before+c.key+after)}))
	ask := func(value string) bool {
		r := request(t, f, call{line: "GET api.example /v2/orders", header: http.Header{"Authorization": {value}, "X-Api-Key": {value}}})
		r.Expand = func(placeholder string) (string, bool) {
			if placeholder == "{http.request.method}" {
				return "GET", true
			}
			return value, placeholder == c.key && value != ""
		}
		v := new(Verdict)
		f.Decide(r, v)
		return v.Rule == RuleLimit
	}
	name := c.name + ", " + before + c.key + after
	if ask(c.first) {
		t.Fatalf("%s: the first call is refused", name)
	}
	if ask(c.second) != c.same {
		t.Errorf("%s: one bucket: %v", name, !c.same)
	}
	for _, value := range []string{c.first, c.second} {
		if value == "" {
			continue
		}
		if found, err := f.Buckets("l", "", "", []string{whole(value)}); err != nil || len(found) != 1 || found[0].Used != 1 {
			t.Errorf("%s: the operator finds %v %v by %q", name, found, err, whole(value))
		}
	}
}

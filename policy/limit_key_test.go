package policy

import (
	"errors"
	"strings"
	"testing"
	"time"
)

// body gives a request a body that is read for a key.
func (f *fixture) askBody(t *testing.T, line, body string, readable bool) *Verdict {
	t.Helper()
	r := request(t, f, call{line: line, body: body})
	r.ReadBody = func(int64) ([]byte, bool) { return []byte(body), readable }
	v := new(Verdict)
	f.Decide(r, v)
	return v
}

func TestAKeyFromTheBodyCountsByAccount(t *testing.T) {
	for _, c := range []struct {
		name, first, second string
		same                bool
	}{
		{"another account", `{"email":"a@x"}`, `{"email":"b@x"}`, false},
		{"the same account", `{"email":"a@x"}`, `{"email":"a@x","code":1}`, true},
		{"another spelling of it", `{"email":"a@x"}`, "{ \"\\u0065mail\" : \"\\u0061@x\" }", true},
		{"another letter case", `{"email":"a@x"}`, `{"email":" A@X "}`, true},
		{"equal numbers", `{"email":10}`, `{"email":1e1}`, true},
		{"a number as text", `{"email":10}`, `{"email":"10"}`, true},
		{"no member and no value", `{"code":1}`, `{"email":null}`, true},
		{"no member and a list", `{"code":1}`, `{"email":["a@x"]}`, true},
		{"no member and no JSON", `{"code":1}`, `{"email":"a@x"`, true},
		{"no member and two of the name", `{"code":1}`, `{"email":"a@x","email":"b@x"}`, true},
	} {
		f := newFixture(t, withLimits(Limit{Name: "l", Rate: 1, Window: time.Hour, Operations: []string{"resetPassword"}, Key: keyOf(t, "{http.api_guard.body./email}")}))
		if f.askBody(t, "POST api.example /v2/reset", c.first, true).Rule == RuleLimit {
			t.Fatalf("%s: the first call is refused", c.name)
		}
		if same := f.askBody(t, "POST beta.example /v2/reset", c.second, true).Rule == RuleLimit; same != c.same {
			t.Errorf("%s: one bucket: %v", c.name, same)
		}
	}
}

func TestABodyThatCannotBeReadIsTheSharedBucket(t *testing.T) {
	f := newFixture(t, withLimits(Limit{Name: "l", Rate: 1, Window: time.Hour, Operations: []string{"resetPassword"}, Key: keyOf(t, "{http.api_guard.body./email}")}))
	f.askBody(t, "POST api.example /v2/reset", `{"email":"a@x"}`, false)
	if f.askBody(t, "POST api.example /v2/reset", `{"email":"b@x"}`, false).Rule != RuleLimit {
		t.Error("too large a body buys a bucket of its own")
	}
}

func TestABodyIsReadOnlyForALimitThatBinds(t *testing.T) {
	f := newFixture(t, withLimits(Limit{Name: "l", Rate: 1, Window: time.Hour, Operations: []string{"resetPassword"}, Key: keyOf(t, "{http.api_guard.body./email}")}))
	r := request(t, f, jsonCall(`{"sku":"a"}`).to("POST api.example /v2/orders"))
	r.ReadBody = func(int64) ([]byte, bool) {
		t.Error("the body is read for an operation that the limit does not name")
		return nil, false
	}
	f.Decide(r, new(Verdict))
}

func TestPointersThatAreNone(t *testing.T) {
	for _, text := range []string{"{http.api_guard.body.}", "{http.api_guard.body./}", "{http.api_guard.body.email}", "x{http.api_guard.body./a}", "{http.api_guard.body./a}x", "{http.api_guard.body./a~2}", "{http.api_guard.body./a~}"} {
		if _, err := ParseKeyPart(text); err == nil || !strings.Contains(err.Error(), "pointer") {
			t.Errorf("%s: %v", text, err)
		}
	}
	if part, err := ParseKeyPart("{http.api_guard.body./a~1b/0}"); err != nil || !part.Body() || part.String() != "{http.api_guard.body./a~1b/0}" {
		t.Errorf("%v %v", part, err)
	}
}

func TestAnOperatorFindsAndForgetsABucketByItsKey(t *testing.T) {
	f := newFixture(t, withLimits(
		Limit{Name: "l", Rate: 1, Window: time.Hour, Penalty: 2 * time.Hour, Key: keyOf(t, "{http.request.header.X-Tenant}", "fixed", "{client_ip}")},
		Limit{Name: "other", Rate: 9, Window: time.Hour, Concurrency: 3},
	))
	tenant := call{line: "GET api.example /v2/orders", header: map[string][]string{"X-Tenant": {"acme"}}}
	f.ask(t, tenant).Close()
	f.ask(t, tenant).Close()
	look := func(key ...string) Bucket {
		t.Helper()
		found, err := f.Buckets("l", "", "", key)
		if err != nil || len(found) != 1 {
			t.Fatalf("%v %v", found, err)
		}
		return found[0]
	}
	if b := look("acme", "::ffff:192.0.2.1"); b.Used != 1 || b.Remaining != 0 || b.Blocked != 7200 || b.API != "orders" {
		t.Errorf("%+v", b)
	}
	for _, key := range [][]string{{"acme", "192.0.2.2"}, {"other", "192.0.2.1"}, {"", "192.0.2.1"}} {
		if b := look(key...); b.Used != 0 || b.Remaining != 1 {
			t.Errorf("%q: %+v", key, b)
		}
	}
	if _, err := f.Buckets("l", "", "", []string{"acme"}); err == nil || !strings.Contains(err.Error(), "X-Tenant") {
		t.Errorf("half a key: %v", err)
	}
	if _, err := f.Buckets("l", "", "", []string{"acme", "localhost"}); err == nil || strings.Contains(err.Error(), "localhost") {
		t.Errorf("no address: %v", err)
	}
	for _, where := range [][2]string{{"nothing", ""}, {"l", "nothing"}} {
		if _, err := f.Buckets(where[0], where[1], "", []string{"acme", "192.0.2.1"}); !errors.Is(err, ErrNoLimit) {
			t.Errorf("%v: %v", where, err)
		}
	}
	if n, err := f.Forget("l", "orders", "", []string{"acme", "192.0.2.1"}); n != 1 || err != nil {
		t.Errorf("%d forgotten, %v", n, err)
	}
	if f.ask(t, tenant).Outcome == Refuse {
		t.Error("it is not forgotten")
	}
	if list := f.Limits(); len(list) != 2 || list[0].Rate != "1/1h" || list[0].Penalty != "2h" || strings.Join(list[0].Key, " ") != "{http.request.header.X-Tenant} fixed {client_ip}" || list[1].Concurrency != 3 {
		t.Errorf("%+v", list)
	}
}

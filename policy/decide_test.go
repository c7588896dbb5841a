package policy

import (
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/apiguard/caddy-api-guard/inventory/catalogue"
)

func TestEachRuleRefusesAndItsTwinPasses(t *testing.T) {
	upgrade := http.Header{"Origin": {"https://a.example"}, "Access-Control-Request-Method": {"POST"}}
	for _, c := range []struct {
		name   string
		call   call
		rule   Rule
		reason Reason
		status int
	}{
		{"a documented call passes", call{line: "GET api.example /v2/orders"}, RuleNone, "", 0},
		{"on every host of the version", call{line: "GET beta.example /v2/orders"}, RuleNone, "", 0},
		{"in a spelling that is equivalent", call{line: "GET API.example.:80 /v2/%6Frders"}, RuleNone, "", 0},
		{"HEAD is judged as GET", call{line: "HEAD api.example /v2/orders"}, RuleNone, "", 0},
		{"dot segments", call{line: "GET api.example /v2/x/../orders"}, RuleTarget, ReasonMalformedTarget, 400},
		{"an encoded slash in an ordinary parameter", call{line: "GET api.example /v2/orders/a%2Fb"}, RuleTarget, ReasonMalformedTarget, 400},
		{"an encoded slash in a parameter that spans segments passes", call{line: "GET api.example /v2/files/a%2Fb"}, RuleNone, "", 0},
		{"a semicolon in an ordinary parameter", call{line: "GET api.example /v2/orders/a;b=1"}, RuleTarget, ReasonMalformedTarget, 400},
		{"a semicolon that the matrix style asks for passes", call{line: "GET api.example /v2/points;coordinates=3"}, RuleNone, "", 0},
		{"a method that is none", call{line: "get api.example /v2/orders"}, RuleTarget, ReasonMalformedTarget, 400},
		{"a malformed target is told before an unknown host", call{line: "GET other.example /v2//orders"}, RuleTarget, ReasonMalformedTarget, 400},
		{"a host that nobody declared", call{line: "GET other.example /v2/orders"}, RuleUnknownHost, ReasonUnknownHost, 421},
		{"another letter case", call{line: "GET api.example /v2/Orders"}, RuleTarget, ReasonAmbiguousTarget, 400},
		{"a trailing slash too many", call{line: "GET api.example /v2/orders/"}, RuleTarget, ReasonAmbiguousTarget, 400},
		{"a POST that the query makes another method of", jsonCall(`{"sku":"a"}`).to("POST api.example /v2/orders?_method=DELETE"), RuleTarget, ReasonMalformedTarget, 400},
		{"the same in other spellings", jsonCall(`{"sku":"a"}`).to("POST api.example /v2/orders?a=b&%5fMETHOD=PUT"), RuleTarget, ReasonMalformedTarget, 400},
		{"the same as PHP mends names", jsonCall(`{"sku":"a"}`).to("POST api.example /v2/orders?.method=PUT"), RuleTarget, ReasonMalformedTarget, 400},
		{"a POST to nowhere that the query makes another method of", call{line: "POST api.example /v2/nowhere?_method=DELETE"}, RuleTarget, ReasonMalformedTarget, 400},
		{"two versions named", call{line: "GET next.example /orders", header: http.Header{"X-Version": {"3", "4"}}}, RuleTarget, ReasonVersionAmbiguous, 400},
		{"one version named passes", call{line: "GET next.example /orders", header: http.Header{"X-Version": {"4"}}}, RuleNone, "", 0},
		{"no version named", call{line: "GET next.example /orders"}, RuleUnknownRoute, ReasonUnknownRoute, 404},
		{"a retired version", call{line: "GET legacy.example /v0/orders"}, RuleLifecycle, ReasonVersionRetired, 410},
		{"a retired version a second before its sunset passes, as it has no document", call{line: "GET legacy.example /v0/orders", now: time.Date(2025, 12, 31, 23, 59, 59, 0, time.UTC)}, RuleUnknownRoute, ReasonUnknownRoute, 404},
		{"an unknown route", call{line: "GET api.example /v2/debug"}, RuleUnknownRoute, ReasonUnknownRoute, 404},
		{"a path beside every claim", call{line: "GET api.example /admin"}, RuleUnknownRoute, ReasonUnknownRoute, 404},
		{"a known path with another method", call{line: "DELETE api.example /v2/orders"}, RuleUnknownRoute, ReasonMethodNotAllowed, 405},
		{"a preflight passes", call{line: "OPTIONS api.example /v2/orders", header: upgrade}, RuleNone, "", 0},
		{"a preflight with a body is none", call{line: "OPTIONS api.example /v2/orders", header: upgrade, body: "x"}, RuleUnknownRoute, ReasonMethodNotAllowed, 405},
		{"OPTIONS that is no preflight", call{line: "OPTIONS api.example /v2/orders"}, RuleUnknownRoute, ReasonMethodNotAllowed, 405},
		{"a parameter out of range", call{line: "GET api.example /v2/orders?limit=101"}, RuleRequest, ReasonRequestInvalid, 400},
		{"a parameter in range passes", call{line: "GET api.example /v2/orders?limit=100"}, RuleNone, "", 0},
		{"a body that does not conform", jsonCall(`{"sku":1}`).to("POST api.example /v2/orders"), RuleRequest, ReasonRequestInvalid, 400},
		{"a body that conforms passes", jsonCall(`{"sku":"a"}`).to("POST api.example /v2/orders"), RuleNone, "", 0},
		{"a body of another media type", call{line: "POST api.example /v2/orders", header: http.Header{"Content-Type": {"text/plain"}}, body: "x"}, RuleRequest, ReasonMediaTypeUnsupported, 415},
		{"a body where none is declared", jsonCall(`{}`).to("GET api.example /v2/orders"), RuleRequest, ReasonRequestInvalid, 400},
	} {
		t.Run(c.name, func(t *testing.T) {
			v := newFixture(t, nil).ask(t, c.call)
			if v.Rule != c.rule || v.Reason != c.reason || v.Status != c.status {
				t.Errorf("got %s %s %s %d, want %s %s %d", v.Outcome, v.Rule, v.Reason, v.Status, c.rule, c.reason, c.status)
			}
			wantRefused := c.rule != RuleNone && !strings.Contains(c.name, "has no document")
			if refused := v.Outcome == Refuse; refused != wantRefused {
				t.Errorf("outcome %s", v.Outcome)
			}
		})
	}
}

func TestMonitorRecordsTheFirstRuleThatWouldRefuse(t *testing.T) {
	f := newFixture(t, func(cfg *Config) { setAll(cfg, Monitor) })
	for _, c := range []struct {
		line   string
		reason Reason
	}{
		{"GET api.example /v2/orders", ""},
		{"GET api.example /v2/./orders?limit=0", ReasonMalformedTarget},
		{"GET other.example /v2/orders", ReasonUnknownHost},
		{"GET api.example /v2/ORDERS", ReasonAmbiguousTarget},
		{"GET legacy.example /v0/orders", ReasonVersionRetired},
		{"DELETE api.example /v2/orders", ReasonMethodNotAllowed},
		{"GET api.example /v2/orders?limit=0", ReasonRequestInvalid},
	} {
		v := f.ask(t, call{line: c.line})
		want := WouldRefuse
		if c.reason == "" {
			want = Allow
		}
		if v.Outcome != want || v.Reason != c.reason {
			t.Errorf("%s: got %s %s, want %s %s", c.line, v.Outcome, v.Reason, want, c.reason)
		}
		h := http.Header{}
		v.SetLifecycle(h)
		v.SetVary(h)
		if len(h) != 0 {
			t.Errorf("%s: monitor adds %v", c.line, h)
		}
	}
}

func TestOffDoesNotLook(t *testing.T) {
	f := newFixture(t, func(cfg *Config) { setAll(cfg, Off) })
	for _, line := range []string{
		"GET api.example /v2/./orders", "GET other.example /v2/orders", "GET api.example /v2/ORDERS",
		"GET legacy.example /v0/orders", "DELETE api.example /v2/orders", "GET api.example /v2/orders?limit=0",
	} {
		if v := f.ask(t, call{line: line}); v.Outcome != Allow {
			t.Errorf("%s: %s %s", line, v.Outcome, v.Reason)
		}
	}
}

func setAll(cfg *Config, m Mode) {
	cfg.Rules.SetAll(m)
	cfg.APIs[0].Rules.SetAll(m)
	for i := range cfg.APIs[0].Versions {
		cfg.APIs[0].Versions[i].Rules.SetAll(m)
	}
}

func TestUnknownParametersFollowTheirOwnMode(t *testing.T) {
	for mode, want := range map[Mode]Outcome{Enforce: Refuse, Monitor: WouldRefuse, Off: Allow} {
		f := newFixture(t, func(cfg *Config) {
			for i := range cfg.APIs[0].Versions {
				cfg.APIs[0].Versions[i].Rules.UnknownParameters = mode
			}
		})
		if v := f.ask(t, call{line: "GET api.example /v2/orders?debug=1"}); v.Outcome != want {
			t.Errorf("unknown_parameters %s: %s, want %s", mode, v.Outcome, want)
		}
		if v := f.ask(t, call{line: "GET api.example /v2/orders?limit=1"}); v.Outcome != Allow {
			t.Errorf("unknown_parameters %s: a declared one: %s", mode, v.Outcome)
		}
	}
}

func TestStatesFollowTheClockToTheSecond(t *testing.T) {
	f := newFixture(t, nil)
	for _, c := range []struct {
		at          string
		state       catalogue.State
		deprecation string
		refused     bool
	}{
		{"2026-04-30T23:59:59Z", catalogue.StateActive, "", false},
		{"2026-05-01T00:00:00Z", catalogue.StateDeprecated, "@1777593600", false},
		{"2026-12-31T23:59:59Z", catalogue.StateDeprecated, "@1777593600", false},
		{"2027-01-01T00:00:00Z", catalogue.StateRetired, "@1777593600", true},
	} {
		at, err := time.Parse(time.RFC3339, c.at)
		if err != nil {
			t.Fatal(err)
		}
		v := f.ask(t, call{line: "GET old.example /v1/orders", now: at})
		h := http.Header{}
		v.SetLifecycle(h)
		if v.State != c.state || h.Get("Deprecation") != c.deprecation || (v.Outcome == Refuse) != c.refused {
			t.Errorf("%s: %s %s, Deprecation %q", c.at, v.State, v.Outcome, h.Get("Deprecation"))
		}
		if got := h.Get("Sunset"); got != "Fri, 01 Jan 2027 00:00:00 GMT" {
			t.Errorf("%s: Sunset %q", c.at, got)
		}
		if got := h.Get("Link"); !strings.Contains(got, `<https://docs.example/>; rel="deprecation"`) || !strings.Contains(got, `rel="sunset"`) {
			t.Errorf("%s: Link %q", c.at, got)
		}
	}
}

func TestRetiredVersionNamesItsSuccessor(t *testing.T) {
	v := newFixture(t, nil).ask(t, call{line: "GET legacy.example /v0/orders"})
	h := http.Header{}
	v.SetLifecycle(h)
	if got, want := h.Get("Link"), `<//api.example/v2>; rel="successor-version"`; got != want {
		t.Errorf("Link %q, want %q", got, want)
	}
}

func TestStripRemovesWhatLetsAClientReplaceTheJudgedRequest(t *testing.T) {
	f := newFixture(t, nil)
	header := func() http.Header {
		return http.Header{"X-Http-Method-Override": {"DELETE"}, "X_original.url": {"/admin"}, "Forwarded": {"for=1.2.3.4"},
			"Upgrade": {"h2c"}, "Http2-Settings": {"x"}, "X-Request-Id": {"7"}, "X-Forwarded-For": {"1.2.3.4"}}
	}
	v := f.ask(t, call{line: "GET api.example /v2/orders"})
	h := header()
	removed, would := v.Strip(h, never)
	if len(removed) != 4 || len(would) != 0 || len(h) != 2 || h.Get("X-Request-Id") == "" || h.Get("X-Forwarded-For") == "" {
		t.Errorf("removed %v, would %v, left %v", removed, would, h)
	}
	h = header()
	if v.Strip(h, func() bool { return true }); h.Get("Forwarded") == "" || h.Get("Upgrade") != "" {
		t.Errorf("from a trusted proxy: left %v", h)
	}

	monitor := newFixture(t, func(cfg *Config) { setAll(cfg, Monitor) })
	v = monitor.ask(t, call{line: "GET api.example /v2/orders"})
	h = header()
	if removed, would := v.Strip(h, never); len(removed) != 0 || len(would) != 4 || len(h) != len(header()) {
		t.Errorf("in monitor: removed %v, would %v, left %v", removed, would, h)
	}
}

func never() bool { return false }

func TestUpgradePassesWhereTheOperationDeclaresIt(t *testing.T) {
	f := newFixture(t, nil)
	for _, c := range []struct {
		line, protocol string
		kept           bool
	}{
		{"GET api.example /v2/stream", "WebSocket", true},
		{"GET api.example /v2/stream", "h2c", false},
		{"GET api.example /v2/orders", "websocket", false},
		{"GET old.example /v1/anything", "websocket", false},
	} {
		v := f.ask(t, call{line: c.line})
		h := http.Header{"Upgrade": {c.protocol}}
		v.Strip(h, never)
		if kept := len(h) == 1; kept != c.kept {
			t.Errorf("%s with %s: kept %v, want %v", c.line, c.protocol, kept, c.kept)
		}
	}
}

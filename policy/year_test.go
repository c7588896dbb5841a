package policy

import (
	"fmt"
	"net/http"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/dunglas/httpsfv"

	"github.com/apiguard/caddy-api-guard/inventory/catalogue"
	"github.com/apiguard/caddy-api-guard/inventory/spec"
	"github.com/apiguard/caddy-api-guard/ratelimit"
)

const yearDocument = `
openapi: 3.1.0
info: {title: orders, version: "1"}
paths:
  /orders:
    get: {responses: {"200": {description: ok}}}
  /totals:
    get: {deprecated: true, x-sunset: 2026-09-01, responses: {"200": {description: ok}}}
`

// moment reads a time of the year 2026, "MM-DD" or "MM-DD hh:mm:ss".
func moment(t testing.TB, s string) time.Time {
	t.Helper()
	if len(s) == len("01-02") {
		s += " 00:00:00"
	}
	at, err := time.Parse(time.DateTime, "2026-"+s)
	if err != nil {
		t.Fatal(err)
	}
	return at
}

// stretch is a time in which a version answers alike, from its begin until the
// next one's.
type stretch struct {
	from        string
	state       catalogue.State
	status      int // 0: it passes
	reason      Reason
	deprecation bool
}

// year is what happens to /orders of the version that ends, and to /totals, which
// its document ends before.
var year = map[string][]stretch{
	"/orders": {
		{"01-01", catalogue.StateBeta, 0, "", false},
		{"03-01", catalogue.StateDeprecated, 0, "", true},
		{"06-01 14:00:00", catalogue.StateDeprecated, 410, ReasonVersionBrownout, true},
		{"06-01 16:00:00", catalogue.StateDeprecated, 0, "", true},
		{"08-15", catalogue.StateDeprecated, 410, ReasonVersionBrownout, true},
		{"08-16", catalogue.StateDeprecated, 0, "", true},
		{"11-01", catalogue.StateRetired, 410, ReasonVersionRetired, true},
	},
	"/totals": {
		{"01-01", catalogue.StateDeprecated, 0, "", true},
		{"06-01 14:00:00", catalogue.StateDeprecated, 410, ReasonVersionBrownout, true},
		{"06-01 16:00:00", catalogue.StateDeprecated, 0, "", true},
		{"08-15", catalogue.StateDeprecated, 410, ReasonVersionBrownout, true},
		{"08-16", catalogue.StateDeprecated, 0, "", true},
		{"09-01", catalogue.StateRetired, 410, ReasonVersionRetired, true},
	},
}

func yearFixture(t testing.TB) *fixture {
	f := new(fixture)
	d, err := spec.Load("orders.yaml", []byte(yearDocument), spec.Options{})
	if err != nil || len(d.Problems) > 0 {
		t.Fatal(err, d)
	}
	documents := []*spec.Document{d}
	version := func(name, host string, claim catalogue.Claim) *catalogue.Version {
		return &catalogue.Version{Name: name, Hosts: []string{host}, Claims: []catalogue.Claim{claim}, Documents: documents}
	}
	by := func(kind catalogue.SelectorKind, name, value string) catalogue.Claim {
		return catalogue.Claim{Select: &catalogue.Selector{Kind: kind, Name: name, Value: value}}
	}
	apis := []*catalogue.API{
		{Name: "path", Versions: []*catalogue.Version{
			version("v1", "path.example", catalogue.Claim{Path: "/v1"}), version("v2", "path.example", catalogue.Claim{Path: "/v2"}),
			version("v3", "path.example", catalogue.Claim{Path: "/v3"})}},
		{Name: "header", Versions: []*catalogue.Version{
			version("v1", "header.example", by(catalogue.SelectHeader, "X-Version", "1")), version("v2", "header.example", by(catalogue.SelectHeader, "X-Version", "2")),
			version("v3", "header.example", by(catalogue.SelectHeader, "X-Version", "3"))}},
		{Name: "date", Versions: []*catalogue.Version{
			version("2025-01-01", "date.example", by(catalogue.SelectDate, "X-Date", "")), version("2026-01-01", "date.example", by(catalogue.SelectDate, "X-Date", "")),
			version("2027-01-01", "date.example", by(catalogue.SelectDate, "X-Date", ""))}},
	}
	cfg := Config{Rules: DefaultRules(), Table: ratelimit.NewTable(ratelimit.TableConfig{Slots: 1024, Now: func() int64 { return f.now }})}
	for _, api := range apis {
		old, next, future := api.Versions[0], api.Versions[1], api.Versions[2]
		old.State, old.Docs, old.Successor = catalogue.StateBeta, "https://docs.example/orders", next.Name
		old.Deprecated, old.Sunset = moment(t, "03-01"), moment(t, "11-01")
		old.Brownouts = []catalogue.Window{
			{From: moment(t, "06-01 14:00:00"), To: moment(t, "06-01 16:00:00")},
			{From: moment(t, "08-15"), To: moment(t, "08-16")},
		}
		next.Default = next.Claims[0].Select != nil
		future.State = catalogue.StateDesign
		cfg.APIs = append(cfg.APIs, API{Declared: api, Rules: cfg.Rules, Versions: slices.Repeat([]Version{{Rules: cfg.Rules}}, 3)})
	}
	if f.Policy, err = New(cfg); err != nil {
		t.Fatal(err)
	}
	return f
}

// ways are how the version that ends, the one that stays and the one to come are
// asked for.
var ways = map[string][3]call{
	"path":   {{line: "path.example /v1"}, {line: "path.example /v2"}, {line: "path.example /v3"}},
	"header": {{line: "header.example ", header: http.Header{"X-Version": {"1"}}}, {line: "header.example "}, {line: "header.example ", header: http.Header{"X-Version": {"3"}}}},
	"date":   {{line: "date.example ", header: http.Header{"X-Date": {"2025-12-31"}}}, {line: "date.example ", header: http.Header{"X-Date": {"2030-01-01"}}}, {}},
}

func TestAYearPassesInEveryVersionToTheSecond(t *testing.T) {
	f := yearFixture(t)
	for way, calls := range ways {
		for path, stretches := range year {
			for i, s := range stretches {
				from := moment(t, s.from)
				until := time.Date(2027, 1, 1, 0, 0, 0, 0, time.UTC)
				if i+1 < len(stretches) {
					until = moment(t, stretches[i+1].from)
				}
				// The first and the last second, and every hour between.
				moments := []time.Time{from, from.Add(time.Second), until.Add(-time.Second)}
				for at := from; at.Before(until); at = at.Add(time.Hour) {
					moments = append(moments, at)
				}
				for _, at := range moments {
					v, h := f.askAt(t, calls[0], path, at)
					if err := wantStretch(v, h, s); err != nil {
						t.Fatalf("by %s, %s at %s: %v", way, path, at.Format(time.RFC3339), err)
					}
				}
			}
		}
		for at := moment(t, "01-01"); at.Year() == 2026; at = at.Add(24 * time.Hour) {
			v, h := f.askAt(t, calls[1], "/orders", at)
			if v.Outcome != Allow || v.State != catalogue.StateActive || h.Get("Sunset")+h.Get("Deprecation")+h.Get("Link") != "" {
				t.Fatalf("by %s, the version that stays at %s: %s %s %v", way, at, v.Outcome, v.Reason, h)
			}
			if calls[2].line == "" {
				continue // by date the design is left out, as the version that stays shows
			}
			for _, path := range []string{"/orders", "/Orders", "/nothing"} {
				v, h = f.askAt(t, calls[2], path, at)
				if v.Outcome != Refuse || v.Status != 404 || v.Reason != ReasonUnknownRoute || h.Get("Sunset")+h.Get("Link") != "" {
					t.Fatalf("by %s, the version to come, %s at %s: %s %s %v", way, path, at, v.Outcome, v.Reason, h)
				}
			}
		}
	}
}

func (f *fixture) askAt(t *testing.T, c call, path string, at time.Time) (*Verdict, http.Header) {
	t.Helper()
	c.line, c.now = "GET "+c.line+path, at
	v := f.ask(t, c)
	h := http.Header{}
	v.SetLifecycle(h)
	v.SetVary(h)
	return v, h
}

func wantStretch(v *Verdict, h http.Header, s stretch) error {
	if v.State != s.state || v.Reason != s.reason || v.Status != s.status || (v.Outcome == Refuse) != (s.status != 0) {
		return fmt.Errorf("%s %s %d in state %s, want %+v", v.Outcome, v.Reason, v.Status, v.State, s)
	}
	if !s.deprecation {
		if h.Get("Deprecation") != "" {
			return fmt.Errorf("Deprecation is %q before its time", h.Get("Deprecation"))
		}
	} else if item, err := httpsfv.UnmarshalItem(h["Deprecation"]); err != nil || !item.Value.(time.Time).Equal(time.Date(2026, 3, 1, 0, 0, 0, 0, time.UTC)) {
		return fmt.Errorf("Deprecation is %q: %v", h["Deprecation"], err)
	}
	sunset, err := http.ParseTime(h.Get("Sunset"))
	if err != nil || sunset.Month() != time.November && sunset.Month() != time.September {
		return fmt.Errorf("Sunset is %q: %v", h.Get("Sunset"), err)
	}
	links := h.Get("Link")
	for _, relation := range []string{"deprecation", "sunset", "successor-version"} {
		if strings.Count(links, `; rel="`+relation+`"`) != 1 {
			return fmt.Errorf("Link is %q, want one rel %q", links, relation)
		}
	}
	return nil
}

func TestABrownoutAnswersWhatRetirementWill(t *testing.T) {
	f := yearFixture(t)
	for way, calls := range ways {
		brown, brownHeader := f.askAt(t, calls[0], "/orders", moment(t, "08-15 12:00:00"))
		gone, goneHeader := f.askAt(t, calls[0], "/orders", moment(t, "12-01"))
		brown.SetRefusal(brownHeader, new(FieldValues))
		gone.SetRefusal(goneHeader, new(FieldValues))
		if brown.Status != gone.Status || fmt.Sprint(brownHeader) != fmt.Sprint(goneHeader) {
			t.Errorf("by %s: %d %v in the brownout, %d %v in retirement", way, brown.Status, brownHeader, gone.Status, goneHeader)
		}
	}
}

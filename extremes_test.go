package apiguard

import (
	"encoding/json"
	"fmt"
	"math"
	"reflect"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/caddyserver/caddy/v2"
	"go.uber.org/zap"

	"github.com/apiguard/caddy-api-guard/inventory/catalogue"
	"github.com/apiguard/caddy-api-guard/inventory/spec"
	"github.com/apiguard/caddy-api-guard/policy"
	"github.com/apiguard/caddy-api-guard/ratelimit"
)

// amount is an option that takes a number.
type amount struct {
	config string // a configuration with its value as %s
	holds  func(app *App, cfg *policy.Config) int64
}

func limitAmount(more string, holds func(l *policy.Limit) int64) amount {
	return amount{`{"policy":{"limit":[{"name":"l",` + more + `}]}}`, func(_ *App, cfg *policy.Config) int64 { return holds(&cfg.Limits[0]) }}
}

// amounts are all of them, by the structure and the option's name.
var amounts = map[string]amount{
	"App.table_slots": {`{"table_slots":%s}`, func(app *App, _ *policy.Config) int64 { return int64(min(app.TableSlots, ratelimit.MaxSlots)) }},
	"App.body_memory": {`{"body_memory":%s}`, func(app *App, _ *policy.Config) int64 { return app.bodyCeiling() }},
	"App.max_document": {`{"max_document":%s}`, func(app *App, _ *policy.Config) int64 {
		return int64(app.MaxDocument)
	}},
	"Inventory.retention": {`{"inventory":{"retention":%s}}`, func(app *App, _ *policy.Config) int64 { return int64(app.retention()) }},
	"Inventory.page_size": {`{"inventory":{"page_size":%s}}`, func(app *App, _ *policy.Config) int64 { return int64(app.pageSize(0)) }},
	"RequestRule.max_body": {`{"body_memory":"1TiB","policy":{"request":{"max_body":%s}}}`, func(_ *App, cfg *policy.Config) int64 {
		return int64(uint32(cfg.Rules.MaxBody)) // as what was read tells where things stand
	}},
	"RequestRule.body_idle_timeout": {`{"policy":{"request":{"body_idle_timeout":%s}}}`, func(_ *App, cfg *policy.Config) int64 { return int64(cfg.Rules.BodyIdleTimeout) }},
	"RequestRule.body_timeout":      {`{"policy":{"request":{"body_timeout":%s}}}`, func(_ *App, cfg *policy.Config) int64 { return int64(cfg.Rules.BodyTimeout) }},
	"RequestRule.status":            {`{"policy":{"request":{"status":%s}}}`, func(_ *App, cfg *policy.Config) int64 { return int64(cfg.Rules.InvalidStatus) }},
	"ResponseRule.max_body": {`{"policy":{"response":{"max_body":%s}}}`, func(_ *App, cfg *policy.Config) int64 {
		return int64(uint32(cfg.Rules.MaxResponse))
	}},
	"Limit.burst":       limitAmount(`"rate":"9/1s","algorithm":"bucket","burst":%s`, func(l *policy.Limit) int64 { return int64(l.Burst) }),
	"Limit.statuses":    limitAmount(`"rate":"9/1s","count":"failures","statuses":[%s]`, func(l *policy.Limit) int64 { return int64(l.Failures[0]) }),
	"Limit.cost":        limitAmount(`"rate":"16777215/1s","cost":%s`, func(l *policy.Limit) int64 { return int64(l.Cost) }),
	"Limit.concurrency": limitAmount(`"concurrency":%s`, func(l *policy.Limit) int64 { return int64(l.Concurrency) }),
}

// numbers finds the options that take a number in all structures of a configuration.
func numbers(s reflect.Type, seen map[reflect.Type]bool, found map[string]bool) {
	if seen[s] {
		return
	}
	seen[s] = true
	for i := range s.NumField() {
		field := s.Field(i)
		name, _, _ := strings.Cut(field.Tag.Get("json"), ",")
		t := field.Type
		for t.Kind() == reflect.Pointer || t.Kind() == reflect.Slice || t.Kind() == reflect.Map {
			t = t.Elem()
		}
		switch {
		case t.Kind() == reflect.Struct && (name != "" || field.Anonymous):
			numbers(t, seen, found)
		case name == "":
		case t.Kind() >= reflect.Int && t.Kind() <= reflect.Float64 && t.Kind() != reflect.Uint8:
			found[s.Name()+"."+name] = true
		}
	}
}

// configured builds a configuration as a start does, without documents. One that has no
// API gets one.
func configured(text string) (*App, *policy.Config, error) {
	if !strings.Contains(text, `"api":`) {
		text = `{"api":[{"name":"a","version":[{"name":"v","hosts":["h.example"]}]}],` + text[1:]
	}
	app := &App{logger: zap.NewNop()}
	if err := caddy.StrictUnmarshalJSON([]byte(text), app); err != nil {
		return nil, nil, err
	}
	b := &builder{app: app, load: func(name string) (*spec.Document, error) {
		return nil, fmt.Errorf("no document %q", name)
	}}
	cfg, err := b.build()
	if err == nil {
		cfg.Table = ratelimit.NewTable(ratelimit.TableConfig{Slots: 1})
		_, wrong := policy.New(cfg)
		if wrong != nil {
			err = app.locate(wrong)
		}
	}
	return app, &cfg, err
}

// Every number that an option takes holds as it is written, or is an error that names
// the option.
func TestANumberHoldsAsItIsWrittenOrIsAnError(t *testing.T) {
	t.Parallel()
	found := make(map[string]bool)
	numbers(reflect.TypeFor[App](), make(map[reflect.Type]bool), found)
	for name := range found {
		if _, ok := amounts[name]; !ok {
			t.Errorf("nobody says what %s makes of extremes", name)
		}
	}
	extremes := []int64{math.MinInt64, math.MinInt32 - 1, math.MinInt32, -1, 1, 2, 63, 200, 422, 599, 1000, 1001, 1 << 20, 1<<24 - 1, 1 << 24, 1<<26 + 1, 1 << 30,
		1<<30 + 1, math.MaxInt32, 1 << 31, 1<<32 - 1, 1 << 32, 1<<32 + 1, 1<<32 + 200, 1 << 40, 1<<40 + 1, 1 << 53, 1<<53 + 1, 3_600_000_000_000, 3_600_000_000_001, math.MaxInt64 - 1, math.MaxInt64}
	for name, a := range amounts {
		if !found[name] {
			t.Errorf("%s is no option", name)
		}
		_, option, _ := strings.Cut(name, ".")
		held := 0
		for _, n := range extremes {
			app, cfg, err := configured(fmt.Sprintf(a.config, strconv.FormatInt(n, 10)))
			switch {
			case err == nil && a.holds(app, cfg) != n:
				t.Errorf("%s %d is as %d", name, n, a.holds(app, cfg))
			case err == nil:
				held++
			case !strings.Contains(err.Error(), option) && !strings.Contains(err.Error(), strconv.FormatInt(n, 10)):
				t.Errorf("%s %d: the error names neither: %v", name, n, err)
			}
		}
		if held == 0 {
			t.Errorf("%s: none of the numbers is accepted", name)
		}
		for _, text := range []string{"1.5", "1e400", "-0.1", "18446744073709551616", `"NaN"`, `"1e9999999s"`, `"-1"`, "[]", "{}", "true"} {
			if _, _, err := configured(fmt.Sprintf(a.config, text)); err == nil {
				t.Errorf("%s %s is accepted", name, text)
			} else if strings.TrimSpace(err.Error()) == "" {
				t.Errorf("%s %s: an error without words", name, text)
			}
		}
	}
}

// Dates and lengths at the ends of what can be written.
func TestATimeHoldsAsItIsWrittenOrIsAnError(t *testing.T) {
	t.Parallel()
	at := func(text string) time.Time {
		date, err := time.Parse(time.RFC3339, text)
		if err != nil {
			t.Fatal(err)
		}
		return date
	}
	last := at("9999-12-31T23:59:59Z")
	dates := map[string]time.Time{
		"1970-01-01": at("1970-01-01T00:00:00Z"), "1970-01-01T00:00:00Z": at("1970-01-01T00:00:00Z"), "1969-12-31T23:30:00-01:00": at("1970-01-01T00:30:00Z"),
		"2024-02-29": at("2024-02-29T00:00:00Z"), "2262-04-12": at("2262-04-12T00:00:00Z"), "9999-12-31": at("9999-12-31T00:00:00Z"),
		"9999-12-31T23:59:59Z": last, "9999-12-31T23:59:59-23:59": last, "2027-03-31T14:00+05:45": at("2027-03-31T08:15:00Z"),
	}
	for text, want := range dates {
		if _, cfg, err := configured(`{"api":[{"name":"a","version":[{"name":"v","hosts":["h.example"],"sunset":"` + text + `"}]}]}`); err != nil || !cfg.APIs[0].Declared.Versions[0].Sunset.Equal(want) {
			t.Errorf("sunset %s: %v, want %s", text, err, want)
		}
	}
	for _, text := range []string{"1970-01-01T00:00:00+14:00", "1969-12-31", "0000-01-01", "-0001-01-01", "10000-01-01", "99999-12-31", "2027-02-29", "2027-13-01", "2016-12-31T23:59:60Z",
		"2027-03-31T24:00:00Z", "2027-03-31T14:00:00", "2027-03-31T14:00Z ", "2027-03-31T14:00+25:00", "", "9223372036854775807", "now", "\x00"} {
		value, _ := json.Marshal(text)
		if _, _, err := configured(`{"api":[{"name":"a","version":[{"name":"v","hosts":["h.example"],"brownout":[{"from":` + string(value) + `,"duration":"1h"}]}]}]}`); err == nil || !strings.Contains(err.Error(), "brownout[0].from") {
			t.Errorf("a brownout from %q: %v", text, err)
		}
	}
	lengths := map[string]time.Duration{"1ns": 1, "1s": time.Second, "1d": 24 * time.Hour, "0.5d": 12 * time.Hour, "366d": 366 * 24 * time.Hour, "106751d": 106751 * 24 * time.Hour, "2562047h47m16.854775807s": math.MaxInt64}
	for _, from := range []string{"1970-01-01", "2027-03-15T14:00Z", "9999-12-31"} {
		for text, length := range lengths {
			begin, _ := parseDate(from)
			want := catalogue.Window{From: begin, To: begin.Add(length)}
			if want.To.After(last) {
				want.To = last
			}
			_, cfg, err := configured(`{"api":[{"name":"a","version":[{"name":"v","hosts":["h.example"],"brownout":[{"from":"` + from + `","duration":"` + text + `"}]}]}]}`)
			if err != nil || cfg.APIs[0].Declared.Versions[0].Brownouts[0] != want {
				t.Errorf("a brownout from %s for %s: %v, want %v", from, text, err, want)
			}
		}
	}
	for _, text := range []string{"", "0s", "-1h", "0.1ns", "106752d", "9223372036854775808ns", "1e9d", "NaNd", "infd", "9999999999999999999999h", "1", "1y", strings.Repeat("9", 400) + "d"} {
		if _, _, err := configured(`{"api":[{"name":"a","version":[{"name":"v","hosts":["h.example"],"brownout":[{"from":"2027-03-15","duration":"` + text + `"}]}]}]}`); err == nil || !strings.Contains(err.Error(), "brownout[0].duration") {
			t.Errorf("a brownout of %q: %v", text, err)
		}
		for _, option := range []string{`{"inventory":{"retention":"%s"}}`, `{"policy":{"request":{"body_timeout":"%s"}}}`} {
			if _, _, err := configured(fmt.Sprintf(option, text)); err == nil && text != "0s" && text != "0.1ns" { // which JSON cannot tell from none
				t.Errorf("%s with %q is accepted", option, text)
			}
		}
	}
}

// Rates, quotas and penalties at the ends of what a limit counts.
func TestARateHoldsAsItIsWrittenOrIsAnError(t *testing.T) {
	t.Parallel()
	limit := func(more string) (*policy.Limit, error) {
		_, cfg, err := configured(`{"policy":{"limit":[{"name":"l",` + more + `}]}}`)
		if err != nil {
			return nil, err
		}
		return &cfg.Limits[0], nil
	}
	for text, want := range map[string]policy.Limit{
		"1/1s": {Rate: 1, Window: time.Second}, "16777215/s": {Rate: ratelimit.MaxRate, Window: time.Second},
		"16777215/31d": {Rate: ratelimit.MaxRate, Window: ratelimit.MaxWindow}, "1/2678400s": {Rate: 1, Window: ratelimit.MaxWindow},
	} {
		if l, err := limit(`"rate":"` + text + `"`); err != nil || l.Rate != want.Rate || l.Window != want.Window {
			t.Errorf("rate %s: %+v, %v", text, l, err)
		}
	}
	for text, want := range map[string]int{"1/day": 1, "16777215/month": ratelimit.MaxRate} {
		if l, err := limit(`"quota":"` + text + `"`); err != nil || l.Quota != want {
			t.Errorf("quota %s: %+v, %v", text, l, err)
		}
	}
	for text, want := range map[string]time.Duration{"1s": time.Second, "31d": ratelimit.MaxWindow, "2678400s": ratelimit.MaxWindow} {
		if l, err := limit(`"rate":"1/1s","penalty":"` + text + `"`); err != nil || l.Penalty != want {
			t.Errorf("penalty %s: %+v, %v", text, l, err)
		}
	}
	for _, number := range []string{"0", "-1", "+1", "16777216", "2147483648", "4294967297", "9223372036854775807", "9223372036854775808", "1e3", "1.5", "", " 1", "1_000", "0x10", "１"} {
		for _, more := range []string{`"rate":"` + number + `/1m"`, `"quota":"` + number + `/day"`} {
			if l, err := limit(more); err == nil {
				t.Errorf("%s is accepted: %+v", more, l)
			}
		}
	}
	for _, span := range []string{"0s", "-1s", "+1s", "32d", "2678401s", "106752d", "9223372036854775807s", "9223372036854775808s", "18446744073709551617s", "1.5m", "1ms", "1w", "s1", "", "1"} {
		for _, more := range []string{`"rate":"1/` + span + `"`, `"rate":"1/1s","penalty":"` + span + `"`} {
			if l, err := limit(more); err == nil && !strings.HasSuffix(more, `:""`) {
				t.Errorf("%s is accepted: %+v", more, l)
			}
		}
	}
}

package caddytest

import (
	"cmp"
	"encoding/json"
	"fmt"
	"net/url"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/apiguard/caddy-api-guard/caddytest/internal/harness"
)

// item is an entry of a list as JSON has it.
type item map[string]any

// text is a field as text, of a list its elements.
func (i item) text(field string) []string {
	switch v := i[field].(type) {
	case []any:
		var out []string
		for _, x := range v {
			out = append(out, fmt.Sprint(x))
		}
		return out
	default:
		return []string{fmt.Sprint(v)}
	}
}

// promised are the fields that answers have at least.
var promised = map[string]string{
	"apis":                    "api owner purpose versions",
	"apis versions":           "version hosts path state environment audience spec deprecated sunset successor policy_digest operations requests last_seen",
	"hosts":                   "host declared apis first_seen last_seen count statuses",
	"findings":                "id kind severity open subject evidence advice first_seen last_seen",
	"consumers":               "consumer name api version first_seen last_seen count",
	"coverage":                "listener host route handler status why",
	"routes":                  "id api version host method path documented lifecycle state reasons evidence first_seen last_seen count statuses consumers auth cors data_classes networks environment audience owner docs deprecated sunset review",
	"routes auth":             "documented seen unauthenticated_2xx",
	"routes?evidence=refused": "id host path",
}

// readWhole reads all of a list, in pages of a size.
func readWhole(t *testing.T, caddy *harness.Caddy, path string, query url.Values, size string) []item {
	t.Helper()
	var all []item
	q := url.Values{"limit": {size}}
	for name, values := range query {
		q[name] = values
	}
	for page := 0; ; page++ {
		var list struct {
			Items    []item
			Next     *string
			AsOf     *time.Time `json:"as_of"`
			Complete *bool
			Gaps     []any
		}
		status, body := caddy.Ask(t, "GET", "/api_guard/"+path+"?"+q.Encode())
		if err := json.Unmarshal(body, &list); err != nil || status != 200 || list.Next == nil || list.AsOf == nil || list.AsOf.Location() != time.UTC || list.Complete == nil || list.Gaps == nil || list.Items == nil {
			t.Fatalf("%s?%s answers %d, no list: %v %.300s", path, q.Encode(), status, err, body)
		}
		if *list.Complete != (len(list.Gaps) == 0) {
			t.Errorf("%s is complete: %v, with the gaps %v", path, *list.Complete, list.Gaps)
		}
		all = append(all, list.Items...)
		if *list.Next == "" {
			return all
		}
		if page > 1000 {
			t.Fatalf("%s?%s has no end", path, q.Encode())
		}
		q.Set("cursor", *list.Next)
	}
}

func keys(items []item, fields ...string) []string {
	var out []string
	for _, i := range items {
		var parts []string
		for _, f := range fields {
			parts = append(parts, fmt.Sprint(i[f]))
		}
		out = append(out, strings.Join(parts, " "))
	}
	return out
}

func TestListsAreWhatIsPromisedAndEveryFilterNarrowsThem(t *testing.T) {
	t.Parallel()
	caddy, _ := startFleet(t, "unknown_route enforce\n", "unknown_route monitor\n")
	calls := []harness.Call{
		get("api.example.com", "/v2/orders"), get("api.example.com", "/v2/orders/7"), get("beta.example.com", "/v3/orders"),
		get("legacy.example.com", "/v0/orders"), get("legacy.example.com", "/v1/orders"), get("legacy.example.com", "/internal/x"),
		get("api.example.com", "/v2/hidden"), post("api.example.com", "/v2/other", "{}"), get("stray.example.com", "/x"),
		get("next.example.com", "/orders").With("X-Api-Version", "2"), post("api.example.com", "/v2/orders", `{"sku":7}`),
	}
	for i, call := range calls {
		for range 1 + i%3 {
			caddy.Do1(t, call.With("X-Forwarded-For", fmt.Sprintf("198.51.100.%d", i%4)))
		}
	}
	awaitRoute(t, caddy, "/api_guard/routes", "api.example.com", "POST", "/v2/other")
	harness.Await(t, "the findings", func() (string, bool) {
		var list listing[item]
		caddy.Query(t, "/api_guard/findings", &list)
		return fmt.Sprint(len(list.Items)), len(list.Items) > 3
	})

	identity := map[string][]string{"routes": {"id"}, "hosts": {"host"}, "consumers": {"api", "version", "consumer"}, "findings": {"id"}}
	for path, names := range promised {
		list, within, _ := strings.Cut(path, " ")
		list, evidence, _ := strings.Cut(list, "?evidence=")
		var answer listing[item]
		query := "?limit=1000"
		if list == "apis" || list == "coverage" {
			query = ""
		} else if evidence != "" {
			query += "&evidence=" + evidence
		}
		caddy.Query(t, "/api_guard/"+list+query, &answer)
		if len(answer.Items) == 0 {
			t.Errorf("%s is empty", path)
		}
		for _, i := range answer.Items {
			parts := []any{map[string]any(i)}
			switch of := i[within].(type) {
			case []any:
				parts = of
			case map[string]any:
				parts = []any{of}
			}
			for _, part := range parts {
				for _, name := range strings.Fields(names) {
					if _, ok := part.(map[string]any)[name]; !ok {
						t.Errorf("an entry of %s has no %s: %v", path, name, part)
					}
				}
			}
		}
	}

	// filters by the field that they are about
	for _, f := range []struct{ list, parameter, field string }{
		{"routes", "state", "state"}, {"routes", "reason", "reasons"}, {"routes", "lifecycle", "lifecycle"}, {"routes", "api", "api"},
		{"routes", "version", "version"}, {"routes", "host", "host"}, {"routes", "method", "method"}, {"routes", "evidence", "evidence"},
		{"routes", "path", "path"}, {"hosts", "host", "host"}, {"hosts", "declared", "declared"},
		{"consumers", "api", "api"}, {"consumers", "version", "version"}, {"findings", "severity", "severity"}, {"findings", "open", "open"},
	} {
		whole := readWhole(t, caddy, f.list, nil, "1000")
		var values []string
		for _, i := range whole {
			for _, value := range i.text(f.field) {
				if value != "" && !slices.Contains(values, value) {
					values = append(values, value)
				}
			}
		}
		if len(values) == 0 {
			t.Errorf("no entry of %s has a %s", f.list, f.field)
		}
		for n, value := range values {
			for _, wanted := range [][]string{{value}, {value, values[(n+1)%len(values)]}} {
				var want []item
				for _, i := range whole {
					if slices.ContainsFunc(i.text(f.field), func(has string) bool {
						return slices.ContainsFunc(wanted, func(w string) bool {
							return has == w || f.parameter == "path" && strings.HasPrefix(has, w)
						})
					}) {
						want = append(want, i)
					}
				}
				for _, size := range []string{"5", "1000"}[min(n, 1):] {
					got := readWhole(t, caddy, f.list, url.Values{f.parameter: wanted}, size)
					if a, b := keys(got, identity[f.list]...), keys(want, identity[f.list]...); !slices.Equal(a, b) {
						t.Errorf("%s by %s=%q in pages of %s: %q, want %q", f.list, f.parameter, wanted, size, a, b)
					}
				}
			}
		}
	}

	// orders
	whole := readWhole(t, caddy, "routes", nil, "1000")
	for _, sort := range []struct {
		name   string
		fields []string
	}{{"host,path", []string{"host", "path"}}, {"path", []string{"path"}}, {"first_seen", []string{"first_seen"}}, {"last_seen", []string{"last_seen"}}, {"count", []string{"count"}}} {
		for _, direction := range []string{"", "-"} {
			got := readWhole(t, caddy, "routes", url.Values{"sort": {direction + sort.name}}, "3")
			if len(got) != len(whole) {
				t.Errorf("sort=%s%s in pages has %d of %d entries", direction, sort.name, len(got), len(whole))
			}
			if !slices.IsSortedFunc(got, func(a, b item) int {
				if direction == "-" {
					a, b = b, a
				}
				return compareFields(a, b, sort.fields)
			}) {
				t.Errorf("sort=%s%s gives %q", direction, sort.name, keys(got, sort.fields...))
			}
		}
	}
	latest := readWhole(t, caddy, "routes", url.Values{"sort": {"-last_seen"}}, "1000")[0]
	since := readWhole(t, caddy, "routes", url.Values{"since": {fmt.Sprint(latest["last_seen"])}}, "1000")
	if len(since) == 0 || len(since) == len(whole) || slices.ContainsFunc(since, func(i item) bool { return compareFields(i, latest, []string{"last_seen"}) < 0 }) {
		t.Errorf("since=%v lists %q", latest["last_seen"], keys(since, "last_seen"))
	}

	var health struct {
		Store, Cluster struct{ Status, Why *string }
		Gaps           []any
	}
	caddy.Query(t, "/api_guard/health", &health)
	if health.Store.Status == nil || health.Store.Why == nil || health.Cluster.Status == nil || health.Cluster.Why == nil || health.Gaps == nil {
		t.Errorf("health is %+v", health)
	}
	for _, path := range []string{"routes", "hosts", "consumers", "findings", "apis", "coverage", "health"} {
		if status, body := caddy.Ask(t, "GET", "/api_guard/"+path+"?colour=red"); status != 400 || !strings.Contains(string(body), `"error"`) {
			t.Errorf("%s with an unknown parameter: %d %s", path, status, body)
		}
		if status, body := caddy.Ask(t, "DELETE", "/api_guard/"+path); status != 405 || !strings.Contains(string(body), `"error"`) {
			t.Errorf("DELETE %s: %d %s", path, status, body)
		}
	}
}

func timeOf(text string) time.Time {
	t, _ := time.Parse(time.RFC3339, text) // other texts are no time
	return t
}

// compareFields compares by fields: numbers and texts, none before any.
func compareFields(a, b item, fields []string) int {
	for _, f := range fields {
		x, numbers := a[f].(float64)
		y, _ := b[f].(float64)
		if numbers {
			if x != y {
				return int(x - y)
			}
			continue
		}
		u, _ := a[f].(string)
		v, _ := b[f].(string)
		if c := cmp.Or(timeOf(u).Compare(timeOf(v)), strings.Compare(u, v)); c != 0 {
			return c
		}
	}
	return 0
}

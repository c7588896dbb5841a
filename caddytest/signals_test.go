package caddytest

import (
	"crypto/sha256"
	"encoding/json"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/apiguard/caddy-api-guard/caddytest/internal/harness"
	"github.com/apiguard/caddy-api-guard/internal/needs"
	"github.com/google/go-cmp/cmp"
)

// promisedMetrics are the series that dashboards and alerts of users are made of,
// with their labels. A name that changes breaks them.
var promisedMetrics = map[string]string{
	"caddy_api_guard_requests_total":                   "api,rule,verdict,version",
	"caddy_api_guard_limit_decisions_total":            "limit,result",
	"caddy_api_guard_inventory_routes":                 "state",
	"caddy_api_guard_version_info":                     "api,state,version",
	"caddy_api_guard_version_sunset_timestamp_seconds": "api,version",
	"caddy_api_guard_store_failures_total":             "",
	"caddy_api_guard_feed_dropped_total":               "",
	"caddy_api_guard_samples_dropped_total":            "",
	"caddy_api_guard_limit_untold_debt_total":          "",
	"caddy_api_guard_unchecked_total":                  "reason",
}

// promisedFields are placeholders, as {http.api_guard.*}, and fields of the access
// log, as api_guard.
var promisedFields = []string{"api", "version", "state", "operation", "verdict", "rule", "reason", "consumer"}

// promisedEvents are the lines of the feed and Caddy's events.
var promisedEvents = []string{"route_discovered", "host_discovered", "state_changed", "finding_opened", "finding_closed", "scan_detected"}

var seriesLine = regexp.MustCompile(`(?m)^(caddy_api_guard_[a-z_]+)(?:\{(.*)\})? `)
var labelName = regexp.MustCompile(`([a-z_]+)="`)

// exported are the guard's metrics of a running Caddy, with their labels.
func exported(t *testing.T, caddy *harness.Caddy) map[string]string {
	t.Helper()
	found := map[string]string{}
	for _, m := range seriesLine.FindAllStringSubmatch(caddy.Metrics(t), -1) {
		var labels []string
		for _, l := range labelName.FindAllStringSubmatch(m[2], -1) {
			labels = append(labels, l[1])
		}
		slices.Sort(labels)
		found[m[1]] = strings.Join(labels, ",")
	}
	return found
}

// startSignals runs a Caddy that has shown every metric.
func startSignals(t *testing.T) *harness.Caddy {
	t.Helper()
	caddy, up := startFleet(t)
	up.Answer(func(harness.Recorded) string { // an answer that the document does not have is unchecked
		return "HTTP/1.1 404 Not Found\r\nContent-Length: 0\r\n\r\n"
	})
	for _, call := range []harness.Call{get("api.example.com", "/v2/orders"), get("api.example.com", "/v2/hidden")} {
		call, _ = as(call)
		caddy.Do1(t, call)
	}
	return caddy
}

func TestMetricsAreNamedAsPromisedAndDocumented(t *testing.T) {
	t.Parallel()
	caddy := startSignals(t)
	found := exported(t, caddy)
	for name, labels := range promisedMetrics {
		got, ok := found[name]
		if !ok {
			t.Errorf("%s is not exported", name)
		} else if got != labels {
			t.Errorf("%s has the labels %q, want %q", name, got, labels)
		}
	}
	manual, err := os.ReadFile("../docs/inventory.md")
	if err != nil {
		t.Fatal(err)
	}
	for name := range found {
		if !strings.Contains(string(manual), "`"+name) {
			t.Errorf("%s is exported, and docs/inventory.md does not tell of it", name)
		}
	}
}

func TestPlaceholdersAndAccessLogFieldsAreNamedAsPromised(t *testing.T) {
	t.Parallel()
	var placeholders []string
	for _, name := range promisedFields {
		placeholders = append(placeholders, name+"={http.api_guard."+name+"}")
	}
	caddy := harness.Start(t, harness.Config{
		Guard: fmt.Sprintf(`
		policy {
			request monitor
			response off
		}
		integration acme {
			consumer sha256:%x
		}
		api orders {
			version v2 {
				hosts api.example.com
				path /v2
				spec orders.yaml
			}
		}
`, sha256.Sum256([]byte("acme-key"))),
		Sites: "http://api.example.com:<http> {\n\tlog\n\tapi_guard\n\trespond \"" + strings.Join(placeholders, " ") + "\"\n}\n",
		Files: map[string]string{"orders.yaml": ordersDocument},
	})
	call, client := as(get("api.example.com", "/v2/orders?limit=1000").With("X-Api-Key", "acme-key"))
	want := map[string]string{
		"api": "orders", "version": "v2", "state": "active", "operation": "listOrders",
		"verdict": "would_refuse", "rule": "request", "reason": "request-invalid", "consumer": "acme",
	}
	var line []string
	for _, name := range promisedFields {
		line = append(line, name+"="+want[name])
	}
	if got := string(caddy.Do1(t, call).Body); got != strings.Join(line, " ") {
		t.Errorf("placeholders: %s\nwant %s", got, strings.Join(line, " "))
	}
	logged := map[string]string{}
	for name, value := range caddy.Logged(t, "X-Trace", client) {
		logged[name], _ = value.(string)
	}
	if diff := cmp.Diff(want, logged); diff != "" {
		t.Errorf("the access log: %s", diff)
	}
}

// Each kind of change is brought about, and is an event and a line of the feed.
func TestEventsAndFeedLinesAreNamedAsPromised(t *testing.T) {
	t.Parallel()
	up := harness.NewUpstream(t)
	ending := func(sunset string) harness.Config {
		cfg := fleetConfig(up, "unknown_route enforce", "unknown_route monitor", "sunset 2099-01-01", "sunset "+sunset)
		cfg.Globals = "events {\n"
		for _, name := range promisedEvents {
			cfg.Globals += "on " + name + " record <dir>/events\n"
		}
		cfg.Globals += "}\n"
		return cfg
	}
	caddy := harness.Start(t, ending("2099-01-01"))
	ask := func(host, target string) {
		call, _ := as(get(host, target))
		caddy.Do1(t, call)
	}
	up.Answer(func(r harness.Recorded) string {
		if strings.Contains(r.Target(), "scan") {
			return "HTTP/1.1 404 Not Found\r\nContent-Length: 0\r\n\r\n"
		}
		return "HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\n{}"
	})
	ask("stranger.example.com", "/")
	ask("api.example.com", "/v2/hidden")
	found := awaitRoute(t, caddy, "/api_guard/routes?state=shadow&host=api.example.com", "api.example.com", "GET", "/v2/hidden")
	shadow := openFindings(t, caddy, "&severity=high")["shadow-answers v2 api.example.com/v2/hidden"]
	awaitEvent(t, caddy, "finding_opened", shadow.ID) // what was not told to be open is not told to be closed
	if status, body := postJSON(t, caddy, "/api_guard/routes/"+found.ID+"/review", `{"review":"accepted","note":"a test"}`); status != 200 {
		t.Fatalf("the review: %d %v", status, body)
	}
	awaitEvent(t, caddy, "finding_closed", shadow.ID)
	// Not before everything else is done, and not before the reload is: a machine may be slow.
	for wait := 6 * time.Second; ; wait *= 2 {
		sunset := time.Now().Add(wait)
		if status, body := caddy.Reload(t, ending(sunset.UTC().Format(time.RFC3339))); status != 200 {
			t.Fatalf("the reload: %s", body)
		}
		if time.Until(sunset) > 2*time.Second { // of which the format has cut off one
			break
		}
	}
	harness.Await(t, "the sunset", func() (string, bool) { return caddy.Log(), strings.Contains(caddy.Log(), `"event":"state_changed"`) })
	// A scan is a hundred within one hour of the clock: of two hundred one hour has as many,
	// though the next begins meanwhile.
	for i := range 200 {
		ask("beta.example.com", fmt.Sprintf("/v3/scan-%c%c", 'a'+i/26, 'a'+i%26))
	}
	harness.Await(t, "one of each", func() (string, bool) {
		text, _ := os.ReadFile(filepath.Join(caddy.Dir, "events"))
		_, feed := caddy.Ask(t, "GET", "/api_guard/feed")
		log := caddy.Log()
		for _, name := range promisedEvents {
			switch {
			case !strings.Contains(string(text), `"name":"`+name+`"`):
				return "no Caddy event " + name, false
			case !strings.Contains(string(feed), `"event":"`+name+`"`):
				return "no line of /api_guard/feed with " + name, false
			case !strings.Contains(log, `"logger":"api_guard.inventory"`) || !strings.Contains(log, `"event":"`+name+`"`):
				return "no line of the logger api_guard.inventory with " + name, false
			}
		}
		return "", true
	})
}

// What the dashboard and the alert rules ask for is what a running Caddy exports.
func TestTheDashboardAndTheAlertsUseMetricsThatExist(t *testing.T) {
	t.Parallel()
	caddy := startSignals(t)
	found := exported(t, caddy)
	texts := expressions(t)
	for _, name := range []string{"alerts.yml", "alerts_test.yml"} {
		text, err := os.ReadFile("../examples/monitoring/" + name)
		if err != nil {
			t.Fatal(err)
		}
		texts = append(texts, string(text))
	}
	used := regexp.MustCompile(`(caddy_api_guard_[a-z_]+)(?:\{([^}]*)\})?`)
	label := regexp.MustCompile(`([a-z_]+)\s*(?:=~|!~|!=|=)\s*"`)
	names := 0
	for _, text := range texts {
		for _, m := range used.FindAllStringSubmatch(text, -1) {
			names++
			labels, ok := found[m[1]]
			if !ok {
				t.Errorf("%s is used, and no Caddy exports it", m[1])
				continue
			}
			for _, l := range label.FindAllStringSubmatch(m[2], -1) {
				if l[1] != "instance" && !slices.Contains(strings.Split(labels, ","), l[1]) {
					t.Errorf("%s is asked for the label %s, and has %s", m[1], l[1], labels)
				}
			}
		}
	}
	if names < 40 {
		t.Errorf("only %d uses of metrics were found", names)
	}
}

// expressions are the queries of the dashboard, which must have what Grafana asks
// of one.
func expressions(t *testing.T) []string {
	t.Helper()
	text, err := os.ReadFile("../examples/monitoring/dashboard.json")
	if err != nil {
		t.Fatal(err)
	}
	var board struct {
		Title      string `json:"title"`
		UID        string `json:"uid"`
		Schema     int    `json:"schemaVersion"`
		Templating struct {
			List []struct {
				Name       string `json:"name"`
				Definition string `json:"definition"`
			} `json:"list"`
		} `json:"templating"`
		Panels []struct {
			ID      int            `json:"id"`
			Type    string         `json:"type"`
			Title   string         `json:"title"`
			GridPos map[string]int `json:"gridPos"`
			Targets []struct {
				RefID string `json:"refId"`
				Expr  string `json:"expr"`
			} `json:"targets"`
		} `json:"panels"`
	}
	if err := json.Unmarshal(text, &board); err != nil {
		t.Fatal(err)
	}
	if board.Title == "" || board.UID == "" || board.Schema == 0 || len(board.Panels) == 0 {
		t.Fatalf("the dashboard lacks its title, uid, schemaVersion or panels: %+v", board)
	}
	var all []string
	variables := map[string]bool{"__rate_interval": true}
	for _, v := range board.Templating.List {
		variables[v.Name] = true
		all = append(all, v.Definition)
	}
	ids := map[int]bool{}
	for _, p := range board.Panels {
		if ids[p.ID] || p.Type == "" || p.Title == "" || len(p.Targets) == 0 || p.GridPos["w"] == 0 || p.GridPos["x"]+p.GridPos["w"] > 24 {
			t.Errorf("panel %d (%s) is not whole", p.ID, p.Title)
		}
		ids[p.ID] = true
		for _, target := range p.Targets {
			for _, v := range regexp.MustCompile(`\$([a-z_]+)`).FindAllStringSubmatch(target.Expr, -1) {
				if !variables[v[1]] {
					t.Errorf("panel %s uses the variable %s, which is not declared", p.Title, v[1])
				}
			}
			all = append(all, target.Expr)
		}
	}
	return all
}

func TestPrometheusAcceptsTheAlertsAndFiresThem(t *testing.T) {
	t.Parallel()
	promtool := needs.Tool(t, "promtool")
	for _, args := range [][]string{
		{"check", "config", "prometheus.yml"}, {"check", "rules", "alerts.yml"}, {"test", "rules", "alerts_test.yml"},
	} {
		if out, err := program("../examples/monitoring", promtool, args...); err != nil {
			t.Errorf("promtool %s: %v\n%s", strings.Join(args, " "), err, out)
		}
	}
	// The dashboard's queries are read by the same parser.
	var rules strings.Builder
	rules.WriteString("groups:\n- name: dashboard\n  rules:\n")
	for i, expression := range expressions(t) {
		if strings.HasPrefix(expression, "label_values") || expression == "" {
			continue
		}
		quoted, err := json.Marshal(strings.ReplaceAll(expression, "$__rate_interval", "5m"))
		if err != nil {
			t.Fatal(err)
		}
		fmt.Fprintf(&rules, "  - record: query_%d\n    expr: %s\n", i, quoted)
	}
	dir := t.TempDir()
	if err := os.WriteFile(filepath.Join(dir, "dashboard.yml"), []byte(rules.String()), 0o600); err != nil {
		t.Fatal(err)
	}
	if out, err := program(dir, promtool, "check", "rules", "dashboard.yml"); err != nil {
		t.Errorf("the dashboard's queries: %v\n%s", err, out)
	}
}

// program runs a program of another project in dir and returns what it wrote.
func program(dir, name string, args ...string) (string, error) {
	cmd := exec.Command(name, args...)
	cmd.Dir = dir
	out, err := cmd.CombinedOutput()
	return string(out), err
}

func TestTheManualSaysWhenEachEventComes(t *testing.T) {
	t.Parallel()
	page, err := os.ReadFile("../docs/inventory.md")
	if err != nil {
		t.Fatal(err)
	}
	for _, event := range promisedEvents {
		if !regexp.MustCompile("(?m)^\\| (`\\w+`, )?`" + event + "`(, `\\w+`)? \\| .+ \\| .+ \\|$").Match(page) {
			t.Errorf("no row of a table says when %s comes", event)
		}
	}
}

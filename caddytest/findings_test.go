package caddytest

import (
	"encoding/json"
	"fmt"
	"io"
	"strings"
	"testing"
	"time"

	"github.com/apiguard/caddy-api-guard/caddytest/internal/harness"
)

// consumer is an entry of /api_guard/consumers.
type consumer struct {
	Consumer  string    `json:"consumer"`
	Name      *string   `json:"name"`
	API       string    `json:"api"`
	Version   string    `json:"version"`
	FirstSeen time.Time `json:"first_seen"`
	LastSeen  time.Time `json:"last_seen"`
	Count     int       `json:"count"`
}

// openFindings are the kinds of the open findings about a version or host.
func openFindings(t *testing.T, caddy *harness.Caddy, query string) map[string]findingEntry {
	t.Helper()
	var list listing[findingEntry]
	caddy.Query(t, "/api_guard/findings?open=true&limit=1000"+query, &list)
	found := map[string]findingEntry{}
	for _, f := range list.Items {
		found[f.Kind+" "+f.Subject["version"]+" "+f.Subject["host"]+f.Subject["path"]] = f
	}
	return found
}

type findingEntry struct {
	ID        string            `json:"id"`
	Kind      string            `json:"kind"`
	Severity  string            `json:"severity"`
	Open      bool              `json:"open"`
	Subject   map[string]string `json:"subject"`
	Evidence  string            `json:"evidence"`
	Advice    string            `json:"advice"`
	FirstSeen time.Time         `json:"first_seen"`
	LastSeen  time.Time         `json:"last_seen"`
}

// userSites put an authentication after the guard; the password of both users is
// "secret".
const userSites = `
http://api.example.com:<http>, http://legacy.example.com:<http> {
	log
	route {
		api_guard
		@users header Authorization *
		basic_auth @users {
			alice $2a$04$yg8uDnZjSSX4uKlu1l30uODOhmvI0kto9bXXZ64KeVJx5UiW6rrOu
			bob   $2a$04$yg8uDnZjSSX4uKlu1l30uODOhmvI0kto9bXXZ64KeVJx5UiW6rrOu
		}
		reverse_proxy 127.0.0.1:<upstream>
	}
}
`

func TestWhoStillCallsAVersionIsKnownWithoutKnowingThem(t *testing.T) {
	t.Parallel()
	up := harness.NewUpstream(t)
	cfg := fleetConfig(up)
	cfg.Sites = userSites
	caddy := harness.Start(t, cfg)
	call := func(host, target, client, credentials string) {
		c := get(host, target).With("X-Forwarded-For", client)
		if credentials != "" {
			c = c.With("Authorization", "Basic "+credentials)
		}
		caddy.Do1(t, c)
	}
	call("legacy.example.com", "/v1/orders/7", "198.51.100.7", "")
	call("legacy.example.com", "/v1/orders/7", "198.51.100.7", "")
	call("legacy.example.com", "/v1/orders/8", "2001:db8:7:7::1", "")
	call("legacy.example.com", "/v1/orders/8", "2001:db8:7:7::2", "")
	call("legacy.example.com", "/v1/orders/8", "198.51.100.8", "YWxpY2U6c2VjcmV0")
	call("legacy.example.com", "/v1/orders/8", "198.51.100.9", "YWxpY2U6c2VjcmV0") // the same user from elsewhere
	for _, client := range []string{"198.51.100.10", "198.51.100.11"} {
		call("legacy.example.com", "/v1/orders/9", client, "")
		call("legacy.example.com", "/v1/orders/9", client, "")
	}
	call("legacy.example.com", "/v0/orders", "198.51.100.7", "") // retired: refused
	call("api.example.com", "/v2/orders", "198.51.100.7", "")

	var v1 []consumer
	harness.Await(t, "the consumers of v1", func() (string, bool) {
		var list listing[consumer]
		caddy.Query(t, "/api_guard/consumers?api=orders&version=v1", &list)
		v1 = list.Items
		sum := 0
		for _, c := range v1 {
			sum += c.Count
		}
		return fmt.Sprintf("%+v", v1), len(v1) == 5 && sum == 10
	})
	users := 0
	for _, c := range v1 {
		if c.API != "orders" || c.Version != "v1" || c.Name == nil || c.Count != 2 || c.LastSeen.Before(c.FirstSeen) || c.FirstSeen.IsZero() {
			t.Errorf("entry %+v", c)
		}
		if strings.HasPrefix(c.Consumer, "user:") {
			users++
		}
	}
	if users != 1 {
		t.Errorf("%d users, want 1: %+v", users, v1)
	}
	names := map[string]int{}
	var all listing[consumer]
	for next := ""; ; next = all.Next {
		caddy.Query(t, "/api_guard/consumers?limit=2&cursor="+next, &all)
		for _, c := range all.Items {
			names[c.Consumer]++
		}
		if all.Next == "" {
			break
		}
	}
	three := 0
	for _, n := range names {
		if n == 3 {
			three++
		}
	}
	if len(names) != 5 || three != 1 {
		t.Errorf("consumers by how many versions they called: %v; want one that called v0, v1 and v2", names)
	}
	// An estimate by 256 registers, the key of which is drawn anew: those that share one
	// count as one. That all five do happens once in 256^4, 4e9, runs.
	entry := awaitCallers(t, caddy, "/v1/orders/{id}")
	if entry.Consumers < 2 || entry.Consumers > 5 || fmt.Sprint(entry.Auth.Seen) != "[basic user]" || entry.Auth.Unauthenticated2xx != 8 || fmt.Sprint(entry.Networks) != "[public]" {
		t.Errorf("the route is %+v", entry)
	}
	for _, path := range []string{"/api_guard/consumers", "/api_guard/routes", "/api_guard/findings"} {
		_, body := caddy.Ask(t, "GET", path)
		for _, raw := range []string{"198.51.100", "2001:db8", "alice", "YWxpY2U"} {
			if strings.Contains(string(body), raw) {
				t.Errorf("%s holds %s", path, raw)
			}
		}
	}
}

// callers is what a route's entry says of who calls it.
type callers struct {
	Path      string   `json:"path"`
	Consumers int      `json:"consumers"`
	Networks  []string `json:"networks"`
	Auth      struct {
		Seen               []string `json:"seen"`
		Unauthenticated2xx int      `json:"unauthenticated_2xx"`
	} `json:"auth"`
	CORS struct {
		Origins     []string `json:"origins"`
		Credentials bool     `json:"credentials"`
	} `json:"cors"`
}

func awaitCallers(t *testing.T, caddy *harness.Caddy, path string) callers {
	t.Helper()
	var list listing[callers]
	caddy.Query(t, "/api_guard/routes?method=GET&path="+strings.NewReplacer("{", "%7B", "}", "%7D").Replace(path), &list)
	if len(list.Items) != 1 {
		t.Fatalf("%d routes at %s", len(list.Items), path)
	}
	return list.Items[0]
}

func TestCORSIsToldAsUpstreamAnswersIt(t *testing.T) {
	t.Parallel()
	caddy, up := startFleet(t)
	up.Answer(func(r harness.Recorded) string {
		return "HTTP/1.1 200 OK\r\nAccess-Control-Allow-Origin: https://shop.test\r\nAccess-Control-Allow-Credentials: true\r\nContent-Length: 0\r\n\r\n"
	})
	call, _ := as(get("api.example.com", "/v2/orders/7").With("Origin", "https://shop.test"))
	caddy.Do1(t, call)
	if cors := awaitCallers(t, caddy, "/v2/orders/{id}").CORS; fmt.Sprint(cors) != "{[reflected] true}" {
		t.Errorf("after its own origin: %v", cors)
	}
	call, _ = as(get("api.example.com", "/v2/orders/7").With("Origin", "https://other.test"))
	caddy.Do1(t, call)
	if cors := awaitCallers(t, caddy, "/v2/orders/{id}").CORS; fmt.Sprint(cors) != "{[listed] true}" {
		t.Errorf("after another origin: %v", cors)
	}
}

func TestFindingsSayWhatIsWrongAndReviewsCloseThem(t *testing.T) {
	t.Parallel()
	caddy, _ := startFleet(t, "unknown_route enforce", "unknown_route monitor", "owner team-checkout", "")
	for _, c := range []harness.Call{
		get("legacy.example.com", "/v1/orders/7"), // deprecated
		get("legacy.example.com", "/v0/orders"),   // retired
		get("api.example.com", "/v2/debug"),       // shadow
		get("shadow.example.com", "/v2/orders"),   // refused
	} {
		call, _ := as(c)
		caddy.Do1(t, call)
	}
	wanted := map[string]string{
		"shadow-answers v2 api.example.com/v2/debug": "high",
		"deprecated-called v1 ":                      "medium",
		"retired-called v0 ":                         "medium",
		"no-document v0 ":                            "medium",
		"no-document internal ":                      "medium",
		"no-owner v2 ":                               "low",
		"undeclared-host  shadow.example.com":        "low",
	}
	harness.Await(t, "the findings", func() (string, bool) {
		found := openFindings(t, caddy, "")
		for name, severity := range wanted {
			if f, ok := found[name]; !ok || f.Severity != severity || f.Evidence == "" || f.Advice == "" || f.FirstSeen.IsZero() || f.LastSeen.Before(f.FirstSeen) {
				return fmt.Sprintf("%s: %+v in %v", name, f, found), false
			}
		}
		return "", true
	})
	for name := range openFindings(t, caddy, "") {
		for _, not := range []string{"no-document v2", "deprecated-called v2", "deprecated-called v0", "retired-answers", "retired-called v1", "undeclared-host  api", "no-retirement-plan"} {
			if strings.HasPrefix(name, not) {
				t.Errorf("there is a finding %q", name)
			}
		}
	}
	shadow := openFindings(t, caddy, "&severity=high")["shadow-answers v2 api.example.com/v2/debug"]
	if len(openFindings(t, caddy, "&severity=high")) != 1 {
		t.Errorf("of high severity are %v", openFindings(t, caddy, "&severity=high"))
	}
	awaitEvent(t, caddy, "finding_opened", shadow.ID)

	status, body := postJSON(t, caddy, "/api_guard/routes/"+shadow.Subject["route"]+"/review", `{"review":"accepted","note":"CHG-1"}`)
	if status != 200 || body["review"] != "accepted" || body["review_note"] != "CHG-1" || body["path"] != "/v2/debug" {
		t.Fatalf("the review: %d %v", status, body)
	}
	if found := openFindings(t, caddy, "&severity=high"); len(found) != 0 {
		t.Errorf("after the review are open %v", found)
	}
	var closed listing[findingEntry]
	caddy.Query(t, "/api_guard/findings?open=false", &closed)
	if len(closed.Items) != 1 || closed.Items[0].ID != shadow.ID || closed.Items[0].Open || !closed.Items[0].FirstSeen.Equal(shadow.FirstSeen) {
		t.Errorf("closed are %+v", closed.Items)
	}

	cfg := fleetConfig(nil, "unknown_route enforce", "unknown_route monitor")
	cfg.Sites = strings.ReplaceAll(sites, "import guarded", "api_guard\nrespond 200")
	cfg.Guard = strings.Replace(cfg.Guard, "hosts api.example.com", "hosts api.example.com shadow.example.com", 1)
	if status, answer := caddy.Reload(t, cfg); status != 200 {
		t.Fatalf("reloading: %d %s", status, answer)
	}
	found := openFindings(t, caddy, "")
	for _, gone := range []string{"no-owner v2 ", "undeclared-host  shadow.example.com", "shadow-answers v2 api.example.com/v2/debug"} {
		if _, open := found[gone]; open {
			t.Errorf("after the reload %q is open", gone)
		}
	}
	awaitEvent(t, caddy, "finding_closed", shadow.ID)
}

// awaitEvent waits for a line of the feed about a finding.
func awaitEvent(t *testing.T, caddy *harness.Caddy, event, id string) {
	t.Helper()
	harness.Await(t, event+" in the feed", func() (string, bool) {
		for line := range strings.Lines(caddy.Log()) {
			if strings.Contains(line, `"event":"`+event+`"`) && strings.Contains(line, `"id":"`+id+`"`) {
				return "", true
			}
		}
		return "it is not there", false
	})
}

// postJSON posts to the admin API as JSON.
func postJSON(t *testing.T, caddy *harness.Caddy, path, body string) (int, map[string]any) {
	t.Helper()
	return postAs(t, caddy, path, "application/json", body)
}

func postAs(t *testing.T, caddy *harness.Caddy, path, mediaType, body string) (int, map[string]any) {
	t.Helper()
	resp, err := client.Post("http://"+caddy.Admin+path, mediaType, strings.NewReader(body))
	if err != nil {
		t.Fatal(err)
	}
	defer resp.Body.Close()
	text, err := io.ReadAll(resp.Body)
	if err != nil {
		t.Fatal(err)
	}
	var answer map[string]any
	if err := json.Unmarshal(text, &answer); err != nil {
		t.Fatalf("%s answers %d %s", path, resp.StatusCode, text)
	}
	return resp.StatusCode, answer
}

func TestAReviewThatCannotBeIsAnError(t *testing.T) {
	t.Parallel()
	caddy, _ := startFleet(t)
	var list listing[route]
	caddy.Query(t, "/api_guard/routes?version=v2&limit=1", &list)
	path := "/api_guard/routes/" + list.Items[0].ID + "/review"
	for name, c := range map[string]struct {
		path, mediaType, body string
		status                int
	}{
		"a review":               {path, "application/json; charset=utf-8", `{"review":"ignored"}`, 200},
		"another media type":     {path, "text/plain", `{"review":"ignored"}`, 415},
		"an unknown value":       {path, "application/json", `{"review":"rejected"}`, 400},
		"no value":               {path, "application/json", `{}`, 400},
		"an unknown field":       {path, "application/json", `{"review":"ignored","by":"me"}`, 400},
		"something behind it":    {path, "application/json", `{"review":"ignored"} {}`, 400},
		"no JSON":                {path, "application/json", `review=ignored`, 400},
		"a long note":            {path, "application/json", `{"review":"ignored","note":"` + strings.Repeat("x", 1001) + `"}`, 400},
		"a body without end":     {path, "application/json", `{"review":"ignored","note":"` + strings.Repeat("x", 1<<17) + `"}`, 413},
		"a query":                {path + "?force=1", "application/json", `{"review":"ignored"}`, 400},
		"a route that is not":    {"/api_guard/routes/aaaaaaaaaaaaaaaa/review", "application/json", `{"review":"ignored"}`, 404},
		"what else is not there": {path + "/x", "application/json", `{"review":"ignored"}`, 404},
	} {
		status, body := postAs(t, caddy, c.path, c.mediaType, c.body)
		if status != c.status || status != 200 && body["error"] == nil {
			t.Errorf("%s: %d %v, want %d", name, status, body, c.status)
		}
	}
	for path, status := range map[string]int{
		path:                                405,
		"/api_guard/consumers":              200,
		"/api_guard/consumers?limit=0":      400,
		"/api_guard/consumers?host=x":       400,
		"/api_guard/consumers?cursor=x":     400,
		"/api_guard/findings":               200,
		"/api_guard/findings?severity=dire": 400,
		"/api_guard/findings?open=maybe":    400,
		"/api_guard/findings?kind=x":        400,
		"/api_guard/findings?limit=1001":    400,
	} {
		if got, body := caddy.Ask(t, "GET", path); got != status {
			t.Errorf("GET %s: status %d, want %d: %s", path, got, status, body)
		}
	}
}

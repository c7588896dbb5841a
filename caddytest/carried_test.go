package caddytest

import (
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/apiguard/caddy-api-guard/caddytest/internal/harness"
)

// shop is an API of which one version is production and one is not, with an
// integration that may have e-mail addresses.
const shopGuard = `
		inventory {
			file <dir>/inventory.db
			sample 100% 1000
		}
		policy {
			request monitor
			response monitor
			credentials monitor
		}
		integration acme {
			consumer sha256:346e50af211b5135824bb2bb58fe0f9e6df228adcf10c58a37fbc46b57baee74
			purpose "order tracking"
			data email
			owner team-partners
		}
		api shop {
			owner team-shop
			version v1 {
				hosts api.example.com
				path /v1
				spec shop.yaml
			}
			version next {
				hosts next.example.com
				path /v2
				environment staging
				spec shop.yaml
			}
		}
`

const shopDocument = `
openapi: 3.1.0
info: {title: shop, version: "1"}
paths:
  /users/{id}:
    parameters: [{name: id, in: path, required: true, schema: {type: string}}]
    get:
      operationId: readUser
      responses:
        "200":
          description: ok
          content:
            application/json:
              schema: {type: object, properties: {note: {type: string, x-data-class: postal_address}, support: {type: string, x-data-class: none}}}
  /login:
    post:
      operationId: login
      requestBody: {content: {application/json: {schema: {type: object}}}}
      responses: {"200": {description: ok, content: {application/json: {}}}}
`

// carriedEntry is what a route's entry tells of what it carries.
type carriedEntry struct {
	ID          string   `json:"id"`
	Version     string   `json:"version"`
	Path        string   `json:"path"`
	DataClasses []string `json:"data_classes"`
	Data        []struct {
		Class, Direction, In, Pointer, Source string
		Count                                 int
	} `json:"data"`
	Software []struct {
		Product   string
		Versioned bool
	} `json:"software"`
	AttackSigns map[string]int `json:"attack_signs"`
}

// needles are secrets in every place of a request and an answer. Nothing that the
// guard writes or answers may have one. The first one stands where a document has
// a parameter, and the last one where nothing has: it has the form of a token. A
// word there would be the name of a route.
var needles = []string{
	"needle-path-70391", "needle-query-70392", "needle-name-70393", "needle-field-70394", "needle-cookie-70395",
	"needle-body-70396", "needle-member-70397", "needle-answer-70398", "needle-header-70399", "4eC39HqLyjWDarjtT1zdp7dc8412",
}

func startShop(t *testing.T) (*harness.Caddy, *harness.Upstream) {
	t.Helper()
	up := harness.NewUpstream(t)
	// The access log would tell requests whatever the guard does.
	sites := "(quiet) {\napi_guard\nreverse_proxy 127.0.0.1:<upstream>\n}\nhttp://:<http> {\nimport quiet\n}\nhttps://api.example.com:<https>, https://:<https> {\ntls internal\nimport quiet\n}\n"
	return harness.Start(t, harness.Config{Guard: shopGuard, Sites: sites, Upstream: up, Files: map[string]string{"shop.yaml": shopDocument}}), up
}

func TestWhatRoutesCarryIsKnownWithoutTheirValues(t *testing.T) {
	t.Parallel()
	caddy, up := startShop(t)
	const answer = `{"email":"ada@example.com","support":"help@example.com","cards":[{"number":"4111 1111 1111 1111"}]}`
	up.Answer(func(r harness.Recorded) string {
		cors := ""
		if origin := r.Values("Origin"); len(origin) == 1 {
			cors = "Access-Control-Allow-Origin: " + origin[0] + "\r\nAccess-Control-Allow-Credentials: true\r\n"
		}
		return fmt.Sprintf("HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nServer: nginx/1.25.3\r\n%sContent-Length: %d\r\n\r\n%s", cors, len(answer), answer)
	})
	caddy.Do1(t, get("api.example.com", "/v1/users/7").With("Origin", "https://evil.example"))
	caddy.Do2(t, get("api.example.com", "/v1/users/8?token=8f14e45fceea167a5a36").With("Authorization", "Bearer partner-key"))
	caddy.Do1(t, get("next.example.com", "/v2/users/9?q=%27%20OR%201=1--").With("Authorization", "Bearer abc"))
	caddy.Do1(t, get("api.example.com", "/v1/undocumented").With("Authorization", "Bearer abc"))

	var list listing[carriedEntry]
	entryOf := func(path string) carriedEntry {
		for _, e := range list.Items {
			if e.Path == path {
				return e
			}
		}
		return carriedEntry{}
	}
	harness.Await(t, "what the routes carry", func() (string, bool) {
		caddy.Query(t, "/api_guard/routes?limit=1000", &list)
		return fmt.Sprintf("%+v", list.Items), len(entryOf("/v1/undocumented").Data) > 0 && len(entryOf("/v1/users/{id}").Data) >= 4 && len(entryOf("/v2/users/{id}").Data) >= 3
	})
	e := entryOf("/v1/users/{id}")
	var got []string
	for _, d := range e.Data {
		got = append(got, fmt.Sprintf("%s %s %s%s %s", d.Class, d.Direction, d.In, d.Pointer, d.Source))
	}
	want := []string{
		"postal_address response body/note document", "secret request query/token sample",
		"payment_card response body/cards/*/number sample", "email response body/email sample",
	}
	if strings.Join(got, "\n") != strings.Join(want, "\n") {
		t.Errorf("it carries\n%s\nwant\n%s", strings.Join(got, "\n"), strings.Join(want, "\n"))
	}
	if fmt.Sprint(e.DataClasses) != "[email payment_card secret postal_address]" || fmt.Sprint(e.Software) != "[{nginx true}]" {
		t.Errorf("classes %v, software %v", e.DataClasses, e.Software)
	}
	if signs := entryOf("/v2/users/{id}").AttackSigns; signs["sql-injection"] != 1 {
		t.Errorf("attack signs %v", signs)
	}

	findings := openFindings(t, caddy, "")
	for _, key := range []string{
		"sensitive-unauthenticated v1 api.example.com/v1/users/{id}", "secret-in-url v1 api.example.com/v1/users/{id}", "cors-any-origin v1 api.example.com/v1/users/{id}",
		"software-told v1 api.example.com", "sensitive-non-production next next.example.com", "undeclared-flow v1 ",
	} {
		if f, open := findings[key]; !open || f.Evidence == "" || f.Advice == "" {
			t.Errorf("no finding %q among %v", key, findings)
		}
	}
	if f := findings["undeclared-flow v1 "]; f.Subject["consumer"] != "acme" || !strings.Contains(f.Evidence, "payment_card") || strings.Contains(f.Evidence, "email") {
		t.Errorf("the flow's finding is %+v", f)
	}

	var flows listing[map[string]any]
	caddy.Query(t, "/api_guard/flows?integration=acme", &flows)
	declared := map[string]any{}
	for _, f := range flows.Items {
		declared[fmt.Sprint(f["data_class"], " ", f["direction"])] = f["declared"]
		if f["purpose"] != "order tracking" || f["owner"] != "team-partners" {
			t.Errorf("flow %v", f)
		}
	}
	if declared["email to"] != true || declared["payment_card to"] != false || declared["secret from"] != false {
		t.Errorf("flows %v", declared)
	}
	for path, status := range map[string]int{"/api_guard/flows": 200, "/api_guard/flows?data_class=nothing": 400, "/api_guard/flows?x=1": 400, "/api_guard/flows?limit=0": 400, "/api_guard/flows?cursor=x": 400} {
		if got, body := caddy.Ask(t, "GET", path); got != status {
			t.Errorf("%s: %d %s", path, got, body)
		}
	}
}

func TestNoNeedleIsInAnythingThatTheGuardWritesOrAnswers(t *testing.T) {
	t.Parallel()
	caddy, up := startShop(t)
	body := fmt.Sprintf(`{"password":%q,%q:{"email":"x@example.com"}}`, needles[5], needles[6])
	answer := fmt.Sprintf(`{"token":%q,%q:["a@example.com"],"n":[1]}`, needles[7], needles[7]+"x")
	up.Answer(func(r harness.Recorded) string {
		return fmt.Sprintf("HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nServer: %s/1.0\r\nX-Powered-By: %s\r\nSet-Cookie: s=%s\r\nContent-Length: %d\r\n\r\n%s",
			needles[8], needles[8], needles[8], len(answer), answer)
	})
	for _, host := range []string{"api.example.com", "next.example.com", "shadow.example.com"} {
		for _, path := range []string{"/v1/users/" + needles[0], "/v2/users/" + needles[0], "/v1/login", "/v1/hidden/" + needles[9], "/v1/users/eyJhbGciOiJIUzI1NiJ9.e30." + needles[0]} {
			for _, method := range []string{"GET", "POST"} {
				call := send(method, host, path+"?token="+needles[1]+"&"+needles[2]+"=a@example.com", "application/json", body)
				call = call.With("Authorization", "Bearer "+needles[3]).With("X-Api-Key", needles[3]).With("Cookie", needles[4]+"="+needles[4])
				caddy.Do1(t, call)
			}
		}
	}
	// All that there is to ask, when it is there.
	harness.Await(t, "data of the samples", func() (string, bool) {
		_, text := caddy.Ask(t, "GET", "/api_guard/routes?limit=1000")
		return string(text), strings.Contains(string(text), "/*/email") || strings.Contains(string(text), "password")
	})
	said := map[string]string{"the log": caddy.Log(), "the metrics": caddy.Metrics(t)}
	for _, path := range []string{"apis", "hosts", "routes?limit=1000", "consumers", "findings", "flows", "feed", "coverage", "limits", "health"} {
		_, text := caddy.Ask(t, "GET", "/api_guard/"+path)
		said[path] = string(text)
	}
	caddy.Stop()
	err := filepath.WalkDir(caddy.Dir, func(path string, d os.DirEntry, err error) error {
		if err != nil || d.IsDir() {
			return err
		}
		text, err := os.ReadFile(path)
		said[path] = string(text)
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
	for where, text := range said {
		for _, needle := range needles {
			if i := strings.Index(text, needle); i >= 0 {
				t.Errorf("%s has %s: …%.200q…", where, needle, text[max(0, i-80):])
			}
		}
	}
}

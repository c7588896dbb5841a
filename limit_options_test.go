package apiguard

import (
	"crypto/sha256"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"strconv"
	"strings"
	"testing"

	"github.com/dunglas/httpsfv"
	"github.com/google/go-cmp/cmp"
)

// optionDocument has an operation that costs three, in one row of the table, one
// with a body, and one more.
const optionDocument = `{"openapi":"3.0.3","info":{"title":"t","version":"1"},"paths":{
"/orders":{"get":{"operationId":"list","parameters":[{"name":"n","in":"query","schema":{"type":"integer"}}],"responses":{"200":{"description":"ok"}}},
 "post":{"operationId":"create","requestBody":{"content":{"application/json":{"schema":{"type":"object"}}}},"responses":{"200":{"description":"ok"}}}},
"/report":{"get":{"operationId":"report","x-api-guard-cost":3,"responses":{"200":{"description":"ok"}}}}}}`

// Each option of a limit, as a Caddyfile has it and as JSON has it, and what it
// does: requests in turn, each with the status that it gets. "fail" is one that
// upstream answers with 422, "acme" one with that tenant, "credential" one of an
// integration.
func TestEveryOptionOfALimitDoesWhatItSaysInBothLanguages(t *testing.T) {
	for _, c := range []struct{ name, caddyfile, json, requests string }{
		{"rate", "rate 2/1h", `{"rate":"2/1h"}`, "GET /v2/orders 200, GET /v2/orders 200, GET /v2/orders 429"},
		{"algorithm window", "rate 2/1h\nalgorithm window", `{"rate":"2/1h","algorithm":"window"}`, "GET /v2/orders 200, GET /v2/orders 200, GET /v2/orders 429"},
		{"algorithm bucket", "rate 1/1h\nalgorithm bucket\nburst 3", `{"rate":"1/1h","algorithm":"bucket","burst":3}`, "GET /v2/orders 200, GET /v2/orders 200, GET /v2/orders 200, GET /v2/orders 429"},
		{"operations", "operations create \"GET /report\"\nrate 1/1h", `{"operations":["create","GET /report"],"rate":"1/1h"}`, "POST /v2/orders 200, GET /v2/report 429, GET /v1/report 429, GET /v2/orders 200"},
		{"quota of a day", "quota 2/day", `{"quota":"2/day"}`, "GET /v2/orders 200, GET /v2/orders 200, GET /v2/orders 429"},
		{"quota of a month", "quota 1/month\nrate 5/1s", `{"quota":"1/month","rate":"5/1s"}`, "GET /v2/orders 200, GET /v2/orders 429"},
		{"concurrency", "concurrency 2", `{"concurrency":2}`, "GET /v2/orders 200, during 200 429, during 200 429"},
		{"penalty", "rate 1/1m\npenalty 1h", `{"rate":"1/1m","penalty":"1h"}`, "GET /v2/orders 200, GET /v2/orders 429 3600"},
		{"cost", "rate 5/1h\ncost 2", `{"rate":"5/1h","cost":2}`, "GET /v2/orders 200, GET /v2/orders 200, GET /v2/orders 429"},
		{"cost of the document", "rate 5/1h", `{"rate":"5/1h"}`, "GET /v2/report 200, GET /v2/report 429, GET /v1/report 429, GET /v2/orders 200, GET /v2/orders 200, GET /v2/orders 429"},
		{"count requests", "rate 1/1h\ncount requests", `{"rate":"1/1h","count":"requests"}`, "GET /v2/orders 200, GET /v2/orders 429"},
		{"count failures", "rate 2/1h\ncount failures 422", `{"rate":"2/1h","count":"failures","statuses":[422]}`, "GET /v2/orders 200, GET /v2/orders 200, fail 422, GET /v2/orders 200, fail 422, GET /v2/orders 429"},
		{"count unknown", "rate 1/1h\ncount unknown", `{"rate":"1/1h","count":"unknown"}`, "GET /v2/orders 200, GET /v2/orders 200, GET /v2/none 200, GET /v2/orders 429"},
		{"count violations", "rate 1/1h\ncount violations", `{"rate":"1/1h","count":"violations"}`, "GET /v2/orders 200, GET /v2/orders 200, GET /v2/orders?n=x 400, GET /v2/orders 429"},
		{"key of a header", "key {header.X-Tenant}\nrate 1/1h", `{"key":["{http.request.header.X-Tenant}"],"rate":"1/1h"}`, "acme 200, acme 429, GET /v2/orders 200, GET /v2/orders 429"},
		{"key of a placeholder", "key {query.account}\nrate 1/1h", `{"key":["{http.request.uri.query.account}"],"rate":"1/1h"}`, "GET /v2/orders?account=a 200, GET /v2/orders?account=%61 429, GET /v2/orders?account=b 200, GET /v2/orders 200, GET /v2/orders? 429"},
		{"key of placeholders within text", "key t-{query.account}/{host}\nrate 1/1h", `{"key":["t-{http.request.uri.query.account}/{http.request.host}"],"rate":"1/1h"}`, "GET /v2/orders?account=a 200, GET /v2/orders?account=%20A 429, GET /v2/orders?account=b 200, GET /v2/orders?account=%20 200, GET /v2/orders 429, GET /v2/orders?account=c&account=a 429"},
		{"composite key", "key {client_ip} {header.X-Tenant} fixed\nrate 1/1h", `{"key":["{http.vars.client_ip}","{http.request.header.X-Tenant}","fixed"],"rate":"1/1h"}`, "acme 200, acme 429, GET /v2/orders 200, GET /v2/orders 429"},
		{"key of the body", "operations create\nkey {http.api_guard.body./email}\nrate 1/1h", `{"operations":["create"],"key":["{http.api_guard.body./email}"],"rate":"1/1h"}`, `POST /v2/orders {"email":"a@x"} 200, POST /v1/orders {"email":"A@X"} 429, POST /v2/orders {"email":"b@x"} 200, POST /v2/orders {} 200, POST /v2/orders [] 429`},
		{"key of the consumer", "key {http.api_guard.consumer}\nrate 1/1h", `{"key":["{http.api_guard.consumer}"],"rate":"1/1h"}`, "credential 200, credential 429, acme 200, GET /v2/orders 429"},
		{"protect", "key {header.X-Tenant}\nrate 1/1h\nprotect", `{"key":["{http.request.header.X-Tenant}"],"rate":"1/1h","protect":true}`, "acme 200, flood, acme 429, GET /v2/orders 429"},
		{"no protect", "key {header.X-Tenant}\nrate 1/1h", `{"key":["{http.request.header.X-Tenant}"],"rate":"1/1h"}`, "acme 200, flood, GET /v2/orders 200"},
		{"headers on", "rate 2/1h\nheaders on", `{"rate":"2/1h","headers":"on"}`, "shown 200"},
		{"headers off", "rate 1/1h\nheaders off", `{"rate":"1/1h","headers":"off"}`, "hidden 200, hidden 429"},
		{"mode enforce", "rate 1/1h\nmode enforce", `{"rate":"1/1h","mode":"enforce"}`, "GET /v2/orders 200, GET /v2/orders 429"},
		{"mode monitor", "rate 1/1h\nmode monitor", `{"rate":"1/1h","mode":"monitor"}`, "hidden 200, hidden 200, hidden 200"},
		{"mode off", "rate 1/1h\nmode off", `{"rate":"1/1h","mode":"off"}`, "hidden 200, hidden 200"},
	} {
		t.Run(c.name, func(t *testing.T) {
			guard := "inventory {\nfile memory\n}\ntable_slots 64\nintegration shop {\nconsumer sha256:" + fmt.Sprintf("%x", sha256.Sum256([]byte("shop-key"))) +
				"\n}\npolicy {\nlimit only {\n" + c.caddyfile + "\n}\n}\napi orders {\nversion v2 {\nhosts api.example.com\npath /v2\nspec orders.json\n}\nversion v1 {\nhosts api.example.com\npath /v1\n}\n}"
			document := optionDocument
			if c.name != "cost of the document" {
				document = strings.Replace(document, `"x-api-guard-cost":3,`, "", 1)
			}
			app, _, err := decodeConfig(adaptedWith(t, guard, map[string]string{"orders.json": document}))
			if err != nil {
				t.Fatal(err)
			}
			twin := &Limit{Name: "only"}
			if err := json.Unmarshal([]byte(c.json), twin); err != nil {
				t.Fatal(err)
			}
			twin.Source = app.Policy.Limit[0].Source
			if diff := cmp.Diff(twin, app.Policy.Limit[0]); diff != "" {
				t.Errorf("(-the JSON twin +from the Caddyfile):\n%s", diff)
			}
			app.Policy.Limit[0] = twin
			withoutMidnight(t, app)
			app = mustProvision(t, app)
			for n, request := range strings.Split(c.requests, ", ") {
				if problem := follow(app, request); problem != "" {
					t.Errorf("request %d, %q: %s", n+1, request, problem)
				}
			}
		})
	}
}

// follow sends one request of the table above and says what is wrong with it.
func follow(app *App, request string) string {
	words := strings.Fields(request)
	method, target, body, status, own := "GET", "/v2/orders", "{}", 200, ""
	header := http.Header{}
	during := 0
	switch words[0] {
	case "GET", "POST":
		method, target, words = words[0], words[1], words[1:]
		if len(words) > 2 && words[1][0] > '9' {
			body, words = words[1], words[1:]
		}
	case "fail":
		status = 422
	case "acme":
		header.Set("X-Tenant", "acme")
	case "credential":
		header.Set("X-Api-Key", "shop-key")
	case "shown":
		own = `"own";r=1;t=2`
	case "during":
		during, _ = strconv.Atoi(words[2])
	case "flood":
		for i := range 2000 {
			through(app, "api.example.com", target, func(r *http.Request) { r.Header.Set("X-Tenant", fmt.Sprint(i)) }, nil)
		}
		return ""
	}
	want, _ := strconv.Atoi(words[1])
	w := through(app, "api.example.com", target, func(r *http.Request) {
		r.Method = method
		for name, values := range header {
			r.Header[name] = values
		}
		if method == "POST" {
			r.Header.Set("Content-Type", "application/json")
			r.Body, r.ContentLength = io.NopCloser(strings.NewReader(body)), int64(len(body))
		}
	}, func(w http.ResponseWriter, _ *http.Request) error {
		if during != 0 { // one more beside this one fits, a third does not
			inner := through(app, "api.example.com", target, nil, func(w http.ResponseWriter, _ *http.Request) error {
				third := through(app, "api.example.com", target, nil, nil)
				w.WriteHeader(third.Code)
				return nil
			})
			if inner.Code != during {
				status = 599
			}
		}
		if own != "" {
			w.Header().Set("RateLimit", own)
			w.Header().Set("RateLimit-Policy", `"own";q=5;w=6`)
		}
		w.WriteHeader(status)
		return nil
	})
	fields := w.Header().Values("RateLimit")
	switch {
	case w.Code != want:
		return fmt.Sprintf("status %d", w.Code)
	case words[0] == "hidden" && (len(fields) > 0 || w.Header().Get("RateLimit-Policy") != ""):
		return fmt.Sprintf("it shows itself: %q", fields)
	case words[0] == "shown":
		return besideTheOwn(w.Header())
	case want == 429 && len(words) > 2 && w.Header().Get("Retry-After") != words[2]:
		return "Retry-After " + w.Header().Get("Retry-After")
	}
	return ""
}

// besideTheOwn says what is wrong with the RateLimit fields of an answer that has
// the origin's own: they read as one List each (RFC 9651), with both members.
func besideTheOwn(h http.Header) string {
	for field, want := range map[string]string{
		"RateLimit":        `"own";r=1;t=2, "only";r=1;t=`,
		"RateLimit-Policy": `"own";q=5;w=6, "only";q=2;w=3600`,
	} {
		list, err := httpsfv.UnmarshalList(h.Values(field))
		if err != nil {
			return err.Error()
		}
		text, err := httpsfv.Marshal(list)
		if err != nil || len(list) != 2 || !strings.HasPrefix(text, want) {
			return fmt.Sprintf("%s: %q, %v", field, text, err)
		}
	}
	return ""
}

package apiguard

import (
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
)

// A limit in monitor that counts by what is in the body waits for nothing: upstream
// is asked before the client has sent any of it. What it would have refused is told
// when the body has passed, and the bucket that is enforced is another one.
func TestALimitInMonitorByTheBodyDoesNotWaitForIt(t *testing.T) {
	for name, document := range map[string]string{"a body that is judged": optionDocument, "a body that no document has": `{"openapi":"3.0.3","info":{"title":"t","version":"1"},"paths":{"/orders":{"post":{"operationId":"create","responses":{"200":{"description":"ok"}}}}}}`} {
		t.Run(name, func(t *testing.T) {
			app, _, err := decodeConfig(adaptedWith(t, "inventory {\nfile memory\n}\npolicy {\nrequest monitor\nlimit only {\noperations create\nkey {http.api_guard.body./email}\nrate 1/1h\nmode monitor\n}\n}\n"+
				"api orders {\nversion v2 {\nhosts api.example.com\npath /v2\nspec orders.json\n}\n}", map[string]string{"orders.json": document}))
			if err != nil {
				t.Fatal(err)
			}
			app = mustProvision(t, app)
			send := func(email string) (code int) {
				from, to := io.Pipe()
				return through(app, "api.example.com", "/v2/orders", func(r *http.Request) {
					r.Method, r.Body, r.ContentLength = "POST", from, -1
					r.Header.Set("Content-Type", "application/json")
				}, func(w http.ResponseWriter, r *http.Request) error {
					go func() { // not before upstream is asked
						_, _ = fmt.Fprintf(to, `{"email":%q}`, email)
						_ = to.Close()
					}()
					if body, err := io.ReadAll(r.Body); err != nil || string(body) != fmt.Sprintf(`{"email":%q}`, email) {
						t.Errorf("upstream got %q, %v", body, err)
					}
					w.WriteHeader(200)
					return nil
				}).Code
			}
			before := gathered(t, app)
			for _, email := range []string{"a@x", "A@x", "b@x", "a@x"} {
				if code := send(email); code != 200 {
					t.Fatalf("%s: %d", email, code)
				}
			}
			after := gathered(t, app)
			for result, want := range map[string]float64{"admitted": 2, "would_refuse": 2, "refused": 0} {
				series := "limit_decisions_total{limit=only,result=" + result + "}"
				if n := after[series] - before[series]; n != want {
					t.Errorf("%s: %g, want %g", series, n, want)
				}
			}
			buckets, err := app.now.Load().policy.Buckets("only", "", "", []string{"a@x"})
			if err != nil || buckets[0].Used != 1 || buckets[0].Mode != "monitor" {
				t.Errorf("%+v %v", buckets, err)
			}
			l := app.Policy.Limit[0]
			l.Mode = "enforce"
			app = mustProvision(t, app)
			w := through(app, "api.example.com", "/v2/orders", func(r *http.Request) {
				r.Method, r.Body, r.ContentLength = "POST", io.NopCloser(strings.NewReader(`{"email":"a@x"}`)), -1
			}, nil)
			if w.Code != 200 {
				t.Errorf("the enforced bucket has paid for the monitored one: %d", w.Code)
			}
		})
	}
}

// No body, and one that nobody read, are the bucket of those without the part.
func TestALimitInMonitorByTheBodyCountsRequestsWithoutOneTogether(t *testing.T) {
	app := smallApp(t)
	app.Mode = "monitor"
	app.Policy = &Policy{Rules: Rules{Limit: []*Limit{{Name: "only", Rate: "1/1h", Operations: []string{"putThing"}, Key: []string{"{http.api_guard.body./n}"}}}}}
	app = mustProvision(t, app)
	for n, r := range []*http.Request{put("/v1/things/7", ""), put("/v1/things/7", `{"n":1}`), put("/v1/things/7", "no JSON")} {
		if err := serve(app, httptest.NewRecorder(), r, func(w http.ResponseWriter, r *http.Request) error { w.WriteHeader(200); return nil }); err != nil {
			t.Errorf("request %d: %v", n, err)
		}
	}
	buckets, err := app.now.Load().policy.Buckets("only", "", "", []string{""})
	if err != nil || buckets[0].Used != 1 || buckets[0].Remaining != 0 {
		t.Errorf("%+v %v", buckets, err)
	}
}

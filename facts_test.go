package apiguard

import (
	"fmt"
	"net/http"
	"net/http/httptest"
	"testing"

	"github.com/caddyserver/caddy/v2"
	"github.com/caddyserver/caddy/v2/modules/caddyhttp"
)

// Refusals that are alike share their facts. Each must have those of its own, also when
// others have come after it.
func TestEachRefusalKeepsItsOwnFacts(t *testing.T) {
	app := smallApp(t)
	app.Policy = &Policy{Rules: Rules{Limit: []*Limit{
		{Name: "once", Rate: "1/31d", Key: []string{"{http.request.header.X-Key}"}},
		{Name: "twice", Rate: "2/31d", Key: []string{"{http.request.header.X-Other}"}},
	}}}
	app.Mode = "enforce"
	h := &Handler{app: mustProvision(t, app)}
	keys := 0
	ask := func(target, key string) (*caddy.Replacer, int) {
		w, replacer := httptest.NewRecorder(), caddy.NewReplacer()
		r := get(target)
		r.Header.Set("X-Key", key)
		r.Header.Set("X-Other", key)
		if key == "other" {
			keys++
			r.Header.Set("X-Key", fmt.Sprint("of ", keys))
		}
		if err := h.ServeHTTP(w, caddyhttp.PrepareRequest(r, replacer, w, new(caddyhttp.Server)), caddyhttp.HandlerFunc(answer)); err != nil {
			t.Fatal(err)
		}
		return replacer, w.Code
	}
	ask("/v1/things/7", "used")
	ask("/v1/things/7", "other")
	ask("/v1/things/7", "other")
	kinds := []struct {
		target, used string
		status       int
		want         string
	}{
		{"/v1/things/7", "used", http.StatusTooManyRequests, "things v1 active getThing refuse limit quota-exceeded once"},
		{"/v1/things/seven", "", http.StatusBadRequest, "things v1 active getThing refuse request request-invalid "},
		{"/v1/things/7/x", "", http.StatusNotFound, "things v1 active  refuse unknown_route unknown-route "},
		{"/v1//x", "", http.StatusBadRequest, "things v1 active  refuse target malformed-target "},
		{"/v1/things/7", "", http.StatusOK, "things v1 active getThing allow   "},
		{"/v1/things/7", "other", http.StatusTooManyRequests, "things v1 active getThing refuse limit quota-exceeded twice"},
	}
	var asked []func()
	for i := range 300 {
		k := kinds[[...]int{0, 0, 5, 0, 1, 1, 2, 4, 3, 2, 5, 1}[i%12]]
		key := k.used
		if key == "" {
			key = fmt.Sprint(i)
		}
		replacer, status := ask(k.target, key)
		if status != k.status {
			t.Fatalf("%s: %d, want %d", k.target, status, k.status)
		}
		asked = append(asked, func() {
			const all = "{http.api_guard.api} {http.api_guard.version} {http.api_guard.state} {http.api_guard.operation} {http.api_guard.verdict} {http.api_guard.rule} {http.api_guard.reason} {http.api_guard.limit}"
			if got := replacer.ReplaceAll(all, ""); got != k.want {
				t.Errorf("%s: %q, want %q", k.target, got, k.want)
			}
		})
	}
	for _, check := range asked {
		check()
	}
}

// What a guard decides anew is told over what the first one told, in every placeholder.
func TestEveryPlaceholderIsSaidAnew(t *testing.T) {
	told := map[string]string{
		"api": "a", "version": "b", "state": "c", "operation": "d", "consumer": "e",
		"verdict": "f", "rule": "g", "reason": "h", "limit": "i",
	}
	first := facts{
		api: "a", version: "b", state: "c", operation: "d", consumer: "e",
		verdict: "f", rule: "g", reason: "h", limit: "i",
	}
	x := &exchange{course: course{facts: new(facts), replacer: caddy.NewReplacer()}}
	x.replacer.Map(first.lookup)
	for name, want := range told {
		if got, _ := x.replacer.GetString(placeholderPrefix + name); got != want {
			t.Errorf("%s is %q, want %q", name, got, want)
		}
	}
	x.say()
	for name := range told {
		if got, _ := x.replacer.GetString(placeholderPrefix + name); got != "" {
			t.Errorf("%s is still %q", name, got)
		}
	}
}

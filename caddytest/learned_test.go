package caddytest

import (
	"encoding/json"
	"fmt"
	"strings"
	"testing"

	"github.com/apiguard/caddy-api-guard/caddytest/internal/harness"
)

// TestWhatNobodyDocumentedIsDraftedPinnedAndHeldAgainstItsDocument goes the way of an
// operator: a shadow route answers, its draft tells what it is like, its template is
// put right, and the document in force says what applies.
func TestWhatNobodyDocumentedIsDraftedPinnedAndHeldAgainstItsDocument(t *testing.T) {
	t.Parallel()
	up := harness.NewUpstream(t)
	up.Answer(func(harness.Recorded) string {
		body := `{"id":"3f0a9c2e-1111-4111-a111-0123456789ab","total":12.5,"note":"needle-answer"}`
		return fmt.Sprintf("HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nContent-Length: %d\r\n\r\n%s", len(body), body)
	})
	caddy := harness.Start(t, fleetConfig(up, "unknown_route enforce", "unknown_route monitor"))
	for i := range 3 {
		c, _ := as(harness.Call{Method: "POST", Host: "api.example.com", Target: fmt.Sprintf("/v2/refunds/%d?reason=needle-query", 100+i), Body: []byte(`{"amount":5,"why":"needle-body"}`)})
		caddy.Do1(t, c.With("Content-Type", "application/json").With("Authorization", "Bearer needle-token"))
	}
	c, _ := as(get("api.example.com", "/v2/orders"))
	caddy.Do1(t, c)

	var draft map[string]any
	harness.Await(t, "the draft", func() (string, bool) {
		draft = map[string]any{}
		caddy.Query(t, "/api_guard/openapi?unknown=1&api=orders", &draft)
		text, _ := json.Marshal(draft)
		return string(text), strings.Contains(string(text), `"samples":3`)
	})
	text, _ := json.Marshal(draft)
	for _, want := range []string{
		`"/v2/refunds/{integer}"`, `"amount":{"type":"integer"}`, `"id":{"format":"uuid","type":"string"}`, `"total":{"type":"number"}`,
		`"in":"query","name":"reason"`, `"bearer"`, `"https://api.example.com"`,
	} {
		if !strings.Contains(string(text), want) {
			t.Errorf("the draft lacks %s: %s", want, text)
		}
	}
	if strings.Contains(string(text), "needle") {
		t.Errorf("the draft has a value: %s", text)
	}

	r := awaitRoute(t, caddy, "/api_guard/routes?state=shadow", "api.example.com", "POST", "/v2/refunds/{integer}")
	status, body := postJSON(t, caddy, "/api_guard/routes/"+r.ID+"/template", `{"template":"/v2/refunds/{refund}","pinned":true}`)
	if status != 200 || body["path"] != "/v2/refunds/{refund}" || body["count"] != 3.0 {
		t.Fatalf("the pin: %d %v", status, body)
	}
	if status, body := postJSON(t, caddy, "/api_guard/routes/"+body["id"].(string)+"/template", `{"template":"/v2/other/{x}","pinned":true}`); status != 400 {
		t.Errorf("a template of another route: %d %v", status, body)
	}

	var served map[string]any
	caddy.Query(t, "/api_guard/openapi?api=orders&version=v2", &served)
	text, _ = json.Marshal(served)
	for _, want := range []string{`"limits":[`, `"lifecycle":"active"`, `"https://api.example.com/v2"`, `"credentials":{"documented":`, `"cors":{`} {
		if !strings.Contains(string(text), want) {
			t.Errorf("the document in force lacks %s: %s", want, text)
		}
	}
	for path, want := range map[string]int{
		"/api_guard/openapi": 400, "/api_guard/openapi?api=orders&version=v9": 404, "/api_guard/openapi?api=orders&version=v0": 404,
		"/api_guard/openapi?unknown=maybe": 400, "/api_guard/openapi?unknown=1&spec=x": 400, "/api_guard/openapi?unknown=1&color=red": 400,
	} {
		if status, body := caddy.Ask(t, "GET", path); status != want {
			t.Errorf("%s: %d %s, want %d", path, status, body, want)
		}
	}
}

package policy

import (
	"net/http"
	"testing"
)

func TestNamesThatAreRemovedAreCanonicalAndFound(t *testing.T) {
	seen := map[string]bool{}
	for _, name := range StrippedHeaders() {
		if http.CanonicalHeaderKey(name) != name || seen[name] {
			t.Errorf("%q is not canonical, or twice in the list", name)
		}
		seen[name] = true
		if overriding(name) != name {
			t.Errorf("%q is not found", name)
		}
	}
	for _, name := range []string{"", "X-Request-Id", "Proxy-Authorization", "Content-Length", "X-Forwarded-For", "A-Name-That-Is-Longer-Than-All-Of-Them-Are"} {
		if found := overriding(name); found != "" {
			t.Errorf("%q is taken for %q", name, found)
		}
	}
}

func TestOnlyAPOSTCanBeMadeAnotherMethodByItsQuery(t *testing.T) {
	f := newFixture(t, nil)
	for line, want := range map[string]bool{
		"POST api.example /v2/orders?_method=DELETE":     true,
		"POST api.example /v2/orders?_method":            true,
		"POST api.example /v2/orders?a=b&_%6dethod=PUT":  true,
		"POST api.example /v2/orders?%5F%4D%65%74hod":    true,
		"GET api.example /v2/orders?_method=DELETE":      false,
		"POST api.example /v2/orders?pay_method=card":    false,
		"POST api.example /v2/orders?_methods=x":         false,
		"POST api.example /v2/orders?a=_method":          false,
		"POST api.example /v2/orders?x=%5F%4D%65&method": false,
		"POST api.example /v2/orders":                    false,
	} {
		v := f.ask(t, jsonCall(`{"sku":"a"}`).to(line))
		if got := v.Outcome == Refuse && v.Reason == ReasonMalformedTarget; got != want {
			t.Errorf("%s: %s %s", line, v.Outcome, v.Reason)
		}
	}
}

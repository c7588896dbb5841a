package coverage_test

import (
	"bytes"
	"slices"
	"strings"
	"testing"

	"github.com/apiguard/caddy-api-guard/coverage"
)

// JSON has subroutes with error routes of their own, which Caddy's own language has not.
func TestErrorRoutesOfASubrouteGetWhatTheGuardsBeforeItLetPass(t *testing.T) {
	const (
		guard  = `{"handler":"api_guard"}`
		proxy  = `{"handler":"reverse_proxy","upstreams":[{"dial":"127.0.0.1:9"}]}`
		strip  = `{"handler":"rewrite","strip_path_prefix":"/api"}`
		bend   = `{"handler":"rewrite","uri":"/internal?{http.request.uri.query}"}`
		page   = `{"handler":"rewrite","uri":"/page"}`
		fail   = `{"handler":"error","status_code":"503"}`
		answer = `{"handler":"static_response","body":"page"}`
		field  = `{"handler":"vars","a":"b"}`
	)
	subroute := func(routes, errors string) string {
		return `{"handler":"subroute","routes":[{"handle":[` + routes + `]}],"errors":{"routes":[{"handle":[` + errors + `]}]}}`
	}
	all := func(handlers ...string) string { return strings.Join(handlers, ",") }
	for _, c := range []struct {
		name, handle string
		want         []coverage.Status // of the proxies and answers, in order
	}{
		{"a guard before it", all(guard, subroute(proxy, proxy)), []coverage.Status{coverage.Guarded, coverage.Guarded}},
		{"no guard", subroute(proxy, proxy), []coverage.Status{coverage.NotGuarded, coverage.NotGuarded}},
		{"a guard in it alone, which may have refused", subroute(all(guard, proxy), proxy), []coverage.Status{coverage.Guarded, coverage.NotGuarded}},
		{"a guard in it and one in its error routes", subroute(all(guard, proxy), all(guard, proxy)), []coverage.Status{coverage.Guarded, coverage.Guarded}},
		{"a guard before it and one in it", all(guard, subroute(all(guard, proxy), proxy)), []coverage.Status{coverage.Guarded, coverage.Guarded}},
		{"a guard before it and one in it that judges another target", all(guard, subroute(all(strip, guard, proxy), proxy)), []coverage.Status{coverage.Guarded, coverage.NotGuarded}},
		{"a guard before it, a prefix taken in it", all(guard, subroute(all(strip, proxy), proxy)), []coverage.Status{coverage.Guarded, coverage.Guarded}},
		{"a guard before it, another target in it", all(guard, subroute(all(bend, fail), proxy)), []coverage.Status{coverage.NoBackend, coverage.Partial}},
		{"another target in it, and a guard after that", subroute(all(strip, fail), all(guard, proxy)), []coverage.Status{coverage.NoBackend, coverage.Rewritten}},
		{"no guard, and a page that nobody may get to", subroute(all(page, fail), proxy), []coverage.Status{coverage.NoBackend, coverage.NotGuarded}},
		{"its answer comes from its error routes", all(subroute(all(guard, proxy), answer), proxy), []coverage.Status{coverage.Guarded, coverage.NoBackend}},
		{"what was refused in it goes on behind it", all(subroute(all(guard, proxy), field), proxy), []coverage.Status{coverage.Guarded, coverage.NotGuarded}},
		{"what was let pass before it goes on behind it", all(guard, subroute(proxy, field), proxy), []coverage.Status{coverage.Guarded, coverage.Guarded}},
		{"what is judged in its error routes goes on behind it", all(subroute(all(guard, proxy), guard), proxy), []coverage.Status{coverage.Guarded, coverage.Guarded}},
	} {
		t.Run(c.name, func(t *testing.T) {
			config := adapted(t, global+guardedAPI+"http://beta.example.com:8080 {\nrespond here\n}")
			here := []byte(`{"body":"here","handler":"static_response"}`)
			if !bytes.Contains(config, here) {
				t.Fatalf("there is no place for the handlers in %s", config)
			}
			config = bytes.ReplaceAll(config, here, []byte(c.handle))
			var of []coverage.Entry
			var got []coverage.Status
			for _, e := range prove(t, decodedServers(t, config)) {
				if e.Host == "beta.example.com" {
					of, got = append(of, e), append(got, e.Status)
				}
			}
			if !slices.Equal(got, c.want) {
				t.Errorf("got %s\nwant %s", text(of), c.want)
			}
		})
	}
}

func TestACatchAllWhoseErrorRoutesAnswerNothingIsOne(t *testing.T) {
	config := adapted(t, global+"http://:8080 {\nrespond here\n}")
	config = bytes.ReplaceAll(config, []byte(`{"body":"here","handler":"static_response"}`),
		[]byte(`{"handler":"subroute","routes":[{"handle":[{"handler":"api_guard"},{"handler":"reverse_proxy","upstreams":[{"dial":"127.0.0.1:9"}]}]}],"errors":{"routes":[{"handle":[{"handler":"vars","a":"b"}]}]}}`))
	for _, e := range prove(t, decodedServers(t, config)) {
		if e.Status != coverage.Guarded {
			t.Errorf("got %s", text([]coverage.Entry{e}))
		}
	}
}

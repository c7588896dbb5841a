package caddytest

import (
	"crypto/sha256"
	"encoding/hex"
	"net/url"
	"strings"
	"testing"
	"time"

	"github.com/apiguard/caddy-api-guard/caddytest/internal/harness"
)

// dated is an API whose versions are days in a header, as GitHub has them, with a
// fall-back; one that is picked by query or Accept; and one for some networks.
const dated = `
		audience office 10.0.0.0/8
		policy {
			unknown_route enforce
			request enforce {
				unknown_parameters enforce
			}
		}
		api dated {
			version 2022-11-28 {
				hosts dated.example.com
				select date X-GitHub-Api-Version
				default
				spec orders.yaml
			}
			version 2026-03-10 {
				hosts dated.example.com
				select date X-GitHub-Api-Version
				spec orders.yaml
			}
		}
		api varied {
			version v1 {
				hosts varied.example.com
				select query api-version 1
				select accept "application/json; version=1"
				default
				spec orders.yaml
			}
			version v2 {
				hosts varied.example.com
				select query api-version 2
				select accept "application/json; version=2"
				spec orders.yaml
			}
			version admin {
				hosts admin.example.com
				audience office
				spec orders.yaml
			}
		}
`

func startDated(t *testing.T, changes ...string) (*harness.Caddy, *harness.Upstream) {
	t.Helper()
	up := harness.NewUpstream(t)
	return harness.Start(t, harness.Config{
		Guard: strings.NewReplacer(changes...).Replace(dated), Sites: everyHost, Upstream: up,
		Files: map[string]string{"orders.yaml": ordersDocument},
	}), up
}

func TestVersionsArePickedByDateQueryAndMediaType(t *testing.T) {
	t.Parallel()
	caddy, up := startDated(t)
	type field = harness.Field
	for _, row := range []struct {
		name, host, target string
		fields             []field
		version            string // or the reason of a refusal
		status             int
		vary               string
	}{
		{"the fall-back", "dated.example.com", "/orders", nil, "2022-11-28", 200, "X-Github-Api-Version"},
		{"a version's own day", "dated.example.com", "/orders", []field{{Name: "X-GitHub-Api-Version", Value: "2026-03-10"}}, "2026-03-10", 200, "X-Github-Api-Version"},
		{"the day before", "dated.example.com", "/orders", []field{{Name: "X-GitHub-Api-Version", Value: "2026-03-09"}}, "2022-11-28", 200, "X-Github-Api-Version"},
		{"a day before all", "dated.example.com", "/orders", []field{{Name: "X-GitHub-Api-Version", Value: "2022-11-27"}}, "unknown-route", 404, "X-Github-Api-Version"},
		{"no day", "dated.example.com", "/orders", []field{{Name: "X-GitHub-Api-Version", Value: "latest"}}, "unknown-route", 404, "X-Github-Api-Version"},
		{"two days", "dated.example.com", "/orders", []field{{Name: "X-GitHub-Api-Version", Value: "2022-11-28"}, {Name: "X-GitHub-Api-Version", Value: "2026-03-10"}}, "version-ambiguous", 400, "X-Github-Api-Version"},
		{"a query value that its document does not have", "varied.example.com", "/orders?api-version=2", nil, "v2", 200, "Accept"},
		{"its twin that selects nothing", "varied.example.com", "/orders?apiversion=2", nil, "request-invalid", 400, "Accept"},
		{"a query value of nobody", "varied.example.com", "/orders?api-version=3", nil, "unknown-route", 404, "Accept"},
		{"a media type", "varied.example.com", "/orders", []field{{Name: "Accept", Value: `text/html, application/json;version="2";q=0.9`}}, "v2", 200, "Accept"},
		{"any media type", "varied.example.com", "/orders", []field{{Name: "Accept", Value: "*/*"}}, "v1", 200, "Accept"},
		{"query and media type that disagree", "varied.example.com", "/orders?api-version=1", []field{{Name: "Accept", Value: "application/json;version=2"}}, "version-ambiguous", 400, "Accept"},
		{"query and media type that agree", "varied.example.com", "/orders?api-version=2", []field{{Name: "Accept", Value: "application/json;version=2"}}, "v2", 200, "Accept"},
	} {
		t.Run(row.name, func(t *testing.T) {
			call, trace := as(get(row.host, row.target))
			for _, f := range row.fields {
				call = call.With(f.Name, f.Value)
			}
			got := caddy.Do1(t, call)
			if vary := strings.Join(got.Header.Values("Vary"), ","); !strings.EqualFold(vary, row.vary) {
				t.Errorf("Vary is %q, want %q", vary, row.vary)
			}
			if row.status != 200 {
				refused(t, got, row.status, row.version)
				if n := len(up.Requests("X-Trace", trace)); n != 0 {
					t.Errorf("%d requests reached the upstream", n)
				}
				return
			}
			seen := up.Requests("X-Trace", trace)
			if got.Status != 200 || len(seen) != 1 || seen[0].Target() != row.target {
				t.Fatalf("%v, %d requests upstream", got, len(seen))
			}
			if fields := caddy.Logged(t, "X-Trace", trace); fields["version"] != row.version {
				t.Errorf("the access log says %v, want version %s", fields, row.version)
			}
		})
	}
}

func TestAVersionForAnAudienceRefusesOtherNetworks(t *testing.T) {
	t.Parallel()
	caddy, up := startDated(t)
	for client, status := range map[string]int{"10.1.2.3": 200, "192.0.2.9": 403, "fd00::1": 403} {
		trace := "audience " + client
		got := caddy.Do1(t, get("admin.example.com", "/orders").With("X-Forwarded-For", client).With("X-Trace", url.QueryEscape(trace)))
		n := len(up.Requests("X-Trace", url.QueryEscape(trace)))
		if status == 200 {
			if got.Status != 200 || n != 1 {
				t.Errorf("%s: %v, %d requests upstream", client, got, n)
			}
			continue
		}
		refused(t, got, 403, "audience-denied")
		if n != 0 {
			t.Errorf("%s: %d requests upstream", client, n)
		}
	}
	var apis struct {
		Items []struct {
			Versions []struct{ Version, Audience string }
		}
	}
	caddy.Query(t, "/api_guard/apis", &apis)
	for _, api := range apis.Items {
		for _, v := range api.Versions {
			if want := map[bool]string{true: "office"}[v.Version == "admin"]; v.Audience != want {
				t.Errorf("/api_guard/apis says that version %s has audience %q, want %q", v.Version, v.Audience, want)
			}
		}
	}
}

func TestAnAudienceNeedsAddressesThatAClientCannotChoose(t *testing.T) {
	t.Parallel()
	validate := func(guard, globals string) (string, bool) {
		up := harness.NewUpstream(t)
		return harness.Command(t, harness.Config{
			Guard: guard, Globals: globals, Untrusted: true, Sites: everyHost, Upstream: up,
		}, "validate", "--config", "CADDYFILE", "--adapter", "caddyfile")
	}
	guard := "audience office 10.0.0.0/8\napi a {\nversion v1 {\nhosts a.example.com\naudience office\n}\n}\n"
	loose := "servers {\ntrusted_proxies static 127.0.0.1/32\n}\n"
	strict := "servers {\ntrusted_proxies static 127.0.0.1/32\ntrusted_proxies_strict\n}\n"
	if text, ok := validate(guard, loose); ok || !strings.Contains(text, "trusted_proxies_strict") {
		t.Errorf("taken: %v: %s", ok, text)
	}
	for name, twin := range map[string][2]string{
		"strict": {guard, strict}, "lax_proxies": {"lax_proxies\n" + guard, loose},
		"no audience in use": {strings.Replace(guard, "\naudience office\n", "\n", 1), loose}, "no proxies": {guard, ""},
	} {
		if text, ok := validate(twin[0], twin[1]); !ok {
			t.Errorf("%s: %s", name, text)
		}
	}
}

// aging is an API whose versions are in a brownout, not there yet, and of
// operations that end before their version. <from> is now.
const aging = `
		api aging {
			version brown {
				hosts brown.example.com
				spec orders.yaml
				brownout <from> 1h
				sunset 2099-01-01
				successor stays
				docs https://docs.example.com/orders
			}
			version soon {
				hosts soon.example.com
				spec orders.yaml
				state design
			}
			version stays {
				hosts stays.example.com
				spec ends.yaml
				brownout 2099-01-01 1h
				docs https://docs.example.com/orders
			}
		}
`

const endsDocument = `
openapi: 3.1.0
info: {title: ends, version: "1"}
paths:
  /orders: {get: {responses: {"200": {description: ok}}}}
  /marked: {get: {deprecated: true, x-sunset: 2099-06-01, responses: {"200": {description: ok}}}}
  /ended: {get: {deprecated: true, x-sunset: "2026-01-01", responses: {"200": {description: ok}}}}
`

func TestBrownoutsDesignsAndEndedOperationsAreRefused(t *testing.T) {
	t.Parallel()
	up := harness.NewUpstream(t)
	caddy := harness.Start(t, harness.Config{
		Guard: strings.ReplaceAll(aging, "<from>", time.Now().Add(-time.Minute).UTC().Format(time.RFC3339)),
		Sites: everyHost, Upstream: up, Files: map[string]string{"orders.yaml": ordersDocument, "ends.yaml": endsDocument},
	})
	for _, row := range []struct {
		host, target string
		status       int
		reason       string
		sunset       time.Time
		links        []string
	}{
		{"brown.example.com", "/orders", 410, "version-brownout", day(2099, 1, 1), []string{"sunset", "successor-version"}},
		{"soon.example.com", "/orders", 404, "unknown-route", time.Time{}, nil},
		{"soon.example.com", "/ORDERS", 404, "unknown-route", time.Time{}, nil},
		{"stays.example.com", "/orders", 200, passed, time.Time{}, nil},
		{"stays.example.com", "/marked", 200, passed, day(2099, 6, 1), []string{"sunset"}},
		{"stays.example.com", "/ended", 410, "version-retired", day(2026, 1, 1), []string{"sunset"}},
	} {
		t.Run(row.host+row.target, func(t *testing.T) {
			call, trace := as(get(row.host, row.target))
			got := caddy.Do1(t, call)
			if row.reason != passed {
				refused(t, got, row.status, row.reason)
			}
			if n := len(up.Requests("X-Trace", trace)); got.Status != row.status || (n == 1) != (row.status == 200) {
				t.Errorf("%v, %d requests upstream", got, n)
			}
			wantLifecycle(t, got.Header, time.Time{}, row.sunset)
			wantLinks(t, got.Header, row.links...)
			if row.links == nil {
				wantNoHeader(t, got.Header, "Link")
			}
		})
	}
}

func TestAnExceptionSetsALooserLimitForOneConsumer(t *testing.T) {
	t.Parallel()
	notAtMidnight(t) // the exception ends with the day
	up := harness.NewUpstream(t)
	sum := sha256.Sum256([]byte("acme-key"))
	caddy := harness.Start(t, harness.Config{
		Guard: "policy {\nlimit each {\nrate 2/1h\n}\n}\nintegration acme {\nconsumer sha256:" + hex.EncodeToString(sum[:]) + "\n}\napi orders {\n" +
			"version v1 {\nhosts v1.example.com\nspec orders.yaml\nexception bulk {\nconsumer acme\nlimit each {\nrate 5/1h\n}\nuntil " +
			time.Now().UTC().Format(time.DateOnly) + "\nreason \"CHG-1\"\n}\n}\n}\n",
		Sites: everyHost, Upstream: up, Files: map[string]string{"orders.yaml": ordersDocument},
	})
	for who, want := range map[string]int{"acme-key": 5, "another": 2} {
		admitted := 0
		for range 8 {
			got := caddy.Do1(t, get("v1.example.com", "/orders").With("X-Api-Key", who))
			if got.Status == 200 {
				admitted++
				continue
			}
			refused(t, got, 429, "quota-exceeded")
		}
		if admitted != want {
			t.Errorf("%s: %d requests were admitted, want %d", who, admitted, want)
		}
	}
}

func TestAnExceptionIsForTheOneWhoPresentsTheCredential(t *testing.T) {
	t.Parallel()
	notAtMidnight(t) // the exception ends with the day
	up := harness.NewUpstream(t)
	sum := sha256.Sum256([]byte("acme-key"))
	exception := func(name, until string) string {
		return "version " + name + " {\nhosts " + name + ".example.com\nspec orders.yaml\nexception import {\nconsumer acme\nrule request\nuntil " + until + "\nreason \"CHG-1\"\n}\n}\n"
	}
	caddy := harness.Start(t, harness.Config{
		Guard: "integration acme {\nconsumer sha256:" + hex.EncodeToString(sum[:]) + "\n}\napi orders {\n" +
			exception("lasting", time.Now().UTC().Format(time.DateOnly)) + exception("over", "2026-01-31") + "}\n",
		Sites: everyHost, Upstream: up, Files: map[string]string{"orders.yaml": ordersDocument},
	})
	bad := `{"sku":"ABC-1234","quantity":"3"}`
	call, trace := as(post("lasting.example.com", "/orders", bad).With("Authorization", "Bearer acme-key"))
	got := caddy.Do1(t, call)
	seen := up.Requests("X-Trace", trace)
	if got.Status != 200 || len(seen) != 1 || string(seen[0].Body) != bad {
		t.Fatalf("%v, %d requests upstream", got, len(seen))
	}
	if fields := caddy.Logged(t, "X-Trace", trace); fields["consumer"] != "acme" || fields["verdict"] != "allow" {
		t.Errorf("the access log says %v", fields)
	}
	for name, twin := range map[string]harness.Call{
		"another credential":        post("lasting.example.com", "/orders", bad).With("Authorization", "Bearer acme-Key"),
		"no credential":             post("lasting.example.com", "/orders", bad),
		"an exception that is over": post("over.example.com", "/orders", bad).With("Authorization", "Bearer acme-key"),
	} {
		call, trace := as(twin)
		refused(t, caddy.Do1(t, call), 400, "request-invalid")
		if n := len(up.Requests("X-Trace", trace)); n != 0 {
			t.Errorf("%s: %d requests upstream", name, n)
		}
	}
	log := caddy.Log()
	if !strings.Contains(log, "an exception has ended") || !strings.Contains(log, "an exception is in force") || strings.Contains(log, "acme-key") {
		t.Errorf("the log does not tell of the exceptions, or has a credential: %s", log)
	}
}

package caddytest

import (
	"net/http"
	"net/url"
	"regexp"
	"strings"
	"testing"

	"github.com/apiguard/caddy-api-guard/caddytest/internal/harness"
)

// pageSites show the page to each kind of viewer. The password is "secret".
const pageSites = `
http://local.localhost:<http> {
	api_inventory
}
http://any.example.com:<http> {
	api_inventory {
		access anyone
	}
}
http://named.example.com:<http> {
	api_inventory
}
http://users.example.com:<http> {
	basic_auth {
		alice $2a$04$yg8uDnZjSSX4uKlu1l30uODOhmvI0kto9bXXZ64KeVJx5UiW6rrOu
	}
	api_inventory {
		access authenticated
		review
	}
}
http://closed.localhost:<http> {
	api_inventory {
		access authenticated
	}
}
http://below.localhost:<http> {
	handle_path /stripped/* {
		api_inventory
	}
	handle_path /whole* {
		api_inventory
	}
	api_inventory /kept* {
		path /kept
	}
	respond "the site itself"
}
`

func startPages(t *testing.T, untrusted bool) *harness.Caddy {
	up := harness.NewUpstream(t)
	cfg := fleetConfig(up, "", "")
	cfg.Sites += pageSites
	cfg.Untrusted = untrusted
	return harness.Start(t, cfg)
}

func TestThePageIsForLocalClientsAndUsersUnlessToldOtherwise(t *testing.T) {
	t.Parallel()
	proxied, direct := startPages(t, false), startPages(t, true)
	const alice = "Basic YWxpY2U6c2VjcmV0"
	for _, c := range []struct {
		name   string
		caddy  *harness.Caddy
		call   harness.Call
		status int
	}{
		{"local", direct, harness.Call{Host: "local.localhost", Target: "/"}, 200},
		{"local, another view", direct, harness.Call{Host: "local.localhost", Target: "/routes?state=shadow"}, 200},
		{"local, by a trusted proxy for a client elsewhere", proxied, harness.Call{Host: "local.localhost", Target: "/"}.With("X-Forwarded-For", "198.51.100.7"), 403},
		{"local, by a trusted proxy for a client here", proxied, harness.Call{Host: "local.localhost", Target: "/"}.With("X-Forwarded-For", "127.0.0.1"), 200},
		{"local, by a proxy that nobody declared", direct, harness.Call{Host: "local.localhost", Target: "/"}.With("X-Forwarded-For", "127.0.0.1"), 403},
		{"local, by a proxy that tells Via alone", direct, harness.Call{Host: "local.localhost", Target: "/"}.With("Via", "1.1 front"), 403},
		{"local, under a name that somebody pointed here", direct, harness.Call{Host: "named.example.com", Target: "/"}, 403},
		{"users, none", direct, harness.Call{Host: "users.example.com", Target: "/"}, 401},
		{"users, one", direct, harness.Call{Host: "users.example.com", Target: "/"}.With("Authorization", alice), 200},
		{"local where users are asked for", direct, harness.Call{Host: "closed.localhost", Target: "/"}, 403},
		{"anyone", proxied, harness.Call{Host: "any.example.com", Target: "/"}.With("X-Forwarded-For", "198.51.100.7"), 200},
		{"anyone, the style is guarded alike", direct, harness.Call{Host: "closed.localhost", Target: "/assets/x.css"}, 403},
	} {
		got := c.caddy.Do1(t, c.call)
		if got.Status != c.status {
			t.Errorf("%s: status %d, want %d", c.name, got.Status, c.status)
		}
		if html := strings.Contains(string(got.Body), "API inventory"); html != (c.status == 200) {
			t.Errorf("%s: the page was shown: %v", c.name, html)
		}
	}
}

// Without trusted_proxies_strict Caddy takes the address that the client says it
// has, which a proxy in front only adds to.
func TestAClientThatCallsItselfLocalIsNone(t *testing.T) {
	t.Parallel()
	up := harness.NewUpstream(t)
	cfg := fleetConfig(up)
	cfg.Guard = "lax_proxies\n" + cfg.Guard
	cfg.Sites, cfg.Untrusted = "http://:<http> {\napi_inventory\n}\n", true
	cfg.Globals = "servers {\ntrusted_proxies static 127.0.0.1/32\n}\n"
	caddy := harness.Start(t, cfg)
	call := harness.Call{Host: "localhost", Target: "/"}.With("X-Forwarded-For", "127.0.0.1, 203.0.113.7")
	if got := caddy.Do1(t, call); got.Status != 403 || strings.Contains(string(got.Body), "API inventory") {
		t.Errorf("%v", got)
	}
}

func TestThePageWorksWhereverItIsPut(t *testing.T) {
	t.Parallel()
	caddy := startPages(t, true)
	link := regexp.MustCompile(`href="([^"]+)"`)
	for _, base := range []string{"/stripped/", "/whole/", "/kept/"} {
		for _, name := range []string{"", "routes", "findings"} {
			call := harness.Call{Host: "below.localhost", Target: base + name}
			got := caddy.Do1(t, call)
			if got.Status != 200 || !strings.Contains(string(got.Body), "API inventory") {
				t.Fatalf("%s: %s", call, got)
			}
			here, _ := url.Parse(call.Target)
			links := link.FindAllStringSubmatch(string(got.Body), -1)
			if len(links) < 6 {
				t.Fatalf("%s has %d links", call, len(links))
			}
			for _, l := range links {
				u, err := url.Parse(strings.ReplaceAll(l[1], "&amp;", "&"))
				if err != nil {
					t.Fatal(err)
				}
				to := here.ResolveReference(u)
				to.Fragment = ""
				if followed := caddy.Do1(t, harness.Call{Host: call.Host, Target: to.String()}); followed.Status != 200 {
					t.Errorf("%s: %q leads to %s, status %d", call, l[1], to, followed.Status)
				}
			}
		}
	}
	for target, want := range map[string]string{"/kept": "./kept/", "/whole": "./whole/"} {
		got := caddy.Do1(t, harness.Call{Host: "below.localhost", Target: target})
		if got.Status != 308 || got.Header.Get("Location") != want {
			t.Errorf("%s: status %d to %q, want 308 to %q", target, got.Status, got.Header.Get("Location"), want)
		}
	}
	if got := caddy.Do1(t, harness.Call{Host: "below.localhost", Target: "/keptx"}); got.Status != 404 {
		t.Errorf("/keptx: status %d, want 404", got.Status)
	}
	if got := caddy.Do1(t, harness.Call{Host: "below.localhost", Target: "/"}); string(got.Body) != "the site itself" {
		t.Errorf("/: %s", got)
	}
}

func TestUsersReviewOnThePage(t *testing.T) {
	t.Parallel()
	caddy := startPages(t, true)
	call := harness.Call{Host: "users.example.com"}.With("Authorization", "Basic YWxpY2U6c2VjcmV0")
	var list listing[struct{ ID, Review string }]
	caddy.Query(t, "/api_guard/routes?limit=1", &list)
	call.Target = "/routes/" + list.Items[0].ID
	page := string(caddy.Do1(t, call).Body)
	token := regexp.MustCompile(`name="token" value="([0-9a-f]+)"`).FindStringSubmatch(page)
	if token == nil {
		t.Fatalf("the page has no form: %s", page)
	}
	post := call.With("Content-Type", "application/x-www-form-urlencoded")
	post.Method = "POST"
	post.Body = []byte("review=accepted&note=as+meant&token=" + token[1])
	if got := caddy.Do1(t, post.With("Sec-Fetch-Site", "cross-site")); got.Status != http.StatusForbidden {
		t.Errorf("a form of another site: status %d", got.Status)
	}
	if got := caddy.Do1(t, post.With("Sec-Fetch-Site", "same-origin")); got.Status != http.StatusSeeOther {
		t.Errorf("the page's own form: %s", got)
	}
	var entry struct {
		Review string `json:"review"`
		Note   string `json:"review_note"`
	}
	caddy.Query(t, "/api_guard/routes/"+list.Items[0].ID, &entry)
	if entry.Review != "accepted" || entry.Note != "as meant" {
		t.Errorf("the review is %+v", entry)
	}
}

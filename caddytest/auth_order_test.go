package caddytest

import (
	"fmt"
	"strings"
	"testing"

	"github.com/apiguard/caddy-api-guard/caddytest/internal/harness"
)

// authenticated are two ways to ask who it is: by Caddy itself (the password is "right")
// and by another service.
var authenticated = map[string]string{
	"basic_auth": `basic_auth {
		ann $2a$04$CZt757Rj9inUDxN25lQIO.aLQ.i2mfW3m8ZNBTB.ygXMgvbtDuBrG
		bob $2a$04$CZt757Rj9inUDxN25lQIO.aLQ.i2mfW3m8ZNBTB.ygXMgvbtDuBrG
	}`,
	"forward_auth": `forward_auth 127.0.0.1:<upstream> {
		uri /verify
		copy_headers Remote-User
	}
	map {header.Remote-User} {http.auth.user.id} {
		~(.+) ${1}
	}`,
}

const (
	annRight = "Basic YW5uOnJpZ2h0" // ann:right
	bobRight = "Basic Ym9iOnJpZ2h0"
	annWrong = "Basic YW5uOndyb25n"
)

// startAuthenticated runs a guard before or after an authentication. The upstream is
// the service that is asked, too.
func startAuthenticated(t *testing.T, way, order string) (*harness.Caddy, *harness.Upstream) {
	t.Helper()
	up := harness.NewUpstream(t)
	up.Answer(func(r harness.Recorded) string {
		if r.Target() != "/verify" {
			return plainOK
		}
		user := map[string]string{annRight: "ann", bobRight: "bob"}[strings.Join(r.Values("Authorization"), "")]
		if user == "" {
			return "HTTP/1.1 401 Unauthorized\r\nContent-Length: 0\r\n\r\n"
		}
		return "HTTP/1.1 200 OK\r\nRemote-User: " + user + "\r\nContent-Length: 0\r\n\r\n"
	})
	site := strings.Replace(order, "<auth>", authenticated[way], 1)
	return harness.Start(t, harness.Config{
		Guard: `
policy {
	limit wrong {
		rate 3/1h
		count failures
		headers off
	}
	limit per_user {
		key {http.auth.user.id}
		rate 5/1h
		headers off
	}
}
api orders {
	owner a
	version v2 {
		hosts api.example.com
		path /v2
		spec orders.yaml
	}
}`,
		Sites:    "http://api.example.com:<http> {\nlog\nrequest_header -Remote-User\n" + site + "\n}\n",
		Upstream: up, Files: map[string]string{"orders.yaml": ordersDocument},
	}), up
}

const plainOK = "HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nContent-Length: 2\r\n\r\n{}"

func TestAWrongPasswordCountsWhereTheGuardStandsBeforeTheAuthentication(t *testing.T) {
	t.Parallel()
	for way := range authenticated {
		for name, row := range map[string]struct {
			order string
			wrong [6]int // what wrong passwords get, one after another
			right int    // and then a right one
			used  int
		}{
			"the guard first":          {"api_guard\n<auth>\nreverse_proxy 127.0.0.1:<upstream>", [6]int{401, 401, 401, 429, 429, 429}, 429, 3},
			"the authentication first": {"route {\n<auth>\napi_guard\nreverse_proxy 127.0.0.1:<upstream>\n}", [6]int{401, 401, 401, 401, 401, 401}, 200, 0},
		} {
			t.Run(way+" "+name, func(t *testing.T) {
				t.Parallel()
				caddy, up := startAuthenticated(t, way, row.order)
				call, client := as(get("api.example.com", "/v2/orders"))
				if got := caddy.Do1(t, call.With("Authorization", annRight)); got.Status != 200 {
					t.Fatalf("a right password: %v", got)
				}
				for i, want := range row.wrong {
					if got := caddy.Do1(t, call.With("Authorization", annWrong)); got.Status != want {
						t.Errorf("wrong password %d: %v, want %d", i+1, got, want)
					}
				}
				if got := caddy.Do1(t, call.With("Authorization", annRight)); got.Status != row.right {
					t.Errorf("and a right one: %v, want %d", got, row.right)
				}
				if b := counted(t, caddy, "wrong", client); b.Used != row.used || b.Pending != 0 {
					t.Errorf("the bucket is %+v, want %d used", b, row.used)
				}
				passed := 0
				for _, r := range up.Requests("X-Trace", client) {
					if r.Target() == "/v2/orders" {
						passed++
					}
				}
				if want := map[int]int{200: 2, 429: 1}[row.right]; passed != want {
					t.Errorf("%d got to the upstream, want %d", passed, want)
				}
				var list listing[struct{ Status string }]
				caddy.Query(t, "/api_guard/coverage", &list)
				statuses := fmt.Sprint(list.Items)
				if !strings.Contains(statuses, "{guarded}") || strings.Contains(statuses, "unguarded") {
					t.Errorf("coverage says %s", statuses)
				}
			})
		}
	}
}

func TestUsersHaveBucketsOfTheirOwnWhereTheAuthenticationIsFirst(t *testing.T) {
	t.Parallel()
	for way := range authenticated {
		t.Run(way, func(t *testing.T) {
			t.Parallel()
			caddy, _ := startAuthenticated(t, way, "route {\n<auth>\napi_guard\nreverse_proxy 127.0.0.1:<upstream>\n}")
			ask := func(authorization string) int {
				call, _ := as(get("api.example.com", "/v2/orders").With("Authorization", authorization).With("Remote-User", "carol"))
				return caddy.Do1(t, call).Status
			}
			for i := range 7 {
				if got, want := ask(annRight), map[bool]int{true: 200, false: 429}[i < 5]; got != want {
					t.Errorf("ann's call %d: %d, want %d", i+1, got, want)
				}
			}
			if got := ask(bobRight); got != 200 {
				t.Errorf("bob's call: %d", got)
			}
			if b := counted(t, caddy, "per_user", "ann"); b.Used != 5 {
				t.Errorf("ann's bucket is %+v", b)
			}
			if b := counted(t, caddy, "per_user", "carol"); b.Used != 0 {
				t.Errorf("carol's bucket is %+v", b)
			}
		})
	}
}

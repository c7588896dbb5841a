package caddytest

import (
	_ "embed"
	"strings"
	"testing"

	"github.com/apiguard/caddy-api-guard/caddytest/internal/harness"
)

//go:embed testdata/orders.yaml
var ordersDocument string

// fleet is an API in every state that a version can be in, over the hosts of
// sites: one policy, and one limit on the password reset.
const fleet = `
		policy {
			unknown_route enforce
			limit password_reset {
				operations verifyResetToken
				key {client_ip}
				rate 5/1m
			}
		}
		api orders {
			owner team-checkout
			purpose "create and track orders"
			version v0 {
				hosts legacy.example.com
				path /v0
				deprecated 2024-06-01
				sunset 2025-06-01
				successor v2
				docs https://docs.example.com/orders
			}
			version v1 {
				hosts legacy.example.com
				path /v1
				spec orders.yaml
				deprecated 2025-01-01
				sunset 2099-01-01
				successor v2
				docs https://docs.example.com/orders
			}
			version internal {
				hosts legacy.example.com
				path /internal
			}
			version v2 {
				hosts api.example.com
				path /v2
				spec orders.yaml
			}
			version beta {
				hosts beta.example.com
				path /v3
				spec orders.yaml
				state beta
			}
			version dated-1 {
				hosts next.example.com
				select header X-Api-Version 1
				default
				spec orders.yaml
			}
			version dated-2 {
				hosts next.example.com
				select header X-Api-Version 2
				spec orders.yaml
			}
		}
`

// sites serve every host of the fleet, and any other, in plain and over TLS.
const sites = `
http://api.example.com:<http>, http://beta.example.com:<http>, http://legacy.example.com:<http>, http://next.example.com:<http> {
	import guarded
}
http://:<http> {
	import guarded
}
https://api.example.com:<https>, https://beta.example.com:<https>, https://legacy.example.com:<https>, https://next.example.com:<https> {
	tls internal
	import guarded
}
https://:<https> {
	tls internal
	import guarded
}
`

// startFleet runs the fleet, with its text changed as the pairs of old and new
// text say.
func startFleet(t testing.TB, changes ...string) (*harness.Caddy, *harness.Upstream) {
	t.Helper()
	up := harness.NewUpstream(t)
	return harness.Start(t, fleetConfig(up, changes...)), up
}

func fleetConfig(up *harness.Upstream, changes ...string) harness.Config {
	return harness.Config{
		Guard:    strings.NewReplacer(changes...).Replace(fleet),
		Sites:    sites,
		Upstream: up,
		Files:    map[string]string{"orders.yaml": ordersDocument},
	}
}

// protocols are the ways to send a call.
func protocols(c *harness.Caddy) map[string]harness.Do {
	return map[string]harness.Do{"HTTP/1.1": c.Do1, "HTTP/2": c.Do2, "HTTP/3": c.Do3}
}

// as gives the call a client address and a trace: the address is new, and both
// the upstream and the access log tell the call by it.
func as(call harness.Call) (traced harness.Call, client string) {
	client = harness.NewClient()
	return call.With("X-Forwarded-For", client).With("X-Trace", client), client
}

// get, send and post make the calls, so that tests read as sentences.
func get(host, target string) harness.Call {
	return harness.Call{Host: host, Target: target}
}

func send(method, host, target, contentType, body string) harness.Call {
	call := harness.Call{Method: method, Host: host, Target: target, Body: []byte(body)}
	if contentType == "" {
		return call
	}
	return call.With("Content-Type", contentType)
}

func post(host, target, body string) harness.Call {
	return send("POST", host, target, "application/json", body)
}

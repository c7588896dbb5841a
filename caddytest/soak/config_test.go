package soak

import (
	"strings"
	"time"

	"github.com/apiguard/caddy-api-guard/caddytest/internal/harness"
)

const orders = `openapi: 3.1.0
info: {title: Orders, version: "2.0"}
paths:
  /orders:
    post:
      operationId: createOrder
      requestBody:
        required: true
        content:
          application/json:
            schema:
              type: object
              required: [sku, quantity]
              additionalProperties: false
              properties:
                sku: {type: string, pattern: "^[A-Z]{3}-[0-9]{4}$"}
                quantity: {type: integer, minimum: 1, maximum: 100}
      responses: {"200": {description: created}}
  /orders/{id}:
    get:
      operationId: getOrder
      parameters: [{name: id, in: path, required: true, schema: {type: integer}}]
      responses: {"200": {description: the order}}
  /live:
    get:
      operationId: live
      x-api-guard-upgrade: websocket
      responses: {"101": {description: a stream}, "200": {description: none}}
  /password-reset:
    post:
      operationId: verifyResetToken
      responses: {"200": {description: verified}}
`

// guesses that pass within a minute.
const guessRate = 5

// The connections that a proxy of an earlier configuration gets back after a reload
// stay idle for two minutes by default: some thousand of them, and twice as many
// goroutines, which are Caddy's and would hide what the guard keeps.
const caddyfile = `{
	admin 127.0.0.1:<admin>
	persist_config off
	http_port <http>
	https_port <https>
	default_bind 127.0.0.1
	auto_https off
	grace_period 2s
	log default {
		level ERROR
	}
	servers {
		trusted_proxies static 127.0.0.1/32
		trusted_proxies_strict
	}
	api_guard {
		cluster redis://REDIS {
			secret not-a-secret-of-anybody
		}
		inventory {
			file <dir>/kept/inventory.db
		}
		policy {
			unknown_route enforce
			limit guesses {
				operations verifyResetToken
				key {client_ip}
				rate 5/1m
			}
			limit per_client {
				key {client_ip}
				rate 1000000/1m
			}
		}
		api orders {
			version v0 {
				hosts api.example.com
				path /v0
				spec orders.yaml
				deprecated 2020-01-01
				sunset CLOCK
			}
			version v1 {
				hosts api.example.com
				path /v1
				spec orders.yaml
				deprecated 2020-01-01
				sunset SUNSET
			}
			version v2 {
				hosts api.example.com
				path /v2
				spec orders.yaml
			}
		}
	}
}

http://:<http> {
	api_guard
	reverse_proxy 127.0.0.1:UPSTREAM {
		transport http {
			keepalive 5s
		}
	}
}
`

// setting is what the configurations of one run have in common.
type setting struct {
	upstream *upstream
	redis    string    // its address
	ends     time.Time // of v0, which no reload has anything to do with
}

// config is the configuration with v1 in service or retired.
func (s setting) config(retired bool) harness.Config {
	sunset := "2099-01-01"
	if retired {
		sunset = "2021-01-01"
	}
	return harness.Config{
		Caddyfile: strings.NewReplacer("SUNSET", sunset, "UPSTREAM", s.upstream.port,
			"REDIS", s.redis, "CLOCK", s.ends.UTC().Format(time.RFC3339)).Replace(caddyfile),
		Files: map[string]string{"orders.yaml": orders},
	}
}

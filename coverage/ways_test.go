package coverage_test

import (
	"slices"
	"strings"
	"testing"

	_ "github.com/caddyserver/caddy/v2/modules/standard"
	"github.com/google/go-cmp/cmp"

	_ "github.com/apiguard/caddy-api-guard"
	"github.com/apiguard/caddy-api-guard/coverage"
)

// global is the catalogue of the cases: two hosts.
const global = `{
	admin off
	api_guard {
		api orders {
			version v1 {
				hosts api.example.com beta.example.com
			}
		}
	}
}
`

// guardedAPI is a site that leaves nothing to say about api.example.com.
const guardedAPI = `
http://api.example.com:8080 {
	api_guard
	reverse_proxy 127.0.0.1:9
}
http://:8080 {
	api_guard
}
`

// ways are Caddyfiles in which beta.example.com is left out, or its twin where it
// is not, with what the proof must say of the host: "<status> <handler>".
var ways = []struct {
	name  string
	sites string
	host  string // default: beta.example.com
	want  []coverage.Status
	open  bool
}{
	{"a site with the guard", `http://beta.example.com:8080 {
		api_guard
		reverse_proxy 127.0.0.1:9
	}`, "", []coverage.Status{coverage.Guarded}, false},
	{"a site without the guard", `http://beta.example.com:8080 {
		reverse_proxy 127.0.0.1:9
	}`, "", []coverage.Status{coverage.NotGuarded}, true},

	{"a second listener", `http://beta.example.com:8080 {
		api_guard
		reverse_proxy 127.0.0.1:9
	}
	http://beta.example.com:8090 {
		reverse_proxy 127.0.0.1:9
	}`, "", []coverage.Status{coverage.Guarded, coverage.NotGuarded}, true},
	{"a second listener for every host", `http://beta.example.com:8080 {
		api_guard
		reverse_proxy 127.0.0.1:9
	}
	:8090 {
		reverse_proxy 127.0.0.1:9
	}`, "", []coverage.Status{coverage.Guarded, coverage.NotGuarded}, true},

	{"a wildcard", `http://*.example.com:8080 {
		reverse_proxy 127.0.0.1:9
	}`, "", []coverage.Status{coverage.NotGuarded}, true},
	{"a wildcard with the guard", `http://*.example.com:8080 {
		api_guard
		reverse_proxy 127.0.0.1:9
	}`, "", []coverage.Status{coverage.Guarded}, false},
	{"a wildcard whose guard is for another host", `http://*.example.com:8080 {
		@api host api.example.com
		api_guard @api
		reverse_proxy 127.0.0.1:9
	}`, "", []coverage.Status{coverage.NotGuarded}, true},
	{"a wildcard whose guard is for all hosts but this", `http://*.example.com:8080 {
		@others not host beta.example.com
		api_guard @others
		reverse_proxy 127.0.0.1:9
	}`, "", []coverage.Status{coverage.NotGuarded}, true},
	{"a wildcard whose guard is for all hosts but another", `http://*.example.com:8080 {
		@others not host legacy.example.com
		api_guard @others
		reverse_proxy 127.0.0.1:9
	}`, "", []coverage.Status{coverage.Guarded}, false},

	{"one handle without the guard", `http://beta.example.com:8080 {
		handle /v1/* {
			api_guard
			reverse_proxy 127.0.0.1:9
		}
		handle {
			reverse_proxy 127.0.0.1:9
		}
	}`, "", []coverage.Status{coverage.Guarded, coverage.NotGuarded}, true},
	{"each handle with the guard", `http://beta.example.com:8080 {
		handle /v1/* {
			api_guard
			reverse_proxy 127.0.0.1:9
		}
		handle {
			api_guard
			reverse_proxy 127.0.0.1:9
		}
	}`, "", []coverage.Status{coverage.Guarded, coverage.Guarded}, false},
	{"a guard in each handle before what is behind both", `http://beta.example.com:8080 {
		route {
			handle /v1/* {
				api_guard
			}
			handle {
				api_guard
			}
			reverse_proxy 127.0.0.1:9
		}
	}`, "", []coverage.Status{coverage.Guarded}, false},
	{"a guard in one handle before what is behind both", `http://beta.example.com:8080 {
		route {
			handle /v1/* {
				api_guard
			}
			handle {
				header X-Seen 1
			}
			reverse_proxy 127.0.0.1:9
		}
	}`, "", []coverage.Status{coverage.Partial}, true},

	{"a guard for some paths", `http://beta.example.com:8080 {
		api_guard /v1/*
		reverse_proxy 127.0.0.1:9
	}`, "", []coverage.Status{coverage.Partial}, true},
	{"a guard for the paths that are proxied", `http://beta.example.com:8080 {
		api_guard /v1/*
		reverse_proxy /v1/* 127.0.0.1:9
	}`, "", []coverage.Status{coverage.Guarded}, false},
	{"a guard for more paths than are proxied", `http://beta.example.com:8080 {
		api_guard /v1/*
		reverse_proxy /v1/orders/* 127.0.0.1:9
	}`, "", []coverage.Status{coverage.Guarded}, false},
	{"a guard for other paths than are proxied", `http://beta.example.com:8080 {
		api_guard /v1/*
		reverse_proxy /v2/* 127.0.0.1:9
	}`, "", []coverage.Status{coverage.NotGuarded}, true},
	{"a guard for some methods", `http://beta.example.com:8080 {
		@writes method POST PUT
		api_guard @writes
		reverse_proxy 127.0.0.1:9
	}`, "", []coverage.Status{coverage.Partial}, true},
	{"a guard for the methods that are proxied", `http://beta.example.com:8080 {
		@writes method POST PUT
		@posts method POST
		api_guard @writes
		reverse_proxy @posts 127.0.0.1:9
	}`, "", []coverage.Status{coverage.Guarded}, false},
	{"a guard behind a header", `http://beta.example.com:8080 {
		@external header X-External *
		api_guard @external
		reverse_proxy 127.0.0.1:9
	}`, "", []coverage.Status{coverage.Partial}, true},
	{"a matcher that says nothing", `http://beta.example.com:8080 {
		api_guard *
		reverse_proxy 127.0.0.1:9
	}`, "", []coverage.Status{coverage.Guarded}, false},

	{"a named route without the guard", `&(backend) {
		reverse_proxy 127.0.0.1:9
	}
	http://beta.example.com:8080 {
		invoke backend
	}`, "", []coverage.Status{coverage.NotGuarded}, true},
	{"a named route with the guard", `&(backend) {
		route {
			api_guard
			reverse_proxy 127.0.0.1:9
		}
	}
	http://beta.example.com:8080 {
		invoke backend
	}`, "", []coverage.Status{coverage.Guarded}, false},
	{"a named route behind the guard", `&(backend) {
		reverse_proxy 127.0.0.1:9
	}
	http://beta.example.com:8080 {
		api_guard
		invoke backend
	}`, "", []coverage.Status{coverage.Guarded}, false},

	{"an import without the guard", `(backend) {
		reverse_proxy 127.0.0.1:9
	}
	http://beta.example.com:8080 {
		import backend
	}`, "", []coverage.Status{coverage.NotGuarded}, true},
	{"an import with the guard", `(backend) {
		api_guard
		reverse_proxy 127.0.0.1:9
	}
	http://beta.example.com:8080 {
		import backend
	}`, "", []coverage.Status{coverage.Guarded}, false},

	{"a rewrite before the guard", `http://beta.example.com:8080 {
		route {
			rewrite /old/* /v1{uri}
			api_guard
			reverse_proxy 127.0.0.1:9
		}
	}`, "", []coverage.Status{coverage.Rewritten}, true},
	{"a stripped prefix before the guard", `http://beta.example.com:8080 {
		handle_path /api/* {
			api_guard
			reverse_proxy 127.0.0.1:9
		}
	}`, "", []coverage.Status{coverage.Rewritten}, true},
	{"a stripped prefix in another handle", `http://beta.example.com:8080 {
		handle_path /api/* {
			respond "gone" 410
		}
		handle {
			api_guard
			reverse_proxy 127.0.0.1:9
		}
	}`, "", []coverage.Status{coverage.NoBackend, coverage.Guarded}, false},
	{"a host that is rewritten before the guard", `http://beta.example.com:8080 {
		route {
			request_header Host api.example.com
			api_guard
			reverse_proxy 127.0.0.1:9
		}
	}`, "", []coverage.Status{coverage.Rewritten}, true},
	{"a rewrite after the guard", `http://beta.example.com:8080 {
		api_guard
		rewrite /v1/orders /internal/export
		reverse_proxy 127.0.0.1:9
	}`, "", []coverage.Status{coverage.Partial}, true},
	{"a rewrite in the proxy", `http://beta.example.com:8080 {
		api_guard
		reverse_proxy 127.0.0.1:9 {
			rewrite /internal{http.request.header.X-Path}
		}
	}`, "", []coverage.Status{coverage.Partial}, true},
	{"another method after the guard", `http://beta.example.com:8080 {
		api_guard
		method DELETE
		reverse_proxy 127.0.0.1:9
	}`, "", []coverage.Status{coverage.Partial}, true},
	{"a prefix that is added after the guard", `http://beta.example.com:8080 {
		api_guard
		rewrite * /backend{uri}
		reverse_proxy 127.0.0.1:9
	}`, "", []coverage.Status{coverage.Guarded}, false},
	{"a path that is rewritten between two equal matchers", `http://beta.example.com:8080 {
		route {
			api_guard /v1/*
			rewrite /x/* /v1{uri}
			reverse_proxy /v1/* 127.0.0.1:9
		}
	}`, "", []coverage.Status{coverage.Partial}, true},

	{"a subroute before the guard", `http://beta.example.com:8080 {
		route {
			route /debug/* {
				reverse_proxy 127.0.0.1:9
			}
			api_guard
			reverse_proxy 127.0.0.1:9
		}
	}`, "", []coverage.Status{coverage.NotGuarded, coverage.Guarded}, true},
	{"a guard after what answers", `http://beta.example.com:8080 {
		route {
			reverse_proxy 127.0.0.1:9
			api_guard
		}
	}`, "", []coverage.Status{coverage.NotGuarded}, true},

	{"error routes that proxy", `http://beta.example.com:8080 {
		api_guard
		reverse_proxy 127.0.0.1:9
		handle_errors {
			reverse_proxy 127.0.0.1:9
		}
	}`, "", []coverage.Status{coverage.Guarded, coverage.NotGuarded}, true},
	{"error pages", `http://beta.example.com:8080 {
		api_guard
		reverse_proxy 127.0.0.1:9
		handle_errors {
			rewrite * /{err.status_code}.html
			file_server
		}
	}`, "", []coverage.Status{coverage.Guarded, coverage.NoBackend}, false},

	{"files beside the guard", `http://beta.example.com:8080 {
		api_guard /v1/*
		file_server
	}`, "", []coverage.Status{coverage.Partial}, true},
	{"php behind the guard", `http://beta.example.com:8080 {
		api_guard
		php_fastcgi 127.0.0.1:9
	}`, "", []coverage.Status{coverage.NoBackend, coverage.Guarded}, false},
	{"php without the guard", `http://beta.example.com:8080 {
		php_fastcgi 127.0.0.1:9
	}`, "", []coverage.Status{coverage.NoBackend, coverage.NotGuarded}, true},
	{"routes on the answer of an upstream", `http://beta.example.com:8080 {
		api_guard
		reverse_proxy 127.0.0.1:9 {
			@missing status 404
			handle_response @missing {
				reverse_proxy 127.0.0.1:10
			}
		}
	}`, "", []coverage.Status{coverage.Guarded, coverage.Guarded}, false},
	{"authentication before the guard", `http://beta.example.com:8080 {
		route {
			forward_auth 127.0.0.1:9 {
				uri /verify
			}
			api_guard
			reverse_proxy 127.0.0.1:9
		}
	}`, "", []coverage.Status{coverage.NoBackend, coverage.Guarded}, false},
	{"an intercepted answer", `http://beta.example.com:8080 {
		intercept {
			handle_response {
				reverse_proxy 127.0.0.1:10
			}
		}
		api_guard /v1/*
		reverse_proxy 127.0.0.1:9
	}`, "", []coverage.Status{coverage.Partial, coverage.Partial}, true},

	{"a redirect", `http://beta.example.com:8080 {
		redir https://api.example.com{uri}
	}`, "", []coverage.Status{coverage.NoBackend}, false},
	{"an answer before the proxy", `http://beta.example.com:8080 {
		route {
			respond "closed" 503
			reverse_proxy 127.0.0.1:9
		}
	}`, "", []coverage.Status{coverage.NoBackend}, false},
	{"no site at all", ``, "", []coverage.Status{coverage.NoBackend}, false},

	{"a listener without a catch-all", `http://beta.example.com:8090 {
		api_guard
		reverse_proxy 127.0.0.1:9
	}`, coverage.OtherHosts, []coverage.Status{coverage.NoCatchAll}, true},
	{"a catch-all in handles", `http://:8090 {
		handle /health {
			respond "ok"
		}
		handle {
			api_guard
			reverse_proxy 127.0.0.1:9
		}
	}`, coverage.OtherHosts, []coverage.Status{coverage.NoBackend, coverage.Guarded}, false},
	{"a catch-all that proxies whatever comes", `:8090 {
		reverse_proxy 127.0.0.1:9
	}`, coverage.OtherHosts, []coverage.Status{coverage.NotGuarded}, true},
	{"a catch-all for some paths", `:8090 {
		api_guard /v1/*
		reverse_proxy /v1/* 127.0.0.1:9
	}`, coverage.OtherHosts, []coverage.Status{coverage.Guarded, coverage.NoCatchAll}, true},
	{"a listener of redirects", `http://old.example.com:8090 {
		redir https://api.example.com{uri}
	}`, coverage.OtherHosts, nil, false},
}

func TestTheProofFindsEachWayToLeaveAHostOut(t *testing.T) {
	for _, way := range ways {
		t.Run(way.name, func(t *testing.T) {
			config := adapted(t, global+guardedAPI+way.sites)
			decoded := prove(t, decodedServers(t, config))
			provisioned := prove(t, provisionedServers(t, config))
			if diff := cmp.Diff(decoded, provisioned); diff != "" {
				t.Errorf("the adapted configuration and the provisioned one are read in different ways (-adapted +provisioned):\n%s", diff)
			}
			host := way.host
			if host == "" {
				host = "beta.example.com"
			}
			var got []coverage.Status
			open := false
			for _, e := range decoded {
				if e.Host != host || e.Listener == ":8080" && way.host != "" {
					continue
				}
				got = append(got, e.Status)
				open = open || e.Open
				if e.Why == "" || e.Status != coverage.NoCatchAll && e.Listener != "" && e.Handler == "" {
					t.Errorf("an entry without a reason or handler: %+v", e)
				}
			}
			if !slices.Equal(got, way.want) || open != way.open {
				t.Errorf("%s: got %v, open %v; want %v, open %v\n%s", host, got, open, way.want, way.open, text(decoded))
			}
			for _, e := range decoded {
				if e.Host == "api.example.com" && e.Listener == ":8080" && e.Handler == "reverse_proxy" && e.Status != coverage.Guarded && !strings.Contains(way.sites, "*.example.com") {
					t.Errorf("the other host is %s", e.Status)
				}
			}
		})
	}
}

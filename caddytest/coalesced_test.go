package caddytest

import (
	"context"
	"crypto/tls"
	"fmt"
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/apiguard/caddy-api-guard/caddytest/internal/harness"
)

// askedOver sends requests for several hosts on one connection of HTTP/2 that is opened
// for sni, and gives what comes of each: its status, with "problem" where the guard said
// it, or "none" where there is no connection.
func askedOver(t *testing.T, caddy *harness.Caddy, sni string, certificates []tls.Certificate, trace string, urls ...string) (came []string) {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
	defer cancel()
	transport := &http.Transport{ForceAttemptHTTP2: true, TLSClientConfig: &tls.Config{
		ServerName: sni, InsecureSkipVerify: true, NextProtos: []string{"h2"}, Certificates: certificates,
	}}
	var conn *http.ClientConn
	harness.Await(t, "a connection for "+sni, func() (reason string, ok bool) { // as in Dial2
		var err error
		conn, err = transport.NewClientConn(ctx, "https", caddy.HTTPS)
		return fmt.Sprint(err), err == nil
	})
	defer conn.Close()
	for _, url := range urls {
		req, err := http.NewRequestWithContext(ctx, "GET", "https://"+url, nil)
		if err != nil {
			t.Fatal(err)
		}
		req.Header.Set("X-Trace", trace)
		resp, err := conn.RoundTrip(req)
		if err != nil {
			came = append(came, "none")
			continue
		}
		_ = resp.Body.Close()
		what := fmt.Sprint(resp.StatusCode)
		if resp.Header.Get("Content-Type") == "application/problem+json" {
			what += " problem"
		}
		came = append(came, what)
	}
	return came
}

// A client without the certificate that a host asks for does not reach it by a connection
// that was opened for another host, whether Caddy lets connections carry requests for
// others or, as it does by itself where a site asks for certificates, not.
func TestAHostThatAsksForACertificateIsNotReachedByAConnectionForAnother(t *testing.T) {
	t.Parallel()
	known := newIdentity(t, "known")
	stranger := newIdentity(t, "stranger")
	certificateOf := func(i *identity) []tls.Certificate {
		return i.client.Transport.(*http.Transport).TLSClientConfig.Certificates
	}
	for _, row := range []struct {
		strict            string // Caddy's strict_sni_host; empty: its default
		fromAPI, fromSafe string // to api and to safe
		by1               string // HTTP/1.1, to api and twice to safe
	}{
		{"", "[200 421]", "[421 200]", "[200 421 421]"},
		{"strict_sni_host insecure_off", "[200 401 problem]", "[200 200]", "[200 401 401]"},
	} {
		up := harness.NewUpstream(t)
		cfg := fleetConfig(up)
		cfg.Guard += "api safe {\nversion v1 {\nhosts safe.example.com\nspec safe.json\n}\n}\n"
		cfg.Files["safe.json"] = `{"openapi":"3.1.0","info":{"title":"safe","version":"1"},"components":{"securitySchemes":{"certificate":{"type":"mutualTLS"}}},
"paths":{"/safe":{"get":{"security":[{"certificate":[]}],"responses":{"200":{"description":"ok"}}}}}}`
		cfg.Untrusted, cfg.Globals = true, "servers {\n"+row.strict+"\n}\n"
		cfg.Sites += "https://safe.example.com:<https> {\ntls internal {\nclient_auth {\nmode require_and_verify\ntrust_pool inline {\ntrust_der " + known.public + "\n}\n}\n}\nimport guarded\n}\n"
		caddy := harness.Start(t, cfg)
		const api, safe = "api.example.com/v2/orders", "safe.example.com/safe"
		for _, c := range []struct {
			name, sni    string
			certificates []tls.Certificate
			want         string
			seen         int // of requests to safe
		}{
			{"no certificate, for api", "api.example.com", nil, row.fromAPI, 0},
			{"a certificate that nobody asks for, for api", "api.example.com", certificateOf(known), row.fromAPI, 0},
			{"a foreign one that nobody asks for, for api", "api.example.com", certificateOf(stranger), row.fromAPI, 0},
			{"no certificate, for safe", "safe.example.com", nil, "[none none]", 0},
			{"a foreign one, for safe", "safe.example.com", certificateOf(stranger), "[none none]", 0},
			{"the certificate, for safe", "safe.example.com", certificateOf(known), row.fromSafe, 1},
		} {
			trace := harness.NewClient()
			got := askedOver(t, caddy, c.sni, c.certificates, trace, api, safe)
			seen := 0
			for _, r := range up.Requests("X-Trace", trace) {
				if strings.Join(r.Values("Host"), "") == "safe.example.com" {
					seen++
				}
			}
			if fmt.Sprint(got) != c.want || seen != c.seen {
				t.Errorf("%q, %s: %v, and %d at the upstream; want %s and %d", row.strict, c.name, got, seen, c.want, c.seen)
			}
		}

		// HTTP/1.1 and HTTP/3 without a certificate.
		trace := harness.NewClient()
		statuses := over(t, caddy, "api.example.com", strings.ReplaceAll("GET /v2/orders HTTP/1.1|Host: api.example.com||GET /safe HTTP/1.1|Host: safe.example.com|X-Trace: "+trace+
			"||GET https://safe.example.com/safe HTTP/1.1|Host: api.example.com|X-Trace: "+trace+"|Connection: close||", "|", "\r\n"))
		if fmt.Sprint(statuses) != row.by1 {
			t.Errorf("%q, HTTP/1.1: %v, want %s", row.strict, statuses, row.by1)
		}
		h := caddy.Dial3(t, "api.example.com")
		got, err := h.Exchange(t, []harness.Field{
			{Name: ":method", Value: "GET"}, {Name: ":scheme", Value: "https"}, {Name: ":authority", Value: "safe.example.com"},
			{Name: ":path", Value: "/safe"}, {Name: "x-trace", Value: trace},
		}, nil)
		h.Close()
		if want := statuses[1]; err != nil || got.Status != want {
			t.Errorf("%q, HTTP/3: %v, %v, want %d", row.strict, got, err, want)
		}
		if seen := up.Requests("X-Trace", trace); len(seen) > 0 {
			t.Errorf("%q: the upstream got %q", row.strict, seen)
		}
	}
}

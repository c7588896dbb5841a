package caddytest

import (
	"context"
	"crypto/tls"
	"fmt"
	"net/http"
	"testing"
	"time"

	"github.com/apiguard/caddy-api-guard/caddytest/internal/harness"
)

// sessions are those of one host, presented to whichever host is asked.
type sessions struct {
	tls.ClientSessionCache
	of string
}

func (s sessions) Get(string) (*tls.ClientSessionState, bool) { return s.ClientSessionCache.Get(s.of) }

// A TLS session that was begun with a certificate is no certificate for another host, and
// makes nobody else's consumer of its holder; one that was begun without has none.
func TestAResumedSessionCarriesNoCertificateToAnotherHost(t *testing.T) {
	t.Parallel()
	alice, bob := newIdentity(t, "alice"), newIdentity(t, "bob")
	site := func(host string, trusted *identity) string {
		return "https://" + host + ".example.com:<https> {\ntls internal {\nclient_auth {\nmode verify_if_given\ntrust_pool inline {\ntrust_der " + trusted.public + "\n}\n}\n}\nimport told\n}\n"
	}
	for _, strict := range []string{"", "strict_sni_host insecure_off"} {
		up := harness.NewUpstream(t)
		caddy := harness.Start(t, harness.Config{
			Upstream: up, Untrusted: true, Globals: "servers {\n" + strict + "\n}\n",
			Guard: "integration alice {\nconsumer " + hashOf("CN=alice") + "\n}\nconsumers {http.request.tls.client.subject}\n" +
				"api safe {\nversion v1 {\nhosts api.example.com alice.example.com bob.example.com\nspec safe.json\n}\n}\n",
			Files: map[string]string{"safe.json": `{"openapi":"3.1.0","info":{"title":"safe","version":"1"},"components":{"securitySchemes":{"certificate":{"type":"mutualTLS"}}},
"paths":{"/safe":{"get":{"security":[{"certificate":[]}],"responses":{"200":{"description":"ok"}}}}}}`},
			Sites: "(told) {\nlog\napi_guard\nreverse_proxy 127.0.0.1:<upstream> {\nheader_up X-Consumer {http.api_guard.consumer}\n}\n}\nhttp://:<http> {\nimport guarded\n}\n" +
				site("alice", alice) + site("bob", bob) + "https://api.example.com:<https> {\ntls internal\nimport told\n}\n",
		})
		cache := tls.NewLRUClientSessionCache(8)
		for _, row := range []struct {
			sni, host, of string
			certificate   *identity
			status        string
			consumer      string
		}{
			{"alice", "alice", "alice", alice, "200", "[alice]"},
			{"api", "api", "api", nil, "401", ""},
			{"api", "api", "api", nil, "401", ""}, // resumed
			{"bob", "bob", "alice", nil, "401", ""},
			{"api", "api", "alice", nil, "401", ""},
			{"alice", "alice", "api", nil, "401", ""},
			{"bob", "bob", "bob", bob, "200", "[]"},
			{"alice", "alice", "bob", nil, "401", ""},
		} {
			config := &tls.Config{ServerName: row.sni + ".example.com", InsecureSkipVerify: true, ClientSessionCache: sessions{cache, row.of + ".example.com"}}
			if row.certificate != nil {
				config.Certificates = row.certificate.client.Transport.(*http.Transport).TLSClientConfig.Certificates
			}
			status, resumed, trace := "", false, harness.NewClient()
			harness.Await(t, "a connection for "+row.sni, func() (string, bool) {
				ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
				defer cancel()
				dialer := tls.Dialer{Config: config}
				conn, err := dialer.DialContext(ctx, "tcp", caddy.HTTPS)
				if err != nil {
					return err.Error(), false
				}
				defer conn.Close()
				resumed = conn.(*tls.Conn).ConnectionState().DidResume
				_ = conn.SetDeadline(time.Now().Add(time.Minute))
				_, _ = fmt.Fprintf(conn, "GET /safe HTTP/1.1\r\nHost: %s.example.com\r\nX-Trace: %s\r\nConnection: close\r\n\r\n", row.host, trace)
				var version string
				_, err = fmt.Fscan(conn, &version, &status)
				return fmt.Sprint(err), err == nil
			})
			consumer := ""
			for _, r := range up.Requests("X-Trace", trace) {
				consumer += fmt.Sprint(r.Values("X-Consumer"))
			}
			if status != row.status || consumer != row.consumer {
				t.Errorf("%q, the session of %s at %s (resumed %v): %s, consumer %q; want %s and %q", strict, row.of, row.sni, resumed, status, consumer, row.status, row.consumer)
			}
		}
	}
}

package caddytest

import (
	"net"
	"net/http"
	"net/http/fcgi"
	"strings"
	"testing"

	"github.com/apiguard/caddy-api-guard/caddytest/internal/harness"
)

// The script is played by a FastCGI responder of Go's, which is sent what php-fpm
// would be.
func TestThePHPExampleJudgesTheClientsTarget(t *testing.T) {
	t.Parallel()
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = listener.Close() })
	scripts := make(chan string, 10)
	go func() {
		_ = fcgi.Serve(listener, http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
			scripts <- fcgi.ProcessEnv(r)["SCRIPT_FILENAME"] + " " + r.URL.RequestURI()
			w.Header().Set("Content-Type", "application/json")
			_, _ = w.Write([]byte(`{"orders":[]}`))
		}))
	}()
	e := startExample(t, "php", "127.0.0.1:9000", listener.Addr().String())
	e.want(200, "curl -i 'http://api.localhost:8080/v1/orders?limit=10'")
	if got := <-scripts; !strings.HasSuffix(got, "/public/index.php /v1/orders?limit=10") {
		t.Errorf("the script was called as %s", got)
	}
	refused(t, e.ask("curl -i 'http://api.localhost:8080/v1/orders?limit=1000'"), 400, "request-invalid")
	refused(t, e.ask("curl -i http://api.localhost:8080/index.php"), 404, "unknown-route")
	if len(scripts) != 0 {
		t.Errorf("a refused request got to the script as %s", <-scripts)
	}
}

func TestTheForwardAuthExampleCountsByUser(t *testing.T) {
	t.Parallel()
	e := startExample(t, "forwardauth")
	e.want(401, "curl -i http://api.localhost:8080/v1/orders")
	alice := "curl -i -H 'Authorization: Bearer alices-token' http://api.localhost:8080/v1/orders"
	e.want(200, alice)
	e.want(200, alice)
	refused(t, e.ask(alice), 429, "quota-exceeded")
	e.want(429, "curl -i -H 'Authorization: Bearer alices-token' -H 'Remote-User: carol' http://api.localhost:8080/v1/orders")
	e.want(200, "curl -i -H 'Authorization: Bearer bobs-token' http://api.localhost:8080/v1/orders")
	harness.Await(t, "alice and bob among the consumers", func() (string, bool) {
		got := e.ask("curl -s 'http://localhost:2019/api_guard/consumers?api=orders'")
		return string(got.Body), strings.Count(string(got.Body), `"consumer":"user:`) == 2
	})
}

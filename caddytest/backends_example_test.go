package caddytest

import (
	"io"
	"net/http"
	"net/http/httptest"
	"os"
	"strings"
	"testing"

	"github.com/apiguard/caddy-api-guard/caddytest/internal/harness"
)

func TestTheBackendsExampleSendsEachVersionToItsOwn(t *testing.T) {
	t.Parallel()
	content, err := os.ReadFile("../examples/backends/Caddyfile")
	if err != nil {
		t.Fatal(err)
	}
	document, err := os.ReadFile("../examples/backends/orders.yaml")
	if err != nil {
		t.Fatal(err)
	}
	text, _, ok := strings.Cut(string(content), "\n# The backends.\n")
	if !ok {
		t.Fatal("the example has no backends")
	}
	pairs := []string{":8080", ":<http>", "\n{\n", "\n{\n\tadmin 127.0.0.1:<admin>\n"}
	for port, name := range map[string]string{"8081": "old", "8082": "current", "8083": "next", "8084": "reports"} {
		if !strings.Contains(string(content), "http://:"+port+" {\n\trespond `{\"backend\":\""+name+"\"}`") {
			t.Errorf("the example has no backend %s on port %s", name, port)
		}
		backend := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) { _, _ = io.WriteString(w, name) }))
		t.Cleanup(backend.Close)
		pairs = append(pairs, "127.0.0.1:"+port, strings.TrimPrefix(backend.URL, "http://"))
	}
	caddy := harness.Start(t, harness.Config{
		Caddyfile: strings.NewReplacer(pairs...).Replace(text),
		Files:     map[string]string{"orders.yaml": string(document)},
	})
	for _, c := range []struct {
		command string
		status  int
		backend string
	}{
		{"curl -i http://api.localhost:8080/v1/orders", 200, "old"},
		{"curl -i http://api.localhost:8080/v2/orders", 200, "current"},
		{"curl -i -H 'X-Api-Version: 3' http://api.localhost:8080/orders", 200, "next"},
		{"curl -i http://api.localhost:8080/orders", 200, "next"},
		{"curl -i http://api.localhost:8080/v2/reports", 200, "reports"},
		{"curl -i http://api.localhost:8080/v4/orders", 404, ""},
		{"curl -i http://127.0.0.1:8080/healthz", 200, "next"},
	} {
		if !strings.Contains(string(content), "\n#    "+c.command+"\n") {
			t.Errorf("the example does not tell to run %s", c.command)
		}
		got := caddy.Do1(t, curl(t, c.command))
		if got.Status != c.status || c.status == 200 && string(got.Body) != c.backend {
			t.Errorf("%s: %v, want %d from %q", c.command, got, c.status, c.backend)
		}
	}
}

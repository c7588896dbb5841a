package caddytest

import (
	"crypto/sha256"
	"encoding/hex"
	"encoding/pem"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"testing"

	"github.com/apiguard/caddy-api-guard/caddytest/internal/harness"
	"github.com/apiguard/caddy-api-guard/internal/freeport"
)

// documentHost serves documents by https with a certificate of its own.
type documentHost struct {
	*httptest.Server
	trust string // what the environment of a Caddy needs to trust it

	mu      sync.Mutex
	answers map[string]http.HandlerFunc // by path
	asked   int
}

func newDocumentHost(t *testing.T) *documentHost {
	t.Helper()
	h := &documentHost{answers: map[string]http.HandlerFunc{}}
	h.Server = httptest.NewUnstartedServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		h.mu.Lock()
		h.asked++
		answer := h.answers[r.URL.Path]
		h.mu.Unlock()
		if answer == nil {
			answer = http.NotFound
		}
		answer(w, r)
	}))
	_ = h.Listener.Close()
	h.Listener = freeport.Listen(t)
	h.StartTLS()
	t.Cleanup(h.Close)
	file := filepath.Join(t.TempDir(), "root.pem")
	text := pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: h.Certificate().Raw})
	if err := os.WriteFile(file, text, 0o600); err != nil {
		t.Fatal(err)
	}
	h.trust = "SSL_CERT_FILE=" + file
	return h
}

func (h *documentHost) answer(path string, answer http.HandlerFunc) {
	h.mu.Lock()
	defer h.mu.Unlock()
	h.answers[path] = answer
}

// put serves a document and gives the arguments of `spec` that pin it.
func (h *documentHost) put(path, text string) string {
	h.answer(path, func(w http.ResponseWriter, _ *http.Request) { _, _ = w.Write([]byte(text)) })
	return h.URL + path + " " + hashOf(text)
}

func (h *documentHost) requests() int {
	h.mu.Lock()
	defer h.mu.Unlock()
	return h.asked
}

func hashOf(text string) string {
	sum := sha256.Sum256([]byte(text))
	return "sha256:" + hex.EncodeToString(sum[:])
}

// pinnedConfig is one version with the document that spec says.
func pinnedConfig(h *documentHost, up *harness.Upstream, spec, purpose string) harness.Config {
	return harness.Config{
		Guard: "watch\npolicy {\nunknown_route enforce\n}\napi orders {\npurpose \"" + purpose + "\"\nversion v1 {\nhosts api.example.com\npath /v2\nspec " + spec + "\n}\n}\n",
		Sites: everyHost, Upstream: up, Env: []string{h.trust},
	}
}

func TestADocumentByURLIsInForceAndNeedsItsHostOnce(t *testing.T) {
	t.Parallel()
	host, up := newDocumentHost(t), harness.NewUpstream(t)
	spec := host.put("/specs/orders.yaml", ordersDocument)
	address, hash, _ := strings.Cut(spec, " ")
	caddy := harness.Start(t, pinnedConfig(host, up, spec, "one"))
	judged := func(why string) {
		t.Helper()
		if got := caddy.Do1(t, get("api.example.com", "/v2/orders")); got.Status != 200 {
			t.Fatalf("%s: what the document has: %v", why, got)
		}
		refused(t, caddy.Do1(t, get("api.example.com", "/v2/elsewhere")), 404, "unknown-route")
		if n := host.requests(); n != 1 {
			t.Errorf("%s: the host was asked %d times", why, n)
		}
	}
	judged("first")

	// Whatever shows the document names its URL.
	var apis struct {
		Items []struct{ Versions []struct{ Spec string } }
	}
	caddy.Query(t, "/api_guard/apis", &apis)
	if len(apis.Items) != 1 || apis.Items[0].Versions[0].Spec != address {
		t.Errorf("the catalogue says %+v", apis)
	}
	var served struct {
		Guard struct{ Spec string } `json:"x-api-guard"`
	}
	caddy.Query(t, "/api_guard/openapi?api=orders&version=v1&spec="+address, &served)
	if served.Guard.Spec != address {
		t.Errorf("the document in force says it is %q", served.Guard.Spec)
	}
	got := caddy.Do1(t, get("api.example.com", catalogPath+"?api=orders&version=v1"))
	if got.Status != 200 || string(got.Body) != ordersDocument || got.Header.Get("Content-Type") != "application/yaml" || !strings.Contains(got.Header.Get("Content-Disposition"), "filename=orders.yaml") {
		t.Errorf("to clients it is served as %v with %v", got, got.Header)
	}

	copied := filepath.Join(caddy.Dir, "data", "caddy", "api_guard", "documents", strings.TrimPrefix(hash, "sha256:"))
	if text, err := os.ReadFile(copied); err != nil || string(text) != ordersDocument {
		t.Fatalf("the copy: %v", err)
	}
	if status, body := caddy.Reload(t, pinnedConfig(host, up, spec, "two")); status != 200 {
		t.Fatalf("a reload: %s", body)
	}
	judged("reloaded")
	host.Close()
	if status, body := caddy.Reload(t, pinnedConfig(host, up, spec, "three")); status != 200 {
		t.Fatalf("a reload without the host: %s", body)
	}
	judged("reloaded without the host")
	caddy.Kill()
	caddy.Again(t)
	judged("started without the host")

	here := pinnedConfig(host, up, spec, "four")
	here.Env = append(here.Env, "XDG_DATA_HOME="+filepath.Join(caddy.Dir, "data"))
	for _, args := range [][]string{{"validate"}, {"api-guard", "lint"}, {"api-guard", "coverage"}} {
		if text, ok := harness.Command(t, here, append(args, "--config", "CADDYFILE", "--adapter", "caddyfile")...); !ok {
			t.Errorf("%q without the host: %s", args, text)
		}
	}

	// A document of which there is no copy is none, and what runs goes on.
	status, body := caddy.Reload(t, pinnedConfig(host, up, address+" "+hashOf("other"), "five"))
	if status == 200 {
		t.Fatal("a reload to a document that is nowhere was taken")
	}
	for _, want := range []string{address, "refused", "no copy", "name the file", "spec[0]"} {
		if !strings.Contains(string(body), want) {
			t.Errorf("the error does not say %q: %s", want, body)
		}
	}
	judged("after a reload that failed")
}

func TestADocumentThatChangedAtItsURLReplacesNothing(t *testing.T) {
	t.Parallel()
	host, up := newDocumentHost(t), harness.NewUpstream(t)
	first := host.put("/orders.yaml", ordersDocument)
	caddy := harness.Start(t, pinnedConfig(host, up, first, "one"))
	changedDocument := strings.ReplaceAll(ordersDocument, "/orders", "/purchases")
	second := host.put("/orders.yaml", changedDocument)
	status, body := caddy.Reload(t, pinnedConfig(host, up, host.URL+"/orders.yaml "+hashOf("third"), "two"))
	if status == 200 {
		t.Fatal("a document with another hash was taken")
	}
	for _, want := range []string{hashOf(changedDocument)[7:15], hashOf("third")[7:15], "changed", host.URL + "/orders.yaml"} {
		if !strings.Contains(string(body), want) {
			t.Errorf("the error does not say %q: %s", want, body)
		}
	}
	if got := caddy.Do1(t, get("api.example.com", "/v2/orders")); got.Status != 200 {
		t.Fatalf("after a reload that failed: %v", got)
	}
	if status, body := caddy.Reload(t, pinnedConfig(host, up, second, "three")); status != 200 {
		t.Fatalf("the changed one, pinned: %s", body)
	}
	if got := caddy.Do1(t, get("api.example.com", "/v2/purchases")); got.Status != 200 {
		t.Errorf("what the changed one has: %v", got)
	}
	refused(t, caddy.Do1(t, get("api.example.com", "/v2/orders")), 404, "unknown-route")
	host.Close()
	if status, body := caddy.Reload(t, pinnedConfig(host, up, first, "four")); status != 200 {
		t.Fatalf("back to the first one, without the host: %s", body)
	}
	if got := caddy.Do1(t, get("api.example.com", "/v2/orders")); got.Status != 200 {
		t.Errorf("back: %v", got)
	}
}

func TestADocumentByURLThatCannotBeUsedIsRefusedWithTheReason(t *testing.T) {
	t.Parallel()
	host := newDocumentHost(t)
	good := host.put("/good.yaml", ordersDocument)
	redirect := func(to string) http.HandlerFunc {
		return func(w http.ResponseWriter, r *http.Request) { http.Redirect(w, r, to, http.StatusFound) }
	}
	host.answer("/moved.yaml", redirect("/good.yaml"))
	host.answer("/plain.yaml", redirect("http://127.0.0.1:1/orders.yaml"))
	host.answer("/loop.yaml", redirect("/loop.yaml"))
	host.answer("/slow.yaml", func(w http.ResponseWriter, r *http.Request) {
		_, _ = w.Write([]byte("openapi: "))
		_ = http.NewResponseController(w).Flush()
		<-r.Context().Done()
	})
	host.answer("/packed.yaml", func(w http.ResponseWriter, _ *http.Request) {
		w.Header().Set("Content-Encoding", "gzip")
		_, _ = w.Write([]byte(ordersDocument))
	})
	elsewhere := "openapi: 3.1.0\ninfo: {title: x, version: '1'}\npaths:\n  /a: {$ref: '" + host.URL + "/part.yaml'}\n"
	beside := strings.Replace(elsewhere, host.URL+"/", "", 1)
	run := func(guard string, env ...string) (string, bool, string) {
		data := t.TempDir()
		cfg := harness.Config{
			Guard: guard, Sites: everyHost, Upstream: harness.NewUpstream(t), Env: append(env, "XDG_DATA_HOME="+data),
			Files: map[string]string{"remote.yaml": elsewhere, "whole.yaml": beside, "part.yaml": "get: {responses: {'200': {description: ok}}}\n" + strings.Repeat("# \n", 400)},
		}
		text, ok := harness.Command(t, cfg, "validate", "--config", "CADDYFILE", "--adapter", "caddyfile")
		return text, ok, filepath.Join(data, "caddy", "api_guard")
	}
	version := func(spec string) string {
		return "api orders {\nversion v1 {\nhosts api.example.com\nspec " + spec + "\n}\n}\n"
	}
	for _, spec := range []string{good, host.URL + "/moved.yaml " + hashOf(ordersDocument), `{env.SPEC} sha256:{env.HASH}`} {
		env := []string{host.trust, "SPEC=" + host.URL + "/good.yaml", "HASH=" + hashOf(ordersDocument)[7:]}
		if text, ok, left := run(version(spec), env...); !ok {
			t.Errorf("the twin that is right, %s: %s", spec, text)
		} else if _, err := os.Stat(left); !os.IsNotExist(err) {
			t.Errorf("validating wrote to the data directory: %v", err)
		}
	}
	for _, row := range []struct {
		name  string
		guard string
		env   string
		says  []string
	}{
		{"not there", version(host.URL + "/absent.yaml " + hashOf("")), host.trust, []string{"/absent.yaml", "404 Not Found", "name the file"}},
		{"nobody listens", version("https://127.0.0.1:1/orders.yaml " + hashOf("")), host.trust, []string{"https://127.0.0.1:1/orders.yaml", "refused", "no copy"}},
		{"a certificate of nobody", version(good), "SSL_CERT_FILE=/dev/null", []string{"/good.yaml", "certificate", "SSL_CERT_FILE"}},
		{"another document", version(host.URL + "/good.yaml " + hashOf("x")), host.trust, []string{"/good.yaml", hashOf("x")[7:15], hashOf(ordersDocument)[7:15]}},
		{"too large", "max_document 1KiB\n" + version(good), host.trust, []string{"/good.yaml", "1024 bytes", "max_document"}},
		{"a redirect to plain HTTP", version(host.URL + "/plain.yaml " + hashOf("")), host.trust, []string{"/plain.yaml", `redirects to \"http://127.0.0.1:1\"`, "https"}},
		{"a redirect to itself", version(host.URL + "/loop.yaml " + hashOf("")), host.trust, []string{"/loop.yaml", "more than 5 times"}},
		{"an answer that does not end", version(host.URL + "/slow.yaml " + hashOf("")), host.trust, []string{"/slow.yaml", "within 10s"}},
		{"a coding", version(host.URL + "/packed.yaml " + hashOf(ordersDocument)), host.trust, []string{"/packed.yaml", "gzip"}},
		{"a reference to another URL", version(host.put("/elsewhere.yaml", elsewhere)), host.trust, []string{"/elsewhere.yaml", "/part.yaml", "bundle"}},
		{"a reference to a file", version(host.put("/beside.yaml", beside)), host.trust, []string{"/beside.yaml", `part.yaml\"`, "bundle"}},
		{"no OpenAPI", version(host.put("/other.yaml", "kind: Deployment\n")), host.trust, []string{"/other.yaml", "OpenAPI"}},
		{"a file that refers to a URL", version("remote.yaml"), host.trust, []string{"remote.yaml", host.URL + "/part.yaml", "folder"}},
		{"a file that is too large with what it refers to", "max_document 1KiB\n" + version("whole.yaml"), host.trust, []string{"whole.yaml", "1024 bytes", "max_document"}},
		{"a secret in a URL", version("https://127.0.0.1:1/x?token={env.TOKEN} " + hashOf("")), "TOKEN=s3cret", []string{"{env.TOKEN}"}},
	} {
		t.Run(row.name, func(t *testing.T) {
			t.Parallel()
			text, ok, _ := run(row.guard, row.env)
			lines := strings.Split(strings.TrimSpace(text), "\n")
			last := lines[len(lines)-1]
			if ok {
				t.Fatalf("it was taken: %s", text)
			}
			if strings.Contains(text, "panic") || strings.Contains(text, "s3cret") || len(last) > 1200 {
				t.Errorf("%s", text)
			}
			for _, word := range append(row.says, "api[0].version[0].spec[0]", "Caddyfile:") {
				if !strings.Contains(last, word) && !strings.Contains(last, strings.ReplaceAll(word, `\"`, `"`)) {
					t.Errorf("the error does not say %q: %s", word, last)
				}
			}
		})
	}
	if text, ok, _ := run("max_document 4KiB\n" + version("whole.yaml")); !ok {
		t.Errorf("a file that fits with what it refers to: %s", text)
	}
}

func TestInitReadsADocumentByURLAndLargerOnesWhenTold(t *testing.T) {
	t.Parallel()
	host := newDocumentHost(t)
	address, hash, _ := strings.Cut(host.put("/orders.yaml", ordersDocument), " ")
	cfg := harness.Config{Caddyfile: "", Env: []string{host.trust}, Files: map[string]string{"orders.yaml": ordersDocument}}
	text, ok := harness.Command(t, cfg, "api-guard", "init", address, hash, "--upstream", "127.0.0.1:9", "--host", "api.example.com", "--max-document", "1MiB")
	if !ok || !strings.Contains(text, "spec "+address+" "+hash+" # ") || !strings.Contains(text, "max_document 1MiB") {
		t.Fatalf("%v: %s", ok, text)
	}
	if n := host.requests(); n != 1 {
		t.Errorf("the host was asked %d times", n)
	}
	written := cfg
	written.Caddyfile = text[strings.Index(text, "# Written by"):]
	if text, ok := harness.Command(t, written, "validate", "--config", "CADDYFILE", "--adapter", "caddyfile"); !ok {
		t.Errorf("what it wrote: %s", text)
	}
	for _, row := range []struct {
		args []string
		says string
	}{
		{[]string{address}, "sha256sum"},
		{[]string{address, hashOf("x")}, hashOf("x")[7:15]},
		{[]string{"orders.yaml", hash}, "behind no URL"},
		{[]string{"orders.yaml", "--max-document", "1KiB"}, "1024 bytes"},
		{[]string{"orders.yaml", "--max-document", "2"}, "64MiB"},
	} {
		args := append([]string{"api-guard", "init", "--upstream", "127.0.0.1:9", "--host", "api.example.com"}, row.args...)
		if text, ok := harness.Command(t, cfg, args...); ok || !strings.Contains(text, row.says) {
			t.Errorf("%q: %v, %s", row.args, ok, text)
		}
	}
}

// connectProxy is a proxy that leads every CONNECT to one address, and what it was
// asked for.
func connectProxy(t *testing.T, to string) (proxy *httptest.Server, asked func() []string) {
	t.Helper()
	var mu sync.Mutex
	var list []string
	proxy = httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		mu.Lock()
		list = append(list, r.Method+" "+r.RequestURI)
		mu.Unlock()
		upstream, err := net.Dial("tcp", to)
		if err != nil {
			http.Error(w, "no upstream", http.StatusBadGateway)
			return
		}
		defer upstream.Close()
		client, sent, err := http.NewResponseController(w).Hijack()
		if err != nil {
			return
		}
		defer client.Close()
		// Not before: what the client sends after it may be in the server's buffer then.
		if _, err := io.WriteString(client, "HTTP/1.1 200 OK\r\n\r\n"); err != nil {
			return
		}
		go func() { _, _ = io.Copy(upstream, sent) }()
		_, _ = io.Copy(client, upstream)
	}))
	t.Cleanup(proxy.Close)
	return proxy, func() []string {
		mu.Lock()
		defer mu.Unlock()
		return slices.Clone(list)
	}
}

func TestAProxyOfTheEnvironmentCarriesTheFetchingAndSeesTheHostAlone(t *testing.T) {
	t.Parallel()
	host := newDocumentHost(t)
	_, hash, _ := strings.Cut(host.put("/orders.yaml", ordersDocument), " ")
	proxy, asked := connectProxy(t, host.Listener.Addr().String())
	cfg := harness.Config{
		Guard: "api orders {\nversion v1 {\nhosts api.example.com\nspec https://example.com/orders.yaml?token=1 " + hash + "\n}\n}\n",
		Sites: everyHost, Upstream: harness.NewUpstream(t),
	}
	// The machine of the test may have proxies of its own.
	validate := func(env ...string) (string, bool) {
		cfg.Env = append([]string{host.trust, "https_proxy=", "NO_PROXY=", "no_proxy="}, env...)
		return harness.Command(t, cfg, "validate", "--config", "CADDYFILE", "--adapter", "caddyfile")
	}
	if text, ok := validate("HTTPS_PROXY=" + proxy.URL); !ok {
		t.Errorf("by the proxy: %s", text)
	}
	if got := asked(); len(got) != 1 || got[0] != "CONNECT example.com:443" || host.requests() != 1 {
		t.Errorf("the proxy was asked for %q, the host %d times", got, host.requests())
	}
	proxy.Close()
	if text, ok := validate("HTTPS_PROXY=" + proxy.URL); ok || !strings.Contains(text, "proxyconnect") {
		t.Errorf("without the proxy: %v: %s", ok, text)
	}
}

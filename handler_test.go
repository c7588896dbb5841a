package apiguard

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"testing/iotest"

	"github.com/caddyserver/caddy/v2"
	"github.com/caddyserver/caddy/v2/modules/caddyhttp"
)

// serve sends one request through the handler as a Caddy server would.
func serve(app *App, w http.ResponseWriter, r *http.Request, next caddyhttp.HandlerFunc) error {
	repl := caddy.NewReplacer()
	r = caddyhttp.PrepareRequest(r, repl, w, new(caddyhttp.Server))
	h := &Handler{app: app}
	return h.ServeHTTP(w, r, next)
}

func get(target string) *http.Request {
	r := httptest.NewRequest("GET", target, nil)
	r.RequestURI = target
	r.Host = "api.example"
	return r
}

func put(target, body string) *http.Request {
	r := httptest.NewRequest("PUT", target, strings.NewReader(body))
	r.RequestURI, r.Host = target, "api.example"
	r.Header.Set("Content-Type", "application/json")
	return r
}

func TestJudgedBodyReachesTheNextHandlerByteForByte(t *testing.T) {
	for _, mode := range []string{"enforce", "monitor"} {
		app := smallApp(t)
		app.Mode = mode
		app = mustProvision(t, app)
		for _, length := range []int64{-1, 8} {
			r := put("/v1/things/7", `{ "n":1}`)
			r.ContentLength = length
			var got string
			err := serve(app, httptest.NewRecorder(), r, func(_ http.ResponseWriter, r *http.Request) error {
				body, err := io.ReadAll(r.Body)
				got = string(body)
				if r.ContentLength != length {
					t.Errorf("%s: length %d becomes %d", mode, length, r.ContentLength)
				}
				return err
			})
			if err != nil || got != `{ "n":1}` {
				t.Errorf("%s, length %d: next got %q, %v", mode, length, got, err)
			}
		}
	}
}

func TestBodyThatEndsEarlyOrIsTooLargeNeverReachesTheNextHandler(t *testing.T) {
	app := smallApp(t)
	app.Policy = &Policy{Rules: Rules{Request: &RequestRule{MaxBody: 16}}}
	app = mustProvision(t, app)
	for _, c := range []struct {
		name   string
		body   io.Reader
		length int64
		status int
	}{
		{"shorter than announced", strings.NewReader(`{"n":1}`), 9, 400},
		{"a read that fails", io.MultiReader(strings.NewReader(`{"n"`), iotest.ErrReader(errors.New("bad chunk"))), -1, 400},
		{"announced too large", strings.NewReader(""), 17, 413},
		{"too large without announcement", strings.NewReader(`{"n":1         }`), -1, 200},
		{"one byte more", strings.NewReader(`{"n":1          }`), -1, 413},
		{"limited by request_body before us", iotest.ErrReader(&http.MaxBytesError{Limit: 4}), -1, 413},
	} {
		r := put("/v1/things/7", "")
		r.Body, r.ContentLength = io.NopCloser(c.body), c.length
		w := httptest.NewRecorder()
		reached := false
		err := serve(app, w, r, func(http.ResponseWriter, *http.Request) error { reached = true; return nil })
		if err != nil || w.Code != c.status || reached != (c.status == 200) {
			t.Errorf("%s: %d, reached %v, %v: %s", c.name, w.Code, reached, err, w.Body)
		}
	}
}

func TestChunkedBodyWithoutBytesIsNone(t *testing.T) {
	app := mustProvision(t, smallApp(t))
	for body, status := range map[string]int{"": 200, "x": 400} {
		r := get("/v1/things/7")
		r.Body, r.ContentLength = io.NopCloser(strings.NewReader(body)), -1
		w := httptest.NewRecorder()
		if err := serve(app, w, r, func(http.ResponseWriter, *http.Request) error { return nil }); err != nil || w.Code != status {
			t.Errorf("chunked body %q: %d %v", body, w.Code, err)
		}
	}
}

func TestMonitoredBodyIsJudgedWhileItStreams(t *testing.T) {
	app := smallApp(t)
	app.Mode = "monitor"
	app = mustProvision(t, app)
	for _, c := range []struct {
		name, body string
		read       bool
		verdict    string
	}{
		{"conforms", `{"n":1}`, true, "allow"},
		{"does not", `{"n":"1"}`, true, "would_refuse"},
		{"was not read", `{"n":"1"}`, false, "allow"},
	} {
		r := put("/v1/things/7", c.body)
		var repl *caddy.Replacer
		err := serve(app, httptest.NewRecorder(), r, func(_ http.ResponseWriter, r *http.Request) error {
			repl = r.Context().Value(caddy.ReplacerCtxKey).(*caddy.Replacer)
			if c.read {
				_, _ = io.Copy(io.Discard, r.Body)
			}
			return nil
		})
		if got, _ := repl.GetString("http.api_guard.verdict"); err != nil || got != c.verdict {
			t.Errorf("%s: verdict %q %v, want %q", c.name, got, err, c.verdict)
		}
	}
}

func TestPanicInTheGuardIsA500AndNeverAPass(t *testing.T) {
	app := mustProvision(t, smallApp(t))
	broken := *app.now.Load()
	broken.policy = nil
	app.now.Store(&broken)
	w := httptest.NewRecorder()
	err := serve(app, w, get("/v1/things/7"), func(http.ResponseWriter, *http.Request) error {
		t.Error("the request passed")
		return nil
	})
	if err != nil || w.Code != 500 || !strings.Contains(w.Body.String(), "urn:api-guard:internal-error") {
		t.Errorf("%d %s %v", w.Code, w.Body, err)
	}
}

func TestPanicOfTheNextHandlerIsItsOwn(t *testing.T) {
	app := mustProvision(t, smallApp(t))
	defer func() {
		if p := recover(); p != http.ErrAbortHandler {
			t.Errorf("recovered %v", p)
		}
	}()
	_ = serve(app, httptest.NewRecorder(), get("/v1/things/7"), func(http.ResponseWriter, *http.Request) error { panic(http.ErrAbortHandler) })
	t.Error("the panic is gone")
}

func TestPlaceholdersOutliveTheRequest(t *testing.T) {
	app := mustProvision(t, smallApp(t))
	var repl *caddy.Replacer
	_ = serve(app, httptest.NewRecorder(), get("/v1/things/7"), func(_ http.ResponseWriter, r *http.Request) error {
		repl = r.Context().Value(caddy.ReplacerCtxKey).(*caddy.Replacer)
		return nil
	})
	_ = serve(app, httptest.NewRecorder(), get("/v1/nothing"), func(http.ResponseWriter, *http.Request) error { return nil })
	for name, want := range map[string]string{"api": "things", "version": "v1", "state": "active", "operation": "getThing", "verdict": "allow", "rule": "", "reason": ""} {
		if got, known := repl.GetString("http.api_guard." + name); !known || got != want {
			t.Errorf("%s: %q, want %q", name, got, want)
		}
	}
}

func TestPlaceholdersInKeysKnowNoSpelling(t *testing.T) {
	app := smallApp(t)
	app.API[0].Limit = []*Limit{{Name: "l", Rate: "1/h", Key: []string{"{http.request.hostport} {http.request.uri}"}}}
	app = mustProvision(t, app)
	for i, spelling := range []struct{ target, host string }{
		{"/v1/things/77", "api.example"}, {"/v1/things/%37%37", "api.example"}, {"/v1/%74hings/77", "API.example:80"}, {"/v1/things/77", "api.example."},
	} {
		r := get(spelling.target)
		r.Host = spelling.host
		w := httptest.NewRecorder()
		err := serve(app, w, r, func(http.ResponseWriter, *http.Request) error { return nil })
		if want := map[bool]int{true: 200, false: 429}[i == 0]; err != nil || w.Code != want {
			t.Errorf("%s on %s: %d %v, want %d", spelling.target, spelling.host, w.Code, err, want)
		}
	}
}

func TestHandleErrorsGetsTheStatusAndTheFields(t *testing.T) {
	app := smallApp(t)
	app.Refusals = refusalsHandleErrors
	app = mustProvision(t, app)
	w := httptest.NewRecorder()
	err := serve(app, w, httptest.NewRequest("GET", "http://other.example/", nil), nil)
	var handlerError caddyhttp.HandlerError
	if !errors.As(err, &handlerError) || handlerError.StatusCode != 421 || w.Header().Get("Cache-Control") != "no-store" || w.Body.Len() != 0 {
		t.Errorf("%v %v %q", err, w.Header(), w.Body)
	}
}

// The writer must not hide what handlers below it need: early hints, flushing,
// hijacking, deadlines.
func TestResponseWriterLeavesStreamsAndUpgradesAlone(t *testing.T) {
	app := smallApp(t)
	app.API[0].Version[0].Deprecated = "2020-01-01"
	app = mustProvision(t, app)
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		r.Host = "api.example"
		_ = serve(app, w, r, func(w http.ResponseWriter, r *http.Request) error {
			control := http.NewResponseController(w)
			switch r.URL.RawQuery {
			case "q=101":
				w.WriteHeader(http.StatusSwitchingProtocols)
				conn, buffered, err := control.Hijack()
				if err != nil {
					return err
				}
				_, _ = buffered.WriteString("tunnel")
				_ = buffered.Flush()
				return conn.Close()
			case "q=103":
				w.Header().Set("Link", "</a.css>; rel=preload")
				w.WriteHeader(http.StatusEarlyHints)
				w.WriteHeader(http.StatusAccepted)
			case "q=f":
				if err := control.Flush(); err != nil {
					return err
				}
				_, _ = io.WriteString(w, "after")
			case "q=rf":
				_, _ = w.(io.ReaderFrom).ReadFrom(strings.NewReader("file"))
			}
			return nil
		})
	}))
	defer server.Close()

	for query, want := range map[string]struct {
		status int
		body   string
	}{"q=103": {202, ""}, "q=f": {200, "after"}, "q=rf": {200, "file"}, "q=no": {200, ""}} {
		res, err := http.Get(server.URL + "/v1/things/7?" + query)
		if err != nil {
			t.Fatal(err)
		}
		body, _ := io.ReadAll(res.Body)
		res.Body.Close()
		if res.StatusCode != want.status || string(body) != want.body || res.Header.Get("Deprecation") == "" {
			t.Errorf("%s: %d %q %v", query, res.StatusCode, body, res.Header)
		}
	}

	conn, err := new(net.Dialer).DialContext(context.Background(), "tcp", server.Listener.Addr().String())
	if err != nil {
		t.Fatal(err)
	}
	defer conn.Close()
	fmt.Fprint(conn, "GET /v1/things/7?q=101 HTTP/1.1\r\nHost: x\r\n\r\n")
	answer := bufio.NewReader(conn)
	res, err := http.ReadResponse(answer, nil)
	if err != nil || res.StatusCode != 101 || res.Header.Get("Deprecation") == "" {
		t.Fatalf("%v %v", res, err)
	}
	if rest, _ := io.ReadAll(answer); string(rest) != "tunnel" {
		t.Errorf("the tunnel says %q", rest)
	}
}

func TestRedirectsThatSayNothingAboutTheRoute(t *testing.T) {
	for location, want := range map[string]bool{
		"/v2/orders/7": true, "orders/7": true,
		"": false, "/v1/x/": false, "/v1/x": false, "https://other.example/v1/x": false,
		"/login?next=/v1/x": false, "/users/sign_in": false, "//other.example/a": false, "?page=2": false,
	} {
		if got := leadsElsewhere(location, "/v1/x"); got != want {
			t.Errorf("%q: %v", location, got)
		}
	}
}

func TestTwoGuardsInOneChainJudgeOnce(t *testing.T) {
	app := smallApp(t)
	app.Policy = &Policy{Rules: Rules{UnknownRoute: "enforce", Limit: []*Limit{{Name: "two", Rate: "2/1h"}}}}
	app = mustProvision(t, app)
	call := func(client string, between func(*http.Request)) error {
		r := get("/v1/things/%37")
		r.RemoteAddr = client + ":1234"
		w := httptest.NewRecorder()
		err := serve(app, w, r, func(w http.ResponseWriter, r *http.Request) error {
			if between != nil {
				between(r)
			}
			inner := &Handler{app: app}
			// Handlers between them wrap the writer, as encode does.
			return inner.ServeHTTP(&caddyhttp.ResponseWriterWrapper{ResponseWriter: w}, r, caddyhttp.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) error {
				_, err := io.WriteString(w, "served")
				return err
			}))
		})
		if w.Body.String() != "served" && err == nil {
			err = errors.New(w.Body.String())
		}
		return err
	}
	for range 2 {
		if err := call("192.0.2.1", nil); err != nil {
			t.Fatalf("of two an hour one was refused: %v", err)
		}
	}
	if err := call("192.0.2.1", nil); err == nil || !strings.Contains(err.Error(), "quota-exceeded") {
		t.Errorf("the third: %v", err)
	}
	// What was rewritten in between is another target.
	err := call("192.0.2.2", func(r *http.Request) {
		r.URL.Path, r.RequestURI = "/v1/admin", "/v1/admin"
	})
	if err == nil || !strings.Contains(err.Error(), "unknown-route") {
		t.Errorf("a target that nobody judged: %v", err)
	}
}

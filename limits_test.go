package apiguard

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"

	"github.com/caddyserver/caddy/v2"
	"github.com/caddyserver/caddy/v2/modules/caddyhttp"
)

// limitedApp is smallApp with one limit.
func limitedApp(t testing.TB, limits ...*Limit) *App {
	app := smallApp(t)
	app.Policy = &Policy{Rules: Rules{Limit: limits, Upgrade: "off"}}
	return mustProvision(t, app)
}

// withoutMidnight is for quotas that must not begin anew while a test runs: the calendar
// of the apps that it provisions, as of the one that is given, stands still.
func withoutMidnight(t testing.TB, app *App) {
	t.Helper()
	_, loaded, err := pool.LoadOrNew(poolKey, func() (caddy.Destructor, error) {
		return newShared(app, func() time.Time { return time.Date(2026, 11, 30, 12, 0, 0, 0, time.UTC) })
	})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := releaseShared(); err != nil {
			t.Error(err)
		}
	})
	if loaded {
		t.Fatal("the state of another app")
	}
}

// hijackable is a writer that may be taken over, as for a WebSocket.
type hijackable struct{ *httptest.ResponseRecorder }

func (hijackable) WriteHeader(int) {}

// The ends that an exchange may have, a thousand times each: nothing stays pending
// and no request stays counted as running.
func TestNothingIsPendingHoweverAThousandExchangesEnd(t *testing.T) {
	for name, c := range map[string]struct {
		next  func(w http.ResponseWriter, r *http.Request) error
		fails bool
	}{
		"an answer":          {func(w http.ResponseWriter, _ *http.Request) error { w.WriteHeader(200); return nil }, false},
		"a refusal upstream": {func(w http.ResponseWriter, _ *http.Request) error { w.WriteHeader(403); return nil }, true},
		"hints and an answer": {func(w http.ResponseWriter, _ *http.Request) error {
			w.WriteHeader(http.StatusEarlyHints)
			w.WriteHeader(http.StatusProcessing)
			w.WriteHeader(200)
			return nil
		}, false},
		"hints alone, then a panic": {func(w http.ResponseWriter, _ *http.Request) error {
			w.WriteHeader(http.StatusEarlyHints)
			panic(http.ErrAbortHandler)
		}, true},
		"a WebSocket":                                {func(w http.ResponseWriter, _ *http.Request) error { w.WriteHeader(101); return nil }, false},
		"a panic":                                    {func(http.ResponseWriter, *http.Request) error { panic("broken") }, true},
		"a panic after the header":                   {func(w http.ResponseWriter, _ *http.Request) error { w.WriteHeader(200); panic("broken") }, false},
		"an upstream that is down":                   {func(http.ResponseWriter, *http.Request) error { return caddyhttp.Error(502, errors.New("refused")) }, true},
		"a client that went away":                    {func(http.ResponseWriter, *http.Request) error { return caddyhttp.Error(499, context.Canceled) }, true},
		"a client that went away, said as an answer": {func(w http.ResponseWriter, _ *http.Request) error { w.WriteHeader(499); return nil }, true},
		"an error of a route below":                  {func(http.ResponseWriter, *http.Request) error { return caddyhttp.Error(404, errors.New("none")) }, false},
		"a 401 of a route below":                     {func(http.ResponseWriter, *http.Request) error { return caddyhttp.Error(401, errors.New("none")) }, true},
		"an error without a status":                  {func(http.ResponseWriter, *http.Request) error { return io.ErrUnexpectedEOF }, true},
		"nothing at all":                             {func(http.ResponseWriter, *http.Request) error { return nil }, false},
	} {
		t.Run(name, func(t *testing.T) {
			app := limitedApp(t, &Limit{Name: "guesses", Rate: "5000/1h", Count: "failures", Concurrency: 1})
			for range 1000 {
				func() {
					defer func() { _ = recover() }()
					_ = serve(app, hijackable{httptest.NewRecorder()}, get("/v1/things/7"), c.next)
				}()
			}
			if n := app.shared.table.Stats().Held; n != 0 {
				t.Errorf("%d are held", n)
			}
			want := 0
			if c.fails {
				want = 1000
			}
			buckets, err := app.now.Load().policy.Buckets("guesses", "", "", []string{"192.0.2.1"})
			if err != nil || buckets[0].Used != want {
				t.Errorf("%d count as failures, want %d; %v", buckets[0].Used, want, err)
			}
			if _, err := app.now.Load().policy.Forget("guesses", "", "", []string{"192.0.2.1"}); err != nil {
				t.Fatal(err)
			}
		})
	}
}

// A client that sees a wrong guess refused may send the next one at once: by then
// the first one is charged, whether upstream flushes or not.
func TestAFailureIsChargedBeforeTheClientSeesIt(t *testing.T) {
	app := limitedApp(t, &Limit{Name: "guesses", Rate: "1/1h", Count: "failures"})
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		r.Host = "api.example"
		_ = serve(app, w, r, func(w http.ResponseWriter, _ *http.Request) error {
			w.WriteHeader(401)
			if err := http.NewResponseController(w).Flush(); err != nil {
				return err
			}
			<-r.Context().Done() // the answer never ends
			return nil
		})
	}))
	defer server.Close()
	for n, want := range []string{"HTTP/1.1 401", "HTTP/1.1 429"} {
		conn, err := net.Dial("tcp", server.Listener.Addr().String())
		if err != nil {
			t.Fatal(err)
		}
		defer conn.Close()
		_, _ = io.WriteString(conn, "GET /v1/things/7 HTTP/1.1\r\nHost: x\r\n\r\n")
		head := make([]byte, len(want))
		if _, err := io.ReadFull(conn, head); err != nil || string(head) != want {
			t.Fatalf("guess %d: %q %v, want %q", n+1, head, err, want)
		}
	}
}

func TestABodyReadForAKeyReachesTheNextHandlerByteForByte(t *testing.T) {
	for _, announced := range []bool{true, false} {
		t.Run(fmt.Sprint("announced ", announced), func(t *testing.T) {
			app := smallApp(t)
			app.Policy = &Policy{Rules: Rules{
				Request: &RequestRule{MaxBody: 16},
				Limit:   []*Limit{{Name: "account", Rate: "1/1h", Operations: []string{"putThing"}, Key: []string{"{http.api_guard.body./n}"}}},
			}}
			app = mustProvision(t, app)
			for _, c := range []struct {
				name, body string
				status     int
			}{
				{"conforms", `{"n":1}`, 200},
				{"the same account", `{"n": 1.0}`, 429},
				{"another one", `{"n":2}`, 200},
				{"too large", `{"n":3          }`, 413},
				{"too large again, in the shared bucket", `{"n":4          }`, 429},
			} {
				r := put("/v1/things/7", c.body)
				if !announced {
					r.ContentLength = -1
				}
				w := httptest.NewRecorder()
				var got string
				err := serve(app, w, r, func(w http.ResponseWriter, r *http.Request) error {
					body, err := io.ReadAll(r.Body)
					got = string(body)
					w.WriteHeader(200)
					return err
				})
				if err != nil || w.Code != c.status || w.Code == 200 && got != c.body {
					t.Errorf("%s: %d %q %v", c.name, w.Code, got, err)
				}
			}
		})
	}
}

func TestAMonitoredBodyReadForAKeyStillStreams(t *testing.T) {
	app := smallApp(t)
	app.Policy = &Policy{Rules: Rules{
		Request: &RequestRule{Mode: "off", MaxBody: 4},
		Limit:   []*Limit{{Name: "account", Rate: "9/1h", Operations: []string{"putThing"}, Key: []string{"{http.api_guard.body./n}"}}},
	}}
	app = mustProvision(t, app)
	long := strings.Repeat("x", 100)
	r := put("/v1/things/7", long)
	r.ContentLength = -1
	var got []byte
	err := serve(app, httptest.NewRecorder(), r, func(_ http.ResponseWriter, r *http.Request) (err error) {
		got, err = io.ReadAll(r.Body)
		return err
	})
	if err != nil || !bytes.Equal(got, []byte(long)) {
		t.Errorf("next got %d bytes, %v", len(got), err)
	}
}

func TestTheAdminAnswersForABucketAndListsNoKeys(t *testing.T) {
	app := limitedApp(t, &Limit{Name: "guesses", Rate: "5/1m", Count: "failures", Statuses: []int{422}, Penalty: "15m", Headers: "off"})
	r := get("/v1/things/7")
	r.Header.Set("X-Secret", "needle")
	_ = serve(app, httptest.NewRecorder(), r, func(w http.ResponseWriter, _ *http.Request) error { w.WriteHeader(422); return nil })
	ask := func(method, target string) (int, string) {
		w := httptest.NewRecorder()
		err := new(Admin).serve(w, httptest.NewRequest(method, target, nil))
		var status interface{ Error() string }
		if errors.As(err, &status) {
			text, _ := json.Marshal(err)
			return 0, string(text) + err.Error()
		}
		return w.Code, w.Body.String()
	}
	for _, c := range []struct {
		method, target string
		want           string
	}{
		{"GET", "/api_guard/limits", `"limit":"guesses","api":"things","key":["{client_ip}"],"rate":"5/1m","algorithm":"window","count":"failures","statuses":[422],"penalty":"15m","protect":false,"headers":false,"mode":"enforce"`},
		{"GET", "/api_guard/limits?limit=guesses&key=192.0.2.1", `"used":1,"remaining":4,"pending":0`},
		{"GET", "/api_guard/limits?limit=guesses&key=192.0.2.77", `"used":0,"remaining":5`},
		{"GET", "/api_guard/limits?limit=none&key=192.0.2.1", "there is no limit"},
		{"GET", "/api_guard/limits?limit=guesses", "give key once"},
		{"GET", "/api_guard/limits?key=192.0.2.1", "give limit, and key"},
		{"DELETE", "/api_guard/limits?limit=guesses", "give key once"},
		{"GET", "/api_guard/limits?limit=guesses&key=192.0.2.1&key=b", "give key once"},
		{"GET", "/api_guard/limits?limits=guesses", "unknown query parameter"},
		{"POST", "/api_guard/limits?limit=guesses&key=192.0.2.1", "GET and DELETE only"},
		{"DELETE", "/api_guard/limits?limit=guesses&key=192.0.2.1", `{"forgotten":1}`},
		{"GET", "/api_guard/limits?limit=guesses&key=192.0.2.1", `"used":0,"remaining":5`},
		{"DELETE", "/api_guard/limits", "give limit, and key"},
	} {
		if _, body := ask(c.method, c.target); !strings.Contains(body, c.want) {
			t.Errorf("%s %s: %s, want %s", c.method, c.target, body, c.want)
		}
	}
}

// In JSON as in a Caddyfile: nobody else would expand it, and all clients would share
// one bucket.
func TestAShortPlaceholderInAKeyIsEachClientsOwn(t *testing.T) {
	for i, key := range []string{"{remote_host}", "{http.request.remote.host}", "{header.X-Tenant}", "{query.tenant}", "a{cookie.tenant}"} {
		app := limitedApp(t, &Limit{Name: fmt.Sprint("each", i), Rate: "1/1h", Key: []string{key}})
		ask := func(client, tenant string) int {
			r, w := get("/v1/things/7?tenant="+tenant), httptest.NewRecorder()
			r.RemoteAddr = client + ":1234"
			r.Header = http.Header{"X-Tenant": {tenant}, "Cookie": {"tenant=" + tenant}}
			_ = serve(app, w, r, func(w http.ResponseWriter, _ *http.Request) error { w.WriteHeader(200); return nil })
			return w.Code
		}
		if first, other, again := ask("192.0.2.1", "one"), ask("192.0.2.2", "two"), ask("192.0.2.1", "one"); first != 200 || other != 200 || again != 429 {
			t.Errorf("%s: the first client got %d, another one %d, the first one again %d", key, first, other, again)
		}
	}
}

// A policy's limit on METHOD /template binds in each API that has the operation, as an
// API's own does: however a document calls the template's parameters.
func TestALimitOfThePolicyBindsWhateverParametersAreCalled(t *testing.T) {
	app := smallApp(t)
	other := writeDocument(t, strings.ReplaceAll(smallDocument, "id", "number"))
	app.API = append(app.API, &API{Name: "other", Version: []*Version{{Name: "v1", Hosts: []string{"other.example"}, Spec: []string{other}}}})
	app.Policy = &Policy{Rules: Rules{Limit: []*Limit{
		{Name: "braces", Rate: "5/1m", Operations: []string{"GET /things/{any}"}},
		{Name: "head", Rate: "5/1m", Operations: []string{"HEAD /things/{id}"}},
		{Name: "id", Rate: "5/1m", Operations: []string{"getThing", "GET /things/{id}"}},
	}}}
	bound := map[string]int{}
	for _, l := range mustProvision(t, app).now.Load().policy.Limits() {
		bound[l.Limit+" "+l.API]++
	}
	for _, name := range []string{"braces", "head", "id"} {
		for _, api := range []string{"things", "other"} {
			if bound[name+" "+api] != 1 {
				t.Errorf("limit %s binds %d times in %s: %v", name, bound[name+" "+api], api, bound)
			}
		}
	}
	app.Policy.Limit = []*Limit{{Name: "post", Rate: "5/1m", Operations: []string{"POST /things/{id}"}}}
	if _, err := provision(t, app); err == nil || !strings.Contains(err.Error(), "did you mean") {
		t.Errorf("the twin with a method that no document has: %v", err)
	}
}

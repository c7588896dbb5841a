package caddytest

import (
	"bufio"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"

	"github.com/caddyserver/caddy/v2"
	"github.com/caddyserver/caddy/v2/caddyconfig/httpcaddyfile"
	"github.com/caddyserver/caddy/v2/modules/caddyhttp"

	"github.com/apiguard/caddy-api-guard/caddytest/internal/harness"
	"github.com/apiguard/caddy-api-guard/internal/freeport"
)

func init() {
	caddy.RegisterModule(new(breaking))
	httpcaddyfile.RegisterHandlerDirective("test_breaking", func(httpcaddyfile.Helper) (caddyhttp.MiddlewareHandler, error) {
		return new(breaking), nil
	})
}

// breaking is a handler that panics in the middle of a call of gRPC-Web, where the field
// X-Break says so. It does as reverse_proxy, of which nothing stands in the log.
type breaking struct{}

func (*breaking) CaddyModule() caddy.ModuleInfo {
	return caddy.ModuleInfo{ID: "http.handlers.test_breaking", New: func() caddy.Module { return new(breaking) }}
}

func (*breaking) ServeHTTP(w http.ResponseWriter, r *http.Request, _ caddyhttp.Handler) error {
	where := r.Header.Get("X-Break")
	if where == "at once" {
		panic(http.ErrAbortHandler)
	}
	w.Header().Set("Content-Type", "application/grpc-web")
	if status, ok := strings.CutPrefix(where, "with status "); ok {
		w.Header().Set("Grpc-Status", status)
	}
	w.WriteHeader(http.StatusOK)
	switch where {
	case "within the frame of trailers":
		_, _ = io.WriteString(w, "\x80\x00\x00\x00\x0fgrpc-st")
	case "after a message":
		_, _ = io.WriteString(w, "\x00\x00\x00\x00\x02ok")
	}
	_ = http.NewResponseController(w).Flush()
	panic(http.ErrAbortHandler)
}

func webCall() (harness.Call, string) {
	return as(send("POST", "api.example.com", "/codes.Codes/Check", "application/grpc-web+proto", "\x00\x00\x00\x00\x02ok"))
}

func TestAHandlerThatPanicsWithinACallLeavesNothingPending(t *testing.T) {
	t.Parallel()
	for _, response := range []string{"enforce", "off"} {
		caddy := harness.Start(t, harness.Config{
			Guard: strings.ReplaceAll(strings.ReplaceAll(callsGuard, "<unknown>", "enforce"), "response enforce", "response "+response),
			Sites: strings.ReplaceAll(sites, "import guarded", "log\nroute {\napi_guard\ntest_breaking\n}"),
			Files: map[string]string{"codes.json": callsDocument},
		})
		calls := 0
		for where, used := range map[string]int{
			"at once": 1, "behind the head": 1, "within the frame of trailers": 1,
			"after a message": 0, "with status 0": 0, "with status 16": 1,
		} {
			call, client := webCall()
			_ = over(t, caddy, "api.example.com", string(call.With("X-Break", where).Wire()))
			wantNothingPending(t, caddy, client)
			if b := counted(t, caddy, "guesses", client); b.Used != used {
				t.Errorf("response %s, %s: the bucket is %+v, want %d used", response, where, b, used)
			}
			calls++
		}
		// Each is in the inventory, the one without an answer too.
		harness.Await(t, "the calls in the inventory", func() (string, bool) {
			r := awaitRoute(t, caddy, "/api_guard/routes?host=api.example.com", "api.example.com", "POST", "/codes.Codes/Check")
			return fmt.Sprint(r), r.Count == calls && r.Statuses["none"] == 3 && r.Statuses["4xx"] == 1 && r.Statuses["2xx"] == 2
		})
	}
}

func TestACallWithoutAnUpstreamIsAFailureAndNotPending(t *testing.T) {
	t.Parallel()
	nowhere := "127.0.0.1:" + freeport.Reserve(t) // no name server either: that of the machine might let it wait
	for _, proxy := range []string{"reverse_proxy h2c://" + nowhere, "reverse_proxy {\ndynamic a {\nname nowhere.invalid\nport 80\nresolvers " + nowhere + "\n}\n}", "reverse_proxy"} {
		caddy := harness.Start(t, harness.Config{
			Guard: strings.ReplaceAll(callsGuard, "<unknown>", "enforce"),
			Sites: strings.ReplaceAll(sites, "import guarded", "log\napi_guard\n"+proxy),
			Files: map[string]string{"codes.json": callsDocument},
		})
		for name, do := range protocols(caddy) {
			call, client := webCall()
			for n := 1; n <= 3; n++ {
				if got := do(t, call); got.Status != 502 && got.Status != 503 {
					t.Errorf("%s, %s: %v", proxy, name, got)
				}
				wantNothingPending(t, caddy, client)
				if b := counted(t, caddy, "guesses", client); b.Used != n {
					t.Errorf("%s, %s: after %d calls the bucket is %+v", proxy, name, n, b)
				}
			}
			if got := do(t, call); got.Status != 429 {
				t.Errorf("%s, %s: the fourth: %v", proxy, name, got)
			}
		}
	}
}

// A client that does not read holds a call up, for as long as it likes: what is known of it
// is settled by what upstream said, and the rest when one of them goes.
func TestAClientThatReadsSlowlyHoldsUpNoMoreThanItsOwnCall(t *testing.T) {
	t.Parallel()
	const size = 32 << 20 // more than sockets, proxy and server hold
	filler := strings.Repeat("x-a: 0123456789\r\n", 1<<10)
	up := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		w.Header().Set("Content-Type", "application/grpc-web")
		last, n := "grpc-status: "+r.Header.Get("X-Status")+"\r\n", 0
		if r.Header.Get("X-First") == "message" {
			_, _ = io.WriteString(w, "\x00\x00\x00\x00\x02ok\x80"+string([]byte{0, 0, 0, 0}))
		} else {
			n = (size/len(filler) + 1) * len(filler)
			all := n + len(last)
			_, _ = w.Write([]byte{0x80, byte(all >> 24), byte(all >> 16), byte(all >> 8), byte(all)})
		}
		for sent := 0; sent < size; sent += len(filler) {
			if _, err := io.WriteString(w, filler); err != nil {
				return
			}
		}
		_, _ = io.WriteString(w, last)
	}))
	t.Cleanup(up.Close)
	caddy := harness.Start(t, harness.Config{
		Guard: strings.ReplaceAll(callsGuard, "<unknown>", "enforce"),
		Sites: strings.ReplaceAll(sites, "import guarded", "log\napi_guard\nreverse_proxy "+up.URL),
		Files: map[string]string{"codes.json": callsDocument},
	})
	for _, row := range []struct {
		first, status string
		reads         bool // in the end, else it goes
		pending, used int
	}{
		{"message", "16", false, 0, 0},
		{"message", "16", true, 0, 0},
		{"trailers", "0", false, 1, 1},
		{"trailers", "0", true, 1, 0},
		{"trailers", "16", true, 1, 1},
	} {
		call, client := webCall()
		conn, err := net.Dial("tcp", caddy.HTTP)
		if err != nil {
			t.Fatal(err)
		}
		defer conn.Close()
		_ = conn.SetDeadline(time.Now().Add(time.Minute))
		if _, err := conn.Write(call.With("X-First", row.first).With("X-Status", row.status).Wire()); err != nil {
			t.Fatal(err)
		}
		in := bufio.NewReaderSize(conn, 16)
		resp, err := http.ReadResponse(in, nil)
		if err != nil || resp.StatusCode != 200 {
			t.Fatalf("%+v: %v, %v", row, resp, err)
		}
		harness.Await(t, "what upstream has said to count", func() (string, bool) {
			b := counted(t, caddy, "guesses", client)
			return fmt.Sprintf("%+v", b), b.Pending == row.pending && *b.Concurrent == 1 && b.Used == 0
		})
		if row.reads {
			if n, err := io.Copy(io.Discard, resp.Body); err != nil || n < size {
				t.Errorf("%+v: it reads %d bytes, %v", row, n, err)
			}
		}
		_ = conn.Close()
		wantNothingPending(t, caddy, client)
		if b := counted(t, caddy, "guesses", client); b.Used != row.used {
			t.Errorf("%+v: in the end the bucket is %+v", row, b)
		}
	}
}

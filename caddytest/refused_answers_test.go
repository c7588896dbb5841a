package caddytest

import (
	"fmt"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync/atomic"
	"testing"

	"github.com/apiguard/caddy-api-guard/caddytest/internal/harness"
)

// Who is refused an answer must not wait for the end of it, and neither may upstream go
// on with it: a stream has none.
func TestAnAnswerThatIsRefusedByItsHeadEndsAtOnce(t *testing.T) {
	t.Parallel()
	var open atomic.Int64
	up := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		open.Add(1)
		defer open.Add(-1)
		how := strings.Fields(r.Header.Get("X-How"))
		w.Header().Set("Content-Type", how[0])
		flush := http.NewResponseController(w).Flush
		_ = flush()
		switch how[1] {
		case "silent":
			<-r.Context().Done()
		case "once":
			_, _ = io.WriteString(w, "data: 1\n\n")
			_ = flush()
			<-r.Context().Done()
		case "forever":
			for piece := []byte(strings.Repeat("data: 1\n\n", 1000)); ; {
				if _, err := w.Write(piece); err != nil {
					return
				}
			}
		case "end":
			_, _ = io.WriteString(w, `{"id":1}`)
		}
	}))
	t.Cleanup(up.Close)
	_, port, _ := net.SplitHostPort(up.Listener.Addr().String())
	for refusals, problem := range map[string]bool{"direct": true, "handle_errors": false} {
		caddy := harness.Start(t, harness.Config{
			Guard: "refusals " + refusals + "\npolicy {\nresponse enforce\nlimit guesses {\nrate 1000/1h\ncount failures\nconcurrency 10\n}\n}\napi accounts {\nversion v1 {\nhosts api.example.com\nspec accounts.yaml\n}\n}\n",
			Sites: strings.ReplaceAll(sites, "import guarded", "log\napi_guard\nreverse_proxy 127.0.0.1:"+port),
			Files: map[string]string{"accounts.yaml": accounts},
		})
		client := harness.NewClient()
		for proto, c := range clientsOf(t, caddy) {
			for how, status := range map[string]int{
				"text/html silent": 502, "text/html once": 502, "text/html forever": 502, "text/html end": 502,
				"text/event-stream once": 200, "application/json end": 200,
			} {
				target := strings.TrimSuffix(base(proto), "/v2") + "/account"
				request, err := http.NewRequestWithContext(t.Context(), "GET", target, nil)
				if err != nil {
					t.Fatal(err)
				}
				request.Header = http.Header{"X-How": {how}, "X-Forwarded-For": {client}}
				resp, err := c.Do(request)
				if err != nil {
					t.Fatalf("%s %s %s: %v", refusals, proto, how, err)
				}
				begin := make([]byte, 8)
				n, err := io.ReadFull(resp.Body, begin)
				if resp.StatusCode != status || status == 200 && err != nil {
					t.Errorf("%s %s %s: status %d, %q, %v", refusals, proto, how, resp.StatusCode, begin[:n], err)
				}
				if rest, err := io.ReadAll(io.LimitReader(resp.Body, map[bool]int64{true: 1 << 20}[status != 200])); status != 200 &&
					(err != nil || strings.Contains(string(begin[:n])+string(rest), "response-invalid") != problem) {
					t.Errorf("%s %s %s: %q, %v", refusals, proto, how, string(begin[:n])+string(rest), err)
				}
				_ = resp.Body.Close()
			}
		}
		wantNothingPending(t, caddy, client)
		harness.Await(t, "upstream to be through", func() (string, bool) {
			return fmt.Sprint(open.Load(), " are open"), open.Load() == 0
		})
	}
}

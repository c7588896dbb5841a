package apiguard

import (
	"errors"
	"io"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"

	"github.com/caddyserver/caddy/v2/modules/caddyhttp"

	"github.com/apiguard/caddy-api-guard/inventory"
)

// answeringApp is smallApp with answers in its document, judged in the given mode
// up to 32 bytes.
func answeringApp(t testing.TB, mode string) *App {
	t.Helper()
	document := strings.Replace(smallDocument, `"responses":{"200":{"description":"ok"}}}`,
		`"responses":{"200":{"description":"ok","content":{"application/json":{"schema":{"type":"object","properties":{"n":{"type":"integer"}}}},"text/plain":{}}}}}`, 1)
	app := smallApp(t)
	app.API[0].Version[0].Spec = []string{writeDocument(t, document)}
	app.Policy = &Policy{Rules: Rules{Response: &ResponseRule{Mode: mode, MaxBody: 32}}}
	return mustProvision(t, app)
}

// readFrom counts the calls of ReadFrom on the writer that stands for the server's.
type readFrom struct {
	*httptest.ResponseRecorder
	bytes int64
}

func (r *readFrom) ReadFrom(from io.Reader) (int64, error) {
	n, err := io.Copy(r.ResponseRecorder, from)
	r.bytes += n
	return n, err
}

func TestWhatIsNotLookedAtIsCopiedByTheServerItself(t *testing.T) {
	const large = `{"n":1,"m":"a long text that is over the cap"}`
	for _, c := range []struct {
		name, mode, mediaType, body string
		status                      int
		direct                      int // bytes that the server's ReadFrom must have taken
	}{
		{"not judged", "enforce", "text/plain", large, 200, len(large)},
		{"watched", "monitor", "application/json", `{"n":1}`, 200, 0},
		{"held", "enforce", "application/json", `{"n":1}`, 200, 0},
		{"watched, over the cap", "monitor", "application/json", large, 200, len(large) - 33},
		{"held, over the cap", "enforce", "application/json", large, 200, len(large) - 33},
		{"watched and wrong", "monitor", "application/json", `{"n":"1"}`, 200, 0},
		{"held and wrong", "enforce", "application/json", `{"n":"1"}`, 502, 0},
		{"refused by its head", "enforce", "text/html", large, 502, 0},
	} {
		t.Run(c.name, func(t *testing.T) {
			w := &readFrom{ResponseRecorder: httptest.NewRecorder()}
			app := answeringApp(t, c.mode)
			app.shared.inventory.Sample(inventory.Sampling{})
			t.Cleanup(func() { app.shared.inventory.Sample(inventory.DefaultSampling) })
			err := serve(app, w, get("/v1/things/7"), func(w http.ResponseWriter, _ *http.Request) error {
				w.Header().Set("Content-Type", c.mediaType)
				n, err := w.(io.ReaderFrom).ReadFrom(strings.NewReader(c.body))
				taken := int64(len(c.body))
				if c.name == "refused by its head" { // nobody wants it
					taken = 0
				}
				if n != taken || (err != nil) != (taken == 0) {
					t.Errorf("ReadFrom says %d, %v, want %d", n, err, taken)
				}
				return err
			})
			if err != nil || w.Code != c.status || c.status == 200 && w.Body.String() != c.body || w.bytes != int64(c.direct) {
				t.Errorf("%d %v %q, %d bytes directly", w.Code, err, w.Body, w.bytes)
			}
		})
	}
}

func TestAHeldAnswerGoesOutAsItWasBegun(t *testing.T) {
	w := httptest.NewRecorder()
	err := serve(answeringApp(t, "enforce"), w, get("/v1/things/7"), func(w http.ResponseWriter, _ *http.Request) error {
		h := w.Header()
		h.Set("Content-Type", "application/json")
		h.Set("X-Early", "1")
		w.WriteHeader(http.StatusOK)
		w.WriteHeader(http.StatusTeapot) // superfluous, as without the guard
		h.Set("X-Late", "1")
		h.Set(http.TrailerPrefix+"X-Sum", "42")
		for _, piece := range []string{`{"n"`, `:1}`} {
			if _, err := io.WriteString(w, piece); err != nil {
				return err
			}
			if err := http.NewResponseController(w).Flush(); err != nil {
				return err
			}
		}
		return nil
	})
	got := w.Result()
	if err != nil || got.StatusCode != 200 || w.Body.String() != `{"n":1}` || got.Header.Get("X-Early") != "1" || got.Header.Get("X-Late") != "" {
		t.Errorf("%v %d %v %q", err, got.StatusCode, got.Header, w.Body)
	}
	if got.Trailer.Get("X-Sum") != "42" {
		t.Errorf("trailer %v", got.Trailer)
	}
}

func TestARefusedAnswerLeavesNothingOfItsHeader(t *testing.T) {
	for _, refusals := range []string{refusalsDirect, refusalsHandleErrors} {
		app := answeringApp(t, "enforce")
		app.Refusals = refusals
		w := httptest.NewRecorder()
		w.Header().Set("Server", "Caddy")
		err := serve(app, w, get("/v1/things/7"), func(w http.ResponseWriter, _ *http.Request) error {
			h := w.Header()
			h.Set("Server", "Secret/1.0")
			h.Set("Set-Cookie", "a=b")
			h.Set("Content-Type", "application/json")
			h.Set("Content-Length", "9")
			_, err := io.WriteString(w, `{"n":"1"}`)
			return err
		})
		h := w.Header()
		if h.Get("Server") != "Caddy" || h.Get("Set-Cookie") != "" || strings.Contains(w.Body.String(), `"1"`) {
			t.Errorf("%s: %v %s", refusals, h, w.Body)
		}
		var handlerError caddyhttp.HandlerError
		switch refusals {
		case refusalsDirect:
			if err != nil || w.Code != 502 || !strings.Contains(w.Body.String(), "response-invalid") {
				t.Errorf("%v %d %s", err, w.Code, w.Body)
			}
		default:
			if !errors.As(err, &handlerError) || handlerError.StatusCode != 502 || w.Body.Len() > 0 {
				t.Errorf("%v %d %s", err, w.Code, w.Body)
			}
		}
	}
}

func TestAnAnswerThatEndsEarlyIsNotJudged(t *testing.T) {
	failed := errors.New("upstream went away")
	for _, c := range []struct {
		name   string
		length string
		err    error
		panics bool // as reverse_proxy does when upstream breaks off
	}{
		{"fewer bytes than announced", "20", nil, false},
		{"an error", "", failed, false},
		{"an abort", "", nil, true},
	} {
		for _, mode := range []string{"monitor", "enforce"} {
			app := answeringApp(t, mode)
			before := app.shared.metrics.unchecked["response-incomplete"].Load()
			w := httptest.NewRecorder()
			held := c.panics && mode == "enforce" // the client has seen nothing: it gets an error
			func() {
				defer func() {
					if p := recover(); (p != nil) != (c.panics && !held) {
						t.Errorf("%s: panic %v", c.name, p)
					}
				}()
				err := serve(app, w, get("/v1/things/7"), func(w http.ResponseWriter, _ *http.Request) error {
					w.Header().Set("Content-Type", "application/json")
					if c.length != "" {
						w.Header().Set("Content-Length", c.length)
					}
					_, _ = io.WriteString(w, `{"n":"1"`)
					if c.panics {
						panic(http.ErrAbortHandler)
					}
					return c.err
				})
				if held && unansweredStatus(err) != 502 || !held && !errors.Is(err, c.err) {
					t.Errorf("%s, %s: %v", c.name, mode, err)
				}
			}()
			if n := app.shared.metrics.unchecked["response-incomplete"].Load() - before; n != 1 {
				t.Errorf("%s, %s: counted %d times", c.name, mode, n)
			}
			if want := `{"n":"1"`; held && (w.Body.Len() > 0 || len(w.Header()) > 0) || !held && w.Body.String() != want {
				t.Errorf("%s, %s: the client got %v %q", c.name, mode, w.Header(), w.Body)
			}
		}
	}
}

func TestARefusedAnswerIsRecordedWithTheStatusOfUpstream(t *testing.T) {
	app := answeringApp(t, "enforce")
	recorded := func() (good, bad, refused uint64) {
		list, err := app.shared.inventory.Routes(inventory.RouteQuery{Method: []string{"GET"}, Path: []string{"/v1/things/{id}"}})
		if err != nil || len(list.Items) != 1 {
			t.Fatal(err, len(list.Items))
		}
		e := list.Items[0]
		return e.Statuses["2xx"], e.Statuses["5xx"], e.Refused["response"]
	}
	good, bad, refused := recorded()
	w := httptest.NewRecorder()
	if err := serve(app, w, get("/v1/things/7"), func(w http.ResponseWriter, _ *http.Request) error {
		w.Header().Set("Content-Type", "application/json")
		_, err := io.WriteString(w, `[]`)
		return err
	}); err != nil || w.Code != 502 {
		t.Fatal(err, w.Code)
	}
	if g, b, r := recorded(); g != good+1 || b != bad || r != refused+1 {
		t.Errorf("2xx %d to %d, 5xx %d to %d, refused %d to %d", good, g, bad, b, refused, r)
	}
}

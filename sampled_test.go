package apiguard

import (
	"bytes"
	"io"
	"net/http"
	"net/http/httptest"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/apiguard/caddy-api-guard/inventory"
)

// startSampling starts an app whose samples look is shown.
func startSampling(t *testing.T, app *App, look func(*inventory.Sample)) {
	t.Helper()
	app.shared.inventory.OnSample(look)
	if err := app.Start(); err != nil {
		t.Fatal(err)
	}
	for !app.shared.inventory.Health().Running {
		time.Sleep(time.Millisecond)
	}
}

// startLooking starts an app that samples every request, and tells the statuses of those
// that are looked at.
func startLooking(t *testing.T) (*App, <-chan int) {
	t.Helper()
	app := mustProvision(t, smallApp(t))
	app.Inventory = &Inventory{File: inventoryMemory, Sample: "100% 1000"}
	looked := make(chan int, 300)
	startSampling(t, app, func(s *inventory.Sample) { looked <- s.Status })
	return app, looked
}

// serveNoContent has a request answered at once, by a status that no other one has.
func serveNoContent(t *testing.T, app *App) {
	t.Helper()
	if err := serve(app, httptest.NewRecorder(), put("/v1/things/7", `{"n":1}`), func(w http.ResponseWriter, _ *http.Request) error {
		w.WriteHeader(http.StatusNoContent)
		return nil
	}); err != nil {
		t.Fatal(err)
	}
}

func TestASampleIsWhatPassedInBothDirections(t *testing.T) {
	app := mustProvision(t, smallApp(t))
	got := make(chan string, 100)
	startSampling(t, app, func(s *inventory.Sample) {
		got <- string(s.Request.Body) + " " + s.Request.MediaType + " > " + string(s.Answer.Body) + " " + s.Answer.MediaType
	})
	w := httptest.NewRecorder()
	r := put("/v1/things/7", `{"n":1}`)
	err := serve(app, w, r, func(w http.ResponseWriter, r *http.Request) error {
		body, _ := io.ReadAll(r.Body)
		if string(body) != `{"n":1}` {
			t.Errorf("upstream got %q", body)
		}
		w.Header().Set("Content-Type", "application/json")
		_, err := io.WriteString(w, `{"id":7}`)
		return err
	})
	if err != nil || w.Body.String() != `{"id":7}` {
		t.Errorf("the client got %q, %v", w.Body, err)
	}
	select {
	case s := <-got:
		if want := `{"n":1} application/json > {"id":7} application/json`; s != want {
			t.Errorf("the sample is %q", s)
		}
	case <-time.After(time.Minute):
		t.Error("no sample")
	}
}

// As many samples as there are at a time: were those of answers that stay open held until
// their end, nothing else would be looked at in the end.
func TestAnswersThatStayOpenHoldNoSample(t *testing.T) {
	for name, head := range map[string]func(w http.ResponseWriter){
		"a tunnel": func(w http.ResponseWriter) { w.WriteHeader(http.StatusSwitchingProtocols) },
		"events": func(w http.ResponseWriter) {
			w.Header().Set("Content-Type", "text/event-stream; charset=utf-8")
			w.WriteHeader(http.StatusOK)
		},
		"a call of gRPC": func(w http.ResponseWriter) {
			w.Header().Set("Content-Type", "application/grpc+proto")
			_, _ = io.WriteString(w, "\x00\x00\x00\x00\x01a")
		},
		"a long answer to a slow client": func(w http.ResponseWriter) {
			w.Header().Set("Content-Type", "application/json")
			_, _ = w.Write(bytes.Repeat([]byte(" "), inventory.SampleBody+1))
		},
	} {
		t.Run(name, func(t *testing.T) {
			app, looked := startLooking(t)
			open, ended := make(chan struct{}), make(chan struct{})
			var serving sync.WaitGroup
			const tunnels = 130 // two more than samples there are
			for range tunnels {
				serving.Go(func() {
					_ = serve(app, httptest.NewRecorder(), put("/v1/things/7", `{"n":1}`), func(w http.ResponseWriter, _ *http.Request) error {
						head(w)
						open <- struct{}{}
						<-ended
						return nil
					})
				})
				<-open
				select {
				case <-looked:
				case <-time.After(time.Minute):
					t.Fatal("no sample of an answer that stays open")
				}
			}
			serveNoContent(t, app)
			if status := <-looked; status != http.StatusNoContent {
				t.Errorf("looked at a %d", status)
			}
			close(ended)
			serving.Wait()
			if n := len(looked); n != 0 {
				t.Errorf("%d were looked at twice", n)
			}
		})
	}
}

// Nor do those keep others from being looked at that get no answer, or one that a slow
// client does not take.
func TestRequestsThatAreNotAnsweredLeaveSamplesForOthers(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		app, looked := startLooking(t)
		open, ended := make(chan struct{}), make(chan struct{})
		var serving sync.WaitGroup
		const slow = 130
		for i := range slow {
			serving.Go(func() {
				_ = serve(app, httptest.NewRecorder(), put("/v1/things/7", `{"n":1}`), func(w http.ResponseWriter, _ *http.Request) error {
					if i%2 == 0 {
						_, _ = io.WriteString(w, "{")
					}
					open <- struct{}{}
					<-ended
					_, err := io.WriteString(w, "}")
					return err
				})
			})
			<-open
		}
		time.Sleep(6 * time.Second) // in the bubble's time
		serveNoContent(t, app)
		select {
		case status := <-looked:
			if status != http.StatusNoContent {
				t.Errorf("looked at a %d", status)
			}
		case <-time.After(time.Minute):
			t.Error("what was answered was not looked at")
		}
		close(ended)
		serving.Wait()
	})
}

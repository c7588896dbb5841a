package apiguard

import (
	"io"
	"net/http"
	"net/http/httptest"
	"testing"
	"time"

	"github.com/apiguard/caddy-api-guard/inventory"
)

func TestASampleIsWhatPassedInBothDirections(t *testing.T) {
	app := mustProvision(t, smallApp(t))
	got := make(chan string, 100)
	app.shared.inventory.OnSample(func(s *inventory.Sample) {
		got <- string(s.Request.Body) + " " + s.Request.MediaType + " > " + string(s.Answer.Body) + " " + s.Answer.MediaType
	})
	if err := app.Start(); err != nil {
		t.Fatal(err)
	}
	for app.shared.inventory.Health().Running == false {
		time.Sleep(time.Millisecond)
	}
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
	case <-time.After(10 * time.Second):
		t.Error("no sample")
	}
}

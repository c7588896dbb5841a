package apiguard

import (
	"encoding/json"
	"net/http"
	"net/http/httptest"
	"regexp"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"go.uber.org/zap"
)

// finer is a time with more than milliseconds.
var finer = regexp.MustCompile(`T\d\d:\d\d:\d\d\.\d{4,}`)

func TestTimesInAdminAnswersHaveMilliseconds(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		time.Sleep(1234567 * time.Nanosecond)
		o := newOverrides(zap.NewNop)
		added, err := o.add(monitorRequest(), time.Minute)
		if err != nil {
			t.Fatal(err)
		}
		text, err := json.Marshal(added)
		if err != nil || finer.Match(text) || strings.Count(string(text), ".001Z") != 2 {
			t.Errorf("%s, %v", text, err)
		}
		var read Override
		if err := json.Unmarshal(text, &read); err != nil || read.Until.Sub(read.Since.Time) != time.Minute {
			t.Errorf("read back: %+v, %v", read, err)
		}
		o.close()
	})
	app := mustProvision(t, smallApp(t))
	for _, path := range []string{"limits", "override", "apis", "hosts", "routes", "consumers", "findings", "flows", "plan", "health"} {
		w := httptest.NewRecorder()
		if err := app.serveAdmin(w, httptest.NewRequest(http.MethodGet, adminPrefix+path, nil)); err != nil {
			t.Errorf("%s: %v", path, err)
		}
		if at := finer.FindString(w.Body.String()); at != "" {
			t.Errorf("%s has the time %s: %s", path, at, w.Body)
		}
	}
}

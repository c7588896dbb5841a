package apiguard

import (
	"context"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/caddyserver/caddy/v2"
	"go.uber.org/zap"
	"go.uber.org/zap/zaptest/observer"

	"github.com/apiguard/caddy-api-guard/inventory"
)

// Event handlers that take their time cost events, which are counted, and never hold up
// who tells them. In the bubble a wait for a reader that never comes is a failure.
func TestEventsThatNobodyTakesAreDroppedAndCounted(t *testing.T) {
	app := mustProvision(t, smallApp(t))
	before := gathered(t, app)["feed_dropped_total{}"]
	synctest.Test(t, func(t *testing.T) {
		// One that counts where the app does, and whose events nobody takes.
		stuck := &shared{events: make(chan inventory.Event, eventsWaiting), metrics: app.shared.metrics}
		for range eventsWaiting + 10 {
			stuck.queueEvent(inventory.Event{})
		}
		if n := len(stuck.events); n != eventsWaiting {
			t.Errorf("%d wait", n)
		}
	})
	if n := gathered(t, app)["feed_dropped_total{}"] - before; n != 10 {
		t.Errorf("%v were counted as dropped, want 10", n)
	}
}

// impatient is a client's connection that notes whether each write had a deadline.
type impatient struct {
	*httptest.ResponseRecorder
	deadline  time.Time
	unlimited int
}

func (w *impatient) SetWriteDeadline(t time.Time) error {
	w.deadline = t
	return nil
}

func (w *impatient) Write(b []byte) (int, error) {
	if left := time.Until(w.deadline); left <= 0 || left > followerPatience {
		w.unlimited++
	}
	return w.ResponseRecorder.Write(b)
}

// Who asks for changes that are not kept any more is told so, and it is counted; and a
// client that does not read holds up nobody for long.
func TestWhoIsTooSlowForTheFeedIsToldWhatIsLost(t *testing.T) {
	app := mustProvision(t, smallApp(t))
	ask := func(query string) (lines []string, dropped float64) {
		before := gathered(t, app)["feed_dropped_total{}"]
		w := &impatient{ResponseRecorder: httptest.NewRecorder()}
		if err := app.feed(w, httptest.NewRequest(http.MethodGet, adminPrefix+"feed"+query, nil)); err != nil {
			t.Fatal(err)
		}
		if w.unlimited > 0 || !w.deadline.IsZero() {
			t.Errorf("%d writes without a deadline; afterwards it is %v", w.unlimited, w.deadline)
		}
		for line := range strings.Lines(w.Body.String()) {
			lines = append(lines, line)
		}
		return lines, gathered(t, app)["feed_dropped_total{}"] - before
	}
	if lines, dropped := ask("?since=12345"); len(lines) != 1 || !strings.Contains(lines[0], `"`+inventory.EventLost+`"`) || dropped != 1 {
		t.Errorf("a cursor of long ago: %q, %v dropped", lines, dropped)
	}
	if lines, dropped := ask(""); len(lines) != 0 || dropped != 0 {
		t.Errorf("all that is kept: %q, %v dropped", lines, dropped)
	}
}

// A handler of a Caddy event is a module of somebody else's; what it does wrong is told.
func TestAnEventHandlerThatPanicsEndsNothing(t *testing.T) {
	app := mustProvision(t, smallApp(t))
	core, logs := observer.New(zap.ErrorLevel)
	app.logger = zap.New(core)
	told := 0
	if err := app.events.On(inventory.EventRoute, handlesEvent(func() { told++; panic("a defect") })); err != nil {
		t.Fatal(err)
	}
	app.emit(inventory.Event{Event: inventory.EventRoute, ID: "7"})
	if told != 1 || logs.FilterMessageSnippet("a handler of a Caddy event failed").Len() != 1 {
		t.Errorf("told %d times, and the log has %v", told, logs.All())
	}
}

type handlesEvent func()

func (h handlesEvent) Handle(context.Context, caddy.Event) error {
	h()
	return nil
}

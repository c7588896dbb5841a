package apiguard

import (
	"context"
	"fmt"
	"time"

	"github.com/caddyserver/caddy/v2"
	"github.com/caddyserver/caddy/v2/modules/caddyevents"
	"go.uber.org/zap"

	"github.com/apiguard/caddy-api-guard/inventory"
)

// eventsWaiting is how many changes may wait for Caddy's event handlers, which run
// one after another and may take their time: a handler may start a program. What
// comes while they wait is dropped and counted with the feed's.
const eventsWaiting = 64

// findEvents finds Caddy's app for events, which is there whether configured or not.
func (app *App) findEvents(ctx caddy.Context) error {
	found, err := ctx.App("events")
	if err != nil {
		return fmt.Errorf("loading the events app: %w", err)
	}
	app.ctx, app.events = ctx, found.(*caddyevents.App)
	return nil
}

// queueEvent hands a change to the goroutine that emits events. The inventory
// records nothing while it is in here, so it never waits.
func (s *shared) queueEvent(e inventory.Event) {
	select {
	case s.events <- e:
	default:
		s.metrics.eventsDropped.Add(1)
	}
}

// emitEvents emits Caddy events, of the same names as the feed's, until ctx ends.
func (s *shared) emitEvents(ctx context.Context) {
	for {
		select {
		case <-ctx.Done():
			return
		case e := <-s.events:
			if app := awaitActive(ctx); app != nil && app.events.ShouldEmit(e.Event) {
				app.emit(e)
			}
		}
	}
}

// emit emits an event. Its handlers are modules of others, run in a goroutine of ours:
// the panic of one must not end Caddy.
func (app *App) emit(e inventory.Event) {
	defer func() {
		if p := recover(); p != nil {
			app.logger.Error("a handler of a Caddy event failed; what it was told of stands in the feed",
				zap.String("event", e.Event), zap.String("id", e.ID), zap.Any("panic", p), zap.Stack("stack"))
		}
	}()
	app.events.Emit(app.ctx, e.Event, eventData(e))
}

// awaitActive is the app of the configuration that is wholly started, or nil when
// ctx ends first. While Caddy starts one, its apps start in any order, and the one
// for events still takes subscriptions.
func awaitActive(ctx context.Context) *App {
	for {
		if active := caddy.ActiveContext(); active.Context != nil {
			if app, err := active.AppIfConfigured("api_guard"); err == nil && app != nil {
				return app.(*App)
			}
		}
		select {
		case <-ctx.Done():
			return nil
		case <-time.After(50 * time.Millisecond):
		}
	}
}

// eventData are the fields of the feed's line.
func eventData(e inventory.Event) map[string]any {
	return map[string]any{
		"time": e.Time.Time, "api": e.API, "version": e.Version, "host": e.Host, "method": e.Method, "path": e.Path,
		"state": e.State, "evidence": string(e.Evidence), "reasons": e.Reasons, "count": e.Count,
		"finding": e.Finding, "severity": e.Severity, "id": e.ID,
	}
}

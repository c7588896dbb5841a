package apiguard

import (
	"fmt"
	"time"

	"go.uber.org/zap"

	"github.com/apiguard/caddy-api-guard/inventory"
	"github.com/apiguard/caddy-api-guard/ratelimit"
)

// standalone compiles the app of an adapted configuration outside of Caddy, with state
// of its own in memory and the clock that is given: nothing that runs is touched,
// and nothing but the documents is read. Its inventory records when it is told to
// (Inventory.CatchUp).
func standalone(config []byte, clock func() time.Time) (*App, error) {
	app, _, err := decodeConfig(config)
	if err != nil {
		return nil, err
	}
	app.logger = zap.NewNop()
	s := &shared{slots: app.TableSlots}
	s.table = ratelimit.NewTable(ratelimit.TableConfig{Slots: app.TableSlots})
	s.inventory = inventory.New(inventory.Options{Now: clock})
	s.metrics = newMetrics(s)
	s.overrides = newOverrides(zap.NewNop)
	app.shared = s
	now, err := app.compile()
	if err != nil {
		return nil, err
	}
	app.now.Store(now)
	s.inventory.Activate(now.recorder)
	return app, nil
}

// close gives back the documents.
func (app *App) close() {
	if now := app.now.Load(); now != nil {
		now.documents.release()
	}
}

var errNoConfig = fmt.Errorf("--config: name the Caddyfile whose policy is meant")

package apiguard

import (
	"context"
	"slices"
	"sync"
	"time"

	"github.com/caddyserver/caddy/v2"
	"go.uber.org/zap"

	"github.com/apiguard/caddy-api-guard/inventory"
	"github.com/apiguard/caddy-api-guard/ratelimit"
)

// shared is what outlives a configuration: the limits' buckets and the
// inventory. All configurations of the process hold the one of them, counted by
// Caddy's usage pool; what they say about rates and routes is not in here.
type shared struct {
	slots     int
	table     *ratelimit.Table
	fleet     *sharedLimits // nil: this node is alone
	inventory *inventory.Inventory
	metrics   *metrics
	bodies    bodyMemory
	events    chan inventory.Event // on their way to Caddy's event handlers
	overrides *overrides
	survived  *survived

	mu         sync.Mutex
	file       string             // that keeps the inventory
	clusterURL string             // as configured
	running    []*App             // started and not cleaned up, the newest last
	cancel     context.CancelFunc // of the inventory's goroutine; nil until an app starts
	done       chan struct{}
}

var pool = caddy.NewUsagePool()

const poolKey = "state"

// newShared makes the state of a process whose first configuration is the app's. Quotas
// go by the calendar that is given.
func newShared(app *App, calendar func() time.Time) (*shared, error) {
	s := &shared{slots: app.TableSlots, done: make(chan struct{})}
	s.table = ratelimit.NewTable(ratelimit.TableConfig{Slots: app.TableSlots, Secret: app.limitSecret(), Wall: calendar})
	s.survived = &survived{logger: s.logger, now: time.Now, kinds: make(map[string]*survivedKind)}
	if app.Cluster != nil {
		var err error
		if s.fleet, err = newSharedLimits(s, app.Cluster); err != nil {
			return nil, err
		}
	}
	s.inventory = inventory.New(inventory.Options{Feed: s.feed, Survived: s.survived.while("recording what was seen")})
	s.inventory.Keep(keptQuotas(s.table))
	s.metrics = newMetrics(s)
	s.overrides = newOverrides(s.logger)
	s.events = make(chan inventory.Event, eventsWaiting)
	return s, nil
}

func acquireShared(app *App) (*shared, error) {
	value, _, err := pool.LoadOrNew(poolKey, func() (caddy.Destructor, error) { return newShared(app, time.Now) })
	if err != nil {
		return nil, err
	}
	s := value.(*shared)
	if s.slots != app.TableSlots {
		app.logger.Warn("table_slots takes effect at the next start: the running table keeps its buckets",
			zap.Int("running", s.slots), zap.Int("configured", app.TableSlots))
	}
	return s, nil
}

func releaseShared() error {
	_, err := pool.Delete(poolKey)
	return err
}

// start makes app's configuration the one that the inventory answers for, and
// runs the inventory's goroutine if this is the first.
func (s *shared) start(app *App) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.running = append(s.running, app)
	s.inventory.Activate(app.now.Load().recorder)
	s.inventory.Report(nil)
	s.inventory.Retain(app.retention())
	sampling, _ := app.sampling() // checked when the configuration was
	s.inventory.Sample(sampling)
	if s.cancel != nil {
		s.warnOfFile(app)
		return
	}
	s.joinCluster(app)
	s.open(app)
	ctx, cancel := context.WithCancel(context.Background())
	s.cancel = cancel
	go func() {
		defer close(s.done)
		s.inventory.Run(ctx)
	}()
	go s.emitEvents(ctx)
	s.fleet.start(s.logger)
}

// stop takes app's configuration out. When another app of a new configuration
// fails to start, the new one goes and the one before it counts again; after a
// reload that worked it is the old one that goes.
func (s *shared) stop(app *App) {
	s.mu.Lock()
	defer s.mu.Unlock()
	newest := len(s.running) > 0 && s.running[len(s.running)-1] == app
	s.running = slices.DeleteFunc(s.running, func(a *App) bool { return a == app })
	if n := len(s.running); newest && n > 0 {
		s.inventory.Activate(s.running[n-1].now.Load().recorder)
	}
}

// reactivate puts next into force for app and returns what was before it, or nil
// when app runs no more. The requests under way of a configuration that a newer
// one replaces get it too, but the inventory answers for the newer one.
func (s *shared) reactivate(app *App, next *inForce) (replaced *inForce) {
	s.mu.Lock()
	defer s.mu.Unlock()
	i := slices.Index(s.running, app)
	if i < 0 {
		return nil
	}
	if i == len(s.running)-1 {
		s.inventory.Activate(next.recorder)
	}
	return app.now.Swap(next)
}

// report makes gaps those that a running configuration knows of besides the
// inventory's own.
func (s *shared) report(app *App, gaps []inventory.Gap) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if n := len(s.running); n > 0 && s.running[n-1] == app {
		s.inventory.Report(gaps)
	}
}

// newest is the app of the running configuration, or nil.
func (s *shared) newest() *App {
	s.mu.Lock()
	defer s.mu.Unlock()
	if n := len(s.running); n > 0 {
		return s.running[n-1]
	}
	return nil
}

// logger is that of the running configuration.
func (s *shared) logger() *zap.Logger {
	if app := s.newest(); app != nil {
		return app.logger
	}
	return zap.NewNop()
}

// Destruct implements caddy.Destructor.
func (s *shared) Destruct() error {
	s.overrides.close()
	s.fleet.stop()
	if s.cancel != nil {
		s.cancel()
		<-s.done
		s.inventory.CloseStore()
	}
	s.fleet.close()
	return nil
}

// feed writes one change of the inventory to the logger api_guard.inventory of
// the running configuration.
func (s *shared) feed(e inventory.Event) {
	if app := s.newest(); app != nil {
		app.logger.Named("inventory").Info(e.Event, zap.Inline(eventFields(e)))
	}
	s.queueEvent(e)
}

// runningApp is the app of the running configuration, or nil. It is asked for
// each time: an admin router may have been made by a configuration that was
// rejected since.
func runningApp() *App {
	var app *App
	pool.Range(func(_, value any) bool {
		app = value.(*shared).newest()
		return false
	})
	return app
}

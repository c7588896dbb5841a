package apiguard

import (
	"context"
	"net/http"
	"path/filepath"
	"time"

	"github.com/caddyserver/caddy/v2"
	"go.uber.org/zap"

	"github.com/apiguard/caddy-api-guard/inventory"
	"github.com/apiguard/caddy-api-guard/inventory/store"
)

// inventoryFile is the file that keeps the inventory, or inventoryMemory.
func (app *App) inventoryFile() string {
	if app.Inventory == nil || app.Inventory.File == "" {
		return filepath.Join(caddy.AppDataDir(), "api_guard", "inventory.db")
	}
	return app.Inventory.File
}

// checkFile looks whether the file that the option names is another one: a typing error
// must not cost an operator his certificate, nor the inventory its place.
func (app *App) checkFile() error {
	if app.Inventory == nil || app.Inventory.File == "" || app.Inventory.File == inventoryMemory {
		return nil
	}
	file := app.Inventory.File
	if app.shared.hasOpen(file) {
		return nil // what is in its place by now is for the next start
	}
	what := store.Foreign(file)
	if what == "" {
		return nil
	}
	return wrong("inventory.file", "", "%s is no inventory but %s, and was left as it is: name a file that does not exist yet, or move this one away", file, what)
}

// hasOpen reports whether the inventory is kept in that file already.
func (s *shared) hasOpen(file string) bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.cancel != nil && s.file == file
}

// retention is how long an entry is kept that is not seen any more, 0 for the
// default.
func (app *App) retention() time.Duration {
	if app.Inventory == nil {
		return 0
	}
	return time.Duration(app.Inventory.Retention)
}

// open has the inventory kept in app's file from now on. shared.mu is held.
func (s *shared) open(app *App) {
	file := app.inventoryFile()
	s.file = file
	if file == inventoryMemory {
		if s.fleet != nil {
			s.inventory.OpenStore(inventory.StoreOptions{}) // for the cluster alone
		}
		return
	}
	options := inventory.StoreOptions{File: file, Changed: func(p inventory.Part) {
		// The app that runs by then may be another, but its logger writes to the same.
		if p.Status == inventory.StoreOK {
			app.logger.Info("the inventory is kept in a file", zap.String("file", file), zap.String("why", p.Why))
			return
		}
		app.logger.Warn("the inventory is not kept as it should be", zap.String("file", file), zap.String("why", p.Why))
	}}
	s.inventory.OpenStore(options)
}

// settle waits until what an answer tells holds over a crash.
func settle(ctx context.Context, view *inventory.Inventory) {
	ctx, cancel := context.WithTimeout(ctx, storePatience)
	defer cancel()
	view.Settle(ctx)
}

// settledWriter lets nothing out of an answer before what it tells holds over a
// crash.
type settledWriter struct {
	http.ResponseWriter
	r         *http.Request
	inventory *inventory.Inventory
	settled   bool
}

func (w *settledWriter) settle() {
	if !w.settled {
		w.settled = true
		settle(w.r.Context(), w.inventory)
	}
}

// WriteHeader implements http.ResponseWriter.
func (w *settledWriter) WriteHeader(status int) {
	w.settle()
	w.ResponseWriter.WriteHeader(status)
}

// Write implements http.ResponseWriter.
func (w *settledWriter) Write(b []byte) (int, error) {
	w.settle()
	return w.ResponseWriter.Write(b)
}

// Unwrap is for http.ResponseController.
func (w *settledWriter) Unwrap() http.ResponseWriter { return w.ResponseWriter }

// warnOfFile says so when app's configuration names another file than the one that
// is open.
func (s *shared) warnOfFile(app *App) {
	if file := app.inventoryFile(); file != s.file {
		app.logger.Warn("inventory file takes effect at the next start: the running one is kept",
			zap.String("running", s.file), zap.String("configured", file))
	}
	if app.clusterURL() != s.clusterURL {
		app.logger.Warn("cluster takes effect at the next start: the running one is kept")
	}
}

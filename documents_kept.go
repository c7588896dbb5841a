package apiguard

import (
	"path/filepath"
	"time"

	"github.com/caddyserver/caddy/v2"
	"go.uber.org/zap"

	"github.com/apiguard/caddy-api-guard/inventory/spec"
	"github.com/apiguard/caddy-api-guard/inventory/spec/remote"
)

// copiesKept is how long the copy of a fetched document stays that no start or
// reload has used.
const copiesKept = 90 * 24 * time.Hour

// copiesDir is where copies of fetched documents are, each by its hash.
func copiesDir() string { return filepath.Join(caddy.AppDataDir(), "api_guard", "documents") }

// documentOptions are the bounds of every document that is read, by whatever door.
func (app *App) documentOptions() spec.Options {
	if app.MaxDocument == 0 {
		return spec.Options{MaxBytes: spec.DefaultMaxBytes}
	}
	return spec.Options{MaxBytes: int64(app.MaxDocument)}
}

// keepCopies keeps copies of the documents by URL that are in force, so that a
// restart needs no host. It is not done at provisioning, since `caddy validate` may
// run as another user, whose files the service could not replace.
func (app *App) keepCopies(now time.Time) {
	store := remote.Store{Dir: copiesDir()}
	inForce := map[[32]byte]bool{}
	for _, d := range app.now.Load().documents.byName {
		if d.Text == nil {
			continue
		}
		inForce[d.Hash] = true
		if err := store.Keep(d.Hash, d.Text, now); err != nil {
			app.logger.Warn("no copy of a fetched document could be kept: a start while its host is down will fail",
				zap.String("spec", d.Name), zap.Error(err))
		}
	}
	store.Forget(inForce, now.Add(-copiesKept))
}

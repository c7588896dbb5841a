package apiguard

import (
	"context"
	"fmt"
	"maps"
	"os"
	"path/filepath"
	"time"

	"go.uber.org/zap"

	"github.com/apiguard/caddy-api-guard/inventory"
	"github.com/apiguard/caddy-api-guard/inventory/spec"
)

// watchEvery is how often `watch` looks at the documents. Looking asks for the
// times and sizes of the files; contents are read only when these changed.
const watchEvery = 2 * time.Second

// watching is the goroutine behind `watch`.
type watching struct {
	cancel context.CancelFunc
	done   chan struct{}
}

func startWatching(app *App) *watching {
	ctx, cancel := context.WithCancel(context.Background())
	w := &watching{cancel: cancel, done: make(chan struct{})}
	go func() {
		defer close(w.done)
		ticker := time.NewTicker(watchEvery)
		defer ticker.Stop()
		watch(ctx, app, ticker.C)
	}()
	return w
}

// stop ends the goroutine and waits for it, since it holds what Cleanup gives back.
func (w *watching) stop() {
	if w == nil {
		return
	}
	w.cancel()
	<-w.done
}

// watch looks at the documents at each tick until ctx ends.
func watch(ctx context.Context, app *App, ticks <-chan time.Time) {
	seen := watched{app: app}
	for {
		select {
		case <-ctx.Done():
			return
		case <-ticks:
			seen.look()
		}
	}
}

// watched is what the documents' files were like at the last look.
type watched struct {
	app *App
	// stamps are those at which the contents were read last; whether they could be
	// used is not asked again before they change.
	stamps map[string]stamp
}

// stamp changes when a file is written or replaced.
type stamp struct {
	modified int64 // Unix nanoseconds
	size     int64
	missing  bool
}

// look puts changed documents into force.
func (w *watched) look() {
	stamps := make(map[string]stamp)
	for _, document := range w.app.now.Load().documents.byFile {
		stampFiles(document, stamps)
	}
	if maps.Equal(stamps, w.stamps) {
		return
	}
	// Taken before the files are read: a write in between shows at the next look.
	w.stamps = stamps
	file := w.changed()
	if file == "" {
		w.app.shared.report(w.app, nil)
		return
	}
	next, err := w.app.compile()
	if err != nil {
		w.app.logger.Error("a changed document is not put into force; the one before it stays",
			zap.String("spec", file), zap.Error(err))
		w.app.shared.report(w.app, []inventory.Gap{{
			Kind: inventory.GapDocument, Count: 1,
			Detail: fmt.Sprintf("The document %q changed and could not be used, so the one before it is still in force; the log says why.", filepath.Base(file)),
		}})
		return
	}
	w.app.logger.Info("a changed document is put into force", zap.String("spec", file))
	w.app.replace(next)
	w.app.shared.report(w.app, nil)
	// The new document may refer to other files than the old one did.
	for _, document := range next.documents.byFile {
		stampFiles(document, w.stamps)
	}
}

// changed is a document whose contents are others than those in force, or empty.
func (w *watched) changed() string {
	for file, document := range w.app.now.Load().documents.byFile {
		if !document.Unchanged(spec.Options{}) {
			return file
		}
	}
	return ""
}

// stampFiles adds the stamps of a document's files that are not there yet.
func stampFiles(document *spec.Document, stamps map[string]stamp) {
	dir := filepath.Dir(document.Name)
	files := []string{document.Name}
	for _, name := range document.References {
		files = append(files, filepath.Join(dir, filepath.FromSlash(name)))
	}
	for _, file := range files {
		if _, known := stamps[file]; known {
			continue
		}
		info, err := os.Stat(file)
		if err != nil {
			stamps[file] = stamp{missing: true}
			continue
		}
		stamps[file] = stamp{modified: info.ModTime().UnixNano(), size: info.Size()}
	}
}

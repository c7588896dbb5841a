package apiguard

import (
	"context"
	"fmt"
	"maps"
	"os"
	"path/filepath"
	"strings"
	"time"

	"go.uber.org/zap"

	"github.com/apiguard/caddy-api-guard/internal/shorten"
	"github.com/apiguard/caddy-api-guard/inventory"
	"github.com/apiguard/caddy-api-guard/inventory/spec"
)

// watchEvery is how often `watch` looks at the documents. Looking asks for the
// times and sizes of the files; contents are read only when these changed, and once
// more where a file was so new that a further write need not show in its time.
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
	seen := watched{app: app, now: time.Now}
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
	now func() time.Time
	// stamps are those at which the contents were read last; whether they could be
	// used is not asked again before they change. None: the contents are read at the
	// next look, whatever the stamps.
	stamps map[string]stamp
	// failed are those of the contents that could not be used last, and why: of a file
	// that is read once more because it was new, nobody is told twice.
	failed map[string]stamp
	why    string
}

// stamp changes when a file is written or replaced. That includes one replaced by
// another of the same size and time, as images with fixed times have them.
type stamp struct {
	file os.FileInfo // nil: it is missing
}

func (s stamp) same(o stamp) bool {
	if s.file == nil || o.file == nil {
		return s.file == o.file
	}
	return s.file.ModTime().Equal(o.file.ModTime()) && s.file.Size() == o.file.Size() && os.SameFile(s.file, o.file)
}

// settled reports whether a write after now gets another time than the file has.
// Some file systems count in steps of two seconds.
func (s stamp) settled(now time.Time) bool {
	return s.file == nil || now.Sub(s.file.ModTime()).Abs() > watchEvery
}

// look puts changed documents into force.
func (w *watched) look() {
	stamps := make(map[string]stamp)
	for _, document := range w.app.now.Load().documents.byName {
		stampFiles(document, stamps)
	}
	if maps.EqualFunc(stamps, w.stamps, stamp.same) {
		return
	}
	// Taken before the files are read: a write in between shows at the next look.
	w.stamps = stamps
	now := w.now()
	for _, s := range stamps {
		if !s.settled(now) {
			w.stamps = nil
		}
	}
	file := w.changed()
	if file == "" {
		w.app.shared.report(w.app, nil)
		return
	}
	next, err := w.app.compile()
	if err != nil {
		if w.why != err.Error() || !maps.EqualFunc(stamps, w.failed, stamp.same) {
			w.app.logger.Error("a changed document is not put into force; the one before it stays",
				zap.String("spec", file), zap.Error(err))
		}
		w.failed, w.why = stamps, err.Error()
		w.app.shared.report(w.app, []inventory.Gap{{
			Kind: inventory.GapDocument, Count: 1,
			Detail: fmt.Sprintf("The document %q changed and could not be used, so the one before it is still in force: %s", filepath.Base(file), inOneLine(err.Error())),
		}})
		return
	}
	w.app.logger.Info("a changed document is put into force", zap.String("spec", file))
	w.app.replace(next)
	w.app.shared.report(w.app, nil)
	if w.stamps == nil {
		return
	}
	// The new document may refer to other files than the old one did.
	for _, document := range next.documents.byName {
		stampFiles(document, w.stamps)
	}
}

// changed is a document whose contents are others than those in force, or empty.
func (w *watched) changed() string {
	for file, document := range w.app.now.Load().documents.byName {
		if !document.Unchanged(w.app.documentOptions()) {
			return file
		}
	}
	return ""
}

// stampFiles adds the stamps of a document's files that are not there yet. A document
// by URL has none: its hash is in the configuration, so it changes with that.
func stampFiles(document *spec.Document, stamps map[string]stamp) {
	if document.Text != nil {
		return
	}
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
			stamps[file] = stamp{}
			continue
		}
		stamps[file] = stamp{info}
	}
}

// maxReason is how much of an error a gap repeats: some list all that is wrong.
const maxReason = 500

// inOneLine is an error as a gap tells it; the log has all of it.
func inOneLine(text string) string {
	return shorten.Text(strings.Join(strings.Fields(text), " "), maxReason)
}

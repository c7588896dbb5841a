package apiguard

import (
	"bytes"
	"context"
	"fmt"
	"net/http"
	"regexp"
	"strings"
	"sync/atomic"
	"time"

	"github.com/apiguard/caddy-api-guard/inventory"
)

const (
	mediaTypeEvents = "text/event-stream"
	// feedPage is how many changes are written at once.
	feedPage = 500
	// maxFollowers is how many may follow the feed at the same time.
	maxFollowers = 32
	// heartbeat is how often a follower hears something, so that what stands
	// between does not take the connection for dead.
	heartbeat = 15 * time.Second
	// followerPatience is how long a follower may take to read what was written.
	followerPatience = 10 * time.Second
)

var followers atomic.Int32

// feed answers with the changes after a cursor, as JSON lines, or follows them.
func (app *App) feed(w http.ResponseWriter, r *http.Request) error {
	if r.Method != http.MethodGet && r.Method != http.MethodHead {
		return getOnly("feed")
	}
	query := r.URL.Query()
	for parameter, values := range query {
		if parameter != "since" || len(values) != 1 {
			return apiError(http.StatusBadRequest, fmt.Sprintf("query parameter %q: %sfeed takes since, once", parameter, adminPrefix))
		}
	}
	from := query.Get("since")
	follow := accepts(r, mediaTypeEvents)
	if last := r.Header.Get("Last-Event-ID"); follow && last != "" {
		from = last
	}
	since, fromCursor, err := inventory.FeedSince(from)
	if err != nil {
		return apiError(http.StatusBadRequest, err.Error())
	}
	out := &feedWriter{app: app, w: w, controller: http.NewResponseController(w), since: since, tellLost: fromCursor, events: follow}
	if !follow {
		w.Header().Set("Content-Type", mediaTypeLines)
		w.Header().Set("Cache-Control", "no-store")
		if r.Method == http.MethodHead {
			return nil
		}
		for {
			if n, _ := out.write(r.Context()); n == 0 {
				return nil
			}
		}
	}
	if followers.Add(1) > maxFollowers {
		followers.Add(-1)
		return apiError(http.StatusServiceUnavailable, fmt.Sprintf("%d follow the feed already, which is the most there can be", maxFollowers))
	}
	defer followers.Add(-1)
	w.Header().Set("Content-Type", mediaTypeEvents)
	w.Header().Set("Cache-Control", "no-store")
	if r.Method == http.MethodHead {
		return nil
	}
	out.follow(r.Context())
	return nil
}

// feedWriter writes changes to one who asked.
type feedWriter struct {
	app        *App
	w          http.ResponseWriter
	controller *http.ResponseController
	since      uint64
	tellLost   bool // the one who asked had all up to since
	events     bool // text/event-stream
	text       bytes.Buffer
}

// follow writes changes as they come, until the client goes or the configuration
// ends: whoever followed it asks the next one, with the cursor it has.
func (f *feedWriter) follow(ctx context.Context) {
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	defer context.AfterFunc(f.app.ctx, cancel)()
	if f.put([]byte(": the changes of api_guard's inventory\n\n")) != nil {
		return
	}
	timer := time.NewTimer(heartbeat)
	defer timer.Stop()
	for {
		n, more := f.write(ctx)
		if n < 0 {
			return
		}
		if n > 0 {
			continue
		}
		timer.Reset(heartbeat)
		select {
		case <-more:
		case <-ctx.Done():
			return
		case <-timer.C:
			if f.put([]byte(":\n\n")) != nil {
				return
			}
		}
	}
}

// write writes a page of changes that are on the disk. It gives how many there were,
// -1 when the client does not take them, and what to wait for.
func (f *feedWriter) write(ctx context.Context) (int, <-chan struct{}) {
	inv := f.app.shared.inventory
	list, next, lost, more := inv.Changes(f.since, feedPage)
	settle(ctx, inv)
	f.text.Reset()
	if lost && f.tellLost {
		inv.FeedDropped(1)
		f.line(inv.Lost())
	}
	f.since, f.tellLost = next, true
	for _, change := range list {
		f.line(change)
	}
	if f.text.Len() > 0 && f.put(f.text.Bytes()) != nil {
		return -1, nil
	}
	return len(list), more
}

func (f *feedWriter) line(change inventory.Logged) {
	if !f.events {
		writeJSON(&f.text, change)
		return
	}
	fmt.Fprintf(&f.text, "id: %s\nevent: %s\ndata: ", change.Cursor, change.Event.Event)
	writeJSON(&f.text, change)
	f.text.WriteByte('\n')
}

func (f *feedWriter) put(text []byte) error {
	_ = f.controller.SetWriteDeadline(time.Now().Add(followerPatience))
	if _, err := f.w.Write(text); err != nil {
		return err
	}
	_ = f.controller.Flush()
	_ = f.controller.SetWriteDeadline(time.Time{})
	return nil
}

// unwanted are the parameters of a media type that has no weight (RFC 9110, section
// 12.4.2).
var unwanted = regexp.MustCompile(`(?i)(^|;)[ \t]*q=0(\.0*)?[ \t]*(;|$)`)

// accepts reports whether the request names the media type in Accept.
func accepts(r *http.Request, mediaType string) bool {
	for _, line := range r.Header.Values("Accept") {
		for part := range strings.SplitSeq(line, ",") {
			name, parameters, _ := strings.Cut(part, ";")
			if strings.EqualFold(strings.TrimSpace(name), mediaType) {
				return !unwanted.MatchString(parameters)
			}
		}
	}
	return false
}

package apiguard

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"
)

// A reload ends what follows the feed; it goes on where it was.
func TestFollowingTheFeedGoesOnAfterAReload(t *testing.T) {
	ctx, cancel := context.WithCancel(t.Context())
	defer cancel()
	var asked []string
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		asked = append(asked, r.URL.RawQuery+" "+r.Header.Get("Accept"))
		write := func(cursor, path string) {
			data, _ := json.Marshal(map[string]string{"event": "route_discovered", "host": "a", "path": path, "cursor": cursor})
			fmt.Fprintf(w, ": a comment\n\nid: %s\nevent: route_discovered\ndata: %s\n\n", cursor, data)
		}
		if len(asked) == 1 {
			write("c1", "/one")
			write("c2", "/two\x1b[31m")
			return
		}
		write("c3", "/three")
		_ = http.NewResponseController(w).Flush()
		cancel()
		<-r.Context().Done()
	}))
	defer server.Close()
	cmd := feedCommand()
	var out, notes bytes.Buffer
	cmd.SetOut(&out)
	cmd.SetErr(&notes)
	cmd.SetArgs([]string{"--follow", "--since", "c0", "--address", strings.TrimPrefix(server.URL, "http://")})
	done := make(chan error)
	go func() { done <- cmd.ExecuteContext(ctx) }()
	select {
	case err := <-done:
		if err != nil {
			t.Fatal(err)
		}
	case <-time.After(time.Minute):
		t.Fatal("it goes on after it was interrupted")
	}
	if want := []string{"since=c0 text/event-stream", "since=c2 text/event-stream"}; strings.Join(asked, "|") != strings.Join(want, "|") {
		t.Errorf("asked %q, want %q", asked, want)
	}
	if got := out.String(); !strings.HasPrefix(got, "route_discovered a/one\nroute_discovered a/two·[31m\n") {
		t.Errorf("wrote %q", got)
	}

	cmd = feedCommand()
	cmd.SilenceErrors = true
	cmd.SetArgs([]string{"--follow", "--address", "127.0.0.1:1"})
	if err := cmd.ExecuteContext(t.Context()); err == nil {
		t.Error("without an admin API it goes on asking")
	}
}

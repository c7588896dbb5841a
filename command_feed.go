package apiguard

import (
	"bufio"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"os"
	"os/signal"
	"strings"
	"syscall"
	"time"

	"github.com/spf13/cobra"

	"github.com/apiguard/caddy-api-guard/inventory"
)

func feedCommand() *cobra.Command {
	cmd := command("feed [--since <cursor>] [--follow]", "Writes what changed in the inventory, and follows it", `
Writes the changes of the inventory: routes and hosts that were found, states that
changed, findings that opened and closed, scans. With --follow it goes on until it
is interrupted, and asks again when Caddy reloads or restarts.

    caddy api-guard feed --follow
    caddy api-guard feed --since 1790000000000-17 --json

With --json each change is one line, with the cursor to go on from.`, runFeed)
	cmd.Flags().String("since", "", "Only what came after this cursor")
	cmd.Flags().BoolP("follow", "f", false, "Go on with what comes")
	return cmd
}

func runFeed(in *invocation, _ []string) error {
	since := in.text("since")
	if !in.flag("follow") {
		_, err := in.readFeed(in.cmd.Context(), &since, false)
		return err
	}
	ctx, stop := signal.NotifyContext(in.cmd.Context(), os.Interrupt, syscall.SIGTERM)
	defer stop()
	for connected := false; ; {
		got, err := in.readFeed(ctx, &since, true)
		connected = connected || got
		switch {
		case ctx.Err() != nil:
			return nil
		case !connected:
			return err
		case err != nil:
			in.note("The feed ended, asking again: " + printable(err.Error()))
		}
		// A reload or restart ends it; the next one has what came meanwhile.
		select {
		case <-time.After(time.Second):
		case <-ctx.Done():
		}
	}
}

// readFeed writes changes until the answer ends, and moves since on. got says that
// there was an answer.
func (in *invocation) readFeed(ctx context.Context, since *string, follow bool) (got bool, err error) {
	header := http.Header{}
	if follow {
		header.Set("Accept", mediaTypeEvents)
	}
	uri := adminPrefix + "feed"
	if *since != "" {
		uri += "?since=" + url.QueryEscape(*since)
	}
	response, address, err := in.request(http.MethodGet, uri, header, nil)
	if err != nil {
		return false, err
	}
	defer response.Body.Close()
	defer context.AfterFunc(ctx, func() { _ = response.Body.Close() })()
	if wrong := in.readChanges(response.Body, follow, since); wrong != nil {
		if none := (notChange{}); errors.As(wrong, &none) {
			wrong = notAdmin(address, uri, none.error)
		}
		return true, wrong
	}
	return true, nil
}

// notChange is a line of a feed that is none.
type notChange struct{ error }

// readChanges writes the changes of an answer, as JSON lines or events, until it ends.
func (in *invocation) readChanges(answer io.Reader, events bool, since *string) error {
	lines := bufio.NewReaderSize(answer, 64<<10)
	for {
		line, err := lines.ReadString('\n')
		text := strings.TrimSpace(line)
		if events {
			data, ok := strings.CutPrefix(text, "data:")
			text = strings.TrimSpace(data)
			if !ok {
				text = "" // a comment, or another field
			}
		}
		if text != "" {
			var change inventory.Logged
			if jsonErr := json.Unmarshal([]byte(text), &change); jsonErr != nil {
				return notChange{jsonErr}
			}
			if err := in.writeChange(text, &change); err != nil {
				return err
			}
			*since = change.Cursor
		}
		if errors.Is(err, io.EOF) {
			return nil
		}
		if err != nil {
			return err
		}
	}
}

// writeChange writes a change as a line.
func (in *invocation) writeChange(raw string, c *inventory.Logged) error {
	if in.flag("json") {
		_, err := fmt.Fprintln(in.out, raw)
		return err
	}
	subject := subject(inventory.Subject{API: c.API, Version: c.Version, Method: c.Method, Host: c.Host, Path: c.Path})
	parts := []string{when(c.Time), c.Event.Event, c.Severity, c.Finding, subject, c.State, string(c.Evidence)}
	if c.Count > 1 {
		parts = append(parts, fmt.Sprintf("x%d", c.Count))
	}
	_, err := fmt.Fprintln(in.out, printable(strings.Join(strings.Fields(strings.Join(parts, " ")), " ")))
	return err
}

package caddytest

import (
	"fmt"
	"strings"
	"testing"

	"github.com/apiguard/caddy-api-guard/caddytest/internal/harness"
)

// obliging is an upstream that answers as it is asked to: in Brotli, or a part.
func obliging(r harness.Recorded) string {
	leak := `{"id":1,"password":"` + needle + `"}`
	switch {
	case strings.Contains(strings.Join(r.Values("Accept-Encoding"), ","), "br"):
		return jsonAnswer(leak, "Content-Encoding: br")
	case strings.HasPrefix(strings.Join(r.Values("Range"), ""), "items="):
		return "HTTP/1.1 206 Partial Content\r\nContent-Type: application/json\r\nContent-Range: items 0-9/90\r\nContent-Length: 8\r\n\r\n{\"id\":1}"
	case strings.HasPrefix(strings.Join(r.Values("Range"), ""), "wrong="):
		return fmt.Sprintf("HTTP/1.1 206 Partial Content\r\nContent-Type: application/json\r\nContent-Length: %d\r\n\r\n%s", len(leak), leak)
	case len(r.Values("Range")) > 0:
		return fmt.Sprintf("HTTP/1.1 206 Partial Content\r\nContent-Type: application/json\r\nContent-Range: bytes 0-%d/%d\r\nContent-Length: %d\r\n\r\n%s",
			len(leak)-1, len(leak), len(leak), leak)
	default:
		return jsonAnswer(leak)
	}
}

// onlyJSON is accounts with JSON as the one answer.
var onlyJSON = strings.NewReplacer("            text/event-stream: {}\n", "", "            application/octet-stream: {}\n", "").Replace(accounts)

// pages is onlyJSON with an answer that is a page.
var pages = strings.Replace(onlyJSON, `        "204": {description: none}`, `        "204": {description: none}
        "206": {description: a page, content: {application/json: {schema: {type: object, required: [id], additionalProperties: false, properties: {id: {type: integer}}}}}}`, 1)

func TestNoClientAsksForAnAnswerThatCannotBeJudged(t *testing.T) {
	t.Parallel()
	up := harness.NewUpstream(t)
	up.Answer(obliging)
	const guard = "policy {\nresponse %s\n}\napi accounts {\nversion v1 {\nhosts api.example.com\npath /json\nspec json.yaml\n}\nversion v2 {\nhosts api.example.com\npath /any\nspec any.yaml\n}\nversion v3 {\nhosts api.example.com\npath /pages\nspec pages.yaml\n}\n}\n"
	start := func(mode string) *harness.Caddy {
		return harness.Start(t, harness.Config{
			Guard: fmt.Sprintf(guard, mode), Sites: "http://:<http> {\nimport guarded\n}\n", Upstream: up,
			Files: map[string]string{"json.yaml": onlyJSON, "any.yaml": accounts, "pages.yaml": pages},
		})
	}
	enforced, monitored := start("enforce"), start("monitor")
	for _, c := range []struct {
		name, target string
		fields       []string
		refused      bool
		sent         map[string]string // field to what upstream gets of it
	}{
		{"another coding", "/json/account", []string{"Accept-Encoding", "br"}, true, map[string]string{"Accept-Encoding": "identity"}},
		{"among others", "/any/account", []string{"Accept-Encoding", "gzip;q=0.5, br, *;q=0.1, Zstd"}, true, map[string]string{"Accept-Encoding": "gzip;q=0.5, Zstd"}},
		{"known ones", "/json/account", []string{"Accept-Encoding", "deflate,  gzip"}, true, map[string]string{"Accept-Encoding": "deflate,  gzip"}},
		{"a range of JSON", "/json/account", []string{"Range", "bytes=0-", "If-Range", `"x"`}, true, map[string]string{"Range": "", "If-Range": ""}},
		{"a range of the bytes of a page", "/pages/account", []string{"Range", " Bytes=0-"}, true, map[string]string{"Range": ""}},
		{"a range of items where no page is", "/json/account", []string{"Range", "items=0-9"}, true, map[string]string{"Range": ""}},
		{"a page of items", "/pages/account", []string{"Range", "items=0-9"}, false, map[string]string{"Range": "items=0-9"}},
		{"a wrong page of items", "/pages/account", []string{"Range", "wrong=0-9"}, true, map[string]string{"Range": "wrong=0-9"}},
		{"a range of what may be a file", "/any/account", []string{"Range", "bytes=0-"}, false, map[string]string{"Range": "bytes=0-"}},
	} {
		t.Run(c.name, func(t *testing.T) {
			call := get("api.example.com", c.target)
			for i := 0; i < len(c.fields); i += 2 {
				call = call.With(c.fields[i], c.fields[i+1])
			}
			call, trace := as(call)
			got := enforced.Do1(t, call)
			if c.refused {
				refused(t, got, 502, "response-invalid")
			} else if got.Status != 206 {
				t.Errorf("%v", got)
			}
			seen := up.Requests("X-Trace", trace)
			if len(seen) != 1 {
				t.Fatalf("%d requests upstream", len(seen))
			}
			for field, want := range c.sent {
				if text := strings.Join(seen[0].Values(field), "|"); text != want {
					t.Errorf("upstream gets %s: %q, want %q", field, text, want)
				}
			}
			call, trace = as(call)
			if got := monitored.Do1(t, call); got.Status >= 400 {
				t.Errorf("in monitor: %v", got)
			}
			for i := 0; i < len(c.fields); i += 2 {
				if text := strings.Join(up.Requests("X-Trace", trace)[0].Values(c.fields[i]), "|"); text != strings.TrimSpace(c.fields[i+1]) {
					t.Errorf("in monitor upstream gets %s: %q", c.fields[i], text)
				}
			}
		})
	}
}

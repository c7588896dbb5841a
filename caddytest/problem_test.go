package caddytest

import (
	"encoding/json"
	"net/http"
	"regexp"
	"strconv"
	"testing"
	"time"

	"github.com/apiguard/caddy-api-guard/caddytest/internal/harness"
	"github.com/dunglas/httpsfv"
)

// problem is a problem document (RFC 9457) with the guard's extensions.
type problem struct {
	Type     string `json:"type"`
	Title    string `json:"title"`
	Status   int    `json:"status"`
	Detail   string `json:"detail"`
	Instance string `json:"instance"`
	Errors   []struct {
		In      string  `json:"in"`
		Pointer *string `json:"pointer"`
		Name    *string `json:"name"`
		Keyword string  `json:"keyword"`
		Detail  string  `json:"detail"`
	} `json:"errors"`
	Violated []string `json:"violated-policies"`
}

var instanceForm = regexp.MustCompile(`^urn:uuid:[0-9a-f]{8}-[0-9a-f]{4}-4[0-9a-f]{3}-[89ab][0-9a-f]{3}-[0-9a-f]{12}$`)

// refused checks that an answer is the refusal with that status and reason, in
// the form that every refusal has, and returns its document.
func refused(t *testing.T, got harness.Answer, status int, reason string) problem {
	t.Helper()
	var p problem
	if got.Status != status {
		t.Fatalf("got %v, want a refusal with status %d, %s", got, status, reason)
	}
	if err := json.Unmarshal(got.Body, &p); err != nil {
		t.Fatalf("reading the problem document: %v in %s", err, got.Body)
	}
	kind := "urn:api-guard:" + reason
	if reason == "quota-exceeded" {
		kind = "https://iana.org/assignments/http-problem-types#quota-exceeded"
	}
	if p.Type != kind || p.Status != status {
		t.Errorf("type %q and status %d, want %q and %d", p.Type, p.Status, kind, status)
	}
	if p.Title == "" || p.Detail == "" || !instanceForm.MatchString(p.Instance) {
		t.Errorf("title %q, detail %q, instance %q: each must be there, the instance a random UUID", p.Title, p.Detail, p.Instance)
	}
	wantHeader(t, got.Header, "Content-Type", "application/problem+json")
	wantHeader(t, got.Header, "Cache-Control", "no-store")
	if reason == "request-invalid" {
		wantErrors(t, p)
	} else if len(p.Errors) > 0 {
		t.Errorf("errors %+v on a %s", p.Errors, reason)
	}
	return p
}

// wantErrors checks that each error says where, what and why.
func wantErrors(t *testing.T, p problem) {
	t.Helper()
	if len(p.Errors) == 0 || len(p.Errors) > 10 {
		t.Errorf("%d errors, want 1 to 10", len(p.Errors))
	}
	for _, e := range p.Errors {
		switch e.In {
		case "path", "query", "header", "cookie", "body":
		default:
			t.Errorf("error in %q", e.In)
		}
		if e.Pointer == nil || e.Name == nil || e.Keyword == "" || e.Detail == "" {
			t.Errorf("error %+v: a member is missing", e)
		}
	}
}

func wantHeader(t *testing.T, h http.Header, name, value string) {
	t.Helper()
	if got := h.Values(name); len(got) != 1 || got[0] != value {
		t.Errorf("%s is %q, want %q", name, got, value)
	}
}

func wantNoHeader(t *testing.T, h http.Header, names ...string) {
	t.Helper()
	for _, name := range names {
		if got := h.Values(name); len(got) > 0 {
			t.Errorf("%s is %q, want none", name, got)
		}
	}
}

// quota is what the RateLimit fields say of one policy.
type quota struct{ limit, window, remaining, reset int64 }

// quotas reads the RateLimit-Policy and RateLimit fields as the structured fields
// that draft-ietf-httpapi-ratelimit-headers-11 makes them.
func quotas(t *testing.T, h http.Header) map[string]quota {
	t.Helper()
	found := make(map[string]quota)
	for name, params := range quotaItems(t, h, "RateLimit-Policy") {
		found[name] = quota{limit: params["q"], window: params["w"]}
	}
	stated := quotaItems(t, h, "RateLimit")
	if len(stated) != len(found) {
		t.Errorf("RateLimit has %d policies, RateLimit-Policy %d", len(stated), len(found))
	}
	for name, params := range stated {
		q, ok := found[name]
		if !ok {
			t.Errorf("RateLimit names %q, which RateLimit-Policy does not", name)
		}
		q.remaining, q.reset = params["r"], params["t"]
		found[name] = q
	}
	return found
}

func quotaItems(t *testing.T, h http.Header, field string) map[string]map[string]int64 {
	t.Helper()
	list, err := httpsfv.UnmarshalList(h.Values(field))
	if err != nil {
		t.Fatalf("reading %s %q: %v", field, h.Values(field), err)
	}
	items := make(map[string]map[string]int64)
	for _, member := range list {
		item, ok := member.(httpsfv.Item)
		name, isString := item.Value.(string)
		if !ok || !isString {
			t.Fatalf("%s %q: a member is no string item", field, h.Values(field))
		}
		params := make(map[string]int64)
		for _, key := range item.Params.Names() {
			value, _ := item.Params.Get(key)
			if params[key], ok = value.(int64); !ok {
				t.Errorf("%s %q: %s is no integer", field, h.Values(field), key)
			}
		}
		items[name] = params
	}
	return items
}

// wantRetryAfter checks that Retry-After is a number of seconds in (0, most].
func wantRetryAfter(t *testing.T, h http.Header, most int) {
	t.Helper()
	n, err := strconv.Atoi(h.Get("Retry-After"))
	if err != nil || n < 1 || n > most {
		t.Errorf("Retry-After is %q, want 1 to %d seconds", h.Get("Retry-After"), most)
	}
}

// wantLifecycle checks the Deprecation (RFC 9745) and Sunset (RFC 8594) fields.
// A zero time means that the field must not be there.
func wantLifecycle(t *testing.T, h http.Header, deprecated, sunset time.Time) {
	t.Helper()
	if deprecated.IsZero() {
		wantNoHeader(t, h, "Deprecation")
	} else if item, err := httpsfv.UnmarshalItem(h.Values("Deprecation")); err != nil {
		t.Errorf("reading Deprecation %q: %v", h.Values("Deprecation"), err)
	} else if at, ok := item.Value.(time.Time); !ok || !at.Equal(deprecated) {
		t.Errorf("Deprecation is %q, want the date %v", h.Get("Deprecation"), deprecated)
	}
	if sunset.IsZero() {
		wantNoHeader(t, h, "Sunset")
	} else if at, err := http.ParseTime(h.Get("Sunset")); err != nil || !at.Equal(sunset) {
		t.Errorf("Sunset is %q, want the date %v", h.Get("Sunset"), sunset)
	}
}

package apiguard

import (
	"bytes"
	"encoding/json"
	"strings"
	"testing"

	"github.com/caddyserver/caddy/v2"
	"github.com/go-json-experiment/json/jsontext"
	"go.uber.org/zap"

	"github.com/apiguard/caddy-api-guard/inventory/spec"
	"github.com/apiguard/caddy-api-guard/policy"
	"github.com/apiguard/caddy-api-guard/ratelimit"
)

// A configuration in JSON is an error that says something, or a policy in force whose
// JSON is the same configuration again.
func FuzzConfiguration(f *testing.F) {
	for _, text := range goldens(f) {
		if _, after, ok := strings.Cut(text, `"api_guard": {`); ok {
			if app, err := jsontext.NewDecoder(strings.NewReader("{" + after)).ReadValue(); err == nil {
				f.Add([]byte(app))
			}
		}
	}
	for _, text := range []string{`{}`, `null`, `{"api":[null]}`, `{"api":[{"name":"a","version":[null]}]}`, `{"policy":null,"inventory":null,"cluster":null}`,
		`{"policy":{"limit":[null]}}`, `{"audience":[null],"integration":[null],"passthrough":[null]}`, `{"api":[{"name":"a","version":[{"name":"v","select":[null],"brownout":[null],"exception":[null],"limit":[null]}]}]}`,
		`{"mode":"monitor","mode":"enforce"}`, `{"policy":{"request":"off","response":{"max_body":"1MiB"}}}`,
	} {
		f.Add([]byte(text))
	}
	document, err := spec.Load("orders.json", []byte(`{"openapi":"3.1.0","info":{"title":"o","version":"1"},"paths":{"/orders/{id}":{"get":{"operationId":"read","responses":{}},"post":{"operationId":"change","responses":{}}}}}`), spec.Options{})
	if err != nil {
		f.Fatal(err)
	}
	f.Fuzz(func(t *testing.T, text []byte) {
		if bytes.Contains(text, []byte("{file.")) || bytes.Contains(text, []byte("{env.")) || bytes.Contains(text, []byte(`\u`)) || len(text) > 1<<14 {
			return // they are this machine's
		}
		app := &App{logger: zap.NewNop()}
		if err := caddy.StrictUnmarshalJSON(text, app); err != nil {
			if strings.TrimSpace(err.Error()) == "" {
				t.Fatal("an error without words")
			}
			return
		}
		first, err := json.Marshal(app)
		if err != nil {
			t.Fatalf("%s cannot be written: %v", text, err)
		}
		again := new(App)
		if err := json.Unmarshal(first, again); err != nil {
			t.Fatalf("%s is written as %s, which cannot be read: %v", text, first, err)
		}
		if second, err := json.Marshal(again); err != nil || !bytes.Equal(first, second) {
			t.Fatalf("%s is written as %s, and that as %s: %v", text, first, second, err)
		}
		b := &builder{app: app, load: func(string) (*spec.Document, error) { return document, nil }}
		cfg, err := b.build()
		if err == nil {
			cfg.Table = ratelimit.NewTable(ratelimit.TableConfig{Slots: 1})
			if _, wrong := policy.New(cfg); wrong != nil {
				err = app.locate(wrong)
			}
		}
		if err != nil && strings.TrimSpace(err.Error()) == "" {
			t.Fatal("an error without words")
		}
	})
}

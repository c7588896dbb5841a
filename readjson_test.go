package apiguard

import (
	"strings"
	"testing"

	"github.com/caddyserver/caddy/v2"
)

func TestErrorsInJSONNameTheFieldByItsPath(t *testing.T) {
	for _, row := range []struct {
		name, text string
		says       []string
	}{
		{"an unknown field", `{"mod":"monitor"}`, []string{"mod: unrecognized option", "mode"}},
		{"one in a version", `{"api":[{"name":"a"},{"name":"b","version":[{"name":"v1","hots":["x"]}]}]}`, []string{"api[1].version[0].hots: ", "hosts", "unknown_route"}},
		{"one in a rule", `{"policy":{"request":{"max":1}}}`, []string{"policy.request", "max"}},
		{"one in a limit", `{"policy":{"limit":[{"name":"a","rte":"5/1m"}]}}`, []string{"policy.limit[0].rte: ", "rate"}},
		{"a field twice", `{"api":[{"name":"a","owner":"x","owner":"y"}]}`, []string{"api[0].owner: ", "twice"}},
		{"text for a list", `{"api":[{"name":"a","version":[{"name":"v1","hosts":"x"}]}]}`, []string{"api[0].version[0].hosts: ", "string", "array"}},
		{"text for a number", `{"table_slots":"many"}`, []string{"table_slots: ", "whole number"}},
		{"text for an object", `{"cluster":"redis://x"}`, []string{"cluster: ", "object"}},
		{"null for an api", `{"api":[{"name":"a"},null]}`, []string{"api[1]: ", "null"}},
		{"null for a limit of a version", `{"api":[{"name":"a","version":[{"name":"v1","limit":[null]}]}]}`, []string{"api[0].version[0].limit[0]: ", "null"}},
		{"a size that is none", `{"body_memory":"much"}`, []string{"body_memory", "much"}},
		{"a duration that is none", `{"inventory":{"retention":"long"}}`, []string{"inventory.retention", "long"}},
	} {
		t.Run(row.name, func(t *testing.T) {
			err := caddy.StrictUnmarshalJSON([]byte(row.text), new(App))
			if err == nil {
				t.Fatal("it was taken")
			}
			for _, word := range row.says {
				if !strings.Contains(err.Error(), word) {
					t.Errorf("the error does not say %q: %v", word, err)
				}
			}
		})
	}
	app := new(App)
	if err := caddy.StrictUnmarshalJSON([]byte(`{"mode":"monitor","policy":{"request":"off","target":"enforce"},"inventory":{"retention":"90d"}}`), app); err != nil || app.Policy.Target != "enforce" || app.Policy.Request.Mode != "off" {
		t.Errorf("the twin that is right: %v", err)
	}
}

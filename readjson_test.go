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
		{"one in a rule", `{"policy":{"request":{"max":1}}}`, []string{"policy.request.max: ", "max_body"}},
		{"text for a number in a rule", `{"policy":{"request":{"status":"x"}}}`, []string{"policy.request.status: ", "whole number"}},
		{"one in the rule of a version", `{"api":[{"name":"a","version":[{"name":"v1","response":{"max_bdy":1}}]}]}`, []string{"api[0].version[0].response.max_bdy: ", "(did you mean max_body?)"}},
		{"one in a limit", `{"policy":{"limit":[{"name":"a","rte":"5/1m"}]}}`, []string{"policy.limit[0].rte: ", "rate"}},
		{"a field twice", `{"api":[{"name":"a","owner":"x","owner":"y"}]}`, []string{"api[0].owner: ", "twice"}},
		{"text for a list", `{"api":[{"name":"a","version":[{"name":"v1","hosts":"x"}]}]}`, []string{"api[0].version[0].hosts: ", "string", "array"}},
		{"text for a number", `{"table_slots":"many"}`, []string{"table_slots: ", "whole number"}},
		{"text for an object", `{"cluster":"redis://x"}`, []string{"cluster: ", "object"}},
		{"null for an api", `{"api":[{"name":"a"},null]}`, []string{"api[1]: ", "null"}},
		{"null for a limit of a version", `{"api":[{"name":"a","version":[{"name":"v1","limit":[null]}]}]}`, []string{"api[0].version[0].limit[0]: ", "null"}},
		{"a size that is none", `{"body_memory":"much"}`, []string{"body_memory", "much"}},
		{"a duration that is none", `{"inventory":{"retention":"long"}}`, []string{"inventory.retention: ", `"long" is no duration`, "a unit, such as 10s, 5m or 90d"}},
		{"a duration without a unit", `{"policy":{"request":{"mode":"enforce","body_timeout":"10"}}}`, []string{"policy.request.body_timeout: ", `"10" is no duration`, "a unit"}},
		{"true for a duration", `{"inventory":{"retention":true}}`, []string{"inventory.retention: ", `"true" is no duration`, "a unit"}},
		{"a misspelt field", `{"api":[{"name":"a","version":[{"name":"v1","sunest":"2027-01-01"}]}]}`, []string{"api[0].version[0].sunest: ", "(did you mean sunset?)"}},
		{"a field of another block", `{"api":[{"name":"a","hosts":["x"]}]}`, []string{"api[0].hosts: ", "which belongs into version or passthrough"}},
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
	for _, text := range []string{`{"api":[{"name":"a","nonsense":1}]}`, `{"api":[{"name":"a","version":[{"name":"v1","nonsense":1}]}]}`} {
		if err := caddy.StrictUnmarshalJSON([]byte(text), new(App)); err == nil || strings.Contains(err.Error(), "unknown_host") || strings.Contains(err.Error(), "mean") {
			t.Errorf("%s: %v", text, err)
		}
	}
	if err := caddy.StrictUnmarshalJSON([]byte(`{"policy":{"nonsense":1}}`), new(App)); err == nil || !strings.Contains(err.Error(), "unknown_host") {
		t.Errorf("the twin of the policy, which has unknown_host: %v", err)
	}
	app := new(App)
	if err := caddy.StrictUnmarshalJSON([]byte(`{"mode":"monitor","policy":{"request":"off","target":"enforce"},"inventory":{"retention":"90d"}}`), app); err != nil || app.Policy.Target != "enforce" || app.Policy.Request.Mode != "off" {
		t.Errorf("the twin that is right: %v", err)
	}
}

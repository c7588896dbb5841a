package apiguard

import (
	"bytes"
	"encoding/json"
	"fmt"
	"net/url"
	"slices"
	"strings"

	"github.com/spf13/cobra"

	"github.com/apiguard/caddy-api-guard/inventory"
)

func showCommand() *cobra.Command {
	cmd := command("show <id>", "Shows all that is known of a route", `
Shows all that is known of a route. Its id stands in the first column of

    caddy api-guard routes`, func(in *invocation, args []string) error {
		return in.showRoute("GET", "routes/"+url.PathEscape(args[0]), nil)
	})
	cmd.Args = exactly("the id of a route, which stands in the first column of caddy api-guard routes")
	return cmd
}

func reviewCommand() *cobra.Command {
	cmd := command("review <id> accepted|ignored|open [--note <text>]", "Says what you think of a route", `
Records that a route is meant to be as it is (accepted), is known and of no
interest (ignored), or takes that back (open). Findings that rest on the route
close when it is accepted or ignored.

    caddy api-guard review jklt4alaesquk3kl accepted --note "health check of the load balancer"`, func(in *invocation, args []string) error {
		note := in.text("note")
		body, err := json.Marshal(inventory.Review{Review: args[1], Note: note})
		if err != nil {
			return err
		}
		return in.showRoute("POST", "routes/"+url.PathEscape(args[0])+"/review", body)
	})
	cmd.Args = exactly("the id of a route", "accepted, ignored or open")
	cmd.Flags().String("note", "", "Why, in one line")
	return cmd
}

// showRoute writes the entry that the admin API answers with, a field a line.
func (in *invocation) showRoute(method, route string, body []byte) error {
	var raw json.RawMessage
	if err := in.ask(method, route, nil, bytes.NewReader(body), &raw); err != nil {
		return err
	}
	if in.flag("json") {
		return in.writeJSON(raw)
	}
	rows, err := fields("", raw)
	if err != nil {
		return err
	}
	return in.table(columns("FIELD", "VALUE~"), rows)
}

// fields are the members of an object in its own order, those of objects within it
// by their path; empty ones are left out. Each object of a list is one value.
func fields(prefix string, raw json.RawMessage) ([][]string, error) {
	decoder := json.NewDecoder(bytes.NewReader(raw))
	if _, err := decoder.Token(); err != nil {
		return nil, err
	}
	var rows [][]string
	for decoder.More() {
		name, err := decoder.Token()
		if err != nil {
			return nil, err
		}
		var value json.RawMessage
		if err := decoder.Decode(&value); err != nil {
			return nil, err
		}
		path := prefix + fmt.Sprint(name)
		switch {
		case slices.Contains([]string{`null`, `""`, `[]`, `{}`}, string(value)):
		case value[0] == '{':
			within, err := fields(path+".", value)
			if err != nil {
				return nil, err
			}
			rows = append(rows, within...)
		case bytes.HasPrefix(value, []byte("[{")):
			var list []json.RawMessage
			if err := json.Unmarshal(value, &list); err != nil {
				return nil, err
			}
			if slices.ContainsFunc(list, func(item json.RawMessage) bool { return item[0] != '{' }) {
				rows = append(rows, []string{path, plainValue(value)})
				continue
			}
			for _, item := range list {
				cell, err := pairsOf(item)
				if err != nil {
					return nil, err
				}
				rows = append(rows, []string{path, cell})
			}
		default:
			rows = append(rows, []string{path, plainValue(value)})
		}
	}
	return rows, nil
}

// pairsOf is an object of a list on one line: "rule=limit count=3".
func pairsOf(object json.RawMessage) (string, error) {
	rows, err := fields("", object)
	if err != nil {
		return "", err
	}
	pairs := make([]string, len(rows))
	for i, row := range rows {
		pairs[i] = strings.Join(row, "=")
	}
	return strings.Join(pairs, " "), nil
}

// plainValue is a string or a list of strings without its quotes, else the JSON.
func plainValue(value json.RawMessage) string {
	var text string
	var list []string
	var numbers []json.Number
	switch {
	case json.Unmarshal(value, &text) == nil:
		return text
	case json.Unmarshal(value, &list) == nil:
		return strings.Join(list, ", ")
	case json.Unmarshal(value, &numbers) == nil:
		return strings.Trim(fmt.Sprint(numbers), "[]")
	default:
		return string(value)
	}
}

package apiguard

import (
	"encoding/json"
	"errors"
	"fmt"
	"net/url"
	"strconv"
	"strings"

	"github.com/spf13/cobra"

	"github.com/apiguard/caddy-api-guard/policy"
)

func limitsCommand() *cobra.Command {
	cmd := command("limits [<limit> <key>… [--forget]]", "Lists the limits, or shows and forgets what a key has used", `
Without arguments it lists the limits in force. With a limit's name and a key, one
argument for each part that the limit counts by (none where all requests share one
bucket), it shows what that key has used, and with --forget it gives it back:

    caddy api-guard limits password_reset 203.0.113.9
    caddy api-guard limits password_reset 203.0.113.9 --forget

Keys are not listed anywhere: only who knows one can ask for it.`, runLimits)
	cmd.Args = cobra.ArbitraryArgs
	cmd.Flags().Bool("forget", false, "Forget what the key has used, and penalties")
	cmd.Flags().String("api", "", "Only the limit of this API")
	cmd.Flags().String("version", "", "Only the limit of this version")
	return cmd
}

// limitAnswer is a list with the answer as it came, for --json.
type limitAnswer[T any] struct {
	raw   json.RawMessage
	Items []T `json:"items"`
}

func (a *limitAnswer[T]) UnmarshalJSON(data []byte) error {
	type plain limitAnswer[T]
	a.raw = append(a.raw[:0], data...)
	return json.Unmarshal(data, (*plain)(a))
}

func runLimits(in *invocation, args []string) error {
	switch {
	case len(args) == 0 && (in.flag("forget") || in.text("api") != "" || in.text("version") != ""):
		return errors.New("--forget, --api and --version need a limit and a key")
	case len(args) == 0:
		return in.listLimits()
	}
	query := url.Values{"limit": {args[0]}, "key": args[1:]}
	for _, name := range []string{"api", "version"} {
		if value := in.text(name); value != "" {
			query.Set(name, value)
		}
	}
	if in.flag("forget") {
		var answer json.RawMessage
		if err := in.ask("DELETE", "limits", query, nil, &answer); err != nil {
			return err
		}
		if in.flag("json") {
			return in.writeJSON(answer)
		}
		var buckets struct{ Forgotten int }
		if err := json.Unmarshal(answer, &buckets); err != nil {
			return err
		}
		_, err := fmt.Fprintln(in.out, counted(buckets.Forgotten, "bucket")+" forgotten")
		return err
	}
	var answer limitAnswer[policy.Bucket]
	if err := in.ask("GET", "limits", query, nil, &answer); err != nil {
		return err
	}
	if in.flag("json") {
		return in.writeJSON(answer.raw)
	}
	var rows [][]string
	for _, b := range answer.Items {
		var used, remaining, quota, concurrent string
		if b.Used > 0 || b.Remaining > 0 { // else it has no rate
			used, remaining = strconv.Itoa(b.Used), strconv.Itoa(b.Remaining)
		}
		if b.Quota != nil {
			quota = fmt.Sprintf("%d used, %d left", b.Quota.Used, b.Quota.Remaining)
		}
		if b.Concurrent != nil {
			concurrent = strconv.Itoa(*b.Concurrent)
		}
		rows = append(rows, []string{b.Limit, strings.TrimSpace(b.API + " " + b.Version + " " + b.Exception), b.Mode, used, remaining, strconv.Itoa(b.Pending), seconds(b.Reset), seconds(b.Blocked), quota, concurrent})
	}
	return in.table(columns("LIMIT", "API", "MODE?", "USED", "REMAINING", "PENDING", "RESET", "BLOCKED", "QUOTA?", "CONCURRENT?"), rows)
}

func (in *invocation) listLimits() error {
	var answer limitAnswer[policy.LimitEntry]
	if err := in.ask("GET", "limits", nil, nil, &answer); err != nil {
		return err
	}
	if in.flag("json") {
		return in.writeJSON(answer.raw)
	}
	var rows [][]string
	for _, l := range answer.Items {
		amount := strings.TrimSpace(l.Rate + " " + l.Quota)
		if l.Concurrency > 0 {
			amount = strings.TrimSpace(amount + " " + strconv.Itoa(l.Concurrency) + " at a time")
		}
		rows = append(rows, []string{l.Limit, strings.TrimSpace(l.API + " " + l.Version + " " + l.Exception), l.Mode, amount, l.Algorithm, l.Count, strings.Join(l.Key, " "), strings.Join(l.Operations, " ")})
	}
	return in.table(columns("LIMIT", "API", "MODE", "AMOUNT", "ALGORITHM?", "COUNT?", "KEY~", "OPERATIONS~"), rows)
}

func seconds(s float64) string {
	if s == 0 {
		return ""
	}
	return strconv.FormatFloat(s, 'f', 1, 64) + " s"
}

package apiguard

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"net/url"
	"strings"

	"github.com/spf13/cobra"

	"github.com/apiguard/caddy-api-guard/inventory"
)

func overrideCommand() *cobra.Command {
	cmd := command("override [<rule> enforce|monitor|off --ttl <duration> --reason <text>]", "Sets a rule's mode for a while, lists and ends such overrides", `
Without arguments it lists the overrides in force. With a rule and a mode it sets
the rule's mode for a while, over reloads, until its end or a restart:

    caddy api-guard override request monitor --ttl 15m --reason "INC-42: partner sends strings"
    caddy api-guard override limit off --limit per_client --ttl 1h --reason "load test"
    caddy api-guard override --end 7f3a

Each is logged, and ends by itself. Of a cluster it holds on the node that is asked.`, runOverride)
	cmd.Args = cobra.MaximumNArgs(2)
	cmd.Flags().String("ttl", "", "How long: 15m")
	cmd.Flags().String("reason", "", "Why")
	cmd.Flags().String("api", "", "Only for this API")
	cmd.Flags().String("version", "", "Only for this version of --api")
	cmd.Flags().String("limit", "", "Only this limit, of the rule limit")
	cmd.Flags().String("end", "", "End the override with this id")
	return cmd
}

func runOverride(in *invocation, args []string) error {
	var answer json.RawMessage
	switch {
	case in.text("end") != "" && len(args) > 0:
		return errors.New("--end takes no rule and mode")
	case in.text("end") != "":
		if err := in.ask("DELETE", "override", url.Values{"id": {in.text("end")}}, nil, &answer); err != nil {
			return err
		}
	case len(args) == 1:
		return fmt.Errorf("override %s: say which mode: enforce, monitor or off", args[0])
	case len(args) == 2:
		body, err := json.Marshal(map[string]string{
			"rule": args[0], "mode": args[1], "ttl": in.text("ttl"), "reason": in.text("reason"),
			"api": in.text("api"), "version": in.text("version"), "limit": in.text("limit"),
		})
		if err != nil {
			return err
		}
		if err := in.ask("POST", "override", nil, bytes.NewReader(body), &answer); err != nil {
			return err
		}
		if in.flag("json") {
			return in.writeJSON(answer)
		}
		var added Override
		if err := json.Unmarshal(answer, &added); err != nil {
			return err
		}
		if err := in.tableOfOverrides([]Override{added}); err != nil {
			return err
		}
		in.noteOtherNodes()
		return nil
	default:
		if err := in.ask("GET", "override", nil, nil, &answer); err != nil {
			return err
		}
	}
	if in.flag("json") {
		return in.writeJSON(answer)
	}
	var list inventory.List[Override]
	if err := json.Unmarshal(answer, &list); err != nil {
		return err
	}
	return in.tableOfOverrides(list.Items)
}

// noteOtherNodes says, where a cluster has more nodes, that an override holds on one.
func (in *invocation) noteOtherNodes() {
	var health inventory.Health
	if in.ask("GET", "health", nil, nil, &health) != nil {
		return // the override stands, whatever health has
	}
	live := 0
	for _, n := range health.Cluster.Nodes {
		if n.Live {
			live++
		}
	}
	if live > 0 {
		fmt.Fprintf(in.cmd.ErrOrStderr(), "It holds on this node alone. The cluster has %s more: set it on each of them too.\n", counted(live, "node"))
	}
}

func (in *invocation) tableOfOverrides(list []Override) error {
	var rows [][]string
	for _, o := range list {
		rows = append(rows, []string{o.ID, o.Rule, o.Mode, strings.Join(strings.Fields(o.API+" "+o.Version+" "+o.Limit), " "), when(o.Until), o.Reason})
	}
	return in.table(columns("ID", "RULE", "MODE", "ONLY", "UNTIL", "REASON~"), rows)
}

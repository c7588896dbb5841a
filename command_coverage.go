package apiguard

import (
	"github.com/spf13/cobra"

	"github.com/apiguard/caddy-api-guard/coverage"
	"github.com/apiguard/caddy-api-guard/inventory"
)

func coverageCommand() *cobra.Command {
	cmd := command("coverage [--config <path>] [--strict]", "Says of each listener, host and route whether the guard stands before it", `
Says of each listener, host and route of the running Caddy whether the guard
stands before what answers there.

With --config it reads a configuration file in place of a running Caddy. It adapts
the file and walks the routes; nothing is started or provisioned. In a pipeline:

    caddy api-guard coverage --config Caddyfile --strict

exits with 1 when requests for a host of the catalogue get by the guard.`, runCoverage)
	withConfig(cmd, "Configuration file to look at, in place of a running Caddy")
	withStrict(cmd, "Exit with 1 when requests for a host of the catalogue get by the guard")
	cmd.Flags().Bool("open", false, "Show only where requests get by the guard")
	return cmd
}

func runCoverage(in *invocation, _ []string) error {
	var list inventory.List[coverage.Entry]
	if in.text("config") != "" {
		config, err := in.config()
		if err != nil {
			return err
		}
		entries, err := proveConfig(config)
		if err != nil {
			return err
		}
		list = inventory.ListOf(nil, entries)
	} else if err := in.ask("GET", "coverage", nil, nil, &list); err != nil {
		return err
	}
	return in.showCoverage(list)
}

func (in *invocation) showCoverage(list inventory.List[coverage.Entry]) error {
	open := len(coverage.Open(list.Items))
	if in.flag("open") {
		var items []coverage.Entry
		for _, e := range list.Items {
			if e.Open {
				items = append(items, e)
			}
		}
		list.Items = items
	}
	if in.flag("json") {
		if err := in.writeJSON(list); err != nil {
			return err
		}
	} else {
		var rows [][]string
		for _, e := range list.Items {
			rows = append(rows, []string{string(e.Status), e.Listener, e.Host, e.Handler, e.Route, e.Why})
		}
		if err := in.table(columns("STATUS", "LISTENER", "HOST~", "HANDLER?", "ROUTE?", "WHY~"), rows); err != nil {
			return err
		}
	}
	if open > 0 && in.flag("strict") {
		return errFound
	}
	return nil
}

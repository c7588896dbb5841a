package apiguard

import (
	"time"

	"github.com/spf13/cobra"

	"github.com/apiguard/caddy-api-guard/inventory"
)

func lintCommand() *cobra.Command {
	cmd := command("lint [--config <path>] [--strict]", "Looks for what a configuration is probably not meant to be", `
Looks for what a configuration that works is probably not meant to be: versions
without owner, document or retirement plan, a beta version weaker than production,
limits that hold in one version only, hosts that only a document names, templates of
one shape, patterns and other parts of documents that cannot be checked, exceptions
that ended.

The file is adapted and its documents are read; nothing is started. Without --config
it is the Caddyfile of the working directory. What does not work at all is an error,
as for caddy validate.`, runLint)
	asksNobody(cmd)
	withConfig(cmd, "Configuration file (default Caddyfile)")
	return withStrict(cmd, "Exit with 1 when there is any lint")
}

func runLint(in *invocation, _ []string) error {
	config, err := in.config()
	if err != nil {
		return err
	}
	list, err := lintConfig(config, time.Now())
	if err != nil {
		return err
	}
	if in.flag("json") {
		err = in.writeJSON(inventory.ListOf(nil, list))
	} else if len(list) > 0 {
		var rows [][]string
		for _, l := range list {
			rows = append(rows, []string{l.Kind, l.API, l.Version, l.Where, l.Detail, l.Advice})
		}
		err = in.table(columns("KIND", "API", "VERSION", "WHERE~", "WHAT~", "ADVICE~?"), rows)
	}
	if err == nil && len(list) > 0 && in.flag("strict") {
		return errFound
	}
	return err
}

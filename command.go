package apiguard

import (
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/url"
	"strings"

	"github.com/caddyserver/caddy/v2"
	caddycmd "github.com/caddyserver/caddy/v2/cmd"
	"github.com/spf13/cobra"
)

// commands are the sub-commands of `caddy api-guard`, each in a file of its own:
// command_<name>.go. A further one is a line here.
var commands = []func() *cobra.Command{
	routesCommand,
	showCommand,
	reviewCommand,
	findingsCommand,
	consumersCommand,
	flowsCommand,
	hostsCommand,
	limitsCommand,
	feedCommand,
	overrideCommand,
	openapiCommand,
	replayCommand,
	coverageCommand,
	lintCommand,
	planCommand,
	initCommand,
}

func init() {
	caddycmd.RegisterCommand(caddycmd.Command{
		Name:  "api-guard",
		Usage: "<command>",
		Short: "Asks API Guard what it knows, and checks its configuration",
		Long: `
Asks the API Guard of a running Caddy through the admin API, or checks a
configuration file without running it.

Commands write to standard output, as a table, or with --json as the admin API
answers. They exit with 0, with 1 on errors, and with --strict also with 1 when
what they found is not as it should be.`,
		CobraFunc: func(cmd *cobra.Command) {
			// What comes here names none of the commands, so its flags are nobody's.
			cmd.DisableFlagParsing = true
			cmd.RunE = func(cmd *cobra.Command, args []string) error {
				switch {
				case len(args) == 0 || args[0] == "--help" || args[0] == "-h":
					return cmd.Help()
				case strings.HasPrefix(args[0], "-"):
					return fmt.Errorf("%s: write the command first, such as caddy api-guard routes %[1]s; see caddy api-guard --help", args[0])
				default:
					return fmt.Errorf("there is no command %q%s: see caddy api-guard --help", args[0], meant(cmd, args[0]))
				}
			}
			for _, make := range commands {
				cmd.AddCommand(make())
			}
		},
	})
}

// meant names the commands that a mistyped one is near to.
func meant(cmd *cobra.Command, typed string) string {
	cmd.SuggestionsMinimumDistance = 2
	near := cmd.SuggestionsFor(typed)
	if len(near) == 0 {
		return ""
	}
	return " (" + strings.Join(near, ", ") + "?)"
}

// errFound ends a command that found what it looks for: with --strict that is no
// success. What was found is in the output already.
var errFound = errors.New("not as it should be (--strict)")

// invocation is a sub-command as it runs: its flags and where it writes.
type invocation struct {
	cmd *cobra.Command
	out io.Writer
}

// command makes a sub-command with the flags that all have. use is its name and
// arguments, long says what it does, for people.
func command(use, short, long string, run func(*invocation, []string) error) *cobra.Command {
	cmd := &cobra.Command{
		Use: use, Short: short, Long: strings.TrimSpace(long), Args: noArguments,
		SilenceUsage: true,
		RunE: func(cmd *cobra.Command, args []string) error {
			return run(&invocation{cmd: cmd, out: cmd.OutOrStdout()}, args)
		},
	}
	cmd.Flags().String("address", "", "Address of the administration API (default "+caddy.DefaultAdminListen+")")
	cmd.Flags().Bool("json", false, "Write JSON, as the admin API answers")
	return cmd
}

// asksNobody is for commands that look at files alone: what all take is not shown
// where it would do nothing.
func asksNobody(cmd *cobra.Command) { cmd.Flags().Lookup("address").Hidden = true }

// noArguments is for commands that are told everything by flags.
func noArguments(cmd *cobra.Command, args []string) error {
	if len(args) == 0 {
		return nil
	}
	return fmt.Errorf("%q: what %s is to look at is said with flags, such as --api NAME; see %[2]s --help", args[0], cmd.CommandPath())
}

// exactly is for commands that take one argument for each of what.
func exactly(what ...string) cobra.PositionalArgs {
	return func(cmd *cobra.Command, args []string) error {
		if len(args) == len(what) {
			return nil
		}
		return fmt.Errorf("%s takes %s; see %[1]s --help", cmd.CommandPath(), strings.Join(what, ", and "))
	}
}

// atLeast is for commands that take one or more of what.
func atLeast(what string) cobra.PositionalArgs {
	return func(cmd *cobra.Command, args []string) error {
		if len(args) > 0 {
			return nil
		}
		return fmt.Errorf("%s takes %s, or several; see %[1]s --help", cmd.CommandPath(), what)
	}
}

// withConfig adds the flags that name a configuration file. about says what the
// command does with it.
func withConfig(cmd *cobra.Command, about string) *cobra.Command {
	cmd.Flags().StringP("config", "c", "", about)
	cmd.Flags().StringP("adapter", "a", "", "Name of the config adapter to apply (with --config)")
	return cmd
}

// withStrict adds the flag by which findings are errors.
func withStrict(cmd *cobra.Command, about string) *cobra.Command {
	cmd.Flags().Bool("strict", false, about)
	return cmd
}

func (in *invocation) text(flag string) string {
	value, _ := in.cmd.Flags().GetString(flag)
	return value
}

func (in *invocation) flag(flag string) bool {
	value, _ := in.cmd.Flags().GetBool(flag)
	return value
}

// config reads and adapts the file of --config.
func (in *invocation) config() ([]byte, error) {
	config, _, _, err := caddycmd.LoadConfig(in.text("config"), in.text("adapter"))
	if err == nil && len(config) == 0 {
		err = errors.New("there is no Caddyfile in this folder: name the configuration with --config")
	}
	return config, err
}

// ask asks the admin API of the running Caddy for /api_guard/<route> and decodes
// the answer.
func (in *invocation) ask(method, route string, query url.Values, body io.Reader, into any) error {
	uri := adminPrefix + route
	if len(query) > 0 {
		uri += "?" + query.Encode()
	}
	response, address, err := in.request(method, uri, nil, body)
	if err != nil {
		return err
	}
	defer response.Body.Close()
	if err := json.NewDecoder(response.Body).Decode(into); err != nil {
		return notAdmin(address, uri, err)
	}
	return nil
}

// writeJSON writes a value as the admin API does, indented for people.
func (in *invocation) writeJSON(value any) error {
	encoder := json.NewEncoder(in.out)
	encoder.SetIndent("", "  ")
	return encoder.Encode(value)
}

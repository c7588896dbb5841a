package apiguard

import (
	"encoding/json"
	"errors"
	"net/url"

	"github.com/spf13/cobra"
)

func openapiCommand() *cobra.Command {
	cmd := command("openapi --api <name> --version <name> | --unknown [--host <name>]", "Writes a document in force, or a draft of what is undocumented", `
Writes the OpenAPI document of a version that is in force, with the limits,
lifecycle, credentials and CORS that really apply, as JSON:

    caddy api-guard openapi --api orders --version v2 > orders-v2.json

or with --unknown a draft (OpenAPI 3.1) of what no document has, from what was
seen: names, types and formats, never values. Read and complete it, and name it as
the version's spec.

    caddy api-guard openapi --unknown --host api.example.com > draft.json`, func(in *invocation, _ []string) error {
		query := url.Values{}
		for _, name := range []string{"api", "version", "host", "spec"} {
			if value := in.text(name); value != "" {
				query.Set(name, value)
			}
		}
		switch {
		case in.flag("unknown"):
			query.Set("unknown", "1")
		case in.text("api") == "" || in.text("version") == "":
			return errors.New("say --api and --version for the document in force, or --unknown for a draft of what has none")
		}
		var document json.RawMessage
		if err := in.ask("GET", "openapi", query, nil, &document); err != nil {
			return err
		}
		var draft struct {
			Paths map[string]any `json:"paths"`
		}
		if err := json.Unmarshal(document, &draft); err == nil && len(draft.Paths) == 0 {
			if err := in.unknownName(query); err != nil {
				return err
			}
		}
		return in.writeJSON(document)
	})
	cmd.Flags().Lookup("json").Hidden = true // a document is never a table
	cmd.Flags().String("api", "", "Of this API")
	cmd.Flags().String("version", "", "Of this version")
	cmd.Flags().String("host", "", "With --unknown: of this host")
	cmd.Flags().String("spec", "", "Which document, of a version that has several")
	cmd.Flags().Bool("unknown", false, "A draft of what is undocumented")
	return cmd
}

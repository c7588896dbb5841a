package apiguard

import (
	"strings"
	"testing"

	"github.com/spf13/cobra"
)

// `consumers --api nope` said that there is none, as it does of an API that nobody calls
// any more: a misspelt name let it be retired.
func TestACommandSaysOfAMisspeltNameThatItIsNone(t *testing.T) {
	app := smallApp(t)
	app.API = append(app.API, &API{Name: "billing", Owner: "team", Version: []*Version{{Name: "v2", Hosts: []string{"*.pay.example"}, Path: "/v2"}}})
	app.Integration = []*Integration{{Name: "acme", Consumer: []string{"sha256:" + strings.Repeat("0a", 32)}}}
	mustProvision(t, app)
	commands := map[string]func() *cobra.Command{
		"routes": routesCommand, "consumers": consumersCommand, "flows": flowsCommand, "hosts": hostsCommand, "openapi --unknown": openapiCommand, "openapi": openapiCommand, "findings": findingsCommand,
	}
	for line, want := range map[string]string{ // empty: it is well
		"consumers":                                 "",
		"consumers --api things":                    "",
		"consumers --api things --version v1":       "",
		"consumers --version v2 --json":             "",
		"consumers --api thing":                     `api "thing" is not in the catalogue (did you mean things?): there are `,
		"consumers --api nope --json":               `api "nope" is not in the catalogue: there are `,
		"consumers --api things --api thing":        `api "thing" is not in the catalogue`,
		"consumers --api things --version v2":       `there is no version "v2" (did you mean v1?) of things: there are v1`,
		"consumers --version v9":                    `there is no version "v9" (did you mean v1?) of any api: there are v1, v2`,
		"flows --api things":                        "",
		"flows --api thing":                         `api "thing" is not`,
		"routes --api things":                       "",
		"routes --api things --state retired":       "",
		"routes --host api.example":                 "",
		"routes --host api.example --state retired": "",
		"routes --host API.example --state retired": "",
		"routes --host shop.pay.example":            "",
		"routes --host pay.example":                 `host "pay.example" is not declared, and nobody asked for it`,
		"routes --host apy.example":                 `host "apy.example" is not declared, and nobody asked for it (did you mean api.example?)`,
		"routes --version v3 --state shadow":        `there is no version "v3" (did you mean v1?) of any api`,
		"flows --integration acme":                  "",
		"flows --integration acne":                  `integration "acne" is not declared (did you mean acme?)`,
		"findings --severity hihg":                  `unrecognized value "hihg" (did you mean high?): write high, `,
		"hosts --host apy.example":                  `(did you mean api.example?)`,
		"openapi --unknown":                         "",
		"openapi --unknown --host api.example":      "",
		"openapi --unknown --host apy.example":      `(did you mean api.example?)`,
		"openapi --unknown --api thing":             `(did you mean things?)`,
		"openapi --api things --version v1":         "",
		"openapi --api thing --version v1":          `api "thing" is not in the catalogue (did you mean things?)`,
		"openapi --api things --version v11":        `api "things" has no version "v11" (did you mean v1?)`,
	} {
		words := strings.Fields(line)
		out, err := asked(t, commands[words[0]](), words[1:]...)
		if want == "" && err != nil || want != "" && (err == nil || !strings.Contains(err.Error(), want)) {
			t.Errorf("%s: %v, want %q\n%s", line, err, want, out)
		}
		if want != "" && strings.Contains(out, "There is none") {
			t.Errorf("%s: %s", line, out)
		}
	}
}

package caddytest

import (
	"os"
	"regexp"
	"strings"
	"testing"

	"github.com/apiguard/caddy-api-guard/caddytest/internal/harness"
)

// The README's walk through the quickstart, command by command, with the answers
// that it shows.
func TestTheReadmesCommandsAnswerWhatTheyShow(t *testing.T) {
	t.Parallel()
	e := startExample(t, "quickstart")
	readme, err := os.ReadFile("../README.md")
	if err != nil {
		t.Fatal(err)
	}
	command := regexp.MustCompile(`(?m)^\$ (?:for i in 1 2 3 4 5; do )?(curl [^|;]+?)\s*(?:\||; done|$)`)
	plain := strings.NewReplacer(` -o /dev/null -w '%{http_code}\n'`, "", " -si ", " -i ")
	var commands []string
	for _, m := range command.FindAllStringSubmatch(string(readme), -1) {
		commands = append(commands, plain.Replace(m[1]))
	}
	e.text = "\n#    " + strings.Join(commands, "\n#    ") + "\n"
	want := []int{200, 400, 200, 410, 200, 429, 421, 200, 200}
	if len(commands) != len(want) {
		t.Fatalf("the README has %d curl commands: %q", len(commands), commands)
	}
	instance := regexp.MustCompile(`"instance":"[^"]*"`)
	shown := instance.ReplaceAllString(string(readme), "")
	for i, c := range commands {
		times := 1
		if strings.Contains(c, "api.localhost:8080/v2/password-reset") {
			times = 5
		}
		for range times {
			got := e.want(want[i], c)
			if strings.Contains(c, "localhost:2019") {
				harness.Await(t, "the shadow route", func() (string, bool) {
					got := e.ask(c)
					return string(got.Body), strings.Contains(string(got.Body), `"path":"/v2/debug","documented":false`)
				})
			} else if times == 1 && got.Status != 429 && !strings.HasPrefix(c, "curl -i http://old") && !strings.Contains(shown, instance.ReplaceAllString(string(got.Body), "")) {
				t.Errorf("%s answered %s, which the README does not show", c, got.Body)
			}
		}
	}
}

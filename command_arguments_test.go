package apiguard

import (
	"io"
	"strings"
	"testing"

	"github.com/spf13/cobra"
)

func TestACommandWithoutItsArgumentsSaysWhatTheyAre(t *testing.T) {
	for _, c := range []struct {
		make func() *cobra.Command
		args []string
		says string
	}{
		{showCommand, nil, "show takes the id of a route"},
		{showCommand, []string{"a", "b"}, "show takes the id of a route"},
		{reviewCommand, []string{"a"}, "review takes the id of a route, and accepted, ignored or open; see review --help"},
		{replayCommand, nil, "replay takes an access log"},
		{initCommand, nil, "init takes an OpenAPI document"},
	} {
		cmd := c.make()
		cmd.SetOut(io.Discard)
		cmd.SetErr(io.Discard)
		cmd.SetArgs(append([]string{}, c.args...))
		if err := cmd.Execute(); err == nil || !strings.Contains(err.Error(), c.says) {
			t.Errorf("%s %q: got %v, want %q in it", cmd.Name(), c.args, err, c.says)
		}
	}
}

package harness

import (
	"io"
	"os"
	"testing"

	caddycmd "github.com/caddyserver/caddy/v2/cmd"
)

// childVariable makes a test binary behave as the caddy command.
const childVariable = "API_GUARD_CADDY_CHILD"

// Main is the body of TestMain. In the process that [Start] or [Command]
// started it runs Caddy's command line, with whatever modules the test binary
// imports; otherwise it runs the tests.
func Main(m *testing.M) {
	if os.Getenv(childVariable) == "" {
		os.Exit(m.Run())
	}
	go exitWithParent()
	caddycmd.Main()
}

// exitWithParent ends the process when its standard input closes. The parent
// holds the other end, so a test binary that is killed (by a timeout, say)
// leaves no Caddy behind.
func exitWithParent() {
	_, _ = io.Copy(io.Discard, os.Stdin)
	os.Exit(3)
}

// Package needs finds the programs of other projects that tests run: a real
// nginx, a real Redis. Who has only Go still runs all other tests.
package needs

import (
	"os"
	"os/exec"
	"path/filepath"
	"testing"
)

// RequireVariable, when it is set to anything, makes a test whose program is
// absent fail, where it would otherwise be skipped. CI sets it.
const RequireVariable = "API_GUARD_REQUIRE_TOOLS"

// packages are Debian's names where they are not the program's own. The list of
// what CI installs stands in .ci/run.
var packages = map[string]string{
	"node":      "nodejs",
	"promtool":  "prometheus",
	"redis-cli": "redis-tools",
}

// Tool returns the path of the named program. Without it the test is skipped
// and says what to install; with API_GUARD_REQUIRE_TOOLS set it fails. Tests
// start the program themselves, on ports and in folders of their own.
func Tool(t testing.TB, name string) string {
	t.Helper()
	path, err := exec.LookPath(name)
	if err == nil {
		return path
	}
	// Debian keeps daemons where the search path of many users does not lead.
	for _, dir := range []string{"/usr/sbin", "/usr/local/sbin"} {
		if path, err = exec.LookPath(filepath.Join(dir, name)); err == nil {
			return path
		}
	}
	pkg := name
	if packages[name] != "" {
		pkg = packages[name]
	}
	if os.Getenv(RequireVariable) != "" {
		t.Fatalf("%s is not here and %s asks for it: install it (Debian: apt-get install %s)", name, RequireVariable, pkg)
	} else {
		t.Skipf("%s is not here: install it (Debian: apt-get install %s) to run this test", name, pkg)
	}
	return ""
}

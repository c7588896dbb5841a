package apiguard

import (
	"fmt"
	"os"
	"testing"
)

// TestMain keeps the inventories of the tests out of the user's own data. A
// configuration that a test leaves behind keeps the state for the tests after it,
// whose limits would begin with what it has counted: the last one would be found here.
func TestMain(m *testing.M) {
	dir, err := os.MkdirTemp("", "api-guard-*")
	if err != nil {
		panic(err)
	}
	if err := os.Setenv("XDG_DATA_HOME", dir); err != nil {
		panic(err)
	}
	code := m.Run()
	if n, there := pool.References(poolKey); there {
		fmt.Fprintf(os.Stderr, "%d configurations were left behind by tests\n", n)
		code = max(code, 1)
	}
	_ = os.RemoveAll(dir)
	os.Exit(code)
}

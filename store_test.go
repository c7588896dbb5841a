package apiguard

import (
	"os"
	"testing"
)

// TestMain keeps the inventories of the tests out of the user's own data.
func TestMain(m *testing.M) {
	dir, err := os.MkdirTemp("", "api-guard-*")
	if err != nil {
		panic(err)
	}
	if err := os.Setenv("XDG_DATA_HOME", dir); err != nil {
		panic(err)
	}
	code := m.Run()
	_ = os.RemoveAll(dir)
	os.Exit(code)
}

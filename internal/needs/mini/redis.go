// Package mini starts a Redis within a test. It is none of package needs, so that modules
// of tests that need programs do not need this one.
package mini

import (
	"strconv"
	"testing"

	"github.com/alicebob/miniredis/v2"
)

// Redis is a miniredis. Its Lua has no numbers beyond 32 bits where an
// int has no more, and scripts count microseconds: there the test is skipped. Tests
// that also run against a redis-server run against that one all the same.
func Redis(t testing.TB) *miniredis.Miniredis {
	t.Helper()
	if strconv.IntSize == 32 {
		t.Skip("miniredis cuts the numbers of scripts to 32 bits here: run this test where an int has 64")
	}
	return miniredis.RunT(t)
}

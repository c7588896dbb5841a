package store

import (
	"os"
	"os/exec"
	"testing"
)

// fullDisk is set in the process that may limit itself.
const fullDisk = "API_GUARD_STORE_ALONE"

// runAlone runs the test in a process of its own, whose limits are its own.
func runAlone(t *testing.T) {
	t.Helper()
	cmd := exec.Command(os.Args[0], "-test.run=^"+t.Name()+"$", "-test.v")
	cmd.Env = append(os.Environ(), fullDisk+"=1")
	out, err := cmd.CombinedOutput()
	if err != nil {
		t.Errorf("%v\n%s", err, out)
	}
}

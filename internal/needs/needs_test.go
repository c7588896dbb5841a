package needs

import (
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"
)

// verdict notes how a test ended instead of ending it.
type verdict struct {
	testing.TB
	failed, skipped string
}

func (v *verdict) Helper() {}

func (v *verdict) Fatalf(format string, args ...any) { v.failed = fmt.Sprintf(format, args...) }

func (v *verdict) Skipf(format string, args ...any) { v.skipped = fmt.Sprintf(format, args...) }

func TestAnAbsentToolSkipsUnlessItIsRequired(t *testing.T) {
	dir := t.TempDir()
	t.Setenv("PATH", dir)

	t.Setenv(RequireVariable, "")
	v := verdict{TB: t}
	if path := Tool(&v, "no-such-promtool"); path != "" || v.failed != "" || !strings.Contains(v.skipped, "apt-get install no-such-promtool") {
		t.Errorf("not required: %q, %+v", path, v)
	}

	t.Setenv(RequireVariable, "1")
	v = verdict{TB: t}
	if path := Tool(&v, "no-such-promtool"); path != "" || v.skipped != "" || !strings.Contains(v.failed, RequireVariable) {
		t.Errorf("required: %q, %+v", path, v)
	}

	here := filepath.Join(dir, "no-such-promtool")
	if err := os.WriteFile(here, []byte("#!/bin/sh\n"), 0o700); err != nil {
		t.Fatal(err)
	}
	v = verdict{TB: t}
	if path := Tool(&v, "no-such-promtool"); path != here || v.failed+v.skipped != "" {
		t.Errorf("present: %q, %+v", path, v)
	}
}

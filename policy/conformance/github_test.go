package conformance

import (
	"path/filepath"
	"runtime"
	"testing"
)

// TestGitHubsDocumentCompiles holds the whole of a large document to what is
// promised: of its operations 99 in 100 are checked whole, and all of them together
// take no more than 120 MB of memory, the document included.
func TestGitHubsDocumentCompiles(t *testing.T) {
	var before, after runtime.MemStats
	runtime.GC()
	runtime.ReadMemStats(&before)
	operations := operationsOf(t, filepath.Join("specs", "github", "api.github.com.json"))
	whole := 0
	for _, o := range operations {
		problems := o.Problems()
		if len(problems) == 0 {
			whole++
		}
		for _, p := range problems {
			t.Logf("%s %s: unchecked: %s", o.op.Method, o.op.Template, p)
		}
	}
	runtime.GC()
	runtime.ReadMemStats(&after)
	live := int64(after.HeapAlloc) - int64(before.HeapAlloc)
	t.Logf("%d of %d operations are checked whole; %d MB live with every operation compiled", whole, len(operations), live>>20)
	if len(operations) != 1223 || whole*100 < len(operations)*99 {
		t.Errorf("%d of %d operations are checked whole, want 99 of 100 of 1223", whole, len(operations))
	}
	if live > 120<<20 && !raceDetector {
		t.Errorf("%d MB live, want 120 at most", live>>20)
	}
	runtime.KeepAlive(operations)
}

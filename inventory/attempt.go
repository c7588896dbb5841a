package inventory

import (
	"fmt"
	"path"
	"runtime"
	"strings"
)

// attempt is f, whose panic is an error that says where: what one part of the inventory
// cannot tell or take in must not end Caddy.
func attempt(f func() error) (err error) {
	defer func() {
		if p := recover(); p != nil {
			err = fmt.Errorf("a defect of api_guard (%v in %s): report it", p, where())
		}
	}()
	return f()
}

// where names the lines that led to a panic, the innermost first.
func where() string {
	pcs := make([]uintptr, 32)
	frames := runtime.CallersFrames(pcs[:runtime.Callers(3, pcs)])
	var lines []string
	for more := true; more && len(lines) < 4; {
		var f runtime.Frame
		if f, more = frames.Next(); !strings.HasPrefix(f.Function, "runtime.") {
			lines = append(lines, fmt.Sprintf("%s:%d", path.Base(f.File), f.Line))
		}
	}
	return strings.Join(lines, ", ")
}

package store

import (
	"os"
	"path/filepath"
	"slices"
	"time"
)

// asideKept is how many damaged files are kept, so that a bad disk does not fill
// itself with them.
const asideKept = 3

// setAside renames a damaged file and lets go of the oldest that were before.
func setAside(file string) (aside string, err error) {
	aside = file + ".damaged-" + time.Now().UTC().Format("20060102T150405.000000") // two within a millisecond are two
	if err := os.Rename(file, aside); err != nil {
		return "", err
	}
	// The names sort by time.
	before, err := filepath.Glob(filepath.Join(filepath.Dir(file), "*.damaged-*"))
	if err != nil {
		return aside, nil
	}
	before = slices.DeleteFunc(before, func(name string) bool {
		return len(name) != len(aside) || name[:len(file)] != file
	})
	slices.Sort(before)
	for _, old := range before[:max(len(before)-asideKept, 0)] {
		_ = os.Remove(old)
	}
	return aside, nil
}

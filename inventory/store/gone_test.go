//go:build unix

package store

import (
	"errors"
	"os"
	"path/filepath"
	"testing"
)

// What is written to a file that has no name any more, nobody would ever find.
func TestAFileThatIsNotWhereItWasSaysSo(t *testing.T) {
	name := file(t)
	folder, away := filepath.Dir(name), filepath.Join(t.TempDir(), "away")
	s, _, err := Open(name, func(Pair) {})
	if err != nil {
		t.Fatal(err)
	}
	defer s.Close()
	do := func(steps ...error) {
		t.Helper()
		for _, err := range steps {
			if err != nil {
				t.Fatal(err)
			}
		}
	}
	pairs := []Pair{{"routes", []byte("a"), []byte("1")}}
	for _, c := range []struct {
		name     string
		do, undo func()
		want     error
	}{
		{"nothing", func() {}, func() {}, nil},
		{"its folder is elsewhere", func() { do(os.Rename(folder, away)) }, func() { do(os.Rename(away, folder)) }, ErrGone},
		{"a file is in the folder's place", func() { do(os.Rename(folder, away), os.WriteFile(folder, nil, 0o600)) }, func() { do(os.Remove(folder), os.Rename(away, folder)) }, ErrGone},
		{"another file is in its place", func() { do(os.Rename(name, away), os.WriteFile(name, []byte("x"), 0o600)) }, func() { do(os.Rename(away, name)) }, ErrReplaced},
		{"it has another name", func() { do(os.Rename(name, away)) }, func() { do(os.Rename(away, name)) }, ErrGone},
	} {
		c.do()
		if err := s.Commit(pairs); !errors.Is(err, c.want) {
			t.Errorf("%s: commit: %v", c.name, err)
		}
		if err := s.Replace([]string{"routes"}, pairs); !errors.Is(err, c.want) {
			t.Errorf("%s: replace: %v", c.name, err)
		}
		c.undo()
		if err := s.Commit(pairs); err != nil {
			t.Errorf("after %s: %v", c.name, err)
		}
	}
}

package store

import (
	"fmt"
	"io"
	"os"
)

// migrations are the steps from each schema to the next: migrations[i] turns a pair of
// schema i+1 into one of schema i+2; false drops it. A field that may be absent needs
// no step; what older programs would misread does. A panic in one leaves the file as
// it is.
var migrations []func(Pair) (Pair, bool)

// Schema is the version of what is in the buckets that this program writes.
func Schema() int { return len(migrations) + 1 }

// migrate brings pairs of an older schema to this one. A file without a number is of
// the first.
func migrate(schema int, each func(Pair)) func(Pair) {
	steps := migrations[max(schema, 1)-1:]
	if len(steps) == 0 {
		return each
	}
	return func(p Pair) {
		for _, step := range steps {
			var ok bool
			if p, ok = step(p); !ok {
				return
			}
		}
		each(p)
	}
}

// backUp copies a file that is going to be migrated, so that the program that wrote it
// can go on from there: beside it, with its schema in the name, in place of an earlier
// copy. Without a copy nothing is migrated.
func backUp(f *os.File, file string, schema int) (backup string, err error) {
	backup = fmt.Sprintf("%s.schema-%d", file, schema)
	defer func() {
		if err != nil {
			_ = os.Remove(backup + ".part")
			err = fmt.Errorf("the file has schema %d and was left alone, since it cannot be copied to %s before it is brought to %d: %w", schema, backup, Schema(), err)
		}
	}()
	if _, err := f.Seek(0, io.SeekStart); err != nil {
		return "", err
	}
	to, err := os.OpenFile(backup+".part", os.O_WRONLY|os.O_CREATE|os.O_TRUNC, 0o600)
	if err != nil {
		return "", err
	}
	_, err = io.Copy(to, f)
	if err == nil {
		err = to.Sync()
	}
	if closed := to.Close(); err == nil {
		err = closed
	}
	if err != nil {
		return "", err
	}
	return backup, os.Rename(backup+".part", backup)
}

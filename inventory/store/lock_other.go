//go:build !(darwin || dragonfly || freebsd || linux || netbsd || openbsd)

package store

import (
	"os"

	"go.etcd.io/bbolt"
	bolterrors "go.etcd.io/bbolt/errors"
)

// lock asks bbolt, which has the only lock there is here, whether it could have
// the file.
func lock(f *os.File) error {
	db, err := bbolt.Open(f.Name(), 0o600, &bbolt.Options{Timeout: lockTimeout, ReadOnly: true})
	if err == nil {
		return db.Close()
	}
	if err == bolterrors.ErrTimeout {
		return err
	}
	return nil
}

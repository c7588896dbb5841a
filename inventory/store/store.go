// Package store keeps pairs of bytes in buckets of one bbolt file, so that they
// outlive the process. It knows nothing of what they mean.
//
// A file is walked once when it is opened: its pages are checked before bbolt maps
// them, because bbolt trusts what it reads, and the walk hands out the pairs. Each
// value bears a checksum. What is damaged is set aside, what can still be read of
// it is handed out, and a new file is begun; what was never ours is left alone;
// nothing of this panics or ends the process.
package store

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"runtime/debug"
	"syscall"
	"time"

	"go.etcd.io/bbolt"
	bolterrors "go.etcd.io/bbolt/errors"
)

// Pair is a value under a key of a bucket. A nil Value in a commit removes the
// key.
type Pair struct {
	Bucket     string // made when it is first written to
	Key, Value []byte // bytes as they are, of any meaning
}

// lockTimeout is how long Open waits for another process to let go of the file.
const lockTimeout = 100 * time.Millisecond

// Errors of Open that are about the file as a whole. Whatever it returns, the file
// is as it was.
var (
	// ErrLocked: another process has the file open.
	ErrLocked = errors.New("another process has the file open")
	// ErrNewer: a newer version of this program wrote the file.
	ErrNewer = errors.New("a newer version of this program wrote the file, and it was left alone")
	// ErrForeign: the file is another program's, as Foreign says.
	ErrForeign = errors.New("the file is no inventory, and it was left alone")
	// ErrReadOnly: the file was read, but it cannot be written.
	ErrReadOnly = errors.New("the file can be read only")
)

// Store is an open file. Its methods are for one goroutine.
type Store struct {
	file string
	db   *bbolt.DB
	info fs.FileInfo // of the open file
}

// Found says what Open found where the file is.
type Found struct {
	// Fresh: there was no file, or nothing in it.
	Fresh bool
	// Damage says what was wrong with the file, empty for nothing. It was renamed
	// to Aside.
	Damage, Aside string
	// Migrated: the pairs were of an older schema, From. The caller has to write all
	// of them back with Replace before anything else; until then the file is as it
	// was. Backup is a copy of it.
	Migrated bool
	From     int    // the older schema's number; 0 without Migrated
	Backup   string // path of the copy; empty without Migrated
}

// Open opens the file, making it and its folder where there is none, and calls
// each with every pair in it. Neither key nor value may be kept after each
// returns. When it returns an error there is no store; with ErrReadOnly the pairs
// were handed out all the same.
func Open(file string, each func(Pair)) (s *Store, found Found, err error) {
	defer func() {
		if p := recover(); p != nil {
			s, err = nil, fmt.Errorf("opening %s: %v", file, p)
		}
	}()
	defer debug.SetPanicOnFault(debug.SetPanicOnFault(true))
	if err := os.MkdirAll(filepath.Dir(file), 0o700); err != nil {
		return nil, found, err
	}
	info, err := os.Stat(file)
	switch {
	case errors.Is(err, fs.ErrNotExist):
		found.Fresh = true
	case err != nil:
		return nil, found, err
	case !info.Mode().IsRegular():
		return nil, found, fmt.Errorf("%s is no regular file", file)
	case info.Size() == 0:
		found.Fresh = true
	default:
		if err := inspect(file, &found, each); err != nil {
			return nil, found, err
		}
	}
	s, err = open(file, !found.Migrated)
	return s, found, err
}

// inspect walks the file while no other process has it open, and sets it aside if
// it is damaged.
func inspect(file string, found *Found, each func(Pair)) error {
	f, err := os.OpenFile(file, os.O_RDWR, 0)
	readOnly := denied(err)
	if readOnly {
		f, err = os.Open(file)
	}
	if err != nil {
		return err
	}
	schema := 0
	found.Damage, schema, err = read(f, each)
	if err == nil && found.Damage == "" && schema < Schema() {
		found.Migrated, found.From = true, schema
		if !readOnly {
			found.Backup, err = backUp(f, file, schema)
		}
	}
	_ = f.Close()
	switch {
	case err != nil:
		return err
	case readOnly:
		return ErrReadOnly
	case found.Damage != "":
		found.Aside, err = setAside(file)
	}
	return err
}

// read hands out the pairs of a file and says what is wrong with it.
func read(f *os.File, each func(Pair)) (damage string, schema int, err error) {
	if err := lock(f); err != nil {
		return "", 0, ErrLocked
	}
	w, damage := newWalk(f)
	if what := foreign(f, w); what != "" {
		return "", 0, fmt.Errorf("%w: it is %s", ErrForeign, what)
	}
	if damage != "" {
		return damage, 0, nil
	}
	if schema = w.schema(); schema > Schema() {
		return "", schema, fmt.Errorf("%w: it has schema %d, this one writes %d", ErrNewer, schema, Schema())
	}
	return w.run(migrate(schema, each)), schema, nil
}

// open opens the file for writing; mark: and writes the schema into it.
func open(file string, mark bool) (*Store, error) {
	db, err := bbolt.Open(file, 0o600, &bbolt.Options{Timeout: lockTimeout, FreelistType: bbolt.FreelistMapType})
	switch {
	case errors.Is(err, bolterrors.ErrTimeout):
		return nil, ErrLocked
	case denied(err):
		return nil, ErrReadOnly
	case err != nil:
		if info, statErr := os.Stat(file); statErr == nil && info.Size() < 4*int64(os.Getpagesize()) {
			// There was no room for even an empty one. What was begun would look damaged.
			_ = os.Remove(file)
		}
		return nil, err
	}
	info, err := os.Stat(file)
	if err != nil {
		_ = db.Close()
		return nil, err
	}
	s := &Store{file: file, db: db, info: info}
	if !mark {
		return s, nil
	}
	if err := s.Commit(nil); err != nil {
		_ = db.Close()
		return nil, err
	}
	return s, nil
}

func denied(err error) bool {
	return errors.Is(err, fs.ErrPermission) || errors.Is(err, syscall.EROFS)
}

// Commit writes the pairs, all or none, and returns when they are on the disk; the
// values are copied, and each pair's Value is the copy then. All of them, and every page
// that they are on, are in memory meanwhile. A
// panic within bbolt, which a file that changes under it can cause, is ErrDamaged.
func (s *Store) Commit(pairs []Pair) error {
	return s.update(func(tx *bbolt.Tx) error { return write(tx, pairs) })
}

// Replace is Commit after emptying the buckets.
func (s *Store) Replace(buckets []string, pairs []Pair) error {
	return s.update(func(tx *bbolt.Tx) error {
		for _, name := range buckets {
			if err := tx.DeleteBucket([]byte(name)); err != nil && !errors.Is(err, bolterrors.ErrBucketNotFound) {
				return err
			}
		}
		return write(tx, pairs)
	})
}

// Errors of Commit and Replace.
var (
	// ErrDamaged: the file changed under this process. SetAside is next.
	ErrDamaged = errors.New("the file is damaged")
	// ErrGone: nothing is where the file was. Nobody would ever find what is written
	// to it, unless it comes back.
	ErrGone = errors.New("the file was removed")
	// ErrReplaced: another file was put where it was, a backup perhaps, which is for
	// the next start.
	ErrReplaced = errors.New("another file was put in its place, which is left alone until the next start")
)

// there says whether the file is still where it was opened.
func (s *Store) there() error {
	now, err := os.Stat(s.file)
	switch {
	case err != nil:
		return ErrGone
	case !os.SameFile(now, s.info):
		return ErrReplaced
	}
	return nil
}

func (s *Store) update(change func(*bbolt.Tx) error) (err error) {
	defer func() {
		if p := recover(); p != nil {
			err = fmt.Errorf("%w: %v", ErrDamaged, p)
		}
	}()
	defer debug.SetPanicOnFault(debug.SetPanicOnFault(true))
	if err := s.there(); err != nil {
		return err
	}
	return s.db.Update(func(tx *bbolt.Tx) error {
		if err := writeSchema(tx); err != nil {
			return err
		}
		return change(tx)
	})
}

func write(tx *bbolt.Tx, pairs []Pair) error {
	var bucket *bbolt.Bucket
	name := ""
	for i := range pairs {
		p := &pairs[i]
		if bucket == nil || name != p.Bucket {
			var err error
			if bucket, err = tx.CreateBucketIfNotExists([]byte(p.Bucket)); err != nil {
				return err
			}
			name = p.Bucket
		}
		var err error
		if p.Value == nil {
			err = bucket.Delete(p.Key)
		} else {
			sealed := seal(p.Key, p.Value)
			p.Value = sealed[checksumSize:] // one of the two is enough
			err = bucket.Put(p.Key, sealed)
		}
		if err != nil {
			return err
		}
	}
	return nil
}

// Close closes the file. The store cannot be used after it.
func (s *Store) Close() (err error) {
	defer func() {
		if p := recover(); p != nil {
			err = fmt.Errorf("%w: %v", ErrDamaged, p)
		}
	}()
	return s.db.Close()
}

// SetAside closes a damaged file and renames it; Open then begins a new one.
func (s *Store) SetAside() (aside string, err error) {
	_ = s.Close()
	return setAside(s.file)
}

package remote

import (
	"context"
	"crypto/sha256"
	"crypto/x509"
	"encoding/hex"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"time"

	"github.com/apiguard/caddy-api-guard/inventory/spec"
)

// Store gets documents and keeps copies of them.
type Store struct {
	// Dir is the folder of the copies. It may be missing: Keep makes it.
	Dir string
	// Patience is how long fetching one document may take. Default 10s.
	Patience time.Duration
	// Roots are the authorities that hosts' certificates must come from. Default:
	// those of the system.
	Roots *x509.CertPool
}

// Get gives a document of at most limit bytes: its copy, else what its URL has.
// Nothing is written.
func (s *Store) Get(ctx context.Context, pin Pin, limit int64) (data []byte, fetched bool, err error) {
	data, noCopy := s.copyOf(pin.Sum, limit)
	if noCopy == nil || errors.As(noCopy, new(spec.TooLarge)) {
		return data, false, noCopy
	}
	data, err = s.fetch(ctx, pin, limit)
	switch {
	case err == nil:
		return data, true, nil
	case errors.As(err, new(*changedError)), errors.As(err, new(spec.TooLarge)):
		// What to do about it does not depend on a copy.
		return nil, false, fmt.Errorf("fetching it: %w", err)
	}
	return nil, false, fmt.Errorf("fetching it: %w; no copy is kept (%w): see that the URL can be reached from here, or fetch the document before Caddy starts and name the file", err, noCopy)
}

// copyOf reads a copy. One that was damaged is none.
func (s *Store) copyOf(sum [sha256.Size]byte, limit int64) ([]byte, error) {
	file := s.file(sum)
	info, err := os.Stat(file)
	switch {
	case errors.Is(err, fs.ErrNotExist):
		return nil, fmt.Errorf("%s has none", s.Dir)
	case err != nil:
		return nil, err
	case !info.Mode().IsRegular():
		return nil, fmt.Errorf("%s is no regular file", file)
	case info.Size() > limit:
		return nil, spec.TooLarge(limit)
	}
	data, err := os.ReadFile(file)
	if err == nil && sha256.Sum256(data) != sum {
		err = fmt.Errorf("%s is damaged", file)
	}
	return data, err
}

// has tells whether there is a copy that is not damaged.
func (s *Store) has(sum [sha256.Size]byte) bool {
	f, err := os.Open(s.file(sum))
	if err != nil {
		return false
	}
	defer f.Close()
	h := sha256.New()
	_, err = io.Copy(h, f)
	return err == nil && [sha256.Size]byte(h.Sum(nil)) == sum
}

func (s *Store) file(sum [sha256.Size]byte) string {
	return filepath.Join(s.Dir, hex.EncodeToString(sum[:]))
}

// Keep sees that there is a copy of a document, and notes that it is in use now.
func (s *Store) Keep(sum [sha256.Size]byte, data []byte, now time.Time) error {
	file := s.file(sum)
	if s.has(sum) {
		// Where it cannot be noted the copy only goes earlier.
		_ = os.Chtimes(file, now, now)
		return nil
	}
	if err := os.MkdirAll(s.Dir, 0o700); err != nil {
		return err
	}
	// Two processes may have one folder: neither sees half of what the other writes.
	part, err := os.CreateTemp(s.Dir, partPrefix+"*")
	if err != nil {
		return err
	}
	_, err = part.Write(data)
	err = errors.Join(err, part.Sync(), part.Close())
	if err == nil {
		err = os.Rename(part.Name(), file)
	}
	if err != nil {
		_ = os.Remove(part.Name())
	}
	return err
}

// partPrefix begins the name of a copy that is being written.
const partPrefix = "part-"

// Forget removes the copies that were last in use before a time, but for those in
// keep.
func (s *Store) Forget(keep map[[sha256.Size]byte]bool, before time.Time) {
	entries, _ := os.ReadDir(s.Dir)
	for _, entry := range entries {
		sum, err := hex.DecodeString(entry.Name())
		isCopy := err == nil && len(sum) == sha256.Size
		if !isCopy && !strings.HasPrefix(entry.Name(), partPrefix) || isCopy && keep[[sha256.Size]byte(sum)] {
			continue
		}
		// What cannot be removed now is met again at the next start.
		if info, err := entry.Info(); err == nil && info.Mode().IsRegular() && info.ModTime().Before(before) {
			_ = os.Remove(filepath.Join(s.Dir, entry.Name()))
		}
	}
}

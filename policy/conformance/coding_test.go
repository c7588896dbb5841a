package conformance

import (
	"bytes"
	"errors"
	"math/rand/v2"
	"strings"
	"testing"

	"github.com/klauspost/compress/zstd"
)

// zstdFrame is text as one frame, with a window of the given size. streamed leaves
// its size out.
func zstdFrame(t *testing.T, text []byte, window int, streamed bool) []byte {
	t.Helper()
	w, err := zstd.NewWriter(nil, zstd.WithWindowSize(window), zstd.WithSingleSegment(false))
	if err != nil {
		t.Fatal(err)
	}
	if !streamed {
		return w.EncodeAll(text, nil)
	}
	var b bytes.Buffer
	w.Reset(&b)
	for part := range bytes.Lines(text) {
		if _, err := w.Write(part); err != nil {
			t.Fatal(err)
		}
		if err := w.Flush(); err != nil {
			t.Fatal(err)
		}
	}
	if err := w.Close(); err != nil {
		t.Fatal(err)
	}
	return b.Bytes()
}

func TestZstdIsDecodedWithinItsLimits(t *testing.T) {
	random := rand.New(rand.NewPCG(1, 2))
	text := make([]byte, 0, 600<<10)
	for len(text) < 600<<10 {
		text = append(text, byte('a'+random.IntN(20)))
		if random.IntN(5000) == 0 {
			text = append(text, '\n')
		}
	}
	known, unknown := zstdFrame(t, text, 8<<20, false), zstdFrame(t, text, 8<<20, true)
	wide := append(zstdFrame(t, []byte("x"), 1<<20, true), unknown...)
	skippable := []byte{0x50, 0x2a, 0x4d, 0x18, 1, 0, 0, 0, 'x'}
	same := bytes.Repeat([]byte("x"), 300<<10)
	for _, c := range []struct {
		name  string
		coded []byte
		limit int
		want  string
		err   error
	}{
		{"a frame that says its size", known, len(text), string(text), nil},
		{"one that does not", unknown, len(text), string(text), nil},
		{"a byte more than the limit", known, len(text) - 1, "", errTooLarge},
		{"the same, not announced", unknown, len(text) - 1, "", errTooLarge},
		{"blocks of a byte that is repeated", zstdFrame(t, same, 1<<20, true), 1 << 20, string(same), nil},
		// Some readers take the first, others all.
		{"two frames", append(known[:len(known):len(known)], known...), 2 * len(text), "", errCoding},
		{"two frames of which none says its size", wide, len(text) + 1, "", errCoding},
		{"an empty frame before it", append(zstdFrame(t, nil, 1<<20, true), known...), len(text), "", errCoding},
		{"an empty frame after it", append(known[:len(known):len(known)], zstdFrame(t, nil, 1<<20, true)...), len(text), "", errCoding},
		{"a frame to be skipped before it", append(skippable[:len(skippable):len(skippable)], known...), len(text), "", errCoding},
		{"a frame to be skipped after it", append(known[:len(known):len(known)], skippable...), len(text), "", errCoding},
		{"nothing", nil, 10, "", errCoding},
		{"an empty frame", zstdFrame(t, nil, 1<<20, true), 10, "", nil},
		{"a frame that ends early", known[:len(known)-5], len(text), "", errCoding},
		{"something after it", append(known[:len(known):len(known)], "rest"...), len(text), "", errCoding},
		{"a window of 16 MiB", zstdFrame(t, []byte(strings.Repeat("x", 1<<20)), 16<<20, true), 1 << 20, "", errCoding},
	} {
		got, err := decodeZstd(c.coded, int64(c.limit))
		if !errors.Is(err, c.err) || c.err == nil && string(got) != c.want {
			t.Errorf("%s: %d bytes, %v; want %d, %v", c.name, len(got), err, len(c.want), c.err)
		}
	}
}

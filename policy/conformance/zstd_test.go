package conformance

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"testing"

	"github.com/klauspost/compress/zstd"
)

// Whatever an encoder is told, and whether it knows the length or not, what it writes is
// decoded, also within a limit of just its size.
func TestZstdOfEveryEncoderIsDecoded(t *testing.T) {
	texts := map[string]func(i int) byte{
		"one byte":  func(int) byte { return 0 },
		"mixed":     func(i int) byte { return byte(i*i>>3) ^ byte(i>>8) },
		"repeating": func(i int) byte { return "abcdefgh ij"[i%11] },
	}
	for _, level := range []zstd.EncoderLevel{zstd.SpeedFastest, zstd.SpeedDefault, zstd.SpeedBetterCompression, zstd.SpeedBestCompression} {
		for _, checksum := range []bool{true, false} {
			for _, single := range []bool{true, false} {
				var streamed bytes.Buffer
				w, err := zstd.NewWriter(&streamed, zstd.WithEncoderLevel(level), zstd.WithEncoderCRC(checksum), zstd.WithSingleSegment(single), zstd.WithZeroFrames(true))
				if err != nil {
					t.Fatal(err)
				}
				for kind, at := range texts {
					for _, n := range []int{0, 1, 2, 10, 255, 256, 257, 1000, 65_791, 65_792, 131_071, 131_072, 131_073, 262_144, 300_000, 1 << 20} {
						text := make([]byte, n)
						for i := range text {
							text[i] = at(i)
						}
						whole := w.EncodeAll(text, nil)
						streamed.Reset()
						w.Reset(&streamed)
						_, err := w.Write(text)
						if n > 5 {
							err = errors.Join(err, w.Flush())
						}
						if err = errors.Join(err, w.Close()); err != nil {
							t.Fatal(err)
						}
						name := fmt.Sprintf("%d bytes, %s, %s, checksum %v, single segment %v", n, kind, level, checksum, single)
						for how, coded := range map[string][]byte{"whole": whole, "streamed": streamed.Bytes()} {
							for _, limit := range []int64{2 << 20, int64(n)} {
								if out, err := decodeZstd(coded, limit); err != nil || !bytes.Equal(out, text) {
									t.Errorf("%s, %s, within %d: %d bytes, %v", name, how, limit, len(out), err)
								}
							}
						}
					}
				}
			}
		}
	}
}

// What is decoded is what a reader of streams has, and nothing shorter is decoded too.
func FuzzZstd(f *testing.F) {
	w, err := zstd.NewWriter(nil)
	if err != nil {
		f.Fatal(err)
	}
	f.Add(w.EncodeAll([]byte("hello hello hello hello"), nil))
	f.Add([]byte("\x28\xb5\x2f\xfd\x20\x00\x01\x00\x00"))
	f.Add([]byte("\x50\x2a\x4d\x18\x00\x00\x00\x00"))
	f.Fuzz(func(t *testing.T, coded []byte) {
		const limit = 1 << 20
		out, err := decodeZstd(coded, limit)
		if err != nil {
			return
		}
		r, err := zstd.NewReader(bytes.NewReader(coded), zstd.WithDecoderConcurrency(1), zstd.WithDecoderMaxWindow(zstdWindow))
		if err != nil {
			t.Fatal(err)
		}
		defer r.Close()
		if all, err := io.ReadAll(r); err != nil || !bytes.Equal(all, out) {
			t.Fatalf("%d bytes, a reader of streams has %d: %v", len(out), len(all), err)
		}
		for i := range coded[1:] {
			if out, err := decodeZstd(coded[:1+i], limit); err == nil {
				t.Fatalf("%d of %d bytes are decoded as %d", 1+i, len(coded), len(out))
			}
		}
	})
}

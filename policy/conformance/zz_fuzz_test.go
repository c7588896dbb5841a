package conformance

import (
	"bytes"
	"io"
	"net/http"
	"testing"

	"github.com/klauspost/compress/zstd"
)

func TestZZ(t *testing.T) {
	for _, lvl := range []zstd.EncoderLevel{zstd.SpeedFastest, zstd.SpeedDefault, zstd.SpeedBetterCompression, zstd.SpeedBestCompression} {
		for _, crc := range []bool{true, false} {
			for _, single := range []bool{true, false} {
				e, _ := zstd.NewWriter(nil, zstd.WithEncoderLevel(lvl), zstd.WithEncoderCRC(crc), zstd.WithSingleSegment(single), zstd.WithZeroFrames(true))
				for _, n := range []int{0, 1, 2, 10, 255, 256, 257, 1000, 65791, 65792, 131071, 131072, 131073, 262144, 300000, 1 << 20} {
					for _, mode := range []int{0, 1, 2} {
						text := make([]byte, n)
						for i := range text {
							switch mode {
							case 1:
								text[i] = byte(i*i>>3) ^ byte(i>>8)
							case 2:
								text[i] = "abcdefgh ij"[i%11]
							}
						}
						coded := e.EncodeAll(text, nil)
						var s bytes.Buffer
						w, _ := zstd.NewWriter(&s, zstd.WithEncoderLevel(lvl), zstd.WithEncoderCRC(crc), zstd.WithSingleSegment(single), zstd.WithZeroFrames(true))
						w.Write(text)
						if n > 5 {
							w.Flush()
						}
						w.Close()
						for _, c := range [][]byte{coded, s.Bytes()} {
							out, err := decodeZstd(c, 2<<20)
							if err != nil || !bytes.Equal(out, text) {
								t.Errorf("%v %v %v %d %d: %v", lvl, crc, single, n, mode, err)
							}
							out, err = decodeZstd(c, int64(n))
							if err != nil || !bytes.Equal(out, text) {
								t.Errorf("exact %v %v %v %d %d: %v", lvl, crc, single, n, mode, err)
							}
						}
					}
				}
			}
		}
	}
}

func FuzzZZ(f *testing.F) {
	e, _ := zstd.NewWriter(nil)
	f.Add(e.EncodeAll([]byte("hello hello hello hello"), nil))
	f.Add([]byte("\x28\xb5\x2f\xfd\x20\x00\x01\x00\x00"))
	f.Add([]byte("\x50\x2a\x4d\x18\x00\x00\x00\x00"))
	f.Fuzz(func(t *testing.T, b []byte) {
		const limit = 1 << 20
		out, err := decodeZstd(b, limit)
		if err != nil {
			return
		}
		r, err := zstd.NewReader(bytes.NewReader(b), zstd.WithDecoderConcurrency(1), zstd.WithDecoderMaxWindow(zstdWindow))
		if err != nil {
			t.Fatal(err)
		}
		defer r.Close()
		all, err := io.ReadAll(r)
		if err != nil || !bytes.Equal(all, out) {
			t.Fatalf("stream %v %d %d", err, len(all), len(out))
		}
		// a prefix must not decode as well
		for i := 1; i < len(b); i++ {
			if o, err := decodeZstd(b[:i], limit); err == nil {
				t.Fatalf("prefix %d of %d: %d", i, len(b), len(o))
			}
		}
	})
}

func FuzzZZPick(f *testing.F) {
	f.Add([]byte(`{"a":{"b":1,"B":2}}`), "/a/b")
	f.Fuzz(func(t *testing.T, b []byte, p string) {
		Pick(b, http.Header{}, 1<<20, p)
	})
}

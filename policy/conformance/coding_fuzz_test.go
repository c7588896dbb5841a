package conformance

import (
	"bytes"
	"compress/gzip"
	"compress/zlib"
	"errors"
	"io"
	"net/http"
	"strings"
	"testing"

	othergzip "github.com/klauspost/compress/gzip"
	otherzlib "github.com/klauspost/compress/zlib"
	"github.com/klauspost/compress/zstd"
)

var codings = []string{"gzip", "deflate", "zstd"}

// What is coded and decoded again is the same, within the limit and no larger; what
// others made up is decoded as another reader of the coding has it, whole and with
// nothing behind it, or refused. Neither takes memory out of proportion.
func FuzzCoding(f *testing.F) {
	bomb := bytes.Repeat([]byte("0"), 1<<20)
	for which := range 3 {
		whole := []byte(coded(f, codings[which], string(bomb)))
		f.Add(uint8(which), whole, uint32(len(bomb)))
		f.Add(uint8(which), whole, uint32(len(bomb)/2))
		// A search spends on what is large nearly all of its time: two of it are enough.
		for _, text := range [][]byte{nil, []byte(`{"a":1}`), bomb[:1<<12]} {
			whole := []byte(coded(f, codings[which], string(text)))
			f.Add(uint8(which), whole, uint32(len(text)))
			f.Add(uint8(which), whole, uint32(len(text)/2))
			f.Add(uint8(which), append(whole[:len(whole):len(whole)], whole...), uint32(3*len(text))) // two streams
			f.Add(uint8(which), append(whole[:len(whole):len(whole)], "rest"...), uint32(1<<16))
			f.Add(uint8(which), whole[:len(whole)-1], uint32(1<<16))
			f.Add(uint8(which), []byte(coded(f, codings[which], string(whole))), uint32(1<<16)) // stacked
		}
	}
	f.Add(uint8(2), []byte("\x28\xb5\x2f\xfd\xe0\xff\xff\xff\xff\xff\xff\xff\xff"), uint32(1<<20)) // says it is 16 EiB
	f.Add(uint8(2), []byte("\x50\x2a\x4d\x18\x04\x00\x00\x00abcd"), uint32(10))                    // a frame to be skipped
	flagged := []byte(coded(f, codings[0], "1"))
	flagged[3] = 0x40
	f.Add(uint8(0), flagged, uint32(10))
	// Made once: making them takes longer than what is done with them.
	var text bytes.Buffer
	encoder, err := zstd.NewWriter(nil, zstd.WithEncoderConcurrency(1))
	if err != nil {
		f.Fatal(err)
	}
	coders := []interface {
		io.WriteCloser
		Reset(io.Writer)
	}{gzip.NewWriter(nil), zlib.NewWriter(nil), encoder}
	other, err := zstd.NewReader(nil, zstd.WithDecoderConcurrency(1), zstd.WithDecoderMaxWindow(zstdWindow))
	if err != nil {
		f.Fatal(err)
	}
	f.Cleanup(other.Close)
	f.Fuzz(func(t *testing.T, which uint8, body []byte, most uint32) {
		if len(body) > 1<<16 {
			return
		}
		kind := int(which) % 3
		c := []coding{codingGzip, codingDeflate, codingZstd}[kind]
		limit := int64(most % (1 << 20))

		// What is sent comes back.
		text.Reset()
		coders[kind].Reset(&text)
		_, err := coders[kind].Write(body)
		if err := errors.Join(err, coders[kind].Close()); err != nil {
			t.Fatal(err)
		}
		whole := text.Bytes()
		got, err := c.decode(whole, limit)
		switch {
		case int64(len(body)) > limit || len(body) > max(ratioFree, len(whole)*maxRatio):
			if !errors.Is(err, errTooLarge) {
				t.Fatalf("%d bytes with a limit of %d: %d, %v", len(body), limit, len(got), err)
			}
		case err != nil || !bytes.Equal(got, body):
			t.Fatalf("%d bytes with a limit of %d come back as %d: %v", len(body), limit, len(got), err)
		}

		// And what anybody sends is what it is for another reader.
		got, err = c.decode(body, limit)
		bound := min(limit, max(ratioFree, int64(len(body))*maxRatio))
		want, left, wrong := otherReader(kind, body, bound, other)
		switch {
		case int64(len(got)) > bound:
			t.Fatalf("%d bytes, and the limit is %d", len(got), bound)
		case err == nil && (wrong != nil || left > 0 || !bytes.Equal(got, want)):
			t.Fatalf("taken as %q; another reader has %q, %d left, %v", shortly(got), shortly(want), left, wrong)
		case errors.Is(err, errCoding) && wrong == nil && left == 0 && kind != 2: // its window is bounded too
			t.Fatalf("refused, and another reader has all of it: %q", shortly(want))
		case errors.Is(err, errTooLarge) && wrong == nil && int64(len(want)) <= bound && kind != 2:
			t.Fatalf("too large, and it is %d of %d bytes", len(want), bound)
		case err != nil && !errors.Is(err, errCoding) && !errors.Is(err, errTooLarge):
			t.Fatalf("an error of its own: %v", err)
		}
		if room := cap(got); int64(room) > 2*bound+zstdBlock+bytes.MinRead {
			t.Fatalf("room for %d bytes is kept for %d", room, len(got))
		}

		// One coding at a time: whatever says that there are more is not decoded.
		for _, stacked := range []http.Header{
			{"Content-Encoding": {"gzip, gzip"}}, {"Content-Encoding": {"gzip", "zstd"}}, {"Content-Encoding": {"gzip,"}}, {"Content-Encoding": {"br"}}, {"Content-Encoding": {""}},
		} {
			if c, ok := contentCoding(stacked); ok {
				t.Fatalf("%v is read as %d", stacked, c)
			}
		}
		name := string(body[:min(len(body), 64)])
		if c, ok := contentCoding(http.Header{"Content-Encoding": {name}}); ok {
			known := map[string]coding{"gzip": codingGzip, "x-gzip": codingGzip, "deflate": codingDeflate, "zstd": codingZstd, "identity": codingNone}
			if want, is := known[strings.ToLower(strings.Trim(name, " \t"))]; !is || want != c {
				t.Fatalf("%q is read as %d", name, c)
			}
		}
	})
}

func shortly(b []byte) []byte { return b[:min(len(b), 200)] }

// otherReader decodes a body by another library, zstd as a stream, and says how much follows it.
func otherReader(which int, body []byte, most int64, stream *zstd.Decoder) (text []byte, left int, err error) {
	in := bytes.NewReader(body)
	var r io.Reader
	switch which {
	case 0:
		g, no := othergzip.NewReader(in)
		if no != nil {
			return nil, 0, no
		}
		g.Multistream(false)
		r = g
	case 1:
		if r, err = otherzlib.NewReader(in); err != nil {
			return nil, 0, err
		}
	default:
		if err = stream.Reset(in); err != nil {
			return nil, 0, err
		}
		r = stream
	}
	text, err = io.ReadAll(io.LimitReader(r, most+1))
	if err != nil || int64(len(text)) > most {
		return text, 0, err
	}
	return text, in.Len(), nil
}

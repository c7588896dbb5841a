package conformance

import (
	"bytes"
	"compress/gzip"
	"compress/zlib"
	"errors"
	"io"
	"net/http"
	"strings"
	"sync"

	"github.com/klauspost/compress/zstd"
)

// coding is the content coding of a body.
type coding uint8

const (
	codingNone coding = iota
	codingGzip
	codingDeflate
	codingZstd
)

// contentCoding reads Content-Encoding. It reports false for what is not
// decoded: another coding, or several of them.
func contentCoding(h http.Header) (coding, bool) {
	values := h["Content-Encoding"]
	switch {
	case len(values) == 0:
		return codingNone, true
	case len(values) > 1:
		return codingNone, false
	}
	return codingOf(strings.Trim(values[0], " \t"))
}

// codingOf reads the name of a content coding.
func codingOf(name string) (coding, bool) {
	switch {
	case strings.EqualFold(name, "identity"):
		return codingNone, true
	case strings.EqualFold(name, "gzip"), strings.EqualFold(name, "x-gzip"):
		return codingGzip, true
	case strings.EqualFold(name, "deflate"):
		return codingDeflate, true
	case strings.EqualFold(name, "zstd"):
		return codingZstd, true
	default:
		return codingNone, false
	}
}

// Decodes reports whether bodies in a content coding can be judged.
func Decodes(name string) bool {
	_, ok := codingOf(name)
	return ok
}

const (
	// maxRatio is how many times its coded size a body may have once decoded,
	// beyond ratioFree bytes. Bodies of an API stay well below; bombs do not.
	maxRatio  = 100
	ratioFree = 64 << 10

	// gzipReserved are the flags, in the fourth byte, that say nothing yet: whoever sees
	// one must give an error (RFC 1952 section 2.3.1.2), and compress/gzip does not.
	gzipReserved = 0xe0

	// zstdWindow is the largest window that the coding may ask for (RFC 9659).
	zstdWindow = 8 << 20
	// zstdBlock is the most that a block of it decodes to (RFC 8878 section 3.1.1.2).
	zstdBlock = 128 << 10
)

var (
	errTooLarge = errors.New("the decoded body is too large")
	errCoding   = errors.New("the body is not in the content coding that it announces")
)

// decode undoes a content coding. Exactly one stream is taken, with nothing
// after it: decoders differ on whether they read further.
func (c coding) decode(body []byte, limit int64) ([]byte, error) {
	if c == codingNone {
		return body, nil
	}
	if most := max(ratioFree, int64(len(body))*maxRatio); most < limit {
		limit = most
	}
	if c == codingZstd {
		return decodeZstd(body, limit)
	}
	in := bytes.NewReader(body)
	r, err := c.reader(in)
	if err != nil || c == codingGzip && body[3]&gzipReserved != 0 {
		return nil, errCoding
	}
	var out bytes.Buffer
	n, err := out.ReadFrom(io.LimitReader(r, limit+1))
	switch {
	case n > limit:
		return nil, errTooLarge
	case err != nil || in.Len() > 0:
		return nil, errCoding
	}
	return out.Bytes(), nil
}

func (c coding) reader(in *bytes.Reader) (io.Reader, error) {
	if c == codingDeflate { // RFC 9110 section 8.4.1.2: the zlib format
		return zlib.NewReader(in)
	}
	r, err := gzip.NewReader(in)
	if err != nil {
		return nil, err
	}
	r.Multistream(false)
	return r, nil
}

// zstdDecoder decodes whole bodies into memory of the caller, where what is decoded
// is the window too: one of 8 MiB need not be made for a body that may not become as
// large.
var zstdDecoder = sync.OnceValues(func() (*zstd.Decoder, error) {
	return zstd.NewReader(nil, zstd.WithDecoderConcurrency(0), zstd.WithDecoderLowmem(true),
		zstd.WithDecoderMaxWindow(zstdWindow), zstd.WithDecodeAllCapLimit(true))
})

func decodeZstd(body []byte, limit int64) ([]byte, error) {
	d, err := zstdDecoder()
	var head zstd.Header
	if err != nil || head.Decode(body) != nil {
		return nil, errCoding
	}
	if end := zstdEnd(body, &head); end < len(body) {
		return nil, errCoding
	}
	// A block's room more, so that what is too large is known by its size: that a
	// block has no room is no error of its own.
	room := limit + zstdBlock
	if head.HasFCS {
		if head.FrameContentSize > uint64(limit) {
			return nil, errTooLarge
		}
		room = int64(head.FrameContentSize)
	}
	out, err := d.DecodeAll(body, make([]byte, 0, room))
	switch {
	case errors.Is(err, zstd.ErrDecoderSizeExceeded) || int64(len(out)) > limit:
		return nil, errTooLarge
	case err != nil:
		return nil, errCoding
	default:
		return out, nil
	}
}

// zstdEnd is where the frame ends that body begins with, if it does (RFC 8878, section
// 3.1.1): some readers take one frame, others all. A skippable one ends at once.
func zstdEnd(body []byte, head *zstd.Header) int {
	if head.Skippable {
		return 0
	}
	for at := head.HeaderSize; at+3 <= len(body); {
		block := uint32(body[at]) | uint32(body[at+1])<<8 | uint32(body[at+2])<<16
		if at += 3; block>>1&3 == 1 { // a byte, repeated
			at++
		} else {
			at += int(block >> 3)
		}
		if block&1 == 0 {
			continue
		}
		if head.HasCheckSum {
			at += 4
		}
		return at
	}
	return len(body)
}

package conformance

import (
	"bytes"
	"compress/gzip"
	"compress/zlib"
	"errors"
	"io"
	"net/http"
	"strings"

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

	// zstdWindow is the largest window that the coding may ask for (RFC 9659).
	zstdWindow = 8 << 20
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
	in := bytes.NewReader(body)
	r, err := c.reader(in)
	if err != nil {
		return nil, errCoding
	}
	if d, ok := r.(*zstd.Decoder); ok {
		defer d.Close()
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
	switch c {
	case codingDeflate: // RFC 9110 section 8.4.1.2: the zlib format
		return zlib.NewReader(in)
	case codingZstd:
		return zstd.NewReader(in, zstd.WithDecoderConcurrency(1), zstd.WithDecoderLowmem(true), zstd.WithDecoderMaxWindow(zstdWindow))
	}
	r, err := gzip.NewReader(in)
	if err != nil {
		return nil, err
	}
	r.Multistream(false)
	return r, nil
}

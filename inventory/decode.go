package inventory

import (
	"bytes"
	"compress/gzip"
	"compress/zlib"
	"io"

	"github.com/klauspost/compress/zstd"
)

// decode undoes the content coding of a sampled body, as far as the part that was
// kept goes. A body in a coding that is not known is let go.
func (m *Message) decode() {
	if m.Coding == "" || m.Coding == "identity" || len(m.Body) == 0 {
		return
	}
	var out bytes.Buffer
	err := decoded(&out, m.Coding, bytes.NewReader(m.Body))
	m.Whole = m.Whole && err == nil && out.Len() <= SampleBody
	m.Body = append(m.Body[:0], out.Bytes()[:min(out.Len(), SampleBody)]...)
}

func decoded(out *bytes.Buffer, coding string, in io.Reader) error {
	var r io.Reader
	var err error
	switch coding {
	case "gzip", "x-gzip":
		r, err = gzip.NewReader(in)
	case "deflate": // RFC 9110 section 8.4.1.2: the zlib format
		r, err = zlib.NewReader(in)
	case "zstd":
		var z *zstd.Decoder
		z, err = zstd.NewReader(in, zstd.WithDecoderConcurrency(1), zstd.WithDecoderMaxWindow(8<<20))
		if err == nil {
			defer z.Close()
			r = z
		}
	default:
		return io.ErrUnexpectedEOF
	}
	if err != nil {
		return err
	}
	_, err = io.Copy(out, io.LimitReader(r, SampleBody+1))
	return err
}

package apiguard

import (
	"bufio"
	"bytes"
	"compress/gzip"
	"errors"
	"fmt"
	"io"
	"os"

	"github.com/klauspost/compress/zstd"
)

// logSource is a file's text, and ends with the file.
type logSource struct {
	io.Reader
	end func()
}

func (s *logSource) Close() { s.end() }

// openLog opens a log. Whether it is compressed is told by how it begins, since names
// do not always tell, and standard input has none.
func openLog(name string, bar *progress) (*logSource, error) {
	file := os.Stdin
	if name != "-" {
		var err error
		if file, err = os.Open(name); err != nil {
			return nil, err
		}
	}
	end := func() { _ = file.Close() }
	plain := bufio.NewReader(bar.counting(file))
	magic, _ := plain.Peek(4) // an error comes again when it is read
	switch {
	case bytes.HasPrefix(magic, []byte("\x1f\x8b")):
		unzipped, err := gzip.NewReader(plain)
		if err != nil {
			end()
			return nil, logError(name, err)
		}
		return &logSource{unzipped, end}, nil
	case bytes.HasPrefix(magic, []byte("\x28\xb5\x2f\xfd")): // RFC 8878, section 3.1.1
		unzipped, err := zstd.NewReader(plain, zstd.WithDecoderConcurrency(1))
		if err != nil {
			end()
			return nil, logError(name, err)
		}
		return &logSource{unzipped, func() { unzipped.Close(); end() }}, nil
	default:
		return &logSource{plain, end}, nil
	}
}

// logError is the error about a log that cannot be read to its end.
func logError(name string, err error) error {
	if errors.Is(err, io.ErrUnexpectedEOF) {
		return fmt.Errorf("reading %s: it breaks off within what is compressed: copy it again, or unpack as much as can be and replay that", name)
	}
	return fmt.Errorf("reading %s: %w", name, err)
}

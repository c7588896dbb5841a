package apiguard

import (
	"fmt"
	"io"
	"os"
	"strings"
	"sync/atomic"
	"time"

	"golang.org/x/term"
)

// progress is a bar on a terminal, and nothing elsewhere.
type progress struct {
	out   io.Writer // nil: nobody looks
	total int64     // bytes; 0: not known
	read  atomic.Int64
	next  time.Time // when to draw again
}

func newProgress(out io.Writer, files []string) *progress {
	p := new(progress)
	if file, ok := out.(*os.File); !ok || !term.IsTerminal(int(file.Fd())) {
		return p
	}
	p.out = out
	for _, name := range files {
		info, err := os.Stat(name)
		if err != nil || !info.Mode().IsRegular() {
			p.total = 0
			break
		}
		p.total += info.Size()
	}
	return p
}

// counting reads from r and counts the bytes.
func (p *progress) counting(r io.Reader) io.Reader { return countingReader{r, &p.read} }

type countingReader struct {
	io.Reader
	read *atomic.Int64
}

func (r countingReader) Read(b []byte) (int, error) {
	n, err := r.Reader.Read(b)
	r.read.Add(int64(n))
	return n, err
}

// lines draws the bar, ten times a second at most.
func (p *progress) lines(n uint64) {
	if p.out == nil || time.Now().Before(p.next) {
		return
	}
	p.next = time.Now().Add(100 * time.Millisecond)
	if p.total == 0 {
		fmt.Fprintf(p.out, "\r%d lines", n)
		return
	}
	const width = 30
	done := min(1, float64(p.read.Load())/float64(p.total))
	filled := int(done * width)
	fmt.Fprintf(p.out, "\r[%s%s] %3.0f %%  %d lines", strings.Repeat("=", filled), strings.Repeat(" ", width-filled), 100*done, n)
}

// end takes the bar away.
func (p *progress) end() {
	if p.out != nil {
		fmt.Fprint(p.out, "\r\x1b[K")
	}
}

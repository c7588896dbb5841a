package apiguard

import (
	"fmt"
	"io"
	"os"
	"slices"
	"strconv"
	"strings"
	"unicode"

	"golang.org/x/term"
	"golang.org/x/text/width"
)

// column is one of a table. Elastic ones are wrapped when the terminal is narrow,
// and spare ones are then left out, the last first.
type column struct {
	name    string
	elastic bool
	spare   bool
}

// columns reads heads: "PATH~" is elastic, "LAST SEEN?" is spare.
func columns(heads ...string) []column {
	out := make([]column, len(heads))
	for i, head := range heads {
		name := strings.TrimRight(head, "~?")
		out[i] = column{name: name, elastic: strings.Contains(head[len(name):], "~"), spare: strings.Contains(head[len(name):], "?")}
	}
	return out
}

// gap is what stands between columns, narrowest the least width that an elastic
// column is wrapped to. Where that is too much too, each row is written as lines.
const (
	gap       = 2
	narrowest = 16
)

// table writes rows below a head, as wide as the terminal allows. What stands in
// them may come from requests: characters without a shape and those that change the
// direction of text are not passed to the terminal.
func (in *invocation) table(head []column, rows [][]string) error {
	omitted, err := writeTable(in.out, terminalWidth(in.out), head, rows)
	if len(omitted) > 0 {
		in.note("Left out, since the terminal is narrow: " + strings.Join(omitted, ", ") + ". --json has all.")
	}
	return err
}

// terminalWidth is how many columns out shows: COLUMNS where it is set, else the
// terminal's own; 0 for no bound.
func terminalWidth(out io.Writer) int {
	if columns, err := strconv.Atoi(os.Getenv("COLUMNS")); err == nil && columns > 0 {
		return columns
	}
	if file, ok := out.(*os.File); ok && term.IsTerminal(int(file.Fd())) {
		if columns, _, err := term.GetSize(int(file.Fd())); err == nil {
			return columns
		}
	}
	return 0
}

// writeTable writes rows in so many columns of text, 0 for no bound, and says which
// spare columns it left out.
func writeTable(out io.Writer, bound int, head []column, rows [][]string) (omitted []string, err error) {
	shown := make([]int, len(head)) // the columns that are shown
	widths := make([]int, len(head))
	cells := make([][]string, len(rows))
	for i, c := range head {
		shown[i], widths[i] = i, textWidth(c.name)
	}
	for n, row := range rows {
		for i, cell := range row {
			cells[n] = append(cells[n], printable(cell))
			widths[i] = max(widths[i], textWidth(cells[n][i]))
		}
	}
	for bound > 0 && !fit(head, widths, shown, bound) {
		last := -1
		for at, i := range shown {
			if head[i].spare {
				last = at
			}
		}
		if last < 0 {
			return nil, writeRecords(out, bound, head, cells)
		}
		omitted = append(omitted, head[shown[last]].name)
		shown = slices.Delete(shown, last, last+1)
	}
	var text strings.Builder
	names := make([]string, len(head))
	for i, c := range head {
		names[i] = c.name
	}
	for _, row := range append([][]string{names}, cells...) {
		lines := make([][]string, len(shown))
		height := 1
		for at, i := range shown {
			lines[at] = wrap(row[i], widths[i])
			height = max(height, len(lines[at]))
		}
		for n := range height {
			var line strings.Builder
			for at, i := range shown {
				cell := ""
				if n < len(lines[at]) {
					cell = lines[at][n]
				}
				line.WriteString(pad(cell, widths[i]+gap))
			}
			text.WriteString(strings.TrimRight(line.String(), " "))
			text.WriteByte('\n')
		}
	}
	_, err = io.WriteString(out, text.String())
	return omitted, err
}

// fit narrows the widest elastic columns until those shown fit, and reports whether
// they do.
func fit(head []column, widths, shown []int, bound int) bool {
	for {
		sum, widest := -gap, -1
		for _, i := range shown {
			sum += widths[i] + gap
			if head[i].elastic && widths[i] > narrowest && (widest < 0 || widths[i] > widths[widest]) {
				widest = i
			}
		}
		if sum <= bound {
			return true
		}
		if widest < 0 {
			return false
		}
		widths[widest]--
	}
}

// writeRecords writes each row as lines of "HEAD  cell", with an empty line between
// rows and without empty cells.
func writeRecords(out io.Writer, bound int, head []column, cells [][]string) error {
	label := 0
	for _, c := range head {
		label = max(label, textWidth(c.name))
	}
	var text strings.Builder
	for n, row := range cells {
		if n > 0 {
			text.WriteByte('\n')
		}
		for i, cell := range row {
			if cell == "" {
				continue
			}
			name := head[i].name
			for _, line := range wrap(cell, max(narrowest, bound-label-gap)) {
				text.WriteString(pad(name, label+gap) + line + "\n")
				name = ""
			}
		}
	}
	_, err := io.WriteString(out, text.String())
	return err
}

// wrap breaks text into lines of at most n columns, at spaces where there are some.
func wrap(s string, n int) []string {
	var lines []string
	for textWidth(s) > n {
		at, end, space := 0, len(s), -1
		for i, r := range s {
			if r == ' ' && i > 0 {
				space = i
			}
			if at += runeWidth(r); at > n && i > 0 {
				end = i
				break
			}
		}
		if space > 0 {
			lines, s = append(lines, s[:space]), s[space+1:]
		} else {
			lines, s = append(lines, s[:end]), s[end:]
		}
	}
	return append(lines, s)
}

func pad(s string, to int) string {
	return s + strings.Repeat(" ", max(0, to-textWidth(s)))
}

func textWidth(s string) int {
	n := 0
	for _, r := range s {
		n += runeWidth(r)
	}
	return n
}

// runeWidth is how many columns a terminal gives a character: two for wide ones of
// East Asia (Unicode Standard Annex 11), none for marks on the one before.
func runeWidth(r rune) int {
	if unicode.In(r, unicode.Mn, unicode.Me) {
		return 0
	}
	switch width.LookupRune(r).Kind() {
	case width.EastAsianWide, width.EastAsianFullwidth:
		return 2
	}
	return 1
}

// printable is text as a terminal may get it.
func printable(s string) string {
	return strings.Map(func(r rune) rune {
		if r == ' ' || unicode.IsPrint(r) && r != unicode.ReplacementChar {
			return r
		}
		return '·'
	}, s)
}

// counted is a number of things, in words that fit one of them too.
func counted[N int | uint64](n N, thing string) string {
	if n == 1 {
		return "1 " + thing
	}
	return fmt.Sprintf("%d %ss", n, thing)
}

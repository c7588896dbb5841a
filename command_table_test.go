package apiguard

import (
	"strings"
	"testing"

	"pgregory.net/rapid"
)

func TestTablesFitTheTerminal(t *testing.T) {
	head := columns("ID", "HOST~", "PATH~", "SEEN?")
	rows := [][]string{
		{"abc", "api.example.com", "/v2/a-rather-long/path-that-goes/on", "today"},
		{"def", "b\x1b[31m.example", "/日本語/\u202eevil", ""},
	}
	for _, c := range []struct {
		bound   int
		want    string
		omitted string
	}{
		{0, "" +
			"ID   HOST             PATH                                 SEEN\n" +
			"abc  api.example.com  /v2/a-rather-long/path-that-goes/on  today\n" +
			"def  b·[31m.example   /日本語/·evil\n", ""},
		{50, "" +
			"ID   HOST             PATH                   SEEN\n" +
			"abc  api.example.com  /v2/a-rather-long/pat  today\n" +
			"                      h-that-goes/on\n" +
			"def  b·[31m.example   /日本語/·evil\n", ""},
		{40, "" +
			"ID   HOST             PATH\n" +
			"abc  api.example.com  /v2/a-rather-lon\n" +
			"                      g/path-that-goes\n" +
			"                      /on\n" +
			"def  b·[31m.example   /日本語/·evil\n", "SEEN"},
		{30, "" +
			"ID    abc\n" +
			"HOST  api.example.com\n" +
			"PATH  /v2/a-rather-long/path-t\n" +
			"      hat-goes/on\n" +
			"SEEN  today\n" +
			"\n" +
			"ID    def\n" +
			"HOST  b·[31m.example\n" +
			"PATH  /日本語/·evil\n", ""},
	} {
		var out strings.Builder
		omitted, err := writeTable(&out, c.bound, head, rows)
		if got := out.String(); err != nil || got != c.want || strings.Join(omitted, ",") != c.omitted {
			t.Errorf("%d columns, %v, %q left out:\n%s\nwant:\n%s", c.bound, err, omitted, got, c.want)
		}
	}
}

// No line is wider than the terminal, as long as that has room for a label and a
// word, and nothing but spare columns is lost.
func TestTablesNeverLoseWhatTheyShow(t *testing.T) {
	text := rapid.StringMatching(`[a-z/日 é]{0,60}`)
	rapid.Check(t, func(t *rapid.T) {
		rows := rapid.SliceOfN(rapid.SliceOfN(text, 3, 3), 0, 5).Draw(t, "rows")
		bound := rapid.IntRange(24, 200).Draw(t, "bound")
		var out strings.Builder
		if _, err := writeTable(&out, bound, columns("ID~", "HOST~", "PATH~"), rows); err != nil {
			t.Fatal(err)
		}
		for line := range strings.SplitSeq(out.String(), "\n") {
			if textWidth(line) > bound {
				t.Fatalf("%d columns in %d: %q", textWidth(line), bound, line)
			}
		}
		count := func(s string) (n int) {
			for _, r := range s {
				if r != ' ' && r != '\n' && !('A' <= r && r <= 'Z') {
					n++
				}
			}
			return n
		}
		var want int
		for _, row := range rows {
			want += count(strings.Join(row, ""))
		}
		if got := count(out.String()); got != want {
			t.Fatalf("%d characters of %d:\n%s", got, want, out.String())
		}
	})
}

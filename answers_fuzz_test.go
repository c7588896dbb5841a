package apiguard

import (
	"bytes"
	"encoding/json"
	"strings"
	"testing"
	"unicode"
)

// What the command gets from an address may be anything. It is an error, or what is
// written of it has nothing that a terminal acts on and leaves no text of it out; the
// feed is followed from the last cursor that was there.
func FuzzAnswer(f *testing.F) {
	for _, answer := range []string{
		`{"id":"a","path":"/x\u001b[31m","statuses":{"2xx":3},"data":[{"class":"email","in":"body"}],"list":["a","b"],"numbers":[1,2],"none":null,"empty":{}}`,
		`{"event":"route_discovered","host":"a","path":"/one","cursor":"c1"}` + "\n" + `{"event":"x","count":3,"cursor":"c2"}`,
		": a comment\n\nid: c1\nevent: route_discovered\ndata: {\"event\":\"x\",\"cursor\":\"c1\"}\n\n", "<html>404</html>", "[1]", "{", "{\"a\":1}{\"b\":2}", `{"a":[{"b":[{"c":[{}]}]}]}`, `{"a":[{},1]}`, `{"a":[{},["x"]]}`, `{"a":""}`, `{"a":[ {"b":1}]}`,
		`{"items":[{"limit":"a","key":["{client_ip}"]}]}`, "null", `"text"`, "\xff", `{"a":"\u202e","a":"あ́"}`,
	} {
		for _, width := range []uint8{0, 1, 30, 200} {
			f.Add([]byte(answer), width)
		}
	}
	f.Fuzz(func(t *testing.T, answer []byte, width uint8) {
		if len(answer) > 1<<13 {
			return
		}
		harmless := func(written string) {
			if i := strings.IndexFunc(written, func(r rune) bool { return r != '\n' && !unicode.IsPrint(r) }); i >= 0 {
				t.Fatalf("%q is written as %q", answer, written)
			}
		}
		for _, events := range []bool{false, true} {
			var out bytes.Buffer
			in, since := &invocation{cmd: feedCommand(), out: &out}, "before"
			err := in.readChanges(bytes.NewReader(answer), events, &since)
			harmless(out.String())
			if lines := strings.Count(out.String(), "\n"); err == nil && lines == 0 && since != "before" {
				t.Fatalf("nothing is written of %q, and it goes on from %q", answer, since)
			}
		}
		rows, err := fields("", answer)
		var object map[string]any
		if err == nil && json.Unmarshal(answer, &object) == nil {
			var all strings.Builder
			for _, row := range rows {
				if len(row) != 2 {
					t.Fatalf("%q has the row %q", answer, row)
				}
				all.WriteString(strings.Join(row, "\x00") + "\x00")
			}
			for name, value := range object {
				if text, ok := value.(string); ok && text != "" && (!strings.Contains(all.String(), name) || !strings.Contains(all.String(), text)) {
					t.Fatalf("%s has lost %q: %q", answer, name, rows)
				}
			}
		} else if err != nil && json.Unmarshal(answer, &object) == nil && object != nil {
			t.Fatalf("%s is not shown: %v", answer, err)
		}
		var out bytes.Buffer
		if _, err := writeTable(&out, int(width), columns("FIELD", "VALUE~", "MORE?")[:2], rows); err != nil {
			t.Fatal(err)
		}
		harmless(out.String())
		if width >= 100 {
			for line := range strings.Lines(out.String()) {
				if n := textWidth(strings.TrimSuffix(line, "\n")); len(rows) > 0 && n > int(width) && textWidth(rows[0][0]) < 40 && len(rows) == 1 {
					t.Fatalf("a line of %d columns where there are %d: %q", n, width, line)
				}
			}
		}
		var limits limitAnswer[map[string]any]
		if err := json.Unmarshal(answer, &limits); err == nil && !bytes.Equal(bytes.TrimSpace(answer), bytes.TrimSpace(limits.raw)) && limits.raw != nil {
			t.Fatalf("%q is kept as %q", answer, limits.raw)
		}
	})
}

package dataclass

import (
	"bufio"
	"bytes"
	_ "embed"
	"encoding/json"
	"slices"
	"testing"
)

// bodies are 300 bodies of our own making, each with the classes that a person
// finds in it, and where. What nobody was asked to find is in them too: numbers
// that pass a check digit, names that mislead, keys that are public.
//
//go:embed testdata/bodies.jsonl
var bodies []byte

type labelled struct {
	Type string   `json:"type"`
	Body string   `json:"body"`
	Want []string `json:"want"` // "email /user/mail"
}

func load(t *testing.T) []labelled {
	t.Helper()
	var all []labelled
	lines := bufio.NewScanner(bytes.NewReader(bodies))
	lines.Buffer(nil, 1<<20)
	for lines.Scan() {
		var l labelled
		if err := json.Unmarshal(lines.Bytes(), &l); err != nil {
			t.Fatal(err)
		}
		all = append(all, l)
	}
	return all
}

// score counts what was found rightly, wrongly, and not.
type score struct{ right, wrong, missed int }

func (s score) precision() float64 { return float64(s.right) / float64(max(1, s.right+s.wrong)) }
func (s score) recall() float64    { return float64(s.right) / float64(max(1, s.right+s.missed)) }

func TestPrecisionAndRecallOnThreeHundredBodies(t *testing.T) {
	all := load(t)
	if len(all) != 300 {
		t.Fatalf("%d bodies", len(all))
	}
	var of [NumClasses]score
	var sum score
	classOf := func(label string) Class {
		name, _, _ := bytes.Cut([]byte(label), []byte(" "))
		class, ok := Parse(string(name))
		if !ok {
			t.Fatalf("label %q", label)
		}
		return class
	}
	for _, l := range all {
		var got []string
		for _, f := range Body(l.Type, []byte(l.Body)) {
			got = append(got, f.Class.String()+" "+f.Pointer)
		}
		for _, g := range got {
			if slices.Contains(l.Want, g) {
				of[classOf(g)].right++
				sum.right++
				continue
			}
			of[classOf(g)].wrong++
			sum.wrong++
			t.Logf("wrong: %s in %.300s", g, l.Body)
		}
		for _, w := range l.Want {
			if !slices.Contains(got, w) {
				of[classOf(w)].missed++
				sum.missed++
				t.Logf("missed: %s in %.300s", w, l.Body)
			}
		}
	}
	for c, s := range of {
		t.Logf("%-15s precision %.3f recall %.3f (%d right, %d wrong, %d missed)", Class(c), s.precision(), s.recall(), s.right, s.wrong, s.missed)
	}
	t.Logf("%-15s precision %.3f recall %.3f (%d right, %d wrong, %d missed)", "all", sum.precision(), sum.recall(), sum.right, sum.wrong, sum.missed)
	if sum.precision() < 0.97 || sum.recall() < 0.96 {
		t.Errorf("precision %.3f, recall %.3f: want 0.97 and 0.96", sum.precision(), sum.recall())
	}
}

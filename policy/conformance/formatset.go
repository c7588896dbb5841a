package conformance

import (
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"maps"
	"slices"
)

// FormatOff in place of a pattern makes a format an annotation: nothing is checked.
const FormatOff = "off"

// Formats are formats that a policy defines, besides or in place of the known ones.
// The nil *Formats has none.
type Formats struct {
	patterns map[string]*pattern // nil: off
	key      string
}

// NewFormats takes patterns (ECMA-262) or FormatOff by the name of a format. They
// are not anchored, as `pattern` is not.
func NewFormats(defined map[string]string) (*Formats, error) {
	if len(defined) == 0 {
		return nil, nil
	}
	f := &Formats{patterns: make(map[string]*pattern, len(defined))}
	h := sha256.New()
	for _, name := range slices.Sorted(maps.Keys(defined)) {
		source := defined[name]
		fmt.Fprintf(h, "%q %q\n", name, source)
		if source == FormatOff {
			f.patterns[name] = nil
			continue
		}
		if _, number := numberFormats[name]; number {
			return nil, fmt.Errorf("format %q is one of numbers, which have no pattern: it can only be off", name)
		}
		p, err := newPattern(source)
		if err != nil {
			return nil, fmt.Errorf("format %q: %w", name, err)
		}
		f.patterns[name] = p
	}
	f.key = hex.EncodeToString(h.Sum(nil)[:8])
	return f, nil
}

// Key tells sets of formats apart; "" for none.
func (f *Formats) Key() string {
	if f == nil {
		return ""
	}
	return f.key
}

// text is the check of a format of strings, nil for none.
func (f *Formats) text(name string) func([]byte) bool {
	if f != nil {
		if p, ok := f.patterns[name]; ok {
			if p == nil {
				return nil
			}
			return p.match
		}
	}
	return textFormats[name]
}

// number is the check of a format of numbers, nil for none.
func (f *Formats) number(name string) func(*decimal) bool {
	if f != nil {
		if _, ok := f.patterns[name]; ok {
			return nil
		}
	}
	return numberFormats[name]
}

// names are those of all formats that are known or defined.
func (f *Formats) names() []string {
	all := slices.Concat(slices.Collect(maps.Keys(textFormats)), slices.Collect(maps.Keys(numberFormats)))
	if f != nil {
		all = slices.AppendSeq(all, maps.Keys(f.patterns))
	}
	slices.Sort(all)
	return slices.Compact(all)
}

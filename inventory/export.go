package inventory

import (
	"encoding/json"
	"fmt"
	"reflect"
	"slices"
	"strconv"
	"strings"
	"unicode"
	"unicode/utf8"
)

// Columns are the names of an item's fields in a table: those of its JSON, with
// "auth.seen" for a field of a field.
func Columns[T any]() []string {
	return columnsOf(reflect.TypeFor[T](), "")
}

var timeType = reflect.TypeFor[Time]()

func columnsOf(t reflect.Type, prefix string) []string {
	var names []string
	for i := range t.NumField() {
		f := t.Field(i)
		name, _, _ := strings.Cut(f.Tag.Get("json"), ",")
		if f.Type.Kind() == reflect.Struct && f.Type != timeType {
			if !f.Anonymous {
				name += "."
			}
			names = append(names, columnsOf(f.Type, prefix+name)...)
			continue
		}
		names = append(names, prefix+name)
	}
	return names
}

// Cells are an item's fields as a row of a table, in the order of Columns. Lists
// are separated by spaces, counts are "2xx=3 4xx=1", and what is none of these is
// JSON. Each cell is harmless in a spreadsheet and in a terminal, see Harmless.
func Cells[T any](item T) []string {
	return cellsOf(reflect.ValueOf(item), nil)
}

func cellsOf(v reflect.Value, cells []string) []string {
	for i := range v.NumField() {
		f := v.Field(i)
		if f.Kind() == reflect.Struct && f.Type() != timeType {
			cells = cellsOf(f, cells)
			continue
		}
		cells = append(cells, Harmless(cellOf(f)))
	}
	return cells
}

func cellOf(v reflect.Value) string {
	switch v.Kind() {
	case reflect.String:
		return v.String()
	case reflect.Bool:
		return strconv.FormatBool(v.Bool())
	case reflect.Int, reflect.Int8, reflect.Int16, reflect.Int32, reflect.Int64:
		return strconv.FormatInt(v.Int(), 10)
	case reflect.Uint, reflect.Uint8, reflect.Uint16, reflect.Uint32, reflect.Uint64:
		return strconv.FormatUint(v.Uint(), 10)
	}
	switch x := v.Interface().(type) {
	case Time:
		b, _ := x.MarshalJSON()
		return strings.Trim(strings.TrimPrefix(string(b), "null"), `"`)
	case []string:
		return strings.Join(x, " ")
	case map[string]uint64:
		pairs := make([]string, 0, len(x))
		for k, n := range x {
			pairs = append(pairs, fmt.Sprintf("%s=%d", k, n))
		}
		slices.Sort(pairs)
		return strings.Join(pairs, " ")
	}
	if v.IsZero() || v.Kind() != reflect.Pointer && v.Len() == 0 {
		return ""
	}
	b, err := json.Marshal(v.Interface())
	if err != nil {
		return ""
	}
	return string(b)
}

// Harmless is s for a cell of a table that a spreadsheet or a terminal may show. A
// text that a spreadsheet would take for a formula begins with an apostrophe
// (OWASP, CSV injection), and what is no printable character of valid UTF-8 is
// spelled: \x1b, \u202e.
func Harmless(s string) string {
	clean := true
	for i := 0; i < len(s) && clean; i++ {
		clean = s[i] >= ' ' && s[i] < 0x7f
	}
	if !clean {
		s = spell(s)
	}
	first, _ := utf8.DecodeRuneInString(strings.TrimLeft(s, " "))
	switch first {
	// The second half are what some take for the same, in full width.
	case '=', '+', '-', '@', '|', '%', '\uff1d', '\uff0b', '\uff0d', '\uff20':
		return "'" + s
	}
	return s
}

func spell(s string) string {
	var b strings.Builder
	for len(s) > 0 {
		r, size := utf8.DecodeRuneInString(s)
		switch {
		case r == utf8.RuneError && size == 1, r < 0x80 && !unicode.IsPrint(r):
			fmt.Fprintf(&b, `\x%02x`, s[0])
		case unicode.IsPrint(r):
			b.WriteString(s[:size])
		case r > 0xffff:
			fmt.Fprintf(&b, `\U%08x`, r)
		default:
			fmt.Fprintf(&b, `\u%04x`, r)
		}
		s = s[size:]
	}
	return b.String()
}

package apiguard

import (
	"bytes"
	"encoding/json"
	"unicode"
	"unicode/utf16"
	"unicode/utf8"
)

// Media types of answers besides application/json.
const (
	mediaTypeLines = "application/x-ndjson"
	mediaTypeCSV   = "text/csv"
)

// writeJSON writes v and a line end. What could change how the text around it is
// shown (controls, C1 and DEL too, and marks of direction) is escaped, so that an
// answer is harmless in a terminal as well; encoding/json does so for HTML and the
// controls that JSON knows.
func writeJSON(to *bytes.Buffer, v any) {
	text, err := json.Marshal(v)
	if err != nil {
		// Answers are strings, numbers and times.
		text, _ = json.Marshal(map[string]string{"error": err.Error()})
	}
	for len(text) > 0 {
		n := 0
		for n < len(text) && text[n] < utf8.RuneSelf && text[n] != 0x7f {
			n++
		}
		to.Write(text[:n])
		text = text[n:]
		if len(text) == 0 {
			break
		}
		r, size := utf8.DecodeRune(text)
		if unicode.IsPrint(r) {
			to.Write(text[:size])
		} else {
			writeEscaped(to, r)
		}
		text = text[size:]
	}
	to.WriteByte('\n')
}

// writeEscaped writes a rune as JSON escapes it (RFC 8259, 7).
func writeEscaped(to *bytes.Buffer, r rune) {
	units := utf16.AppendRune(nil, r)
	for _, u := range units {
		const hex = "0123456789abcdef"
		to.WriteString(`\u`)
		for shift := 12; shift >= 0; shift -= 4 {
			to.WriteByte(hex[u>>shift&15])
		}
	}
}

package dataclass

import (
	"bytes"
	"encoding/binary"
	"strings"
	"unicode/utf16"
	"unicode/utf8"
)

// kind is how a body is read.
type kind uint8

const (
	kindUnknown kind = iota
	kindJSON
	kindForm
	kindText
)

// kindOf is how a body of a media type is read. One without a type is read as what it
// looks like, since clients do as well.
func kindOf(mediaType string, body []byte) kind {
	_, sub, _ := strings.Cut(mediaType, "/")
	_, suffix, _ := strings.Cut(sub, "+")
	switch {
	case sub == "json" || suffix == "json", sub == "json-seq" || suffix == "json-seq":
		return kindJSON
	case mediaType == "application/x-www-form-urlencoded":
		return kindForm
	case sub == "event-stream":
		return kindUnknown
	case strings.HasPrefix(mediaType, "text/"):
		return kindText
	case mediaType == "" && looksLikeJSON(body):
		return kindJSON
	case mediaType == "" && utf8.Valid(body) && bytes.IndexByte(body, 0) < 0:
		return kindText
	}
	switch sub {
	case "x-ndjson", "ndjson", "jsonl", "x-jsonlines", "jsonlines":
		return kindJSON
	case "xml", "yaml", "x-yaml", "javascript", "x-javascript":
		return kindText
	}
	if suffix == "xml" || suffix == "yaml" {
		return kindText
	}
	return kindUnknown
}

func looksLikeJSON(body []byte) bool {
	body = bytes.TrimLeft(body, " \t\r\n\x1e")
	return len(body) > 0 && (body[0] == '{' || body[0] == '[')
}

// plain is a body in UTF-8 without a byte order mark. One in UTF-16 is told by its mark,
// or by the NUL beside its first character, which is ASCII in all that is read here.
func plain(body []byte) []byte {
	if rest, ok := bytes.CutPrefix(body, []byte("\xef\xbb\xbf")); ok {
		return rest
	}
	if len(body) < 2 {
		return body
	}
	var order binary.ByteOrder
	switch a, b := body[0], body[1]; {
	case a == 0xff && b == 0xfe:
		order, body = binary.LittleEndian, body[2:]
	case a == 0xfe && b == 0xff:
		order, body = binary.BigEndian, body[2:]
	case a != 0 && b == 0:
		order = binary.LittleEndian
	case a == 0 && b != 0:
		order = binary.BigEndian
	default:
		return body
	}
	out := make([]byte, 0, len(body))
	for len(body) >= 2 {
		c := rune(order.Uint16(body))
		body = body[2:]
		if utf16.IsSurrogate(c) && len(body) >= 2 {
			if both := utf16.DecodeRune(c, rune(order.Uint16(body))); both != utf8.RuneError {
				c, body = both, body[2:]
			}
		}
		out = utf8.AppendRune(out, c)
	}
	return out
}

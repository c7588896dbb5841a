package conformance

import (
	"net/http"
	"strings"
)

// class of media types, by what can be judged of them.
type mediaClass uint8

const (
	mediaOther mediaClass = iota
	mediaJSON
	mediaForm
	mediaMultipart
	mediaXML
	mediaText
	mediaBinary
	mediaYAML
	mediaProtobuf
	mediaGRPC
)

// classify sorts a media type in lower case.
func classify(t string) mediaClass {
	main, sub, _ := strings.Cut(t, "/")
	switch {
	case sub == "json" || strings.HasSuffix(sub, "+json"):
		return mediaJSON
	case t == "application/x-www-form-urlencoded":
		return mediaForm
	case main == "multipart":
		return mediaMultipart
	case sub == "xml" || strings.HasSuffix(sub, "+xml"):
		return mediaXML
	case sub == "yaml" || sub == "x-yaml" || strings.HasSuffix(sub, "+yaml"):
		return mediaYAML
	case t == "application/grpc" || strings.HasPrefix(t, "application/grpc+") || strings.HasPrefix(t, "application/grpc-"):
		return mediaGRPC
	case sub == "protobuf" || sub == "x-protobuf" || sub == "vnd.google.protobuf" || strings.HasSuffix(sub, "+protobuf"):
		return mediaProtobuf
	case main == "text":
		return mediaText
	case t == "application/octet-stream" || main == "image" || main == "audio" || main == "video" || main == "font":
		return mediaBinary
	default:
		return mediaOther
	}
}

func (c mediaClass) unchecked() string {
	switch c {
	case mediaForm:
		return uncheckedForm
	case mediaMultipart:
		return uncheckedMultipart
	case mediaXML:
		return uncheckedXML
	case mediaText:
		return uncheckedText
	case mediaBinary:
		return uncheckedBinary
	case mediaYAML:
		return uncheckedYAML
	case mediaProtobuf:
		return uncheckedProtobuf
	case mediaGRPC:
		return uncheckedGRPC
	default:
		return uncheckedOther
	}
}

// contentType reads the one Content-Type of a request (RFC 9110 section 8.3):
// the type in lower case, and its charset. It reports false when there is none,
// more than one, or one that is malformed, since parsers differ on which counts.
func contentType(h http.Header) (mediaType, charset string, ok bool) {
	values := h["Content-Type"]
	if len(values) != 1 {
		return "", "", false
	}
	mediaType, rest, _ := strings.Cut(values[0], ";")
	mediaType = strings.ToLower(strings.Trim(mediaType, " \t"))
	main, sub, _ := strings.Cut(mediaType, "/")
	if !isToken(main) || !isToken(sub) {
		return "", "", false
	}
	charset, ok = charsetOf(rest)
	return mediaType, charset, ok
}

// declaredType is the media type that a document names, where it says what content there
// is: in lower case, without parameters.
func declaredType(name string) string {
	name, _, _ = strings.Cut(name, ";")
	return strings.ToLower(strings.TrimSpace(name))
}

// charsetOf reads parameters for their charset. A second charset makes them
// malformed.
func charsetOf(s string) (charset string, ok bool) {
	seen := false
	ok = eachParameter(s, func(name, value string) bool {
		if !strings.EqualFold(name, "charset") {
			return true
		}
		if seen {
			return false
		}
		charset, seen = strings.ToLower(value), true
		return true
	})
	return charset, ok
}

// eachParameter reads parameters (RFC 9110 section 5.6.6) as long as take says
// yes. A list of types makes them malformed, and so does a "*" in a name: some
// readers take boundary*0=a for the boundary, whatever boundary= says (RFC 2231),
// which HTTP has nowhere in Content-Type.
func eachParameter(s string, take func(name, value string) bool) bool {
	for {
		s = strings.TrimLeft(s, " \t;") // the grammar has empty parameters
		if s == "" {
			return true
		}
		name, rest, found := strings.Cut(s, "=")
		if !found || !isToken(name) || strings.Contains(name, "*") {
			return false
		}
		value, rest, ok := parameterValue(rest)
		if !ok || !take(name, value) {
			return false
		}
		rest = strings.TrimLeft(rest, " \t")
		if rest == "" {
			return true
		}
		if rest[0] != ';' {
			return false
		}
		s = rest[1:]
	}
}

// parameterValue reads a token or a quoted string and gives what follows it.
func parameterValue(s string) (value, rest string, ok bool) {
	if !strings.HasPrefix(s, `"`) {
		n := 0
		for n < len(s) && isTokenChar(s[n]) {
			n++
		}
		return s[:n], s[n:], n > 0
	}
	var b strings.Builder
	for i := 1; i < len(s); i++ {
		switch c := s[i]; {
		case c == '"':
			return b.String(), s[i+1:], true
		case c == '\\':
			if i++; i == len(s) {
				return "", "", false
			}
			b.WriteByte(s[i])
		case c < ' ' && c != '\t' || c == 0x7F:
			return "", "", false
		default:
			b.WriteByte(c)
		}
	}
	return "", "", false
}

func isToken(s string) bool {
	for i := range len(s) {
		if !isTokenChar(s[i]) {
			return false
		}
	}
	return s != ""
}

// isTokenChar is RFC 9110's tchar: atext and the dot, without / = ? { }.
func isTokenChar(c byte) bool {
	switch c {
	case '.':
		return true
	case '/', '=', '?', '{', '}':
		return false
	}
	return isAtomText(c)
}

// grpcDefault is what a media type of gRPC and gRPC-Web means without a format, and may
// say as well.
const grpcDefault = "+proto"

// matchMedia finds the entry for a media type: the exact one, else the other name of
// the same gRPC, else the range of its main type, else the range of all. Parameters of
// the document's entries do not count.
func matchMedia(entries []*media, mediaType string) *media {
	main, _, _ := strings.Cut(mediaType, "/")
	var best *media
	rank := 0
	for _, m := range entries {
		switch {
		case m.name == mediaType:
			return m
		case rank < 3 && strings.HasPrefix(mediaType, "application/grpc") && strings.TrimSuffix(m.name, grpcDefault) == strings.TrimSuffix(mediaType, grpcDefault):
			best, rank = m, 3
		case rank < 2 && strings.HasSuffix(m.name, "/*") && m.name[:len(m.name)-2] == main:
			best, rank = m, 2
		case rank < 1 && m.name == "*/*":
			best, rank = m, 1
		}
	}
	return best
}

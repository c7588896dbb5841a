package attacks

import (
	"bytes"
	_ "embed"
	"fmt"
	"strconv"
	"strings"
)

//go:embed testdata/corpus.txt
var corpusText string

// attack is one case of the corpus.
type attack struct {
	class, name string
	line        int  // in the data file
	control     bool // it must pass, as it stands in sees
	trusted     bool // it comes from the address of a trusted proxy

	send   []byte      // HTTP/1.1, as it goes out
	fields [][2]string // or the header list of an HTTP/2 request
	body   []byte      // of the HTTP/2 request

	sees   []message // what the upstream must see, and nothing else
	status []string  // of the answers, in turn; alternatives with "|"
}

// message is a request at the upstream without what the proxy adds to all.
type message struct {
	head []string // request line and fields; order of fields does not matter
	body []byte   // without the chunked coding; after 101 whatever came
}

// readCorpus reads the data file. A case begins with "# class: name", control
// twins with "# class control: name". Its lines are
//
//	> a line of the request, sent with CRLF        >| bytes, sent as they are
//	2 a field of an HTTP/2 request's header list   2| its body
//	< a line of what the upstream must see         <| the body of it
//	= the statuses of the answers
//	@ trusted, when a trusted proxy sends it
//
// "<" with a request line begins a further message, and escapes (\x00, \r, \\) are
// Go's. A case without "<" must not reach the upstream at all.
func readCorpus(text string) ([]attack, error) {
	var all []attack
	for n, line := range strings.Split(text, "\n") {
		line = strings.TrimSuffix(line, "\r")
		if line == "" || strings.HasPrefix(line, "//") {
			continue
		}
		if title, ok := strings.CutPrefix(line, "# "); ok {
			class, name, found := strings.Cut(title, ": ")
			if !found {
				return nil, fmt.Errorf("line %d: a case has no name: write \"# class: name\"", n+1)
			}
			class, control := strings.CutSuffix(class, " control")
			all = append(all, attack{class: class, name: name, line: n + 1, control: control})
			continue
		}
		if len(all) == 0 {
			return nil, fmt.Errorf("line %d: %q stands before the first case", n+1, line)
		}
		if err := all[len(all)-1].take(line); err != nil {
			return nil, fmt.Errorf("line %d: %w", n+1, err)
		}
	}
	return all, nil
}

func (a *attack) take(line string) error {
	kind, rest := line[:1], line[1:]
	raw, isRaw := strings.CutPrefix(rest, "|")
	rest = strings.TrimPrefix(rest, " ")
	if isRaw {
		rest = raw
	}
	text, err := unescape(rest)
	if err != nil {
		return err
	}
	switch {
	case kind == ">" && isRaw:
		a.send = append(a.send, text...)
	case kind == ">":
		a.send = append(append(a.send, text...), "\r\n"...)
	case kind == "2" && isRaw:
		a.body = append(a.body, text...)
	case kind == "2":
		end := strings.Index(text[1:], ":") + 1 // a pseudo-field begins with a colon
		if end == 0 {
			return fmt.Errorf("field %q has no colon", text)
		}
		a.fields = append(a.fields, [2]string{text[:end], strings.TrimPrefix(text[end+1:], " ")})
	case kind == "<" && isRaw && len(a.sees) > 0:
		last := &a.sees[len(a.sees)-1]
		last.body = append(last.body, text...)
	case kind == "<" && strings.HasSuffix(text, " HTTP/1.1"):
		a.sees = append(a.sees, message{head: []string{text}})
	case kind == "<" && len(a.sees) > 0:
		last := &a.sees[len(a.sees)-1]
		last.head = append(last.head, text)
	case kind == "=":
		a.status = strings.Fields(text)
	case kind == "@" && text == "trusted":
		a.trusted = true
	default:
		return fmt.Errorf("%q is no line of a case", line)
	}
	return nil
}

// unescape reads Go's escapes, so that the file stays readable text.
func unescape(s string) (string, error) {
	var out bytes.Buffer
	for s != "" {
		r, multibyte, rest, err := strconv.UnquoteChar(s, 0)
		if err != nil {
			return "", fmt.Errorf("escape in %q: %w", s, err)
		}
		if multibyte {
			out.WriteRune(r)
		} else {
			out.WriteByte(byte(r))
		}
		s = rest
	}
	return out.String(), nil
}

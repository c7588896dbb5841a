package generate

import (
	"fmt"
	"strings"
)

// Spelling is a request target and authority.
type Spelling struct {
	Name         string // what is done to it, for messages
	Target, Host string // of the request line, and of Host
}

// Spellings are the target and host in every way that RFC 3986, section 6.2, calls
// equivalent and the canonical form keeps: letter case of host and hex digits,
// percent-encoded unreserved characters, the default port, the final dot of the
// root, and RFC 9112's absolute form.
func Spellings(target, host string) []Spelling {
	path, query, has := strings.Cut(target, "?")
	join := func(path, query string) string {
		if has {
			return path + "?" + query
		}
		return path
	}
	return []Spelling{
		{"as it is", target, host},
		{"host in capitals", target, strings.ToUpper(host)},
		{"final dot", target, host + "."},
		{"default port", target, host + ":80"},
		{"capitals, final dot and port", target, strings.ToUpper(host) + ".:80"},
		{"absolute form", "http://" + host + target, host},
		{"absolute form in capitals with port", "HTTP://" + strings.ToUpper(host) + ":80" + target, host},
		{"one unreserved character encoded", join(encode(path, 1, "%%%02X"), query), host},
		{"all unreserved characters encoded", join(encode(path, -1, "%%%02X"), encode(query, -1, "%%%02X")), host},
		{"hex digits in lower case", lowerHex(join(encode(path, -1, "%%%02x"), encode(query, -1, "%%%02x"))), host},
	}
}

// encode writes the first n unreserved characters percent-encoded, all for -1.
func encode(s string, n int, format string) string {
	var b strings.Builder
	for i := 0; i < len(s); i++ {
		c := s[i]
		if c == '%' && i+2 < len(s) {
			b.WriteString(s[i : i+3])
			i += 2
			continue
		}
		unreserved := 'a' <= c && c <= 'z' || 'A' <= c && c <= 'Z' || '0' <= c && c <= '9' || strings.IndexByte("-._~", c) >= 0
		if unreserved && n != 0 {
			fmt.Fprintf(&b, format, c)
			n--
			continue
		}
		b.WriteByte(c)
	}
	return b.String()
}

func lowerHex(s string) string {
	b := []byte(s)
	for i := 0; i+2 < len(b); i++ {
		if b[i] == '%' {
			copy(b[i+1:i+3], strings.ToLower(s[i+1:i+3]))
			i += 2
		}
	}
	return string(b)
}

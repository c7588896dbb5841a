package target

import "net/http"

// HeaderProblem judges what in a request's header could make the upstream get
// another request than the judged one: ConnectionHeader, TrailerAnnounced,
// UnknownExpectation, RepeatedLength or nothing. header has canonical keys, as net/http reads it; announced is
// net/http's Request.Trailer before the body was read, into which net/http moves
// the Trailer field of a chunked request. It allocates nothing.
func HeaderProblem(header, announced http.Header) Problem {
	if len(announced) > 0 || len(header["Trailer"]) > 0 {
		return TrailerAnnounced
	}
	if lines := header["Expect"]; len(lines) > 0 && (len(lines) > 1 || !equalFold(lines[0], "100-continue")) {
		return UnknownExpectation
	}
	if len(header["Content-Length"]) > 1 {
		return RepeatedLength
	}
	for _, line := range header["Connection"] {
		if !onlyHopByHop(line) {
			return ConnectionHeader
		}
	}
	return ""
}

// onlyHopByHop reports whether every element of a Connection field line is an
// option that takes no end-to-end field away. Empty elements are none (RFC 9110
// section 5.6.1.2).
func onlyHopByHop(line string) bool {
	for line != "" {
		end := 0
		for end < len(line) && line[end] != ',' {
			end++
		}
		option := trimSpace(line[:end])
		if option != "" && !hopByHop(option) {
			return false
		}
		if end == len(line) {
			break
		}
		line = line[end+1:]
	}
	return true
}

// hopByHop knows the connection options: "close" (RFC 9112 section 9.6), the
// fields that RFC 9110 section 7.6.1 removes whether named or not, and
// HTTP2-Settings, which an upgrade to h2c has to name (RFC 7540 section 3.2.1).
func hopByHop(option string) bool {
	for _, name := range [...]string{
		"keep-alive", "close", "upgrade", "te", "http2-settings", "proxy-connection", "transfer-encoding",
	} {
		if equalFold(option, name) {
			return true
		}
	}
	return false
}

// trimSpace trims OWS (RFC 9110 section 5.6.3) and nothing more.
func trimSpace(s string) string {
	for s != "" && (s[0] == ' ' || s[0] == '\t') {
		s = s[1:]
	}
	for s != "" && (s[len(s)-1] == ' ' || s[len(s)-1] == '\t') {
		s = s[:len(s)-1]
	}
	return s
}

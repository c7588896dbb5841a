package catalogue

import "strings"

// maxExtension is the longest ending that is taken for the name of a format.
const maxExtension = 8

// bindWithout adds the bindings of the path as upstreams read it that drop what it
// ends with: Rails and others route "/verify.json" to what answers "/verify", Windows
// drops dots and blanks at the end of a name. It stays what it is, since such a path
// may be a route of its own, but it is no way round a limit. A path that a document
// spells so is no other one.
func (c *Catalogue) bindWithout(q *Query, path string, m *Match) {
	bare, ok := withoutSuffix(path)
	if !ok || m.Route != nil && m.Route.literalEnd() {
		return
	}
	plain := *q
	plain.Path = bare
	var other Match
	c.match(&plain, &other)
	m.Bound |= other.Bound
}

// literalEnd reports whether the template's last segment has no parameter.
func (r *Route) literalEnd() bool {
	return strings.IndexByte(r.Path[strings.LastIndexByte(strings.TrimSuffix(r.Path, "/"), '/')+1:], '{') < 0
}

// withoutSuffix cuts blanks and dots from the end of a canonical path, and one
// extension of letters and digits from its last segment, a trailing slash with them.
// It reports whether there was anything to cut, and something left of the segment.
func withoutSuffix(path string) (string, bool) {
	p := strings.TrimSuffix(path, "/")
	segment := strings.LastIndexByte(p, '/') + 1
	if strings.LastIndexByte(p[segment:], '.') < 0 && !strings.HasSuffix(p, "%20") {
		return "", false
	}
	cut := trimEnd(p)
	if dot := strings.LastIndexByte(cut, '.'); dot >= segment && isExtension(cut[dot+1:]) {
		cut = trimEnd(cut[:dot])
	}
	return cut, len(cut) > segment && len(cut) < len(p)
}

// trimEnd cuts dots and blanks, encoded as in a canonical path.
func trimEnd(p string) string {
	for {
		switch {
		case strings.HasSuffix(p, "."):
			p = p[:len(p)-1]
		case strings.HasSuffix(p, "%20"):
			p = p[:len(p)-3]
		default:
			return p
		}
	}
}

func isExtension(s string) bool {
	if s == "" || len(s) > maxExtension {
		return false
	}
	for i := range len(s) {
		if c := s[i] | 0x20; (c < 'a' || c > 'z') && (s[i] < '0' || s[i] > '9') {
			return false
		}
	}
	return true
}

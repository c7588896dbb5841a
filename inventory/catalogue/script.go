package catalogue

import "strings"

// readBehindScript compares a path that no document has with what stands behind the name
// of a script in it: PHP's frameworks, and CGI, route "/index.php/orders" to what answers
// "/orders" (PATH_INFO, RFC 3875 section 4.1.5). Where that is documented, or claimed where
// the path is not, it is spelled otherwise; and it is no way round a limit.
func (c *Catalogue) readBehindScript(q *Query, m *Match) {
	folder, behind, ok := cutScript(q.Path)
	if !ok {
		return
	}
	c.readAlso(q, folder+behind, m)
	if folder != "" && m.Outcome != NearMiss { // the script alone may be what the folder is for
		c.readAlso(q, behind, m)
	}
}

// readAlso compares what was found with what another path has.
func (c *Catalogue) readAlso(q *Query, path string, m *Match) {
	plain := *q
	plain.Path = path
	var other Match
	c.match(&plain, &other)
	c.bindWithout(&plain, path, &other)
	m.Bound |= other.Bound
	switch other.Outcome {
	case Found, NoMethod, NearMiss:
	case NoDocument, NoRoute:
		if m.Outcome != Unclaimed {
			return
		}
	default:
		return
	}
	m.missesNearly(&other)
}

// cutScript cuts a canonical path at its first segment that has the name of a script and
// more behind it.
func cutScript(path string) (folder, behind string, ok bool) {
	for end := range max(0, len(path)-1) { // a slash at the end has nothing behind it
		if path[end] != '/' {
			continue
		}
		segment := strings.LastIndexByte(path[:end], '/') + 1
		if dot := strings.LastIndexByte(path[segment:end], '.'); dot > 0 && isScript(path[segment+dot+1:end]) {
			return path[:max(0, segment-1)], path[end:], true
		}
	}
	return "", "", false
}

func isScript(extension string) bool {
	for _, known := range [...]string{"php", "phtml", "cgi", "fcgi", "pl", "asp", "aspx", "cfm"} {
		if strings.EqualFold(extension, known) {
			return true
		}
	}
	return false
}

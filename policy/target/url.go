package target

import (
	"net/url"
	"strings"
)

// RequestURI is the canonical target in origin-form, "path[?query]": what stands
// in the request line that the upstream gets.
func (t Target) RequestURI() string {
	if t.RawQuery == "" && !t.ForceQuery {
		return t.Path
	}
	return t.Path + "?" + t.RawQuery
}

// WriteTo sets u so that u.RequestURI() is t.RequestURI() byte for byte. All the
// rest of u is cleared: a scheme, host, userinfo, opaque part or fragment that
// net/http took from the request line must reach neither a later handler nor
// the upstream, whose scheme and host the proxy sets itself.
//
// Path is set decoded, as handlers expect it, and RawPath only when Go's own
// encoding of Path would be another one. Request.Host is not part of a URL: the
// caller sets it to Authority.
func (t Target) WriteTo(u *url.URL) {
	path, raw := t.Path, ""
	decoded, reencodes := decodePath(path)
	if !reencodes {
		raw = path
	}
	*u = url.URL{Path: decoded, RawPath: raw, RawQuery: t.RawQuery, ForceQuery: t.ForceQuery}
}

// decodePath decodes a canonical path. reencodes says that url.URL's own
// encoding of the result gives path back.
func decodePath(path string) (decoded string, reencodes bool) {
	reencodes = true
	escapes := strings.Count(path, "%")
	if escapes == 0 {
		for i := 0; i < len(path); i++ {
			if class[path[i]]&goKeeps == 0 {
				return path, false
			}
		}
		return path, true
	}
	out := make([]byte, 0, len(path)-2*escapes)
	for i := 0; i < len(path); {
		if path[i] != '%' {
			reencodes = reencodes && class[path[i]]&goKeeps != 0
			out = append(out, path[i])
			i++
			continue
		}
		b, _ := octet(path[i:])
		reencodes = reencodes && class[b]&goKeeps == 0
		out = append(out, b)
		i += 3
	}
	return string(out), reencodes
}

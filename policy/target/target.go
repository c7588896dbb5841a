// Package target turns a request line into its one canonical form: what the
// guard matches is, byte for byte, what the upstream is sent.
//
// RFC 3986 section 6.2.2 names the spellings that mean the same (letter case of
// a host and of percent-escapes, percent-encoded unreserved characters, a port
// that is the scheme's default); those are rewritten. Everything that two
// readers can take for two different targets, and everything that RFC 9112
// section 3.2 calls an invalid request line, is refused: repairing it would only
// pick one of the readings.
package target

// MaxLength is the longest request-target, in bytes, that Canonical accepts. It
// is a little above the 8000 octets of a whole request line that RFC 9112
// section 3 asks every recipient to support.
const MaxLength = 8 << 10

// Input is a request line as it came.
type Input struct {
	// Method decides about the forms that only OPTIONS and CONNECT may use. It
	// is not judged itself: see StandardMethod.
	Method string
	// Raw is the request-target as received, in whatever form: net/http's
	// Request.RequestURI, the :path of HTTP/2.
	Raw string
	// Host is the authority as received: net/http's Request.Host, which
	// net/http takes from an absolute-form target when there is one.
	Host string
	// TLS says that the connection is encrypted: the default port is then 443,
	// otherwise 80.
	TLS bool
}

// Target is the canonical form of a request line. It is a plain value; two
// spellings of one target give equal values but for Changed.
type Target struct {
	// Host is the name to match: lower case, without port and without final dot.
	// An IPv6 address stands without brackets in the text form of RFC 5952.
	Host string
	// Authority is what Request.Host is set to: Host, an IPv6 address in
	// brackets, and ":port" when it is not the scheme's default.
	Authority string
	// Path begins with "/". It is percent-encoded: unreserved characters are
	// decoded, hex digits are upper case, delimiters stay as they came, because
	// RFC 3986 section 2.2 gives "%3A" and ":" different meanings.
	Path string
	// RawQuery is the query as received, without the "?".
	RawQuery string
	// ForceQuery says that a "?" with nothing after it ended the target: to RFC
	// 3986 section 6.2.3 "/x?" is not "/x", so it is kept.
	ForceQuery bool

	// Conditional is empty, or EncodedSlash or Semicolon: the first thing in
	// Path that only a matched operation can justify. Whoever forwards the
	// request first turns it into a decision with Settle.
	Conditional Problem

	// Changed says that the request line differs from what came (Path or
	// Authority were rewritten, or the target was in absolute form), so that
	// WriteTo and Authority have to be applied. Without it net/http's own
	// reading of the line already sends the canonical form.
	Changed bool
}

// Canonical returns the canonical form of in and an empty Problem, or says why
// in is refused. It allocates nothing when in is canonical already.
//
// A refused target still has Host and Authority when the host itself was found
// to be in order, so that what is refused can be counted where it belongs; the
// other fields are empty. Lenient gives a guess at the rest.
//
// Two faults are no refusal here, because the operation decides about them: an
// encoded slash belongs in a parameter that may span several segments, and ";"
// in a parameter of style matrix. Such a target comes back in canonical form
// with Conditional set.
func Canonical(in Input) (t Target, problem Problem) {
	t.Host, t.Authority, problem = canonicalHost(in.Host, in.TLS)
	if problem != "" {
		return Target{}, problem
	}
	rest := in.Raw
	if len(rest) > MaxLength {
		return t, TooLong
	}
	absolute := rest == "" || rest[0] != '/'
	if absolute {
		if rest, problem = ownOrigin(in, t.Authority); problem != "" {
			return t, problem
		}
	}

	// An absolute-form target may lack a path, and only that one: RFC 3986
	// section 6.2.3 calls "" and "/" equivalent then.
	path, rewrite, conditional := "/", false, Problem("")
	if rest != "" && rest[0] == '/' {
		var end int
		if end, rewrite, conditional, problem = scanPath(rest); problem != "" {
			return t, problem
		}
		path, rest = rest[:end], rest[end:]
	}
	if rest != "" { // what is left begins with "?"
		rest = rest[1:]
		if problem = judgeQuery(rest); problem != "" {
			return t, problem
		}
		t.ForceQuery = rest == ""
	}
	if rewrite {
		path = rewritePath(path)
	}
	t.Path, t.RawQuery, t.Conditional = path, rest, conditional
	t.Changed = rewrite || absolute || t.Authority != in.Host
	return t, ""
}

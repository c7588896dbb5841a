package target

// Problem is why a target, or a header that would change it on its way, is
// refused: a short stable word for logs and the inventory. The empty Problem
// means that nothing is wrong. A Problem never carries what the client sent.
type Problem string

// Forms of the request-target.
const (
	// EmptyTarget: there is no request-target (RFC 9112 section 3).
	EmptyTarget Problem = "empty-target"
	// TooLong: the target has more than MaxLength bytes (RFC 9112 section 3).
	TooLong Problem = "too-long"
	// AsteriskForm: "*", or an absolute-form OPTIONS without a path, which is
	// the same (RFC 9112 section 3.2.4). It addresses the server, no API on it.
	AsteriskForm Problem = "asterisk-form"
	// AuthorityForm: "host:port", the form of CONNECT (RFC 9112 section 3.2.3).
	AuthorityForm Problem = "authority-form"
	// UnknownScheme: absolute-form with a scheme other than http and https (RFC
	// 9110 section 7.4: the request is not for this server).
	UnknownScheme Problem = "unknown-scheme"
	// AuthorityMismatch: absolute-form naming another authority than the one
	// the request is judged on (RFC 9112 section 3.2.2).
	AuthorityMismatch Problem = "authority-mismatch"
	// Opaque: none of the four forms of RFC 9112 section 3.2. Go reads "x:y" as
	// a URL without a path, which every path matcher misses, and sends "y".
	Opaque Problem = "opaque"
	// Fragment: "#" (RFC 3986 section 3.5; in no form of RFC 9112 section 3.2).
	Fragment Problem = "fragment"
)

// Bytes that a target may not contain.
const (
	// NonASCII: a raw byte above 0x7F (RFC 3986 section 2: URIs are ASCII).
	NonASCII Problem = "non-ascii"
	// Control: a raw control, space or DEL (RFC 9112 section 3.2: whitespace in
	// the target is an invalid request line, not to be corrected).
	Control Problem = "control"
	// Backslash: raw "\" in the path, which browsers and several servers take
	// for "/" (outside of RFC 3986 section 3.3, pchar).
	Backslash Problem = "backslash"
	// InvalidCharacter: another printable character that RFC 3986 section 3.3
	// does not have in a path: " < > [ ] ^ ` { | }. Go would send it encoded.
	InvalidCharacter Problem = "invalid-character"
	// MalformedEscape: "%" without two hex digits (RFC 3986 section 2.1).
	MalformedEscape Problem = "malformed-escape"
)

// Paths that can be read in two ways.
const (
	// DotSegment: "." or ".." as a segment, in any encoding, also before ";" or
	// beside an encoded slash (RFC 3986 sections 5.2.4 and 6.2.2.3).
	DotSegment Problem = "dot-segment"
	// EmptySegment: "//", also at the beginning, where it reads as an authority,
	// or made with an encoded slash (RFC 3986 section 3.3).
	EmptySegment Problem = "empty-segment"
	// EncodedSlash: "%2F" (RFC 3986 section 2.2: not "/", yet many servers
	// decode it before they split). Conditional: a parameter that may span
	// several segments allows it.
	EncodedSlash Problem = "encoded-slash"
	// EncodedBackslash: "%5C" (RFC 3986 section 7.3: servers that decode it find
	// a separator of their file system).
	EncodedBackslash Problem = "encoded-backslash"
	// EncodedPercent: "%25", which hides anything from whoever decodes once less
	// (RFC 3986 section 2.4: never decode twice).
	EncodedPercent Problem = "encoded-percent"
	// EncodedSemicolon: "%3B", a ";" to servers that decode before they cut off
	// parameters (RFC 3986 sections 2.2 and 3.3).
	EncodedSemicolon Problem = "encoded-semicolon"
	// EncodedControl: an encoded C0 control, NUL, DEL or C1 control (RFC 3986
	// section 7.3).
	EncodedControl Problem = "encoded-control"
	// Semicolon: ";" in the path, where servers that know path parameters cut it
	// off (RFC 3986 section 3.3). Conditional: a parameter of style matrix
	// allows it.
	Semicolon Problem = "semicolon"
	// NotUTF8: percent-encoded bytes of the path that are not UTF-8, overlong
	// forms and surrogates included (RFC 3986 section 2.5, RFC 3629 section 3).
	NotUTF8 Problem = "not-utf8"
)

// Queries.
const (
	// QueryEscape: "%" without two hex digits in the query (RFC 3986 section
	// 2.1). Go's Query drops such a pair silently, other readers keep it.
	QueryEscape Problem = "query-escape"
	// QuerySemicolon: ";" in the query: a separator to HTML 4.01 (appendix
	// B.2.2), data to the URL Standard's form parser, and to Go a pair to drop.
	QuerySemicolon Problem = "query-semicolon"
	// QueryNotUTF8: percent-encoded bytes of the query that are not UTF-8 (RFC
	// 3986 section 2.5, RFC 3629 section 3). Decoders replace, keep or
	// transcode them, so what was judged is not what is read.
	QueryNotUTF8 Problem = "query-not-utf8"
)

// Authorities.
const (
	// HostMissing: no host (RFC 9110 sections 4.2.1 and 7.2), e.g. HTTP/1.0.
	HostMissing Problem = "host-missing"
	// HostCharacter: something other than letters, digits, "-", "_" and "." in a
	// host: percent-escapes, list commas, spaces, raw non-ASCII (RFC 952, RFC
	// 1123 section 2.1; RFC 5891 section 4.4: names on the wire are A-labels).
	HostCharacter Problem = "host-character"
	// HostLabel: an empty label, or one over 63 bytes (RFC 1035 section 2.3.4).
	HostLabel Problem = "host-label"
	// HostTooLong: a name over 253 bytes (RFC 1035 section 2.3.4).
	HostTooLong Problem = "host-too-long"
	// HostAddress: brackets around something that is no IPv6 address, or one
	// with a zone (RFC 3986 section 3.2.2; RFC 6874: a zone means something to
	// its sender alone).
	HostAddress Problem = "host-address"
	// Userinfo: "user@" before the host (RFC 9110 section 4.2.4).
	Userinfo Problem = "userinfo"
	// BadPort: ":" without a decimal port of 1 to 65535, or one with leading
	// zeros (RFC 3986 section 3.2.3, RFC 6335 section 6: 0 is reserved).
	BadPort Problem = "bad-port"
)

// Headers; see HeaderProblem.
const (
	// ConnectionHeader: Connection names an end-to-end field, which the next
	// proxy would remove after it was judged (RFC 9110 section 7.6.1).
	ConnectionHeader Problem = "connection-header"
	// TrailerAnnounced: the request announces trailer fields, which arrive after
	// the decision (RFC 9110 section 6.5.1).
	TrailerAnnounced Problem = "trailer-announced"
	// UnknownExpectation: Expect with anything but "100-continue". net/http answers
	// 417 to most of them, yet takes a value that merely contains the word and
	// passes it on, where it may mean another thing (RFC 9110 section 10.1.1).
	UnknownExpectation Problem = "unknown-expectation"
	// RepeatedLength: more than one Content-Length, which HTTP/2 requests can still
	// have when they arrive here; the first one may be the wrong one (RFC 9110
	// section 8.6, RFC 9113 section 8.1.1).
	RepeatedLength Problem = "repeated-length"
	// TunnelLength: an extended CONNECT with a Content-Length. What follows is the
	// tunnel and no content (RFC 9110 section 9.3.6, RFC 8441 section 5), but upstream
	// would get a GET of that length.
	TunnelLength Problem = "tunnel-length"
)

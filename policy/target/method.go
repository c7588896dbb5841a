package target

// StandardMethod reports whether m, in exactly this letter case (RFC 9110
// section 9.1), is one of the methods that every server is expected to tell
// apart: those of RFC 9110 section 9.3 and PATCH (RFC 5789). Others, QUERY among
// them, are tokens that a document may declare; where none does, an upstream
// that does not know the token may well answer it as a GET.
//
// That a method is standard does not mean that it passes: what to do about
// CONNECT and TRACE is the caller's decision.
func StandardMethod(m string) bool {
	switch m {
	case "GET", "HEAD", "POST", "PUT", "DELETE", "PATCH", "OPTIONS", "CONNECT", "TRACE":
		return true
	}
	return false
}

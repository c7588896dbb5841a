package inventory

// Verdict is what the guard decided about a request.
type Verdict uint8

const (
	// Allow: no rule objected.
	Allow Verdict = iota
	// Refuse: an enforced rule answered in upstream's place.
	Refuse
	// WouldRefuse: a rule in monitor mode would have refused; the request went on.
	WouldRefuse
)

// Outcome is how a request ended, as far as the inventory wants to know. Besides
// Caller it holds no value that a client sent.
type Outcome struct {
	Time int64 // when the request arrived, Unix nanoseconds

	// Status is what the client got. For a forwarded request it is upstream's
	// answer, or the status of the error that the next handler returned. 0 when
	// there was none, for example because the client went away.
	Status int

	// Meant says that Status is what the status of a call of gRPC means. HTTP's, which
	// documents have, is 200 then.
	Meant bool

	Verdict Verdict // what the guard did about it
	Rule    string  // the rule that refused or would have: "limit", "unknown_route"; static
	// Would are all rules that would have refused it, Rule among them, when Verdict
	// is WouldRefuse. Empty: Rule alone.
	Would  RuleSet
	Reason string // the reason of the refusal: "unknown-route"; static

	// Forwarded says that upstream was asked. Only then does Status tell anything
	// about what upstream has.
	Forwarded bool

	// Preflight marks a CORS preflight that no document has. Frameworks answer it for
	// every path that they serve, and some for all, so its answer proves nothing.
	Preflight bool

	// Redirect marks a 3xx that leads somewhere: not to a login page, not to the
	// same path with or without a slash, not to another scheme or host name.
	Redirect bool

	// ContentType and BodyLength (-1: unknown) are the answer's. They are read
	// only where no document has the request, to tell an answer that a host gives
	// to everything from one that means this route. Only the media type is used.
	ContentType string
	BodyLength  int64 // bytes; -1: unknown

	// Caller is who called, nil when that is not known. It is read during the
	// call and not held.
	Caller *Caller
}

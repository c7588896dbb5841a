package inventory

// Event is one change, a line of the feed.
type Event struct {
	Event    string   `json:"event"`    // one of the Event constants
	Time     Time     `json:"time"`     // when it was noticed
	API      string   `json:"api"`      // empty where there is none
	Version  string   `json:"version"`  // empty where there is none
	Host     string   `json:"host"`     // empty where there is none
	Method   string   `json:"method"`   // empty where it is about no route
	Path     string   `json:"path"`     // template with its base path, or empty as Method
	State    string   `json:"state"`    // of the route, host or version; else empty
	Evidence Evidence `json:"evidence"` // the best of all answers
	Reasons  []string `json:"reasons"`  // of the route; for a version "was-" and its state before; never null
	Count    uint64   `json:"count"`    // requests, as the kind says; of a finding, what it rests on
	// Node is the node of the fleet that told of it, empty for the one that
	// answers.
	Node string `json:"node"`

	// Of findings: what was found, how severe it is, and its id. Empty otherwise.
	Finding  string `json:"finding"`
	Severity string `json:"severity"` // high, medium or low
	ID       string `json:"id"`       // FindingEntry.ID
}

// Kinds of events.
const (
	// EventRoute: an undocumented route showed evidence of existing; again at its
	// 10th, 100th, 1,000th request and so on.
	EventRoute = "route_discovered"
	// EventHost: a host that nobody declared was asked for; again by powers of
	// ten.
	EventHost = "host_discovered"
	// EventState: a route's evidence got better, or a version's date has come
	// (Method and Path are empty then).
	EventState = "state_changed"
	// EventScan: a host had 100, 1,000, ... refused and scanned requests within
	// an hour; again when that goes on for an hour. Count is how many.
	EventScan = "scan_detected"
	// EventFindingOpened: something is wrong, or is so again.
	EventFindingOpened = "finding_opened"
	// EventFindingClosed: it does not hold any more.
	EventFindingClosed = "finding_closed"
)

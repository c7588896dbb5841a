package inventory

// The shapes of the answers. Every field is always present: what is not known is
// empty, 0, false or null, and lists are never null.

// APIEntry is an API that the active configuration declares.
type APIEntry struct {
	API      string         `json:"api"`      // as the configuration names it
	Owner    string         `json:"owner"`    // the team that answers for it; empty: nobody was named
	Purpose  string         `json:"purpose"`  // a sentence
	Versions []VersionEntry `json:"versions"` // in the order of the configuration
}

// VersionEntry is one version of an API and its traffic.
type VersionEntry struct {
	Version      string   `json:"version"`       // as the configuration names it
	Hosts        []string `json:"hosts"`         // names and patterns as declared, else as its documents give them
	Path         string   `json:"path"`          // base paths, comma-separated when there are several
	State        string   `json:"state"`         // now: design, beta, active, deprecated or retired
	Environment  string   `json:"environment"`   // as declared; empty: not declared
	Audience     string   `json:"audience"`      // names of audiences, comma-separated; empty: everybody
	Owner        string   `json:"owner"`         // else its API's
	Docs         string   `json:"docs"`          // URL for people
	Spec         string   `json:"spec"`          // documents, comma-separated when there are several
	Deprecated   Time     `json:"deprecated"`    // from when on; null: no date
	Sunset       Time     `json:"sunset"`        // from when on it is retired; null: no date
	Brownouts    []Window `json:"brownouts"`     // in the order of the configuration
	Successor    string   `json:"successor"`     // a version of the API, or a URL
	PolicyDigest string   `json:"policy_digest"` // 16 hex digits: versions with one digest are protected alike
	// PolicyDiffers says in what the version's policy is another than its API's.
	PolicyDiffers []string `json:"policy_differs"`
	// Contact and DocumentVersion are what the documents say of themselves
	// (info.contact, info.version).
	Contact         string `json:"contact"`
	DocumentVersion string `json:"document_version"` // info.version, as Contact
	// Origins says where hosts, path, owner, audience, state, deprecated, sunset,
	// limits and credentials come from: configuration, document or default.
	Origins    map[string]string `json:"origins"`
	Operations int               `json:"operations"` // of its documents; one on several hosts and base paths is one
	Requests   uint64            `json:"requests"`   // documented or not
	LastSeen   Time              `json:"last_seen"`  // its latest request; null: none
}

// Window is a time from From on, until before To.
type Window struct {
	From Time `json:"from"` // the first moment of it
	To   Time `json:"to"`   // the first moment after it
}

// HostEntry is a host that is declared, was seen, or both. A pattern such as
// "*.example.com" is one entry. Two names are no host: "(invalid)" collects what
// is no host name and "(other)" what the table had no room for.
type HostEntry struct {
	Host      string            `json:"host"`       // lower case, without port
	Declared  bool              `json:"declared"`   // a version, its document or a passthrough names it
	APIs      []string          `json:"apis"`       // with a version on it, in the order of the configuration
	FirstSeen Time              `json:"first_seen"` // its first request; null: none
	LastSeen  Time              `json:"last_seen"`  // its latest request; null: none
	Count     uint64            `json:"count"`      // requests
	Statuses  map[string]uint64 `json:"statuses"`   // by class, as in RouteEntry
	Evidence  Evidence          `json:"evidence"`   // the best of all its answers

	// Baseline are the answers that this host gives to everything, such as
	// "GET 200 text/html 1834". They are evidence of nothing.
	Baseline []string `json:"baseline"`
	// Scans sums up refused and scanned requests by the hour, the latest 24 hours
	// that had any, oldest first.
	Scans []ScanHour `json:"scans"`
}

// ScanHour counts an hour's requests to routes that nobody has.
type ScanHour struct {
	Hour    Time   `json:"hour"`    // when it began
	Refused uint64 `json:"refused"` // refused by the guard; upstream never said
	Scanned uint64 `json:"scanned"` // 404, 410 or the host's baseline
	Routes  uint64 `json:"routes"`  // of them, first sights of a route
}

// RouteEntry is one operation: documented, seen, or both.
type RouteEntry struct {
	ID         string   `json:"id"`         // stable: a hash of api, version, host, method and path
	API        string   `json:"api"`        // empty where no API claims the request
	Version    string   `json:"version"`    // empty where no version claims it
	Host       string   `json:"host"`       // as declared, a pattern too; else as it was asked for
	Method     string   `json:"method"`     // "OTHER" for all that are neither standard nor documented
	Path       string   `json:"path"`       // template with its base path
	Documented bool     `json:"documented"` // a document of the active configuration has it
	Lifecycle  string   `json:"lifecycle"`  // beta, active, deprecated, retired; empty without a version
	State      State    `json:"state"`      // one of the State constants
	Reasons    []string `json:"reasons"`    // Reason constants: behind the state, and what else is wrong
	Evidence   Evidence `json:"evidence"`   // the best of all its answers
	FirstSeen  Time     `json:"first_seen"` // its first request; null: none
	LastSeen   Time     `json:"last_seen"`  // its latest request; null: none
	Count      uint64   `json:"count"`      // requests, refused ones too

	// Statuses counts answers by class: "1xx" to "5xx", and "none" where no
	// answer was given.
	Statuses map[string]uint64 `json:"statuses"`
	// Refused and WouldRefuse count verdicts by rule: {"limit": 3}. Of a request that
	// several rules in monitor would have refused, each counts.
	Refused     map[string]uint64 `json:"refused"`
	WouldRefuse map[string]uint64 `json:"would_refuse"` // in monitor

	// Consumers is about how many distinct consumers called: a HyperLogLog of 256
	// registers, whose standard error is 6.5 %; of a dozen one may be missing.
	Consumers   uint64   `json:"consumers"`
	Auth        Auth     `json:"auth"`         // which credentials it asks for, and was called with
	CORS        CORS     `json:"cors"`         // what upstream's answers allow to pages of other origins
	DataClasses []string `json:"data_classes"` // that it carries, by document or sample
	Networks    []string `json:"networks"`     // classes that it was called from: public, private, loopback

	// Passthrough says that it is declared to be no API; null for all others. Its
	// Method and Path are as declared, and Host is "*" where it holds for every host.
	Passthrough *PassthroughEntry `json:"passthrough"`
	// Data is where it carries them.
	Data []DataEntry `json:"data"`
	// Software is what the latest sampled answer told of what made it.
	Software []Software `json:"software"`
	// AttackSigns counts sampled requests by what they looked for: {"sql-injection": 2}.
	AttackSigns map[string]uint64 `json:"attack_signs"`

	Environment string `json:"environment"` // as declared, else what the host's name says
	// EnvironmentSource says where that is from: "declared", or "host" when the
	// host's name says so; empty when it is not known.
	EnvironmentSource string `json:"environment_source"`
	Audience          string `json:"audience"`    // of its version: names, comma-separated; empty: everybody, or no version
	Owner             string `json:"owner"`       // the version's, else the API's
	Docs              string `json:"docs"`        // of its version: URL for people
	Deprecated        Time   `json:"deprecated"`  // of its version; null: no date
	Sunset            Time   `json:"sunset"`      // of its version; null: no date
	Review            string `json:"review"`      // open, accepted or ignored
	ReviewNote        string `json:"review_note"` // why, in the words of the operator
	Reviewed          Time   `json:"reviewed"`    // when
}

// PassthroughEntry is what the configuration says of a passthrough.
type PassthroughEntry struct {
	Name   string `json:"name"`   // as declared
	Reason string `json:"reason"` // why it is no API
}

// ConsumerEntry is who called a version.
type ConsumerEntry struct {
	// Consumer is "network:", "user:" or "integration:" and a hash: of the client's
	// address (IPv6 by /64), of the user that Caddy authenticated, or of the name of
	// a declared integration, which is what was known of it first. The hash is keyed, so it can
	// be neither turned back nor guessed at; the key is in the store, and without one
	// it is another after a restart. "(other)" sums up those without room.
	Consumer  string `json:"consumer"`
	Name      string `json:"name"`       // of an integration; else empty
	API       string `json:"api"`        // that was called
	Version   string `json:"version"`    // that was called
	FirstSeen Time   `json:"first_seen"` // the first request
	LastSeen  Time   `json:"last_seen"`  // the latest request
	Count     uint64 `json:"count"`      // requests, refused ones too

	// Refused and WouldRefuse count verdicts by rule, as in RouteEntry.
	Refused     map[string]uint64 `json:"refused"`
	WouldRefuse map[string]uint64 `json:"would_refuse"` // in monitor
}

// Auth is what an operation asks for and what was seen.
type Auth struct {
	// Documented: the document's security asks for credentials.
	Documented bool `json:"documented"`
	// Seen are the kinds of credentials that forwarded requests presented, valid or
	// not: bearer, basic, other (schemes of Authorization), api-key (where a
	// document names it), cookie (any), mtls, and user, whom Caddy authenticated.
	Seen []string `json:"seen"`
	// Unauthenticated2xx counts 2xx answers of upstream to requests with none of
	// these.
	Unauthenticated2xx uint64 `json:"unauthenticated_2xx"`
}

// CORS is what browsers of other origins may do, as upstream answered.
type CORS struct {
	// Origins are "*", "null", "reflected" (an origin that asked was allowed, and
	// none was not) or "listed" (others were not allowed, or one fixed origin is).
	Origins     []string `json:"origins"`
	Credentials bool     `json:"credentials"` // some answer allowed them
}

// Health says how far the inventory can be trusted.
type Health struct {
	Store   Part    `json:"store"`   // status: ok, degraded or memory
	Cluster Cluster `json:"cluster"` // status: ok, down or off
	Gaps    []Gap   `json:"gaps"`    // what every answer lacks; never null

	Since        Time   `json:"since"`         // counts began here
	Running      bool   `json:"running"`       // observations are being recorded
	Queued       int    `json:"queued"`        // observations waiting to be recorded
	Dropped      uint64 `json:"dropped"`       // observations dropped, the queue was full
	Unsampled    uint64 `json:"unsampled"`     // requests chosen to be looked at in full that were not, for want of room
	FeedDropped  uint64 `json:"feed_dropped"`  // events dropped, over 10 a second
	Routes       int    `json:"routes"`        // undocumented routes held, refused and scanned ones apart
	RefusedScans int    `json:"refused_scans"` // refused and scanned routes held
	Hosts        int    `json:"hosts"`         // undeclared hosts held
}

// Part is the condition of something that the inventory leans on.
type Part struct {
	Status string `json:"status"` // one of the Store or Cluster constants
	Why    string `json:"why"`    // a sentence for people; empty: nothing to say
}

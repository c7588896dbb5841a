package inventory

// The shapes of the answers. Every field is always present: what is not known is
// empty, 0, false or null, and lists are never null.

// APIEntry is an API that the active configuration declares.
type APIEntry struct {
	API      string         `json:"api"`
	Owner    string         `json:"owner"`
	Purpose  string         `json:"purpose"`
	Versions []VersionEntry `json:"versions"`
}

// VersionEntry is one version of an API and its traffic.
type VersionEntry struct {
	Version      string   `json:"version"`
	Hosts        []string `json:"hosts"`
	Path         string   `json:"path"` // base paths, comma-separated when there are several
	State        string   `json:"state"`
	Environment  string   `json:"environment"`
	Audience     string   `json:"audience"`
	Owner        string   `json:"owner"`
	Docs         string   `json:"docs"`
	Spec         string   `json:"spec"` // documents, comma-separated when there are several
	Deprecated   Time     `json:"deprecated"`
	Sunset       Time     `json:"sunset"`
	Brownouts    []Window `json:"brownouts"` // in the order of the configuration
	Successor    string   `json:"successor"`
	PolicyDigest string   `json:"policy_digest"`
	// PolicyDiffers says in what the version's policy is another than its API's.
	PolicyDiffers []string `json:"policy_differs"`
	// Contact and DocumentVersion are what the documents say of themselves
	// (info.contact, info.version).
	Contact         string `json:"contact"`
	DocumentVersion string `json:"document_version"`
	// Origins says where hosts, path, owner, audience, state, deprecated, sunset,
	// limits and credentials come from: configuration, document or default.
	Origins    map[string]string `json:"origins"`
	Operations int               `json:"operations"` // documented operations, each host and base path apart
	Requests   uint64            `json:"requests"`   // documented or not
	LastSeen   Time              `json:"last_seen"`
}

// Window is a time from From on, until before To.
type Window struct {
	From Time `json:"from"`
	To   Time `json:"to"`
}

// HostEntry is a host that is declared, was seen, or both. A pattern such as
// "*.example.com" is one entry. Two names are no host: "(invalid)" collects what
// is no host name and "(other)" what the table had no room for.
type HostEntry struct {
	Host      string            `json:"host"`
	Declared  bool              `json:"declared"`
	APIs      []string          `json:"apis"`
	FirstSeen Time              `json:"first_seen"`
	LastSeen  Time              `json:"last_seen"`
	Count     uint64            `json:"count"`
	Statuses  map[string]uint64 `json:"statuses"` // by class, as in RouteEntry
	Evidence  Evidence          `json:"evidence"`

	// Baseline are the answers that this host gives to everything, such as
	// "GET 200 text/html 1834". They are evidence of nothing.
	Baseline []string `json:"baseline"`
	// Scans sums up refused and scanned requests by the hour, the latest 24 hours
	// that had any, oldest first.
	Scans []ScanHour `json:"scans"`
}

// ScanHour counts an hour's requests to routes that nobody has.
type ScanHour struct {
	Hour    Time   `json:"hour"`
	Refused uint64 `json:"refused"` // refused by the guard; upstream never said
	Scanned uint64 `json:"scanned"` // 404, 410 or the host's baseline
	Routes  uint64 `json:"routes"`  // of them, first sights of a route
}

// RouteEntry is one operation: documented, seen, or both.
type RouteEntry struct {
	ID         string   `json:"id"` // stable: a hash of api, version, host, method and path
	API        string   `json:"api"`
	Version    string   `json:"version"`
	Host       string   `json:"host"`
	Method     string   `json:"method"`
	Path       string   `json:"path"` // template with its base path
	Documented bool     `json:"documented"`
	Lifecycle  string   `json:"lifecycle"` // beta, active, deprecated, retired; empty without a version
	State      State    `json:"state"`
	Reasons    []string `json:"reasons"`
	Evidence   Evidence `json:"evidence"`
	FirstSeen  Time     `json:"first_seen"`
	LastSeen   Time     `json:"last_seen"`
	Count      uint64   `json:"count"`

	// Statuses counts answers by class: "1xx" to "5xx", and "none" where no
	// answer was given.
	Statuses map[string]uint64 `json:"statuses"`
	// Refused and WouldRefuse count verdicts by rule: {"limit": 3}. Of a request that
	// several rules in monitor would have refused, each counts.
	Refused     map[string]uint64 `json:"refused"`
	WouldRefuse map[string]uint64 `json:"would_refuse"`

	// Consumers is about how many distinct consumers called: a HyperLogLog of 256
	// registers, whose standard error is 6.5 %; of a dozen one may be missing.
	Consumers   uint64   `json:"consumers"`
	Auth        Auth     `json:"auth"`
	CORS        CORS     `json:"cors"`
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

	Environment string `json:"environment"`
	// EnvironmentSource says where that is from: "declared", or "host" when the
	// host's name says so; empty when it is not known.
	EnvironmentSource string `json:"environment_source"`
	Audience          string `json:"audience"`
	Owner             string `json:"owner"`
	Docs              string `json:"docs"`
	Deprecated        Time   `json:"deprecated"`
	Sunset            Time   `json:"sunset"`
	Review            string `json:"review"` // open, accepted or ignored
	ReviewNote        string `json:"review_note"`
	Reviewed          Time   `json:"reviewed"` // when
}

// PassthroughEntry is what the configuration says of a passthrough.
type PassthroughEntry struct {
	Name   string `json:"name"`
	Reason string `json:"reason"`
}

// ConsumerEntry is who called a version.
type ConsumerEntry struct {
	// Consumer is "network:", "user:" or "integration:" and a hash: of the client's
	// address (IPv6 by /64), of the user that Caddy authenticated, or of the name of
	// a declared integration, which is what was known of it first. The hash is keyed, so it can
	// be neither turned back nor guessed at; the key is in the store, and without one
	// it is another after a restart. "(other)" sums up those without room.
	Consumer  string `json:"consumer"`
	Name      string `json:"name"` // of an integration; else empty
	API       string `json:"api"`
	Version   string `json:"version"`
	FirstSeen Time   `json:"first_seen"`
	LastSeen  Time   `json:"last_seen"`
	Count     uint64 `json:"count"` // requests, refused ones too

	// Refused and WouldRefuse count verdicts by rule, as in RouteEntry.
	Refused     map[string]uint64 `json:"refused"`
	WouldRefuse map[string]uint64 `json:"would_refuse"`
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
	Gaps    []Gap   `json:"gaps"`

	Since        Time   `json:"since"`         // counts began here
	Running      bool   `json:"running"`       // observations are being recorded
	Queued       int    `json:"queued"`        // observations waiting to be recorded
	Dropped      uint64 `json:"dropped"`       // observations dropped, the queue was full
	FeedDropped  uint64 `json:"feed_dropped"`  // events dropped, over 10 a second
	Routes       int    `json:"routes"`        // undocumented routes held, refused and scanned ones apart
	RefusedScans int    `json:"refused_scans"` // refused and scanned routes held
	Hosts        int    `json:"hosts"`         // undeclared hosts held
}

// Part is the condition of something that the inventory leans on.
type Part struct {
	Status string `json:"status"`
	Why    string `json:"why"`
}

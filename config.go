package apiguard

import (
	"bytes"
	"encoding/json"

	"github.com/caddyserver/caddy/v2"
)

// Rules are the rule lines that may stand in `policy`, in an API and in a
// version. A rule that is left out is inherited: from the API, from the policy,
// and in the end from the top-level mode or the default. A version may be
// stricter than what it inherits; looser is a configuration error.
//
// Each mode is "enforce", "monitor" or "off".
type Rules struct {
	// What to do with request targets that can be read in two ways: 400.
	// Default: enforce.
	Target string `json:"target,omitempty"`

	// What to do with hosts that no version declares: 421. Only in `policy`.
	// Default: enforce.
	UnknownHost string `json:"unknown_host,omitempty"`

	// What to do with paths and methods that no document has: 404, or 405 with
	// Allow. Default: monitor. For a version without a document it is monitor
	// unless the version itself says otherwise.
	UnknownRoute string `json:"unknown_route,omitempty"`

	// What to do with calls to a version from outside its audience: 403. In a
	// version `audience` names the audiences instead. Default: enforce.
	Audience string `json:"audience,omitempty"`

	// What to do with calls to a version past its sunset: 410.
	// Default: enforce.
	Lifecycle string `json:"lifecycle,omitempty"`

	// Whether requests must present what the document's `security` asks for, in the
	// form of its scheme: 401. It looks for presence and form alone; whether a
	// credential is valid stays with authentication handlers and the API.
	// Default: enforce.
	Credentials string `json:"credentials,omitempty"`

	// Whether to remove method-override, original-URL and client-address header
	// fields that no trusted proxy set, before the request is passed on.
	// Default: enforce.
	Headers string `json:"headers,omitempty"`

	// Whether to remove Upgrade unless the operation declares it with
	// `x-api-guard-upgrade: websocket`, or the version with `upgrades websocket`, and
	// to refuse what has no field to remove: an extended CONNECT that is not declared
	// so (501), and CONNECT and TRACE where no document has them (405).
	// Default: enforce.
	Upgrade string `json:"upgrade,omitempty"`

	// Whether requests must conform to the version's document: 400, 413 or 415.
	// Default: enforce. Caddyfile: `request <mode> { … }`.
	Request *RequestRule `json:"request,omitempty"`

	// Whether answers must conform to the version's document: 502 without the
	// answer's content. In enforce an answer is held until it is judged. Default:
	// monitor. Caddyfile: `response <mode> { … }`.
	Response *ResponseRule `json:"response,omitempty"`

	// Rate limits. Default: there is none until one is written.
	Limit []*Limit `json:"limit,omitempty"`
}

// RequestRule is how requests are held against the version's document. In JSON it
// is an object, or the mode alone as a string.
type RequestRule struct {
	// "enforce", "monitor" or "off". Default: enforce. Caddyfile: `request <mode>`.
	Mode string `json:"mode,omitempty"`

	// The largest body that is judged, such as "1MiB" or a number of bytes. A
	// larger one is refused with 413. It binds bodies that are judged only;
	// other bodies stream. 1GiB at most. Default: 1MiB.
	MaxBody Size `json:"max_body,omitempty"`

	// How long to wait for more of a body that is read to be judged, such as "10s".
	// A slower body is refused with 408; it binds bodies that are judged only.
	// Default: 10s.
	BodyIdleTimeout caddy.Duration `json:"body_idle_timeout,omitempty"`

	// How long to wait for the whole of such a body, at most 1h. A slower one is
	// refused with 408. Default: 60s.
	BodyTimeout caddy.Duration `json:"body_timeout,omitempty"`

	// What to do with query parameters that the document does not have.
	// Default: monitor. Caddyfile: `unknown_parameters enforce|monitor|off`.
	UnknownParameters string `json:"unknown_parameters,omitempty"`

	// The status of a request that does not conform, 400 or 422. Default: 400.
	// Caddyfile: `status 400|422`.
	Status int `json:"status,omitempty"`
}

// ResponseRule is how answers are held against the version's document. In JSON it
// is an object, or the mode alone as a string.
type ResponseRule struct {
	// "enforce", "monitor" or "off". Default: monitor. Caddyfile: `response <mode>`.
	Mode string `json:"mode,omitempty"`

	// The largest answer that is judged, such as "1MiB" or a number of bytes. A
	// larger one passes as it comes and is counted as unchecked. 1GiB at most.
	// Default: 1MiB.
	MaxBody Size `json:"max_body,omitempty"`
}

// UnmarshalJSON takes the object or the mode alone.
func (r *ResponseRule) UnmarshalJSON(data []byte) error {
	if bytes.HasPrefix(bytes.TrimSpace(data), []byte(`"`)) {
		return json.Unmarshal(data, &r.Mode)
	}
	type plain ResponseRule
	return readStrictly(data, (*plain)(r))
}

// UnmarshalJSON takes the object or the mode alone.
func (r *RequestRule) UnmarshalJSON(data []byte) error {
	if bytes.HasPrefix(bytes.TrimSpace(data), []byte(`"`)) {
		return json.Unmarshal(data, &r.Mode)
	}
	type plain RequestRule
	return readStrictly(data, (*plain)(r))
}

// Limit is a rate limit. Its buckets belong to the API, whatever host, version,
// spelling or protocol a request comes by. A limit inside a version is one more
// limit with buckets of its own; if it bears the name of an inherited one, it
// takes over what it leaves out and must be tighter.
type Limit struct {
	// Letters, digits, "_", "-" and "."; clients see it in the RateLimit fields.
	Name string `json:"name"`

	// The operations it binds, as operationIds or "METHOD /template"; it binds
	// them in every version of the API, documented there or not. Default: every
	// request, unknown routes and retired versions included.
	// Caddyfile: `operations <operationId> | <METHOD> </template> ...`.
	Operations []string `json:"operations,omitempty"`

	// What requests are counted by: placeholders, which together make one key; the
	// short forms of a Caddyfile, such as {remote_host}, may stand in JSON too.
	// IPv6 addresses count by their /64. A part that is missing from a request is
	// one shared bucket. {http.api_guard.body./pointer} is a value of the JSON body,
	// which is read before anything is passed on; it needs operations.
	// Default: {client_ip}. Caddyfile: `key <placeholder>...`.
	Key []string `json:"key,omitempty"`

	// How many requests in how long: "5/1m", with s, m, h or d. Default: it must be
	// given, unless there is another bound. Caddyfile: `rate <n>/<window>`.
	Rate string `json:"rate,omitempty"`

	// "window": never more than the rate's number in any interval of its length.
	// "bucket": a token bucket that refills steadily and holds `burst`.
	// Default: window. Caddyfile: `algorithm window|bucket`.
	Algorithm string `json:"algorithm,omitempty"`

	// How many tokens a bucket holds. Default: the rate's number.
	Burst int `json:"burst,omitempty"`

	// What uses it up. "requests": each request. "failures": answers of upstream
	// with one of `statuses`, and requests that got none; a request on its way
	// counts as if it failed, so that no more guesses are out at a time than may
	// fail. "unknown": requests for paths and methods that no document has.
	// "violations": requests that the rules target and request refuse, or in
	// monitor would. A limit that is used up refuses every request that it binds,
	// whatever it counts. Default: requests. Caddyfile:
	// `count requests|failures|unknown|violations`.
	Count string `json:"count,omitempty"`

	// The statuses that count as failures, 200 to 599. Only with count failures.
	// Default: 401 and 403. Caddyfile: `count failures <status>...`.
	Statuses []int `json:"statuses,omitempty"`

	// How long a key is refused after the limit refused it, whatever the limit has
	// room for: "15m", with s, m, h or d, from 1s to 31d. Refusals within it do not
	// prolong it. Default: none.
	Penalty string `json:"penalty,omitempty"`

	// How much of the rate a request takes, 1 to what the limit holds. Default:
	// what the operation's document says with `x-api-guard-cost`, else 1.
	Cost int `json:"cost,omitempty"`

	// How much fits in a calendar day or month, in UTC: "1000/day" or
	// "20000/month", besides the rate or instead of one. It counts what the rate
	// counts, and is kept over restarts. Default: any amount.
	Quota string `json:"quota,omitempty"`

	// How many requests of a key may be on their way at one time, besides the rate
	// or instead of one. Default: any number.
	Concurrency int `json:"concurrency,omitempty"`

	// Keep its buckets in a part of the table of their own, where a flood of other
	// keys evicts none of them: newcomers share a bucket when it is full. For
	// limits that stand before guessing. Default: false.
	Protect bool `json:"protect,omitempty"`

	// What holds while the store of the cluster cannot be asked. "local": each node
	// counts by itself, against its share of the limit. "deny": 503 with Retry-After.
	// "allow": nothing is counted. Without a cluster it says nothing. Default: local.
	OnStoreFailure string `json:"on_store_failure,omitempty"`

	// Whether answers carry the RateLimit fields for it: "on" or "off".
	// Default: on. Caddyfile: `headers on|off`.
	Headers string `json:"headers,omitempty"`

	// enforce, monitor (it counts in buckets of its own and refuses nothing) or
	// off. Default: the top-level mode, else enforce. Caddyfile:
	// `mode enforce|monitor|off`.
	Mode string `json:"mode,omitempty"`

	// Where the configuration has it, for messages; the Caddyfile adapter fills it.
	Source string `json:"source,omitempty"`
}

// Passthrough is what is no API and passes without limits, routes or conformance:
// only the rules target and audience hold for it. What a document has, in whatever
// spelling, and what the operations of a limit name is never passed through; of a
// passthrough and the path of a version the longer one holds. A host that stands
// here alone serves nothing else.
type Passthrough struct {
	// Letters, digits, "_", "-" and ".".
	Name string `json:"name"`

	// The names and addresses it holds for, as a version's hosts. Default: every
	// host, declared or not, since health probes ask for addresses.
	Hosts []string `json:"hosts,omitempty"`

	// Exact paths such as "/healthz", or all below one: "/assets/*". Default: every
	// path of its hosts.
	Path []string `json:"path,omitempty"`

	// The methods; GET includes HEAD. Others than the standard ones pass when they are
	// named here. Default: every standard method.
	Methods []string `json:"methods,omitempty"`

	// Why it is no API, for those who read the inventory. It must be given.
	Reason string `json:"reason"`

	// Where the configuration has it, for messages; the Caddyfile adapter fills it.
	Source string `json:"source,omitempty"`
}

// Policy is what holds for every API.
type Policy struct {
	Rules

	// Formats of strings besides those that are known, by the name that documents
	// give in `format`: a regular expression (ECMA-262) of what such a string has in
	// it, or "off" to check nothing. A name that is known is replaced. In the
	// Caddyfile one line each: `format <name> <pattern>|off`.
	Format map[string]string `json:"format,omitempty"`
}

// API is a logical product: all its versions share one policy and one set of
// limit buckets.
type API struct {
	// 1 to 64 letters, digits, "_", "-" and ".", beginning with a letter or digit. No
	// two APIs share one.
	Name string `json:"name"`
	// The team that answers for it. Without one it is a finding.
	Owner string `json:"owner,omitempty"`
	// What it is for, in a sentence.
	Purpose string `json:"purpose,omitempty"`
	// Its versions.
	Version []*Version `json:"version,omitempty"`
	Rules

	// Where the configuration has it, for messages; the Caddyfile adapter fills it.
	Source string `json:"source,omitempty"`
}

// Version is one version of an API and what it answers for: hosts, path prefixes
// and selectors.
type Version struct {
	// 1 to 64 letters, digits, "_", "-" and ".", beginning with a letter or digit, such
	// as "v2". No two versions of an API share one.
	Name string `json:"name"`

	// The names that serve it, whatever port or scheme: "api.example.com" or
	// "*.example.com". Default: the absolute server URLs of its documents.
	Hosts []string `json:"hosts,omitempty"`

	// The path prefix that it answers for. It replaces the path of every
	// `servers` entry of its documents. Default: the documents' servers give the
	// paths; without a document it is "/". Caddyfile: `path <prefix>`.
	Path string `json:"path,omitempty"`

	// What else picks it; `path` and each entry are alternatives. Caddyfile:
	// `select …`.
	Select []*Selector `json:"select,omitempty"`

	// Whether it also answers requests that carry none of the selectors.
	Default bool `json:"default,omitempty"`

	// Its OpenAPI documents (3.0, 3.1 or 3.2; JSON or YAML): files, or URLs each with
	// the SHA-256 of what is there, as "https://docs.example.com/orders.yaml
	// sha256:<64 hex digits>". In a Caddyfile relative paths start at its folder, in
	// JSON at the working directory. A document by URL is fetched when there is no
	// copy of it in Caddy's data directory, and must be whole in one file. Caddyfile:
	// `spec <file> | <url> sha256:<hex> ...`.
	Spec []string `json:"spec,omitempty"`

	// Path parameters that may span several segments, raw or as %2F, by
	// operation: {"getFile": ["path"]}. Caddyfile:
	// `multi_segment <operation> <parameter>`.
	MultiSegment map[string][]string `json:"multi_segment,omitempty"`

	// Protocols that any of its operations may upgrade to: "websocket".
	Upgrades []string `json:"upgrades,omitempty"`

	// "active", "beta" or "design" (declared, and refused with 404 as if it were
	// not there); the other states follow from the dates.
	// Default: active. Caddyfile: `state design|beta|active`.
	State string `json:"state,omitempty"`

	// From when on it is deprecated: a day ("2027-03-31", 00:00 UTC) or a time by
	// RFC 3339. Caddyfile: `deprecated <date>`.
	Deprecated string `json:"deprecated,omitempty"`

	// From when on it is retired, not before it is deprecated: 410. A day or a time
	// as above. Caddyfile: `sunset <date>`.
	Sunset string `json:"sunset,omitempty"`

	// Times in which it answers what it will when it is retired, so that its
	// callers notice before: 410. Caddyfile: `brownout <date> <duration>`.
	Brownout []*Brownout `json:"brownout,omitempty"`

	// The version of this API that takes its place, or a URL with http or https. Caddyfile:
	// `successor <version>|<url>`.
	Successor string `json:"successor,omitempty"`
	// Where people read about it: a URL with http or https, sent in the Link field.
	Docs string `json:"docs,omitempty"`
	// Who may reach it: names of declared audiences; "public", unless one of that name
	// is declared, is everybody, whatever the documents say. Default: what the
	// documents say, else everybody.
	Audience []string `json:"audience,omitempty"`
	// Rules that do not hold for some integrations, for a while.
	Exception []*Exception `json:"exception,omitempty"`
	// Which environment its hosts are: "production", "staging", "test", ….
	Environment string `json:"environment,omitempty"`
	// The team that answers for it. Default: the API's owner.
	Owner string `json:"owner,omitempty"`
	Rules

	// Where the configuration has it, for messages; the Caddyfile adapter fills it.
	Source string `json:"source,omitempty"`
}

// Brownout is a time in which a version answers as if it were retired.
type Brownout struct {
	// When it begins: a day, or a time by RFC 3339. Caddyfile: `brownout <date> …`.
	From string `json:"from"`
	// How long it lasts, such as "2h", "30m" or "1d". Caddyfile:
	// `brownout … <duration>`.
	Duration string `json:"duration"`
}

// Selector picks a version by a value of the request, or restricts the path it
// stands with.
type Selector struct {
	// The path prefix that it is restricted to. Default: the version's documents
	// give it. Caddyfile: `path <prefix> { select … }`.
	Path string `json:"path,omitempty"`
	// The header field that must have the value. Several lines that name different
	// versions are refused. Caddyfile: `select header <name> …`.
	Header string `json:"header,omitempty"`
	// The value of the header field or query parameter. Caddyfile:
	// `select header|query <name> <value>`.
	Value string `json:"value,omitempty"`
	// The query parameter that must have the value, in place of a header. Caddyfile:
	// `select query <name> …`.
	Query string `json:"query,omitempty"`
	// The media type that Accept must list, with its parameters:
	// "application/vnd.example.v2+json" or "application/json;version=2". Wildcards
	// and types of no version name none. Caddyfile: `select accept <media-type>`.
	Accept string `json:"accept,omitempty"`
	// The header field that carries a day (YYYY-MM-DD): of the versions that have
	// this selector the newest answers whose own day is not after it. A version's
	// day is what its name begins with, such as "2026-03-10". Caddyfile:
	// `select date <header>`.
	Date string `json:"date,omitempty"`
}

// Inventory is where, how long and how much of the inventory is kept.
type Inventory struct {
	// The file that keeps it over restarts, made where there is none; a relative
	// path starts at the working directory. Only one process can have it open. A
	// file that is damaged, locked or cannot be written never stops Caddy: health
	// says so, and memory serves. One that plainly is something else, such as a
	// Caddyfile, a certificate or another program's database, is left alone: a
	// configuration error. "memory": there is no file, and the inventory
	// begins anew with the process. Another file takes effect at the next start.
	// Default: api_guard/inventory.db in Caddy's data directory.
	File string `json:"file,omitempty"`
	// How long an entry is kept that is not seen any more, at least an hour. What
	// the configuration declares stays. Default: 90d.
	Retention caddy.Duration `json:"retention,omitempty"`
	// How many entries an answer of the admin API holds when the query does not
	// say, 1 to 1000. Default: 100.
	PageSize int `json:"page_size,omitempty"`
	// How many requests of an operation are looked at in full, off their path, for
	// classes of data, software and signs of attacks: "1% 10" is a share of them,
	// and at most so many a minute (1 to 1000). The first 10 are looked at anyway.
	// "off" looks at none. Of what is looked at names, classes and counts are kept,
	// never a value. Default: 1% 10. Caddyfile: `sample <percent>% [<per minute>] | off`.
	Sample string `json:"sample,omitempty"`
}

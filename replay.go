package apiguard

import (
	"cmp"
	"io"
	"net"
	"net/http"
	"net/netip"
	"net/url"
	"slices"
	"strconv"
	"time"

	"github.com/caddyserver/caddy/v2"
	"github.com/caddyserver/caddy/v2/modules/caddyhttp"

	"github.com/apiguard/caddy-api-guard/inventory"
	"github.com/apiguard/caddy-api-guard/inventory/catalogue"
	"github.com/apiguard/caddy-api-guard/policy"
)

// player runs logged requests through the handler of an app as if they came in
// now, with the answers that the log has. Every rule is in monitor: what upstream
// answered counts, and a later rule is asked too. It is not safe for concurrent
// use.
type player struct {
	app      *App
	handler  Handler
	clock    time.Time
	shift    time.Duration
	monitor  []policy.Override // every rule
	withheld []policy.Override // where the log does not tell credentials

	refusals map[refusalKey]*refusal
	old      map[oldCaller]*oldCalls
	judged   uint64
	refused  uint64
}

// refusalKey is what would be refused, and why.
type refusalKey struct{ rule, reason, limit, api, version, method, path string }

type refusal struct {
	count   uint64
	clients map[netip.Prefix]struct{}
}

// mostClients is up to how many clients a refusal's are told apart.
const mostClients = 10_000

// newPlayer compiles a configuration.
func newPlayer(config []byte) (*player, error) {
	p := &player{refusals: make(map[refusalKey]*refusal), old: make(map[oldCaller]*oldCalls)}
	app, err := standalone(config, func() time.Time { return p.clock })
	if err != nil {
		return nil, err
	}
	p.app, p.handler.app = app, app
	forever := time.Unix(1<<40, 0)
	for _, rule := range policy.AllRules() {
		mode := policy.Monitor
		if rule == policy.RuleResponse {
			mode = policy.Off // logs have no bodies
		}
		p.monitor = append(p.monitor, policy.Override{Rule: rule, Mode: mode, Until: forever})
	}
	p.withheld = append(slices.Clone(p.monitor), policy.Override{Rule: policy.RuleCredentials, Mode: policy.Off, Until: forever})
	return p, nil
}

// play judges one request and records its answer.
func (p *player) play(l *logged) {
	now := l.time.Add(p.shift)
	if now.After(p.clock) {
		p.clock = now
	}
	r := l.request()
	w := &logWriter{header: make(http.Header)}
	replacer := caddy.NewReplacer()
	r = caddyhttp.PrepareRequest(r, replacer, w, nil)
	caddyhttp.SetVar(r.Context(), caddyhttp.ClientIPVarKey, l.client)
	if l.user != "" && l.user != "REDACTED" {
		replacer.Set(userPlaceholder, l.user)
	}

	x := exchanges.Get().(*exchange)
	defer x.release()
	x.begin(&p.handler, w, r)
	x.request.Now = now
	x.request.Overrides = p.monitor
	if l.withholdsCredentials() {
		x.request.Overrides = p.withheld
	}
	x.decide()
	p.judged++
	if x.verdict.Outcome == policy.Refuse {
		// Only a fault of the guard itself is not a matter of mode.
		_ = x.refuse()
	} else {
		_ = x.forward(l)
	}
	if x.verdict.Outcome != policy.Allow {
		p.count(x)
	}
	if s := x.verdict.State; (s == catalogue.StateDeprecated || s == catalogue.StateRetired) && x.request.Match.Version != nil {
		p.remember(x, now)
	}
}

// oldCaller is who called a version that is deprecated or retired. The log has the
// addresses already, so they are shown as they are.
type oldCaller struct{ api, version, caller string }

type oldCalls struct {
	count uint64
	last  time.Time
}

// mostOldCallers is up to how many are told apart; the rest is one.
const mostOldCallers = 100_000

func (p *player) remember(x *exchange, now time.Time) {
	m := &x.request.Match
	key := oldCaller{m.API.Name, m.Version.Name, address(x.request.Client)}
	if user, _ := x.replacer.GetString(userPlaceholder); user != "" {
		key.caller = user
	}
	calls := p.old[key]
	if calls == nil {
		if len(p.old) >= mostOldCallers {
			key.caller = "(others)"
		}
		if calls = p.old[key]; calls == nil {
			calls = new(oldCalls)
			p.old[key] = calls
		}
	}
	calls.count++
	calls.last = now
}

// oldCallerEntry is who still calls an old version.
type oldCallerEntry struct {
	API      string         `json:"api"`
	Version  string         `json:"version"`
	Caller   string         `json:"caller"` // the user, else the address; of IPv6 the /64
	Count    uint64         `json:"count"`
	LastSeen inventory.Time `json:"last_seen"`
}

// oldCallers are those of each version, the most frequent first, up to limit each.
func (p *player) oldCallers(limit int) []oldCallerEntry {
	all := []oldCallerEntry{}
	for k, c := range p.old {
		all = append(all, oldCallerEntry{k.api, k.version, k.caller, c.count, inventory.Time{Time: c.last}})
	}
	slices.SortFunc(all, func(a, b oldCallerEntry) int {
		return cmp.Or(cmp.Compare(a.API, b.API), cmp.Compare(a.Version, b.Version), cmp.Compare(b.Count, a.Count), cmp.Compare(a.Caller, b.Caller))
	})
	shown, run := make([]oldCallerEntry, 0, len(all)), 0
	for i, e := range all {
		if i > 0 && e.API == all[i-1].API && e.Version == all[i-1].Version {
			run++
		} else {
			run = 0
		}
		if run < limit {
			shown = append(shown, e)
		}
	}
	return shown
}

func (p *player) count(x *exchange) {
	p.refused++
	v, m := &x.verdict, &x.request.Match
	key := refusalKey{rule: v.Rule.String(), reason: string(v.Reason)}
	if v.Rule == policy.RuleLimit {
		key.limit = v.Exceeded()
	}
	if m.API != nil {
		key.api = m.API.Name
	}
	if m.Version != nil {
		key.version = m.Version.Name
	}
	if m.Outcome == catalogue.Found && m.Route != nil {
		key.method, key.path = m.Route.Operation.Method, m.Route.Path
	}
	entry := p.refusals[key]
	if entry == nil {
		entry = &refusal{clients: make(map[netip.Prefix]struct{})}
		p.refusals[key] = entry
	}
	entry.count++
	if len(entry.clients) < mostClients {
		entry.clients[network(x.request.Client)] = struct{}{}
	}
}

// network is what a client counts as: its address, of IPv6 the /64.
func network(client netip.Addr) netip.Prefix {
	client = client.Unmap()
	bits := client.BitLen()
	if client.Is6() {
		bits = 64
	}
	prefix, _ := client.Prefix(bits) // of an address that is none: the zero prefix
	return prefix
}

// address names a network for people.
func address(client netip.Addr) string {
	n := network(client)
	if n.IsSingleIP() {
		return n.Addr().String()
	}
	return n.String()
}

// refusalEntry is what would be refused, for people.
type refusalEntry struct {
	Rule    string `json:"rule"`
	Reason  string `json:"reason"`
	Limit   string `json:"limit"` // of the rule limit: its name, or several
	API     string `json:"api"`
	Version string `json:"version"`
	Method  string `json:"method"` // of a documented operation, as is the path
	Path    string `json:"path"`
	Count   uint64 `json:"count"`
	Clients int    `json:"clients"` // distinct networks, up to 10,000
}

// entries are the refusals, the most frequent first.
func (p *player) entries() []refusalEntry {
	out := make([]refusalEntry, 0, len(p.refusals))
	for k, r := range p.refusals {
		out = append(out, refusalEntry{k.rule, k.reason, k.limit, k.api, k.version, k.method, k.path, r.count, len(r.clients)})
	}
	slices.SortFunc(out, func(a, b refusalEntry) int {
		return cmp.Or(cmp.Compare(b.Count, a.Count), cmp.Compare(a.Rule, b.Rule), cmp.Compare(a.Reason, b.Reason), cmp.Compare(a.Limit, b.Limit),
			cmp.Compare(a.API, b.API), cmp.Compare(a.Version, b.Version), cmp.Compare(a.Path, b.Path), cmp.Compare(a.Method, b.Method))
	})
	return out
}

// request is the logged one, as net/http would have made it. Its body is not in the
// log: it has one of unknown length that nobody reads.
func (l *logged) request() *http.Request {
	r := &http.Request{
		Method: l.method, Host: l.host, RequestURI: l.uri, Proto: l.proto, Header: l.header,
		RemoteAddr: net.JoinHostPort(l.client, "0"), Body: http.NoBody,
	}
	r.ProtoMajor, r.ProtoMinor, _ = http.ParseHTTPVersion(l.proto)
	var err error
	if r.URL, err = url.ParseRequestURI(l.uri); err != nil {
		r.URL = &url.URL{Opaque: l.uri}
	}
	if r.Header == nil {
		r.Header = http.Header{}
	}
	if l.hasBody() {
		r.ContentLength, r.Body = -1, unread{}
	}
	return r
}

// hasBody tells it by Content-Length, or where the log has no header by the method.
func (l *logged) hasBody() bool {
	if l.header == nil {
		return l.method == http.MethodPost || l.method == http.MethodPut || l.method == http.MethodPatch
	}
	if len(l.header["Transfer-Encoding"]) > 0 {
		return true
	}
	length := l.header["Content-Length"]
	n, err := strconv.ParseInt(first(length), 10, 64)
	return err == nil && n > 0
}

// withholdsCredentials: Caddy writes REDACTED for Authorization and Cookie unless
// told otherwise, and other formats have no header at all.
func (l *logged) withholdsCredentials() bool {
	return l.header == nil || first(l.header["Authorization"]) == "REDACTED" || first(l.header["Cookie"]) == "REDACTED"
}

func first(values []string) string {
	if len(values) == 0 {
		return ""
	}
	return values[0]
}

// ServeHTTP is upstream: it answers what the log says.
func (l *logged) ServeHTTP(w http.ResponseWriter, _ *http.Request) error {
	h := w.Header()
	for name, values := range l.answer {
		h[name] = values
	}
	if l.size >= 0 && h.Get("Content-Length") == "" {
		h.Set("Content-Length", strconv.FormatInt(l.size, 10))
	}
	if l.status != 0 { // 0: the client went away first
		w.WriteHeader(l.status)
	}
	return nil
}

// unread is a body that nobody reads.
type unread struct{}

func (unread) Read([]byte) (int, error) { return 0, io.ErrUnexpectedEOF }
func (unread) Close() error             { return nil }

// logWriter is a client that is not there.
type logWriter struct{ header http.Header }

func (w *logWriter) Header() http.Header         { return w.header }
func (w *logWriter) WriteHeader(int)             {}
func (w *logWriter) Write(p []byte) (int, error) { return len(p), nil }

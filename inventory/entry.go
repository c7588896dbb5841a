package inventory

import (
	"crypto/sha256"
	"encoding/base32"
	"encoding/binary"
	"net/http"
	"strings"
	"sync/atomic"

	"github.com/apiguard/caddy-api-guard/inventory/catalogue"
)

// routeKey is what makes a route one and the same over configurations.
type routeKey struct {
	api, version, host, method, path string
}

// routeID is the first 80 bits of a routeKey's SHA-256.
type routeID [10]byte

var idEncoding = base32.StdEncoding.WithPadding(base32.NoPadding)

// id hashes the key. Each part goes in with its length, so that no two keys read
// the same.
func (k *routeKey) id() routeID {
	buf := make([]byte, 0, 256)
	for _, s := range [...]string{k.api, k.version, k.host, k.method, k.path} {
		buf = binary.AppendUvarint(buf, uint64(len(s)))
		buf = append(buf, s...)
	}
	sum := sha256.Sum256(buf)
	return routeID(sum[:10])
}

// String is the id as answers spell it: 16 characters, a to z and 2 to 7.
func (id routeID) String() string { return strings.ToLower(idEncoding.EncodeToString(id[:])) }

func parseRouteID(s string) (routeID, bool) {
	var id routeID
	if len(s) != 16 || s != strings.ToLower(s) {
		return id, false
	}
	n, err := idEncoding.Decode(id[:], []byte(strings.ToUpper(s)))
	return id, err == nil && n == len(id)
}

// shelf is where an entry is kept, and with it what may push it out.
type shelf uint8

const (
	// shelfBound: a document has or had it. Never pushed out; their number is
	// the operator's.
	shelfBound shelf = iota
	// shelfKnown: probable or confirmed, in no document. Up to MaxRoutes; pushed
	// out only by better evidence.
	shelfKnown
	// shelfNoise: refused or scanned. The latest of each host.
	shelfNoise
)

// entry is one operation. Inventory.mu guards all but hits' counters.
type entry struct {
	key routeKey
	id  routeID

	hits *counters // of documented operations
	seen tally     // what Observe brought

	shelf   shelf
	why     why    // how the latest observation missed the documents
	gen     uint64 // the activation that has it documented
	slot    *slot  // there
	passGen uint64 // the activation that passes it through
	pass    *catalogue.Pass
	since   int64 // first documented, Unix nanoseconds
	covered bool  // a documented template stands for it now

	answer   answer // the one that gave the best evidence
	mixed    bool   // others gave as good evidence
	echo     answer // the same, if it repeats the path
	echoless bool   // others gave as good evidence, with another echo
	baseline bool   // got the answer that its host gives to everything
	unproven bool   // only a scan may have called it, see weighLone

	traits          traits // of what Observe brought, as are these
	unauthenticated uint64
	unguarded       int64 // when the latest good answer without credentials was
	reached         int64 // when upstream was latest asked from a public network
	crowd           crowd
	exposure        *exposure // what samples showed; nil: none yet
	// elsewhere is what samples of other nodes showed, whole all of it together, made
	// when it is asked for.
	elsewhere map[*peer]*savedExposure
	whole     atomic.Pointer[exposure]

	// Of what the store has. Set unsaved when something changes without a request.
	mark    uint64 // touched, when it was written
	sum     uint64 // of hits, when they were written
	kept    bool   // it has it
	unsaved bool   // and something of it is newer
	bound   int64  // when a configuration last had it, Unix nanoseconds

	watches    []watch // of names where its template has values
	mixedNames bool    // there are no names among them

	history history // of its answers by day

	host       *hostRecord
	prev, next *entry // shelfNoise: neighbours in the host's list
}

func (e *entry) totals() totals {
	var t totals
	if e.hits != nil {
		t.addCounters(e.hits)
	}
	t.addTally(&e.seen)
	return t
}

// verdicts sums up refusals of both kinds.
func (e *entry) verdicts() verdicts {
	var v verdicts
	if e.seen.verdicts != nil {
		v = *e.seen.verdicts
	}
	if e.hits != nil {
		for i := range v.refused {
			v.refused[i] += e.hits.refused[i].Load()
			v.would[i] += e.hits.would[i].Load()
		}
		e.hits.shares.addVerdicts(&v)
	}
	e.seen.shares.addVerdicts(&v)
	return v
}

// callers is what was seen of callers in both ways.
func (e *entry) callers() (seen traits, unauthenticated uint64) {
	seen, unauthenticated = e.traits, e.unauthenticated+e.seen.shares.unauthenticated()
	if e.hits == nil {
		return seen, unauthenticated
	}
	return seen | traits(e.hits.traits.Load()), unauthenticated + e.hits.unauthenticated.Load() + e.hits.shares.unauthenticated()
}

// consumers is about how many called it.
func (e *entry) consumers() uint64 {
	if e.hits == nil {
		return crowdOf(nil, &e.crowd)
	}
	return crowdOf(e.hits.crowd.Load(), &e.crowd)
}

// methodOther stands for every method that is neither standard nor documented.
const methodOther = "OTHER"

// standardMethod is the constant for a standard method, so that no request's
// string is kept.
func standardMethod(m string) (string, bool) {
	switch m {
	case http.MethodGet:
		return http.MethodGet, true
	case http.MethodHead:
		return http.MethodHead, true
	case http.MethodPost:
		return http.MethodPost, true
	case http.MethodPut:
		return http.MethodPut, true
	case http.MethodPatch:
		return http.MethodPatch, true
	case http.MethodDelete:
		return http.MethodDelete, true
	case http.MethodOptions:
		return http.MethodOptions, true
	case http.MethodConnect:
		return http.MethodConnect, true
	case http.MethodTrace:
		return http.MethodTrace, true
	case "QUERY":
		return "QUERY", true
	default:
		return "", false
	}
}

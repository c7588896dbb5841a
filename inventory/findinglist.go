package inventory

import (
	"bytes"
	"cmp"
	"fmt"
	"net/url"
	"strconv"
	"time"
)

// FindingEntry is something that is wrong, or was.
type FindingEntry struct {
	ID       string  `json:"id"`       // stable: a hash of kind and subject
	Kind     string  `json:"kind"`     // what is wrong, such as shadow-answers
	Severity string  `json:"severity"` // high, medium or low: goes by the kind
	Open     bool    `json:"open"`     // false: it does not hold any more
	Subject  Subject `json:"subject"`  // what it is about
	Evidence string  `json:"evidence"` // what was seen, a sentence
	Advice   string  `json:"advice"`   // what to do about it, in the words of the configuration
	// FirstSeen and LastSeen are the first and latest time that it was known to
	// hold: of what rests on requests, that of the request.
	FirstSeen Time `json:"first_seen"`
	LastSeen  Time `json:"last_seen"` // as FirstSeen
}

// Subject is what a finding is about; what does not belong to it is empty.
type Subject struct {
	API     string `json:"api"`     // as the configuration names it
	Version string `json:"version"` // as the configuration names it
	Host    string `json:"host"`    // name or pattern
	Method  string `json:"method"`  // of a route
	Path    string `json:"path"`    // of a route: template with its base path
	Route   string `json:"route"`   // its id
	// Consumer is the integration.
	Consumer string `json:"consumer"`
}

// FindingQuery selects and pages findings. The zero value lists the first 100 of
// all, closed ones too. Several values of one field mean either.
type FindingQuery struct {
	Kind     []string // such as shadow-answers
	Severity []string // high, medium or low
	Open     []bool   // empty: either
	Limit    int      // 1 to 1000; 0: 100
	Cursor   string   // List.Next of the page before, of the same query
}

// ParseFindingQuery reads the parameters kind, severity, open, limit
// and cursor.
func ParseFindingQuery(v url.Values) (FindingQuery, error) {
	if err := checkNames(v, []string{"kind", "severity", "open", "limit", "cursor"}, "limit", "cursor"); err != nil {
		return FindingQuery{}, err
	}
	q := FindingQuery{Kind: v["kind"], Severity: v["severity"], Cursor: v.Get("cursor")}
	var err error
	if q.Open, err = parseBools("open", v["open"]); err != nil {
		return FindingQuery{}, err
	}
	if q.Limit, err = parseLimit(v); err != nil {
		return FindingQuery{}, err
	}
	if _, err := q.check(); err != nil {
		return FindingQuery{}, err
	}
	return q, nil
}

func (q *FindingQuery) check() (position, error) {
	if err := checkValues("kind", q.Kind, findingKinds()); err != nil {
		return position{}, err
	}
	if err := checkValues("severity", q.Severity, []string{SeverityHigh, SeverityMedium, SeverityLow}); err != nil {
		return position{}, err
	}
	return checkPage(q.Limit, q.Cursor, q.hash())
}

func (q *FindingQuery) hash() uint64 {
	r := RouteQuery{Reason: q.Severity, Method: q.Kind, Sort: "findings"}
	for _, open := range q.Open {
		r.State = append(r.State, State(strconv.FormatBool(open)))
	}
	return r.hash()
}

// Findings lists what is wrong, the severe first, then by kind. It looks anew. An
// error says what is wrong with the query.
func (inv *Inventory) Findings(q FindingQuery) (List[FindingEntry], error) {
	at, err := q.check()
	if err != nil {
		return List[FindingEntry]{}, err
	}
	if q.Limit == 0 {
		q.Limit = defaultLimit
	}
	inv.mu.Lock()
	defer inv.mu.Unlock()
	now := inv.now()
	inv.sweepFindings(now)
	list := newList[FindingEntry](inv, now, false)
	list.sampled(inv)

	type item struct {
		*finding
		id routeID
	}
	page := smallest[item]{keep: q.Limit + 1, compare: func(a, b *item) int {
		return cmp.Or(cmp.Compare(a.key.kind, b.key.kind), bytes.Compare(a.id[:], b.id[:]))
	}}
	after := item{finding: &finding{key: findingKey{kind: findingKind(at.key.number)}}, id: at.key.id}
	for _, f := range inv.findings.byKey {
		if !either(q.Kind, f.key.kind.String()) || !either(q.Severity, f.key.kind.severity()) || !either(q.Open, f.closed == 0) {
			continue
		}
		if it := (item{f, f.key.id()}); !at.started || page.compare(&it, &after) > 0 {
			page.add(&it)
		}
	}
	found := page.sorted()
	if len(found) > q.Limit {
		found = found[:q.Limit]
		last := found[q.Limit-1]
		next := position{key: sortKey{number: int64(last.key.kind), id: last.id}}
		list.Next = next.text(q.hash())
	}
	for _, it := range found {
		list.Items = append(list.Items, it.entry(it.id))
	}
	return list, nil
}

func (f *finding) entry(id routeID) FindingEntry {
	k := &f.key
	e := FindingEntry{
		ID: id.String(), Kind: k.kind.String(), Severity: k.kind.severity(), Open: f.closed == 0,
		Subject:  Subject{API: k.api, Version: k.version, Host: k.host, Consumer: k.party},
		Evidence: f.evidence(), Advice: findingTexts[k.kind].advice,
		FirstSeen: instant(f.first), LastSeen: instant(f.last),
	}
	if f.route != nil {
		e.Subject.Method, e.Subject.Path, e.Subject.Route = f.route.key.method, f.route.key.path, k.route.String()
	}
	return e
}

// evidence spells what the finding rests on.
func (f *finding) evidence() string {
	p := f.proof
	if f.route != nil {
		p.consumers = f.route.consumers()
	}
	when := time.Unix(0, p.at).UTC().Format(time.RFC3339)
	switch f.key.kind {
	case findShadow, findUndescribed, findShadowScan:
		return fmt.Sprintf("Upstream answered 2xx %s, the latest at %s; it was asked by %s. %s", times(p.count), when, callers(p.consumers), p.missed())
	case findHostAnswers:
		return fmt.Sprintf("Nobody declared the host, and it answered 2xx %s, the latest at %s.", times(p.count), when)
	case findHost:
		return fmt.Sprintf("Nobody declared the host. It was asked for %s, the latest at %s; the best evidence is %q.", times(p.count), when, evidenceOf[p.best])
	case findScan:
		return fmt.Sprintf("Within an hour from %s it got %d requests that were refused or not found, for %d routes not asked for before.", when, p.count, p.routes)
	case findUnauthenticated:
		return fmt.Sprintf("Upstream answered 2xx %s to requests without any credentials; the document asks for some. The latest was at %s.", times(p.count), when)
	case findOpenSibling:
		return fmt.Sprintf("Upstream answered 2xx %s to requests without any credentials; the %d routes beside it were called with some only. The latest was at %s.", times(p.count), p.routes, when)
	case findNonProduction:
		return fmt.Sprintf("Its environment is %s. %d of its routes were reached from public networks, the latest at %s.", p.detail, p.routes, when)
	case findDrift:
		return fmt.Sprintf("Its document does not have: %s. It was seen %s, the latest at %s.", p.detail, times(p.count), when)
	case findUnchecked:
		return fmt.Sprintf("Not checked of it: %s. It was called %s.", p.detail, times(p.count))
	case findDeprecated, findRetiredAnswers:
		return fmt.Sprintf("It was called %s in all, by %s, the latest at %s.", times(p.count), callers(p.consumers), when)
	case findRetired:
		return fmt.Sprintf("The guard refused it %s, to %s, the latest request at %s.", times(p.count), callers(p.consumers), when)
	case findExpired:
		return p.detail + " ended."
	case findDiffers:
		return p.detail + "."
	case findUnguarded, findUnguardedSite:
		return p.detail
	case findNoDocument:
		return fmt.Sprintf("The version declares no document. It was called %s, on %s.", times(p.count), routes(p.routes))
	case findNoRetirement:
		return fmt.Sprintf("The version is deprecated and declares no sunset. It was called %s.", times(p.count))
	case findDataUnauthenticated, findSecretURL, findCORS, findDataElsewhere, findSoftware, findFlow, findParty:
		return p.carriedEvidence(&f.key, when)
	default:
		return fmt.Sprintf("Neither the version nor its API declares an owner. It was called %s.", times(p.count))
	}
}

// missed says how a route missed the documents.
func (p *proof) missed() string {
	switch {
	case p.dropped:
		return "An earlier configuration documented it."
	case p.why == whyMethod:
		return "Its path is documented, its method is not."
	case p.why == whySpelling:
		return "It would be documented in another letter case, or with one trailing slash more or less."
	case p.why == whyUnclaimed:
		return "No version claims it: neither its path nor what else selects one is a version's."
	case p.why == whyNoDocument:
		return "Its version has no document."
	case p.why == whyAmbiguous:
		return "It claims two versions."
	case p.why == whyTarget:
		return "Its target can be read in two ways."
	default:
		return "No document has its path."
	}
}

func times(n uint64) string {
	if n == 1 {
		return "once"
	}
	return strconv.FormatUint(n, 10) + " times"
}

func routes(n uint64) string {
	if n == 1 {
		return "one route"
	}
	return strconv.FormatUint(n, 10) + " routes"
}

func callers(n uint64) string {
	switch n {
	case 0:
		return "consumers not known"
	case 1:
		return "one consumer"
	default:
		return "about " + strconv.FormatUint(n, 10) + " consumers"
	}
}

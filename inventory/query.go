package inventory

import (
	"crypto/sha256"
	"encoding/binary"
	"fmt"
	"net/url"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/apiguard/caddy-api-guard/inventory/catalogue"
)

// Page sizes.
const (
	defaultLimit = 100
	maxLimit     = 1000
)

// Orders of routes. "-" before one turns it round.
const (
	SortHost  = "host,path" // host, path, method
	SortPath  = "path"      // path, host, method
	SortFirst = "first_seen"
	SortLast  = "last_seen"
	SortCount = "count"
)

var allSorts = []string{SortHost, SortPath, SortFirst, SortLast, SortCount}

// RouteQuery selects, orders and pages routes. The zero value lists the first 100
// of all. Several values of one field mean either.
type RouteQuery struct {
	State     []State    // State constants
	Reason    []string   // Reason constants
	Lifecycle []string   // beta, active, deprecated or retired
	API       []string   // names, exact
	Version   []string   // names, exact
	Host      []string   // as in RouteEntry, lower case
	Method    []string   // as in RouteEntry
	Evidence  []Evidence // Evidence constants, exact: not "at least"
	Path      []string   // prefixes
	Since     time.Time  // seen at or after
	Sort      string     // one of the Sort constants, with "-" before it for descending; empty: SortHost
	Limit     int        // 1 to 1000; 0: 100
	Cursor    string     // List.Next of the page before, of the same query
}

// ParseRouteQuery reads the parameters state, reason, lifecycle, api, version,
// host, method, path, since, evidence, sort, limit and cursor. Its errors say
// which parameter is wrong and what it may be.
func ParseRouteQuery(v url.Values) (RouteQuery, error) {
	q := RouteQuery{
		Reason: v["reason"], Lifecycle: v["lifecycle"], API: v["api"], Version: v["version"],
	}
	for _, s := range v["state"] {
		q.State = append(q.State, State(s))
	}
	for _, s := range v["evidence"] {
		q.Evidence = append(q.Evidence, Evidence(s))
	}
	for _, s := range v["method"] {
		if m, ok := standardMethod(strings.ToUpper(s)); ok {
			s = m
		}
		q.Method = append(q.Method, s)
	}
	for _, s := range v["host"] {
		q.Host = append(q.Host, strings.ToLower(s))
	}
	var err error
	known := []string{"state", "reason", "lifecycle", "api", "version", "host", "method", "path", "since", "evidence", "sort", "limit", "cursor"}
	if err = checkNames(v, known, "since", "sort", "limit", "cursor"); err != nil {
		return RouteQuery{}, err
	}
	q.Path, q.Sort, q.Cursor = v["path"], v.Get("sort"), v.Get("cursor")
	if q.Since, err = parseSince(v.Get("since")); err != nil {
		return RouteQuery{}, err
	}
	if q.Limit, err = parseLimit(v); err != nil {
		return RouteQuery{}, err
	}
	if _, err = q.check(); err != nil {
		return RouteQuery{}, err
	}
	return q, nil
}

// check says what is wrong with the query, and gives where its cursor stands.
func (q *RouteQuery) check() (position, error) {
	states := []State{StateShadow, StateRetired, StateDeprecated, StateOrphan, StateActive}
	if err := checkValues("state", q.State, states); err != nil {
		return position{}, err
	}
	if err := checkValues("reason", q.Reason, allReasons[:]); err != nil {
		return position{}, err
	}
	if err := checkValues("lifecycle", q.Lifecycle, []string{"beta", "active", "deprecated", "retired"}); err != nil {
		return position{}, err
	}
	evidence := slices.Clone(evidenceOf[:])
	slices.Reverse(evidence)
	if err := checkValues("evidence", q.Evidence, evidence); err != nil {
		return position{}, err
	}
	if q.Sort != "" && !slices.Contains(allSorts, strings.TrimPrefix(q.Sort, "-")) {
		return position{}, fmt.Errorf("reading parameter sort: unrecognized order %.100q: write %s, with - before it for descending", q.Sort, strings.Join(allSorts, " or "))
	}
	for _, path := range q.Path {
		if path != "" && path[0] != '/' {
			return position{}, fmt.Errorf("reading parameter path: %.100q is no path prefix: begin with a slash", path)
		}
	}
	if q.Limit < 0 || q.Limit > maxLimit {
		return position{}, fmt.Errorf("reading parameter limit: %d is not between 1 and %d", q.Limit, maxLimit)
	}
	if q.Cursor == "" {
		return position{}, nil
	}
	return parsePosition(q.Cursor, q.hash())
}

// hash tells queries apart whose cursors must not be mixed: filters and order
// count, the page size does not.
func (q *RouteQuery) hash() uint64 {
	h := sha256.New()
	write := func(s string) {
		h.Write(binary.AppendUvarint(nil, uint64(len(s))))
		h.Write([]byte(s))
	}
	list := func(name string, values []string) {
		write(name)
		values = slices.Clone(values)
		slices.Sort(values)
		for _, s := range slices.Compact(values) {
			write(s)
		}
	}
	list("state", texts(q.State))
	list("reason", q.Reason)
	list("lifecycle", q.Lifecycle)
	list("api", q.API)
	list("version", q.Version)
	list("host", q.Host)
	list("method", q.Method)
	list("evidence", texts(q.Evidence))
	list("path", q.Path)
	list("since", []string{q.Since.UTC().Format(time.RFC3339Nano)})
	list("sort", []string{q.order()})
	return binary.BigEndian.Uint64(h.Sum(nil))
}

func (q *RouteQuery) order() string {
	if q.Sort == "" {
		return SortHost
	}
	return q.Sort
}

// HostQuery selects and pages hosts. The zero value lists the first 100 of all.
type HostQuery struct {
	Host     []string // as in HostEntry, lower case
	Declared []bool   // empty: either
	Limit    int      // 1 to 1000; 0: 100
	Cursor   string   // List.Next of the page before, of the same query
}

// ParseHostQuery reads the parameters host, declared, limit and cursor.
func ParseHostQuery(v url.Values) (HostQuery, error) {
	if err := checkNames(v, []string{"host", "declared", "limit", "cursor"}, "limit", "cursor"); err != nil {
		return HostQuery{}, err
	}
	q := HostQuery{Cursor: v.Get("cursor")}
	for _, s := range v["host"] {
		q.Host = append(q.Host, strings.ToLower(s))
	}
	var err error
	if q.Declared, err = parseBools("declared", v["declared"]); err != nil {
		return HostQuery{}, err
	}
	if q.Limit, err = parseLimit(v); err != nil {
		return HostQuery{}, err
	}
	if _, err := q.check(); err != nil {
		return HostQuery{}, err
	}
	return q, nil
}

func (q *HostQuery) check() (position, error) { return checkPage(q.Limit, q.Cursor, q.hash()) }

// checkPage says what is wrong with a page's size or cursor, and gives where the
// cursor stands.
func checkPage(limit int, cursor string, hash uint64) (position, error) {
	if limit < 0 || limit > maxLimit {
		return position{}, fmt.Errorf("reading parameter limit: %d is not between 1 and %d", limit, maxLimit)
	}
	if cursor == "" {
		return position{}, nil
	}
	return parsePosition(cursor, hash)
}

func (q *HostQuery) hash() uint64 {
	r := RouteQuery{Host: q.Host, Sort: "hosts"}
	for _, d := range q.Declared {
		r.State = append(r.State, State(strconv.FormatBool(d)))
	}
	return r.hash()
}

func texts[T ~string](list []T) []string {
	out := make([]string, len(list))
	for i, s := range list {
		out[i] = string(s)
	}
	return out
}

// checkNames refuses parameters that are not known, and several values of those
// that have one.
func checkNames(v url.Values, known []string, single ...string) error {
	for name, values := range v {
		if !slices.Contains(known, name) {
			return fmt.Errorf("reading query: unrecognized parameter %.100q: there are %s", name, strings.Join(known, ", "))
		}
		if len(values) > 1 && slices.Contains(single, name) {
			return fmt.Errorf("reading parameter %s: given %d times: give it once", name, len(values))
		}
	}
	return nil
}

func checkValues[T ~string](name string, values, allowed []T) error {
	for _, s := range values {
		if !slices.Contains(allowed, s) {
			return fmt.Errorf("reading parameter %s: unrecognized value %.100q%s: write %s", name, s, catalogue.Nearly(string(s), texts(allowed)), strings.Join(texts(allowed), ", "))
		}
	}
	return nil
}

func parseBools(name string, values []string) ([]bool, error) {
	var out []bool
	for _, s := range values {
		if s != "true" && s != "false" {
			return nil, fmt.Errorf("reading parameter %s: unrecognized value %.100q: write true or false", name, s)
		}
		out = append(out, s == "true")
	}
	return out, nil
}

func parseSince(s string) (time.Time, error) {
	if s == "" {
		return time.Time{}, nil
	}
	for _, layout := range []string{time.RFC3339Nano, "2006-01-02T15:04Z07:00", time.DateOnly} {
		if t, err := time.Parse(layout, s); err == nil {
			return t.UTC(), nil
		}
	}
	return time.Time{}, fmt.Errorf("reading parameter since: %.100q is no time: write 2026-01-31 or 2026-01-31T09:00:00Z", s)
}

func parseLimit(v url.Values) (int, error) {
	if !v.Has("limit") {
		return 0, nil
	}
	s := v.Get("limit")
	n, err := strconv.Atoi(s)
	if err != nil || n < 1 || n > maxLimit {
		return 0, fmt.Errorf("reading parameter limit: %.100q is not between 1 and %d", s, maxLimit)
	}
	return n, nil
}

package page

import (
	"fmt"
	"net/http"
	"net/url"
	"slices"
	"strings"

	"github.com/apiguard/caddy-api-guard/inventory"
)

// filter is the form above a list, as its URL remembers it.
type filter struct {
	query url.Values
}

// newFilter takes the query without empty fields, which forms send for what was not
// filled in.
func newFilter(query url.Values) filter {
	f := filter{make(url.Values)}
	for name, values := range query {
		for _, s := range values {
			if s != "" {
				f.query.Add(name, s)
			}
		}
	}
	return f
}

// Get is the first value of a field.
func (f filter) Get(name string) string { return f.query.Get(name) }

// All are the values of every field.
func (f filter) All() url.Values { return f.query }

// Has reports whether the field has that value.
func (f filter) Has(name, value string) bool { return slices.Contains(f.query[name], value) }

// Set reports whether anything is filtered.
func (f filter) Set() bool {
	for name := range f.query {
		if name != "sort" && name != "cursor" && name != "limit" {
			return true
		}
	}
	return false
}

// With is the query with one field replaced, on the first page.
func (f filter) With(name, value string) string {
	q := f.clone()
	q.Del("cursor")
	q.Set(name, value)
	return "?" + q.Encode()
}

// Page is the query with a cursor, empty for the first page.
func (f filter) Page(cursor string) string {
	q := f.clone()
	q.Del("cursor")
	if cursor != "" {
		q.Set("cursor", cursor)
	}
	return "?" + q.Encode()
}

// Sort is the query ordered by a column: turned round when it is that already.
func (f filter) Sort(column string) string {
	first := "-" + column
	if column == inventory.SortPath || column == inventory.SortHost {
		first = column
	}
	if f.Get("sort") == first {
		return f.With("sort", turned(first))
	}
	return f.With("sort", first)
}

func turned(sort string) string {
	if rest, ok := strings.CutPrefix(sort, "-"); ok {
		return rest
	}
	return "-" + sort
}

// Sorted is how a column is ordered, as aria-sort has it.
func (f filter) Sorted(column string) string {
	switch f.Get("sort") {
	case column:
		return "ascending"
	case "-" + column:
		return "descending"
	default:
		return "none"
	}
}

func (f filter) clone() url.Values {
	q := make(url.Values, len(f.query))
	for name, values := range f.query {
		q[name] = slices.Clone(values)
	}
	return q
}

// listView is a page of a list.
type listView[T any] struct {
	Filter filter
	inventory.List[T]
	First bool // this is the first page
	// What the form offers.
	APIs     []inventory.APIEntry
	Versions []string
}

func show[T any](v *view, f filter, list inventory.List[T], err error) *listView[T] {
	if err != nil {
		v.wrong(http.StatusBadRequest, sentence(err))
		return nil
	}
	v.Gaps = list.Gaps
	l := &listView[T]{Filter: f, List: list, First: f.Get("cursor") == ""}
	v.Body = l
	return l
}

// offer fills what the form offers from the catalogue.
func (l *listView[T]) offer(apis []inventory.APIEntry) {
	l.APIs = apis
	for _, a := range apis {
		for _, v := range a.Versions {
			l.Versions = append(l.Versions, v.Version)
		}
	}
	slices.Sort(l.Versions)
	l.Versions = slices.Compact(l.Versions)
}

func sentence(err error) string {
	s := err.Error()
	return strings.ToUpper(s[:1]) + s[1:] + "."
}

// list shows a page of what ask gives for the query, with what the form offers.
func list[Q, T any](p *Page, v *view, query url.Values, parse func(url.Values) (Q, error), ask func(Q) (inventory.List[T], error)) {
	f := newFilter(query)
	var found inventory.List[T]
	q, err := parse(f.query)
	if err == nil {
		found, err = ask(q)
	}
	if l := show(v, f, found, err); l != nil {
		l.offer(p.source.APIs().Items)
	}
}

func (p *Page) routes(v *view, query url.Values) {
	v.Name, v.Title = "routes", "Routes"
	list(p, v, query, inventory.ParseRouteQuery, p.source.Routes)
}

// openEither is the form's word for findings that hold and those that do not.
const openEither = "any"

func (p *Page) findings(v *view, query url.Values) {
	v.Name, v.Title = "findings", "Findings"
	f := newFilter(query)
	asked := f.clone()
	switch {
	case !asked.Has("open"):
		f.query.Set("open", "true") // what is over is shown when asked for
		asked.Set("open", "true")
	case f.Get("open") == openEither:
		asked.Del("open")
	}
	q, err := inventory.ParseFindingQuery(asked)
	var list inventory.List[inventory.FindingEntry]
	if err == nil {
		list, err = p.source.Findings(q)
	}
	if l := show(v, f, list, err); l != nil {
		v.Body = newFindingsView(l, p.source.FindingCounts())
	}
}

func (p *Page) consumers(v *view, query url.Values) {
	v.Name, v.Title = "consumers", "Consumers"
	list(p, v, query, inventory.ParseConsumerQuery, p.source.Consumers)
}

func (p *Page) flows(v *view, query url.Values) {
	v.Name, v.Title = "flows", "Flows"
	list(p, v, query, inventory.ParseFlowQuery, p.source.Flows)
}

func (p *Page) hosts(v *view, query url.Values) {
	v.Name, v.Title = "hosts", "Hosts"
	list(p, v, query, inventory.ParseHostQuery, p.source.Hosts)
}

// routeView is one route with all that is known of it.
type routeView struct {
	inventory.RouteDetail
	Days      []column // of its answers by class
	Findings  []inventory.FindingEntry
	CanReview bool
	Token     string
}

// mostFindings is how many findings are looked through for those of a route.
const mostFindings = 1000

func (p *Page) route(v *view, id, viewer string) {
	v.Name = "route"
	entry, ok := p.source.Detail(id)
	if !ok {
		v.wrong(http.StatusNotFound, "There is no such route; it may have been pushed out by others or be in no document any more.")
		return
	}
	v.Title = fmt.Sprintf("%s %s%s", entry.Method, entry.Host, entry.Path)
	shown := routeView{RouteDetail: entry, Days: stacked(v.Now, entry.Days), CanReview: p.review, Token: p.token(id, viewer)}
	q := inventory.FindingQuery{Limit: mostFindings}
	for {
		list, err := p.source.Findings(q)
		if err != nil {
			break
		}
		for _, f := range list.Items {
			whole := f.Subject.Route == "" && f.Subject.API == entry.API && f.Subject.Version == entry.Version && entry.API != ""
			if f.Subject.Route == id || whole && f.Open {
				shown.Findings = append(shown.Findings, f)
			}
		}
		if q.Cursor = list.Next; q.Cursor == "" {
			break
		}
	}
	v.Body = shown
}

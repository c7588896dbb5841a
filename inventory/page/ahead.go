package page

import (
	"fmt"
	"maps"
	"net/http"
	"net/url"
	"slices"
	"strings"
	"time"

	"github.com/apiguard/caddy-api-guard/inventory"
)

// guardsView is what the guard stands before, by listener.
type guardsView struct {
	Filter    filter
	Open      int // handlers that requests get to by the guard
	Listeners []listenerView
}

type listenerView struct {
	Name string
	Rows []Covered
}

// guards shows the coverage: what is open first.
func (p *Page) guards(v *view, query url.Values) {
	v.Name, v.Title = "coverage", "Coverage"
	g := guardsView{Filter: newFilter(query)}
	onlyOpen := g.Filter.Get("show") == "open"
	for _, c := range p.coverage() {
		if c.Open {
			g.Open++
		} else if onlyOpen {
			continue
		}
		i := slices.IndexFunc(g.Listeners, func(l listenerView) bool { return l.Name == c.Listener })
		if i < 0 {
			g.Listeners = append(g.Listeners, listenerView{Name: c.Listener})
			i = len(g.Listeners) - 1
		}
		g.Listeners[i].Rows = append(g.Listeners[i].Rows, c)
	}
	for i := range g.Listeners {
		slices.SortStableFunc(g.Listeners[i].Rows, func(a, b Covered) int {
			switch {
			case a.Open == b.Open:
				return strings.Compare(a.Host, b.Host)
			case a.Open:
				return -1
			default:
				return 1
			}
		})
	}
	v.Body = g
}

// Class is the colour of a status.
func (c Covered) Class() string {
	switch {
	case c.Open:
		return "high"
	case c.Status == "guarded":
		return "active"
	default:
		return "retired"
	}
}

// aheadView is how the versions stand at a time.
type aheadView struct {
	At   string // as the form has it
	Plan inventory.Plan
}

func (p *Page) ahead(v *view, query url.Values) {
	v.Name, v.Title = "plan", "Plan"
	at := v.Now.UTC()
	text := query.Get("at")
	if text != "" {
		var err error
		if at, err = time.Parse(time.DateOnly, text); err != nil {
			v.wrong(http.StatusBadRequest, fmt.Sprintf("%q is no day: write 2027-03-15.", text))
			return
		}
	}
	a := aheadView{At: at.Format(time.DateOnly), Plan: p.plan(at)}
	v.Gaps = a.Plan.Gaps
	v.Body = a
}

// column is a day in a chart of 100 by 24.
type column struct {
	X, Y, Width, Height float64
	Class, Text         string
}

// stacked draws the answers of days up to today as columns, the classes on top of
// one another.
func stacked(now inventory.Time, days map[string][]uint64) []column {
	classes := slices.Sorted(maps.Keys(days))
	var sums []uint64
	for _, class := range classes {
		for i, n := range days[class] {
			if i == len(sums) {
				sums = append(sums, 0)
			}
			sums[i] += n
		}
	}
	if len(sums) == 0 {
		return nil
	}
	highest := max(slices.Max(sums), 1)
	step := 100 / float64(len(sums))
	var out []column
	for i := range sums {
		y := 24.0
		for _, class := range classes {
			n := days[class][i]
			if n == 0 {
				continue
			}
			height := 24 * float64(n) / float64(highest)
			y -= height
			day := now.UTC().AddDate(0, 0, i-len(sums)+1).Format(time.DateOnly)
			out = append(out, column{X: float64(i) * step, Y: y, Width: step * 0.8, Height: height, Class: "s" + class, Text: day + ", " + class + ": " + count(n)})
		}
	}
	return out
}

// chart draws the days up to today as columns. A day with requests is never too low
// to see.
func chart(now inventory.Time, days []uint64) []column {
	highest := slices.Max(days)
	out := make([]column, 0, len(days))
	step := 100 / float64(len(days))
	for i, n := range days {
		if n == 0 {
			continue
		}
		height := max(24*float64(n)/float64(highest), 2)
		day := now.UTC().AddDate(0, 0, i-len(days)+1).Format(time.DateOnly)
		out = append(out, column{X: float64(i) * step, Y: 24 - height, Width: step * 0.8, Height: height, Text: day + ": " + count(n)})
	}
	return out
}

package page

import (
	"time"

	"github.com/apiguard/caddy-api-guard/inventory"
)

// axis is the time that the lives of versions are drawn on, in per cent of its width.
type axis struct {
	from, to time.Time
	Now      float64
	Years    []mark
}

// mark is a place on the axis and what stands there.
type mark struct {
	X    float64
	Text string
}

// span is a part of a life.
type span struct {
	X, Width float64
	Class    string // a state, or "brownout"
	Text     string // for people, also where it cannot be seen
}

// life is a version's, drawn.
type life struct{ Spans []span }

// newAxis covers all dates of the versions and at least half a year each way.
func newAxis(now time.Time, apis []inventory.APIEntry) axis {
	a := axis{from: now.AddDate(0, -6, 0), to: now.AddDate(0, 6, 0)}
	cover := func(t time.Time) {
		// What lies ten years off would press all else together.
		if t.IsZero() || t.Before(now.AddDate(-5, 0, 0)) || t.After(now.AddDate(5, 0, 0)) {
			return
		}
		if t.Before(a.from) {
			a.from = t
		}
		if t.After(a.to) {
			a.to = t
		}
	}
	for _, api := range apis {
		for i := range api.Versions {
			v := &api.Versions[i]
			cover(v.Deprecated.Time)
			cover(v.Sunset.Time)
			for _, b := range v.Brownouts {
				cover(b.To.Time)
			}
		}
	}
	margin := a.to.Sub(a.from) / 20
	a.from, a.to = a.from.Add(-margin), a.to.Add(margin)
	a.Now = a.at(now)
	for year := a.from.Year() + 1; year <= a.to.Year(); year++ {
		start := time.Date(year, time.January, 1, 0, 0, 0, 0, time.UTC)
		a.Years = append(a.Years, mark{a.at(start), start.Format("2006")})
	}
	return a
}

// at is where t is drawn.
func (a *axis) at(t time.Time) float64 {
	x := 100 * float64(t.Sub(a.from)) / float64(a.to.Sub(a.from))
	return min(max(x, 0), 100)
}

// life draws a version: what it is before its dates, deprecated, retired, and the
// brownouts on top.
func (a *axis) life(v *inventory.VersionEntry) life {
	var l life
	add := func(from, to time.Time, class, text string) {
		x, end := a.at(from), a.at(to)
		if end > x {
			l.Spans = append(l.Spans, span{X: x, Width: end - x, Class: class, Text: text})
		}
	}
	end := a.to
	if !v.Sunset.IsZero() {
		end = v.Sunset.Time
	}
	deprecated := end
	if !v.Deprecated.IsZero() {
		deprecated = v.Deprecated.Time
	}
	young := "active"
	if v.State == "beta" || v.State == "design" {
		young = v.State
	}
	if v.Deprecated.IsZero() && v.Sunset.IsZero() {
		add(a.from, a.to, young, young+", no retirement date")
	} else {
		add(a.from, deprecated, young, young+" until "+day(inventory.Time{Time: deprecated}))
		add(deprecated, end, "deprecated", "deprecated from "+day(inventory.Time{Time: deprecated}))
	}
	if !v.Sunset.IsZero() {
		add(v.Sunset.Time, a.to, "retired", "retired from "+day(v.Sunset))
	}
	for _, b := range v.Brownouts {
		// Hours on an axis of years: drawn wide enough to be seen.
		x := a.at(b.From.Time)
		l.Spans = append(l.Spans, span{X: x, Width: max(a.at(b.To.Time)-x, 0.5), Class: "brownout",
			Text: "brownout " + day(b.From) + " to " + day(b.To)})
	}
	return l
}

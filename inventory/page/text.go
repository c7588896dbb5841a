package page

import (
	"fmt"
	"html/template"
	"maps"
	"slices"
	"strconv"
	"strings"
	"time"
	"unicode"

	"github.com/apiguard/caddy-api-guard/inventory"
)

// functions are what templates call.
var functions = template.FuncMap{
	"plain":     plain,
	"count":     count,
	"ago":       ago,
	"stamp":     stamp,
	"day":       day,
	"bars":      bars,
	"join":      func(list []string) string { return plain(strings.Join(list, ", ")) },
	"sorted":    pairs,
	"words":     strings.Fields,
	"verdicts":  verdicts,
	"days":      func(now inventory.Time, days [30]uint64) []column { return chart(now, days[:]) },
	"with_page": func(v *view, f inventory.FindingEntry) onPage { return onPage{v, f} },
}

// plain is text (a string, or a type made of one) as it can be shown: characters that have no shape of their own, or
// that change the direction or look of what stands around them, are spelled out.
func plain(text any) string {
	s := fmt.Sprint(text)
	if !strings.ContainsFunc(s, shapeless) {
		return s
	}
	var b strings.Builder
	for _, r := range s {
		if shapeless(r) {
			fmt.Fprintf(&b, `\u{%X}`, r)
		} else {
			b.WriteRune(r)
		}
	}
	return b.String()
}

func shapeless(r rune) bool { return r != ' ' && !unicode.IsPrint(r) || r == unicode.ReplacementChar }

// count spells a number, of any type without a sign, in groups: 12,345.
func count(n any) string {
	s := fmt.Sprint(n)
	for i := len(s) - 3; i > 0; i -= 3 {
		s = s[:i] + "," + s[i:]
	}
	return s
}

// ago is how long before now t was, roughly: "3 min".
func ago(now, t inventory.Time) string {
	if t.IsZero() {
		return "never"
	}
	d := now.Sub(t.Time)
	switch {
	case d < time.Minute:
		return "just now"
	case d < time.Hour:
		return strconv.Itoa(int(d/time.Minute)) + " min ago"
	case d < 48*time.Hour:
		return strconv.Itoa(int(d/time.Hour)) + " h ago"
	default:
		return strconv.Itoa(int(d/(24*time.Hour))) + " days ago"
	}
}

// stamp is a moment in UTC, to the second.
func stamp(t inventory.Time) string { return format(t, time.RFC3339) }

// day is a date, with the time of day where it is not midnight.
func day(t inventory.Time) string {
	if !t.IsZero() && t.UTC().Equal(t.UTC().Truncate(24*time.Hour)) {
		return format(t, time.DateOnly)
	}
	return format(t, "2006-01-02 15:04Z")
}

func format(t inventory.Time, layout string) string {
	if t.IsZero() {
		return ""
	}
	return t.UTC().Format(layout)
}

type pair struct {
	Name  string
	Count uint64
}

func pairs(m map[string]uint64) []pair {
	var out []pair
	for _, name := range slices.Sorted(maps.Keys(m)) {
		if m[name] > 0 {
			out = append(out, pair{name, m[name]})
		}
	}
	return out
}

// bar is a part of a bar of 100 units.
type bar struct {
	Class    string
	Name     string
	Count    uint64
	X, Width float64
}

// bars divides a bar by status class. A class that occurs is never too thin to see.
func bars(statuses map[string]uint64) []bar {
	var sum float64
	for _, n := range statuses {
		sum += float64(n)
	}
	var out []bar
	x, unit := 0.0, 100.0
	parts := pairs(statuses)
	const least = 2
	unit -= least * float64(len(parts))
	for _, p := range parts {
		width := least + unit*float64(p.Count)/sum
		out = append(out, bar{Class: "s" + p.Name, Name: p.Name, Count: p.Count, X: x, Width: width})
		x += width
	}
	return out
}

// onPage is a finding with the view that shows it.
type onPage struct {
	Page *view
	Item inventory.FindingEntry
}

// ruleCount is how often a rule refused, and would have.
type ruleCount struct {
	Rule           string
	Refused, Would uint64
}

func verdicts(refused, would map[string]uint64) []ruleCount {
	all := maps.Clone(refused)
	if all == nil {
		all = make(map[string]uint64)
	}
	for rule, n := range would {
		all[rule] += n
	}
	var out []ruleCount
	for _, p := range pairs(all) {
		out = append(out, ruleCount{p.Name, refused[p.Name], would[p.Name]})
	}
	return out
}

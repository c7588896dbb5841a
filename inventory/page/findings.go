package page

import "github.com/apiguard/caddy-api-guard/inventory"

// findingsView is a page of findings, those of one kind together.
type findingsView struct {
	*listView[inventory.FindingEntry]
	Kinds  []inventory.FindingCount // that have open ones, for the form
	Groups []findingGroup
}

// findingGroup is what the page shows of one kind.
type findingGroup struct {
	inventory.FindingCount
	Items []inventory.FindingEntry
}

// newFindingsView groups a page, whose entries of one kind stand together.
func newFindingsView(l *listView[inventory.FindingEntry], counts []inventory.FindingCount) *findingsView {
	v := &findingsView{listView: l, Kinds: counts}
	for _, item := range l.Items {
		last := len(v.Groups) - 1
		if last < 0 || v.Groups[last].Kind != item.Kind {
			g := findingGroup{FindingCount: inventory.FindingCount{Kind: item.Kind, Title: item.Kind, Severity: item.Severity, Advice: item.Advice}}
			for _, c := range counts {
				if c.Kind == item.Kind {
					g.FindingCount = c
				}
			}
			v.Groups, last = append(v.Groups, g), last+1
		}
		v.Groups[last].Items = append(v.Groups[last].Items, item)
	}
	return v
}

// Offered reports whether the form offers the kind that is asked for.
func (v *findingsView) Offered(kind string) bool {
	for _, c := range v.Kinds {
		if c.Kind == kind {
			return true
		}
	}
	return false
}

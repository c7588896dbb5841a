package page

import (
	"github.com/apiguard/caddy-api-guard/inventory"
)

// overview is the catalogue: each API with its versions and their lives.
type overview struct {
	Tiles []tile
	Wrong []inventory.FindingCount // the worst first
	More  int                      // kinds of findings that are not among them
	Axis  axis
	APIs  []apiView
}

// tile is a number that leads to what it counts.
type tile struct {
	Text  string
	Count uint64
	More  bool // there are more than Count
	Path  string
	Class string
}

type apiView struct {
	inventory.APIEntry
	Versions []versionView
}

type versionView struct {
	inventory.VersionEntry
	Life life
}

func (p *Page) overview(v *view) {
	v.Name, v.Title = "overview", "APIs"
	list := p.source.APIs()
	wrong := p.source.FindingCounts()
	o := overview{Axis: newAxis(v.Now.Time, list.Items), Tiles: p.tiles(wrong), Wrong: wrong[:min(len(wrong), mostWrong)]}
	o.More = len(wrong) - len(o.Wrong)
	for _, a := range list.Items {
		shown := apiView{APIEntry: a}
		for _, version := range a.Versions {
			shown.Versions = append(shown.Versions, versionView{version, o.Axis.life(&version)})
		}
		o.APIs = append(o.APIs, shown)
	}
	v.Body = o
}

// mostWrong is how many kinds of findings the first view names.
const mostWrong = 6

// mostTiled is up to how many entries a tile counts.
const mostTiled = 1000

func (p *Page) tiles(wrong []inventory.FindingCount) []tile {
	shadow, _ := p.source.Routes(inventory.RouteQuery{
		State: []inventory.State{inventory.StateShadow}, Evidence: []inventory.Evidence{inventory.EvidenceConfirmed}, Limit: mostTiled,
	})
	old, _ := p.source.Routes(inventory.RouteQuery{Reason: []string{"deprecated-called", "past-sunset-called"}, Limit: mostTiled})
	var severe uint64
	for _, c := range wrong {
		if c.Severity == inventory.SeverityHigh {
			severe += c.Open
		}
	}
	hosts, _ := p.source.Hosts(inventory.HostQuery{Declared: []bool{false}, Limit: mostTiled})
	return []tile{
		{"shadow routes that answer", uint64(len(shadow.Items)), shadow.Next != "", "routes?state=shadow&evidence=confirmed", "shadow"},
		{"old routes still called", uint64(len(old.Items)), old.Next != "", "routes?reason=deprecated-called&reason=past-sunset-called", "deprecated"},
		{"severe findings open", severe, false, "findings?severity=high&open=true", "high"},
		{"hosts that nobody declared", uint64(len(hosts.Items)), hosts.Next != "", "hosts?declared=false", "medium"},
	}
}

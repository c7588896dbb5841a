package page

import (
	"net/http"
	"strings"

	"github.com/apiguard/caddy-api-guard/inventory"
)

// view is what a template shows.
type view struct {
	Name   string // the view's own: "overview", "routes", "route", …
	Title  string
	Up     string // what leads from here to the page's own path: "" or "../"
	Status int
	Error  string // what is wrong, for people
	Now    inventory.Time
	Gaps   []inventory.Gap
	Health inventory.Health
	Nav    []navItem
	// Documents says that OpenAPI documents can be had.
	Documents bool
	Body      any // of the view's template
}

type navItem struct {
	Path, Text string
	Here       bool
}

var nav = []struct{ path, text string }{
	{"", "APIs"},
	{"routes", "Routes"},
	{"findings", "Findings"},
	{"consumers", "Consumers"},
	{"flows", "Flows"},
	{"hosts", "Hosts"},
	{"coverage", "Coverage"},
	{"plan", "Plan"},
}

func (p *Page) newView(name string) *view {
	v := &view{Status: http.StatusOK, Now: inventory.Time{Time: p.now()}, Health: p.source.Health()}
	v.Gaps, v.Documents = v.Health.Gaps, p.document != nil
	v.Up = strings.Repeat("../", strings.Count(name, "/"))
	area, _, _ := strings.Cut(name, "/")
	for _, n := range nav {
		if n.path == "coverage" && p.coverage == nil || n.path == "plan" && p.plan == nil {
			continue
		}
		v.Nav = append(v.Nav, navItem{Path: n.path, Text: n.text, Here: n.path == area})
	}
	return v
}

// wrong makes the view one of an error.
func (v *view) wrong(status int, message string) {
	v.Name, v.Title, v.Status, v.Error, v.Body = "error", http.StatusText(status), status, message, nil
}

// Link is a link within the page. The page's own path is "./", not the empty
// reference, which would lead to the current view.
func (v *view) Link(path string) string {
	if v.Up+path == "" {
		return "./"
	}
	return v.Up + path
}

// Asset is where the style or the script is.
func (v *view) Asset(name string) string { return v.Up + "assets/" + assetNames[name] }

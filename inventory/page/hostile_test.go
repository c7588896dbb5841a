package page

import (
	"net/url"
	"slices"
	"strings"
	"testing"
	"time"
	"unicode"

	"golang.org/x/net/html"

	"github.com/apiguard/caddy-api-guard/inventory"
)

// hostile is text that does harm where it is taken for more than text.
var hostile = []string{
	`<script>alert(1)</script>`,
	`"><img src=x onerror=alert(1)>`,
	`'><svg onload=alert(1)>`,
	`</title><script>alert(1)</script>`,
	`javascript:alert(1)`,
	` JavaScript:alert(1)`,
	`vbscript:x`,
	`data:text/html,<script>alert(1)</script>`,
	`{{.Title}}`,
	`{{template "routes"}}`,
	`=HYPERLINK("http://evil.example","x")`,
	"\x1b[31mred\x1b[0m",
	"line\r\nSet-Cookie: a=b",
	"nul\x00byte",
	"\u202egnp.exe",
	"\u2066isolate\u2069",
	"zero\u200bwidth",
	"line\u2028separator",
	"bad\xff\xfeutf8",
	`&lt;b&gt;`,
	`{env.HOME}`,
}

// odd is a source whose every text is one of them.
type odd struct {
	inventory.Inventory
	text string
}

func (o *odd) list() []string { return []string{o.text} }

func (o *odd) APIs() inventory.List[inventory.APIEntry] {
	return inventory.List[inventory.APIEntry]{Items: []inventory.APIEntry{{API: o.text, Owner: o.text, Purpose: o.text, Versions: []inventory.VersionEntry{{
		Version: o.text, Hosts: o.list(), Path: o.text, State: o.text, Environment: o.text, Audience: o.text, Docs: o.text, Spec: o.text, Successor: o.text,
	}}}}}
}

func (o *odd) entry() inventory.RouteEntry {
	return inventory.RouteEntry{
		ID: "aaaaaaaaaaaaaaaa", API: o.text, Version: o.text, Host: o.text, Method: o.text, Path: o.text, Lifecycle: "active", State: "shadow",
		Reasons: []string{"undocumented"}, Evidence: "confirmed", Count: 1, Statuses: map[string]uint64{"2xx": 1},
		Auth: inventory.Auth{Seen: o.list()}, CORS: inventory.CORS{Origins: o.list()}, DataClasses: o.list(), Networks: o.list(),
		Data: []inventory.DataEntry{{Class: o.text, Direction: o.text, In: o.text, Pointer: o.text, Source: o.text}}, Software: []inventory.Software{{Product: o.text}}, AttackSigns: map[string]uint64{o.text: 1},
		Environment: o.text, Audience: o.text, Owner: o.text, Docs: o.text, Review: "accepted", ReviewNote: o.text,
	}
}

func (o *odd) Routes(inventory.RouteQuery) (inventory.List[inventory.RouteEntry], error) {
	return inventory.List[inventory.RouteEntry]{Items: []inventory.RouteEntry{o.entry()}, Gaps: []inventory.Gap{{Kind: "routes-full", Detail: o.text}}}, nil
}

func (o *odd) Detail(string) (inventory.RouteDetail, bool) {
	return inventory.RouteDetail{RouteEntry: o.entry(), Refusals: []inventory.RouteRefusal{{Consumer: o.text, Name: o.text, Rule: o.text, Verdict: o.text, Count: 1}}}, true
}

func (o *odd) Hosts(inventory.HostQuery) (inventory.List[inventory.HostEntry], error) {
	return inventory.List[inventory.HostEntry]{Items: []inventory.HostEntry{{Host: o.text, APIs: o.list(), Baseline: o.list(), Count: 1}}}, nil
}

func (o *odd) Consumers(inventory.ConsumerQuery) (inventory.List[inventory.ConsumerEntry], error) {
	return inventory.List[inventory.ConsumerEntry]{Items: []inventory.ConsumerEntry{{Consumer: o.text, Name: o.text, API: o.text, Version: o.text, Refused: map[string]uint64{o.text: 1}, WouldRefuse: map[string]uint64{o.text: 1}}}}, nil
}

func (o *odd) Flows(inventory.FlowQuery) (inventory.List[inventory.FlowEntry], error) {
	return inventory.List[inventory.FlowEntry]{Items: []inventory.FlowEntry{{
		Integration: o.text, Consumer: o.text, Purpose: o.text, Owner: o.text, API: o.text, Version: o.text, DataClass: o.text, Direction: o.text,
	}}}, nil
}

func (o *odd) Findings(inventory.FindingQuery) (inventory.List[inventory.FindingEntry], error) {
	return inventory.List[inventory.FindingEntry]{Items: []inventory.FindingEntry{{
		Kind: "shadow-answers", Severity: "high", Open: true, Evidence: o.text, Advice: o.text,
		Subject: inventory.Subject{API: o.text, Version: o.text, Host: o.text, Method: o.text, Path: o.text, Route: "aaaaaaaaaaaaaaaa"},
	}}}, nil
}

func (o *odd) FindingCounts() []inventory.FindingCount {
	return []inventory.FindingCount{{Kind: "shadow-answers", Title: o.text, Severity: "high", Advice: o.text, Open: 1}}
}

func (o *odd) Health() inventory.Health {
	return inventory.Health{Store: inventory.Part{Status: "degraded", Why: o.text}, Cluster: inventory.Cluster{Part: inventory.Part{Status: "off"}}}
}

func coverageOf(text string) func() []Covered {
	return func() []Covered { return []Covered{{text, text, text, text, text, text, true}} }
}

func planOf(text string) func(time.Time) inventory.Plan {
	return func(time.Time) inventory.Plan {
		return inventory.Plan{List: inventory.List[inventory.PlanEntry]{Items: []inventory.PlanEntry{{
			API: text, Version: text, State: text, Mode: text, WouldRefuse: inventory.PlanLoss{Requests: 1},
			Callers: []inventory.PlanCaller{{Consumer: text, Name: text, Exception: text}},
		}}}}
	}
}

func TestHostileTextStaysText(t *testing.T) {
	views := []string{"", "routes", "routes/aaaaaaaaaaaaaaaa", "findings", "consumers", "flows", "hosts", "coverage", "plan"}
	shapes := make(map[string]string)
	for _, text := range append([]string{"harmless"}, hostile...) {
		s := &scene{t: t, Page: New(Options{Source: &odd{text: text}, Coverage: coverageOf(text), Plan: planOf(text), Review: true})}
		for _, name := range views {
			w := s.get(name)
			body := w.Body.String()
			if w.Code != 200 {
				t.Errorf("%q in %q: status %d", text, name, w.Code)
				continue
			}
			for _, r := range body {
				if r != '\n' && r != '\t' && r != ' ' && !unicode.IsPrint(r) || r == unicode.ReplacementChar {
					t.Errorf("%q in %q: the page has %U", text, name, r)
					break
				}
			}
			// The document has the same elements and attributes whatever the text is.
			var shape strings.Builder
			shown := false
			elements(t, strings.NewReader(body), func(n *html.Node) {
				if n.Type == html.ElementNode {
					shape.WriteString("<" + n.Data)
					for _, a := range n.Attr {
						shape.WriteString(" " + a.Key)
						if u, err := url.Parse(a.Val); (a.Key == "href" || a.Key == "src") && (err != nil || !slices.Contains([]string{"", "http", "https"}, u.Scheme)) {
							t.Errorf("%q in %q: a link to %q", text, name, a.Val)
						}
					}
				}
				shown = shown || n.Type == html.TextNode && strings.Contains(n.Data, plain(text))
			})
			if !shown {
				t.Errorf("%q in %q: it is not shown as %q", text, name, plain(text))
			}
			if text == "harmless" {
				shapes[name] = shape.String()
			} else if shape.String() != shapes[name] {
				t.Errorf("%q in %q changes what the document is made of", text, name)
			}
		}
	}
}

// What is asked for is hostile too.
func TestHostileQueriesStayText(t *testing.T) {
	s := busy(t, 1)
	for _, text := range hostile {
		for _, field := range []string{"path", "host", "method", "api", "version", "state", "sort", "cursor", "reason", "odd"} {
			r := newRequest("GET", "routes")
			q := r.URL.Query()
			q.Set(field, text)
			r.URL.RawQuery = q.Encode()
			body := s.do(r, "").Body.String()
			for _, bad := range []string{"<script>alert", "<img", "<svg onload", "\x1b", "\u202e", "\x00"} {
				if strings.Contains(body, bad) {
					t.Errorf("%s=%q: the page has %q", field, text, bad)
				}
			}
		}
	}
}

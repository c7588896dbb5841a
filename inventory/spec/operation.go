package spec

import (
	"fmt"
	"maps"
	"slices"
	"strings"

	"github.com/getkin/kin-openapi/openapi3"
)

// collect fills in servers, operations and problems from Root.
func (d *Document) collect() {
	d.Servers, d.Problems = expandServers("", d.Root.Servers)
	if len(d.Servers) == 0 {
		d.Servers = []Server{{}}
	}
	paths := d.Root.Paths.Map()
	for _, template := range slices.Sorted(maps.Keys(paths)) {
		item := paths[template]
		if item == nil || strings.HasPrefix(template, "x-") {
			continue
		}
		d.collectPath(template, item)
	}
	d.checkSecurity()
}

func (d *Document) collectPath(template string, item *openapi3.PathItem) {
	where := "/paths/" + escapePointer(template)
	operations := item.Operations()
	if len(operations) == 0 {
		return
	}
	if _, err := ParseTemplate(template, multiSegment(item, nil)...); err != nil {
		d.problem(where, err.Error())
		return
	}
	d.checkMultiSegment(where, item.Parameters)
	servers := d.serversOf(where, item.Servers, d.Servers)
	for _, method := range slices.Sorted(maps.Keys(operations)) {
		op := operations[method]
		at := method + " " + template
		if !token(method) {
			d.problem(at, fmt.Sprintf("%q is no method name", method))
			continue
		}
		multi := multiSegment(item, op)
		if _, err := ParseTemplate(template, multi...); err != nil {
			d.problem(at, err.Error())
			continue
		}
		d.checkMultiSegment(at, op.Parameters)
		own := servers
		if op.Servers != nil {
			own = d.serversOf(where+"/"+strings.ToLower(method), *op.Servers, servers)
		}
		d.Operations = append(d.Operations, &Operation{
			Document:     d,
			ID:           op.OperationID,
			Method:       method,
			Template:     template,
			Deprecated:   op.Deprecated,
			Sunset:       d.sunsetOf(at, op),
			Servers:      own,
			Upgrades:     d.upgradesOf(at, op),
			MultiSegment: multi,
			Path:         item,
			Op:           op,
		})
	}
}

// serversOf expands an overriding `servers` array. An empty one overrides
// nothing, and so does one that cannot be used at all.
func (d *Document) serversOf(where string, entries openapi3.Servers, inherited []Server) []Server {
	if len(entries) == 0 {
		return inherited
	}
	servers, problems := expandServers(where, entries)
	d.Problems = append(d.Problems, problems...)
	if len(servers) == 0 {
		return inherited
	}
	return servers
}

func (d *Document) problem(where, reason string) {
	d.Problems = append(d.Problems, Problem{Where: where, Reason: reason})
}

// escapePointer is RFC 6901 section 3.
func escapePointer(token string) string {
	return strings.NewReplacer("~", "~0", "/", "~1").Replace(token)
}

// token is RFC 9110 5.6.2.
func token(s string) bool {
	for i := range len(s) {
		c := s[i]
		if 'a' <= c && c <= 'z' || 'A' <= c && c <= 'Z' || '0' <= c && c <= '9' ||
			strings.IndexByte("!#$%&'*+-.^_`|~", c) >= 0 {
			continue
		}
		return false
	}
	return s != ""
}

package inventory

import (
	"encoding/json"
	"errors"
	"fmt"
	"maps"
	"slices"
	"strings"

	"github.com/apiguard/caddy-api-guard/inventory/catalogue"
	"github.com/apiguard/caddy-api-guard/inventory/spec"
)

// Errors of Served.
var (
	ErrNoVersion  = errors.New("there is no such version")
	ErrNoDocument = errors.New("the version has no document; unknown=1 with its api and version drafts one from what was seen")
)

// Served is the document in force of a version, as it was loaded, with what really
// applies: the hosts and base paths that serve it, its lifecycle, and for each
// operation what extend adds and what was seen. Both stand in x-api-guard. name is
// needed where the version has several documents.
func (inv *Inventory) Served(api, version, name string, extend func(*catalogue.Route) map[string]any) (map[string]any, error) {
	inv.mu.RLock()
	active := inv.active
	inv.mu.RUnlock()
	if active == nil || active.places[versionKey{api, version}] == nil {
		return nil, fmt.Errorf("%w: api %q, version %q", ErrNoVersion, api, version)
	}
	p := active.places[versionKey{api, version}]
	doc, err := documentOf(p.version.Documents, name)
	if err != nil {
		return nil, err
	}
	text, err := doc.Root.MarshalJSON()
	if err != nil {
		return nil, fmt.Errorf("writing %s: %w", doc.Name, err)
	}
	var root map[string]any
	if err := json.Unmarshal(text, &root); err != nil {
		return nil, fmt.Errorf("writing %s: %w", doc.Name, err)
	}
	// A document may be large, and nothing waits while it is written.
	inv.mu.RLock()
	defer inv.mu.RUnlock()
	l := lens{inv: inv, now: inv.now()}
	state := p.version.StateAt(l.now)
	root["x-api-guard"] = map[string]any{
		"api": api, "version": version, "spec": doc.Name, "state": state.String(), "environment": p.version.Environment,
		"audience": p.meta.Audience, "owner": p.owner(), "docs": p.version.Docs, "deprecated": date(p.version.Deprecated),
		"sunset": date(p.version.Sunset), "successor": p.version.Successor, "policy_digest": p.meta.PolicyDigest,
		"as_of": Time{l.now.UTC()},
	}
	paths, _ := root["paths"].(map[string]any)
	servers := make(map[string]bool)
	served := make(map[*spec.Operation]bool)
	abouts := make(map[*spec.Operation]map[string]any) // a document that was a draft has x-api-guard of its own
	for i := range active.slots {
		s := &active.slots[i]
		op := s.route.Operation
		if s.place != p || op.Document != doc {
			continue
		}
		if base, ok := strings.CutSuffix(s.route.Path, op.Template); ok && s.host != nil && !strings.ContainsAny(base+s.host.Name, "{*") {
			servers["https://"+s.host.Name+base] = true
		}
		item, _ := paths[op.Template].(map[string]any)
		target, _ := item[strings.ToLower(op.Method)].(map[string]any)
		if target == nil {
			continue
		}
		v := l.look(s.entry)
		seen := l.routeEntry(&v)
		about := abouts[op]
		if about == nil {
			about = extend(s.route)
			abouts[op] = about
			about["lifecycle"], about["deprecated"], about["sunset"] = v.lifecycle, seen.Deprecated, seen.Sunset
			if !op.Sunset.IsZero() {
				about["sunset"] = date(op.Sunset)
			}
			about["seen"] = []any{}
			target["x-api-guard"] = about
		}
		about["seen"] = append(about["seen"].([]any), map[string]any{
			"host": seen.Host, "state": seen.State, "count": seen.Count, "last_seen": seen.LastSeen, "auth": seen.Auth, "cors": seen.CORS,
		})
		if v.lifecycle == "deprecated" || v.lifecycle == "retired" {
			target["deprecated"] = true
		}
		served[op] = true
	}
	withdraw(paths, doc, served)
	if len(servers) > 0 {
		list := []any{}
		for _, url := range slices.Sorted(maps.Keys(servers)) {
			list = append(list, map[string]any{"url": url})
		}
		root["servers"] = list
	}
	return root, nil
}

// withdraw takes out what the document has and the guard does not serve.
func withdraw(paths map[string]any, doc *spec.Document, served map[*spec.Operation]bool) {
	for _, op := range doc.Operations {
		item, _ := paths[op.Template].(map[string]any)
		if item == nil {
			continue
		}
		// What is in force stands above.
		delete(item, "servers")
		if !served[op] {
			delete(item, strings.ToLower(op.Method))
			continue
		}
		if target, _ := item[strings.ToLower(op.Method)].(map[string]any); target != nil {
			delete(target, "servers")
		}
	}
}

func documentOf(documents []*spec.Document, name string) (*spec.Document, error) {
	var names []string
	for _, d := range documents {
		if d.Name == name || name == "" && len(documents) == 1 {
			if d.Root == nil {
				return nil, ErrNoDocument
			}
			return d, nil
		}
		names = append(names, d.Name)
	}
	switch {
	case len(documents) == 0:
		return nil, ErrNoDocument
	case name == "":
		return nil, fmt.Errorf("the version has %d documents: add spec with one of %s", len(documents), strings.Join(names, ", "))
	default:
		return nil, fmt.Errorf("the version has no document %q: there are %s", name, strings.Join(names, ", "))
	}
}

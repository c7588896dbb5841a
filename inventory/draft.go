package inventory

import (
	"fmt"
	"maps"
	"net/http"
	"net/url"
	"slices"
	"strconv"
	"strings"
)

// DraftQuery selects the undocumented routes of a draft. Several values of one field
// mean either.
type DraftQuery struct {
	API, Version, Host []string // exact; empty: all
}

// Draft is an OpenAPI 3.1 document of the undocumented routes that show evidence of
// existing: what was seen of them, to be read and completed by whoever knows them.
// It has names, types and formats, and no value of any request or answer.
func (inv *Inventory) Draft(q DraftQuery) map[string]any {
	inv.mu.RLock()
	defer inv.mu.RUnlock()
	l := lens{inv: inv, now: inv.now()}
	d := draft{paths: make(map[string]any), schemes: make(map[string]any)}
	var list []*entry
	for _, e := range inv.routes {
		k := &e.key
		if e != inv.overflow && e.shelf != shelfNoise && !inv.documented(e) && inv.listed(e) && e.totals().best >= rankProbable &&
			!e.cut() && k.method != methodOther && either(q.API, k.api) && either(q.Version, k.version) && either(q.Host, k.host) {
			list = append(list, e)
		}
	}
	slices.SortFunc(list, func(a, b *entry) int { return strings.Compare(a.id.String(), b.id.String()) })
	// Of several hosts or versions with one method and path the draft has the one
	// that is known best, and names the others as its servers.
	slices.SortStableFunc(list, func(a, b *entry) int { return int(inv.samplesOf(b)) - int(inv.samplesOf(a)) })
	for _, e := range list {
		v := l.look(e)
		d.add(l.routeEntry(&v), inv.learned[e.id])
	}
	document := map[string]any{
		"openapi": "3.1.0",
		"info": map[string]any{
			"title": "Undocumented routes", "version": l.now.UTC().Format("2006-01-02"),
			"description": "A draft, made from what was seen. Complete it before you rely on it.",
		},
		"paths": d.paths,
	}
	if len(d.schemes) > 0 {
		document["components"] = map[string]any{"securitySchemes": d.schemes}
	}
	return document
}

func (inv *Inventory) samplesOf(e *entry) uint32 {
	if d := inv.learned[e.id]; d != nil {
		return d.Samples
	}
	return 0
}

type draft struct {
	paths   map[string]any
	schemes map[string]any
}

func (d *draft) add(r RouteEntry, about *learned) {
	path, parameters := draftPath(r.Path)
	item, _ := d.paths[path].(map[string]any)
	if item == nil {
		item = make(map[string]any)
		d.paths[path] = item
	}
	server := map[string]any{"url": "https://" + r.Host}
	if strings.HasPrefix(r.Host, "*") || strings.HasPrefix(r.Host, "(") {
		server = nil
	}
	method := strings.ToLower(r.Method)
	target := item
	if method == "query" || method == "connect" {
		// OpenAPI 3.1 has no place for them.
		return
	}
	if before, had := target[method].(map[string]any); had {
		if server != nil {
			servers, _ := before["servers"].([]any)
			before["servers"] = append(servers, server)
		}
		return
	}
	op := map[string]any{
		"x-api-guard": map[string]any{
			"id": r.ID, "api": r.API, "version": r.Version, "evidence": r.Evidence, "count": r.Count,
			"first_seen": r.FirstSeen, "last_seen": r.LastSeen, "samples": 0,
		},
		"responses": draftAnswers(&r, nil),
	}
	if server != nil {
		op["servers"] = []any{server}
	}
	d.security(op, &r.Auth)
	if about != nil {
		op["x-api-guard"].(map[string]any)["samples"] = about.Samples
		op["responses"] = draftAnswers(&r, about)
		parameters = append(parameters, about.parameters()...)
		if body := about.requestBody(); body != nil {
			op["requestBody"] = body
		}
	}
	if len(parameters) > 0 {
		op["parameters"] = parameters
	}
	target[method] = op
}

// draftPath gives each parameter of a template a name of its own.
func draftPath(template string) (path string, parameters []any) {
	seen := make(map[string]int)
	segments := strings.Split(template, "/")
	for i, segment := range segments {
		segment = strings.TrimSuffix(segment, ";{parameters}")
		if open := strings.IndexByte(segment, '{'); open >= 0 {
			end := strings.LastIndexByte(segment, '}')
			class := segment[open+1 : end]
			name := class
			if seen[class]++; seen[class] > 1 {
				name += strconv.Itoa(seen[class])
			}
			segment = segment[:open+1] + name + segment[end:]
			parameters = append(parameters, map[string]any{"name": name, "in": "path", "required": true, "schema": classSchema(class)})
		}
		segments[i] = segment
	}
	return strings.Join(segments, "/"), parameters
}

// classSchema is the schema of a lexical class.
func classSchema(class string) map[string]any {
	switch class {
	case "integer":
		return map[string]any{"type": "integer"}
	case "number":
		return map[string]any{"type": "number"}
	case "uuid", "email":
		return map[string]any{"type": "string", "format": class}
	case "hex":
		return map[string]any{"type": "string", "pattern": "^[0-9A-Fa-f]+$"}
	default: // a date may have a time
		return map[string]any{"type": "string"}
	}
}

func (d *learned) parameters() []any {
	var list []any
	add := func(in, name string, schema map[string]any) {
		list = append(list, map[string]any{"name": name, "in": in, "schema": schema})
	}
	for _, name := range sortedKeys(d.Query) {
		t := d.Query[name]
		if rareAmong(t.Seen, d.Samples) {
			continue
		}
		one := *t
		one.Types &^= typeArray
		if t.Types&typeArray != 0 {
			add("query", name, map[string]any{"type": "array", "items": one.schema()})
		} else {
			add("query", name, one.schema())
		}
	}
	for _, in := range []struct {
		name  string
		names map[string]uint32
	}{{"header", d.Fields}, {"cookie", d.Cookies}} {
		for _, name := range sortedKeys(in.names) {
			if !rareAmong(in.names[name], d.Samples) {
				add(in.name, name, map[string]any{"type": "string"})
			}
		}
	}
	return list
}

func (d *learned) requestBody() map[string]any {
	content := contentOf(d.Request)
	if len(content) == 0 {
		return nil
	}
	return map[string]any{"required": d.Bodies == d.Samples, "content": content}
}

func contentOf(types map[string]*typed) map[string]any {
	content := make(map[string]any)
	for mediaType, t := range types {
		content[mediaType] = map[string]any{"schema": t.schema()}
	}
	return content
}

// draftAnswers are the answers that were sampled, and of the others their class.
func draftAnswers(r *RouteEntry, d *learned) map[string]any {
	answers := make(map[string]any)
	classes := make(map[string]bool)
	if d != nil {
		for status, types := range d.Answers {
			text := http.StatusText(status)
			if text == "" {
				text = fmt.Sprintf("Status %d", status)
			}
			answer := map[string]any{"description": text}
			if content := contentOf(types); len(content) > 0 {
				answer["content"] = content
			}
			answers[strconv.Itoa(status)] = answer
			classes[strconv.Itoa(status)[:1]+"XX"] = true
		}
	}
	for class := range r.Statuses {
		if name := strings.ToUpper(class); class != "none" && !classes[name] {
			answers[name] = map[string]any{"description": "Seen and not sampled"}
		}
	}
	if len(answers) == 0 {
		answers["default"] = map[string]any{"description": "Not seen"}
	}
	return answers
}

// security says what credentials were seen. None of those that are known by the
// documents of others are named here: their place is an API's own.
func (d *draft) security(op map[string]any, auth *Auth) {
	var list []any
	add := func(name string, scheme map[string]any) {
		d.schemes[name] = scheme
		list = append(list, map[string]any{name: []any{}})
	}
	for _, seen := range auth.Seen {
		switch seen {
		case "bearer", "basic":
			add(seen, map[string]any{"type": "http", "scheme": seen})
		case "mtls":
			add(seen, map[string]any{"type": "mutualTLS"})
		}
	}
	if len(list) == 0 {
		return
	}
	if auth.Unauthenticated2xx > 0 {
		list = append(list, map[string]any{})
	}
	op["security"] = list
}

// ParseOpenAPIQuery reads the parameters of /api_guard/openapi: unknown=1 with api,
// version and host for the draft, or api and version, and spec where the version has
// several documents, for the document in force.
func ParseOpenAPIQuery(v url.Values) (q OpenAPIQuery, err error) {
	if err := checkNames(v, []string{"unknown", "api", "version", "host", "spec"}, "unknown", "spec"); err != nil {
		return q, err
	}
	q.Draft = DraftQuery{API: v["api"], Version: v["version"], Host: v["host"]}
	switch v.Get("unknown") {
	case "1", "true":
		if v.Has("spec") {
			return q, fmt.Errorf("reading query: spec is of the document in force, and unknown=1 asks for the draft")
		}
		q.Unknown = true
		return q, nil
	case "", "0", "false":
	default:
		return q, fmt.Errorf("reading parameter unknown: unrecognized value %.100q: write 1, or leave it out", v.Get("unknown"))
	}
	if len(v["api"]) != 1 || len(v["version"]) != 1 || v.Has("host") {
		return q, fmt.Errorf("reading query: write api and version, once each, for the document in force, or unknown=1 for a draft of what has none")
	}
	q.API, q.Version, q.Spec = v.Get("api"), v.Get("version"), v.Get("spec")
	return q, nil
}

// OpenAPIQuery is a question for a document.
type OpenAPIQuery struct {
	Unknown            bool       // the draft is asked for, else the document in force
	Draft              DraftQuery // which routes it has; only with Unknown
	API, Version, Spec string     // of the document in force; Spec may be empty where there is one
}

func sortedKeys[V any](m map[string]V) []string { return slices.Sorted(maps.Keys(m)) }

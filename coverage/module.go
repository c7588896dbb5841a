package coverage

import (
	"bytes"
	"encoding/json"
	"fmt"
	"reflect"
	"strings"

	"github.com/caddyserver/caddy/v2"
	"github.com/caddyserver/caddy/v2/modules/caddyhttp"
	"golang.org/x/net/idna"
)

// module is a handler or matcher: its ID and its value, nil when it is not
// registered here or cannot be decoded.
type module struct {
	id    string
	value any
	raw   json.RawMessage // as configured, for those that were not loaded
}

// name is the ID without its namespace.
func (m *module) name() string { return m.id[strings.LastIndexByte(m.id, '.')+1:] }

// loaded is the module of a value that Caddy made.
func loaded(value any) module {
	m, ok := value.(caddy.Module)
	if !ok {
		return module{id: fmt.Sprintf("%T", value)}
	}
	return module{id: string(m.CaddyModule().ID), value: value}
}

// decode makes the module of a configuration without provisioning it.
func decode(id string, raw json.RawMessage) module {
	m := module{id: id, raw: raw}
	info, err := caddy.GetModule(id)
	if err != nil {
		return m
	}
	var value any = info.New()
	if rv := reflect.ValueOf(value); rv.Kind() != reflect.Pointer {
		value = reflect.New(rv.Type()).Interface()
	}
	if err := json.Unmarshal(raw, value); err == nil {
		m.value = value
	}
	return m
}

// handlers are a route's, loaded or as configured.
func handlers(route *caddyhttp.Route) []module {
	var all []module
	if len(route.Handlers) > 0 || len(route.HandlersRaw) == 0 {
		for _, h := range route.Handlers {
			all = append(all, loaded(h))
		}
		return all
	}
	for _, raw := range route.HandlersRaw {
		name, rest := inline(raw, "handler")
		all = append(all, decode("http.handlers."+name, rest))
	}
	return all
}

// inline takes the module's name out of its configuration.
func inline(raw json.RawMessage, key string) (name string, rest json.RawMessage) {
	var fields map[string]json.RawMessage
	if json.Unmarshal(raw, &fields) != nil || json.Unmarshal(fields[key], &name) != nil {
		return "(unreadable)", raw
	}
	delete(fields, key)
	rest, err := json.Marshal(fields)
	if err != nil {
		return name, raw
	}
	return name, rest
}

// matchers are the sets of a route or of a `not`, loaded or as configured.
func matchers(sets []caddyhttp.MatcherSet, raw []caddy.ModuleMap) [][]module {
	var all [][]module
	if len(sets) > 0 || len(raw) == 0 {
		for _, set := range sets {
			var tests []module
			for _, m := range set {
				tests = append(tests, loaded(m))
			}
			all = append(all, tests)
		}
		return all
	}
	for _, set := range raw {
		var tests []module
		for name, text := range set {
			tests = append(tests, decode("http.matchers."+name, text))
		}
		all = append(all, tests)
	}
	return all
}

// text is a matcher's configuration, for telling whether two are the same;
// false when it has none that says all.
func (m *module) text() (string, bool) {
	if m.raw != nil {
		var b bytes.Buffer
		if json.Compact(&b, m.raw) == nil {
			return b.String(), true
		}
	}
	if m.value == nil {
		return "", false
	}
	b, err := json.Marshal(m.value)
	if err != nil {
		return "", false
	}
	return string(b), true
}

// hosts are the names and patterns of a host matcher, as Caddy compares them: it
// writes international ones in their xn-- form when it provisions them.
func (m *module) hosts() []string {
	names := m.strings()
	for i, name := range names {
		if ascii, err := idna.ToASCII(name); err == nil {
			name = ascii
		}
		names[i] = strings.ToLower(name)
	}
	return names
}

// strings of a matcher that is a list of them.
func (m *module) strings() []string {
	rv := reflect.ValueOf(m.value)
	for rv.Kind() == reflect.Pointer {
		rv = rv.Elem()
	}
	if rv.Kind() != reflect.Slice || rv.Type().Elem().Kind() != reflect.String {
		return nil
	}
	list := make([]string, rv.Len())
	for i := range list {
		list[i] = rv.Index(i).String()
	}
	return list
}

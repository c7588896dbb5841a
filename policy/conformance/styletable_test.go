package conformance

import (
	"encoding/json"
	"fmt"
	"net/http"
	"strings"
	"testing"
)

// The table of styles (OpenAPI 3.1.1 section 4.8.12.3 and 3.2's), every value
// written as RFC 6570 expands it, by an expansion that shares nothing with what is
// tested. A row is accepted where the schema has the very value, and its twin,
// where the schema has another one, is refused: what is read must be what was
// written.

// styledValue is a value: a scalar, a list of scalars, or members in order.
type styledValue struct {
	name    string
	scalar  any
	list    []any
	members []member
}

type member struct {
	name  string
	value any
}

var styledValues = []styledValue{
	{name: "text", scalar: "blue"},
	{name: "empty text", scalar: ""},
	{name: "text with a blank", scalar: "light blue"},
	{name: "text with separators", scalar: "a,b.c;d|e&f=g/h+i%j"},
	{name: "text in another script", scalar: "Köln ❤"},
	{name: "text that could be a number", scalar: "100"},
	{name: "an integer", scalar: 100},
	{name: "a number", scalar: -1.5},
	{name: "a boolean", scalar: true},
	{name: "a list of the specification", list: []any{"blue", "black", "brown"}},
	{name: "a list of one", list: []any{"blue"}},
	{name: "a list of numbers", list: []any{1, -2, 3}},
	{name: "a list with blanks and separators", list: []any{"a b", "c,d|e", "f"}},
	{name: "an object of the specification", members: []member{{"R", 100}, {"G", 200}, {"B", 150}}},
	{name: "an object of one member", members: []member{{"R", 100}}},
	{name: "an object of texts", members: []member{{"name", "a b"}, {"other", "c,d"}}},
}

func (v styledValue) schema(other bool) string {
	var value any = v.scalar
	kind := map[string]any{}
	switch {
	case v.list != nil:
		value = v.list
		kind["type"], kind["items"] = "array", map[string]any{"type": typeName(v.list[0])}
	case v.members != nil:
		object, props := map[string]any{}, map[string]any{}
		for _, m := range v.members {
			object[m.name], props[m.name] = m.value, map[string]any{"type": typeName(m.value)}
		}
		value = object
		kind["type"], kind["properties"], kind["additionalProperties"] = "object", props, false
	default:
		kind["type"] = typeName(v.scalar)
	}
	if other {
		value = v.another()
	}
	kind["enum"] = []any{value}
	text, err := json.Marshal(kind)
	if err != nil {
		panic(err)
	}
	return string(text)
}

// another is a value that differs a little.
func (v styledValue) another() any {
	differ := func(v any) any {
		switch v := v.(type) {
		case string:
			return v + "x"
		case int:
			return v + 1
		case float64:
			return v + 1
		case bool:
			return !v
		}
		return nil
	}
	switch {
	case v.list != nil:
		list := append([]any(nil), v.list...)
		list[len(list)-1] = differ(list[len(list)-1])
		return list
	case v.members != nil:
		object := map[string]any{}
		for i, m := range v.members {
			if object[m.name] = m.value; i == len(v.members)-1 {
				object[m.name] = differ(m.value)
			}
		}
		return object
	default:
		return differ(v.scalar)
	}
}

func typeName(v any) string {
	switch v.(type) {
	case string:
		return "string"
	case int:
		return "integer"
	case float64:
		return "number"
	default:
		return "boolean"
	}
}

// expansion is how RFC 6570 writes a value: section 3.2.1's table.
type expansion struct {
	first, between string
	named          bool
	ifEmpty        string
	encode         func(string) string
}

func (e expansion) of(v styledValue, explode bool) string {
	text := func(v any) string { return e.encode(fmt.Sprint(v)) }
	switch {
	case v.list != nil:
		var items []string
		for _, item := range v.list {
			if s := text(item); e.named && explode {
				items = append(items, "p="+s)
			} else {
				items = append(items, s)
			}
		}
		if explode {
			return e.first + strings.Join(items, e.between)
		}
		return e.first + e.name() + strings.Join(items, ",")
	case v.members != nil:
		var items []string
		for _, m := range v.members {
			if explode {
				items = append(items, m.name+"="+text(m.value))
			} else {
				items = append(items, m.name, text(m.value))
			}
		}
		if explode {
			return e.first + strings.Join(items, e.between)
		}
		return e.first + e.name() + strings.Join(items, ",")
	}
	s := text(v.scalar)
	if s == "" && e.named {
		return e.first + "p" + e.ifEmpty
	}
	return e.first + e.name() + s
}

func (e expansion) name() string {
	if e.named {
		return "p="
	}
	return ""
}

// encodeURI leaves the unreserved characters of RFC 3986.
func encodeURI(s string) string {
	var b strings.Builder
	for _, c := range []byte(s) {
		if c|0x20 >= 'a' && c|0x20 <= 'z' || c >= '0' && c <= '9' || strings.IndexByte("-._~", c) >= 0 {
			b.WriteByte(c)
		} else {
			fmt.Fprintf(&b, "%%%02X", c)
		}
	}
	return b.String()
}

func asIs(s string) string { return s }

func TestTheTableOfStyles(t *testing.T) {
	places := []struct {
		in, style string
		expansion
	}{
		{"path", "simple", expansion{"", ",", false, "", encodeURI}},
		{"path", "label", expansion{".", ".", false, "", encodeURI}},
		{"path", "matrix", expansion{";", ";", true, "", encodeURI}},
		{"query", "form", expansion{"", "&", true, "=", encodeURI}},
		{"cookie", "form", expansion{"", "; ", true, "=", encodeURI}},
		{"header", "simple", expansion{"", ",", false, "", asIs}},
	}
	rows := 0
	row := func(name, version, in, style string, explode bool, v styledValue, text string) {
		rows++
		judge := func(schema, text string) Result {
			template, target, query := "/x", "/x", ""
			h := http.Header{}
			parameter := "p"
			switch in {
			case "path":
				template, target = "/x/{p}", "/x/"+text
			case "query":
				query = text
			case "cookie":
				h.Set("Cookie", text)
			case "header":
				parameter = "X-P"
				h.Set("X-P", text)
			}
			o := parameterOperation(t, version, template, fmt.Sprintf(`[{"name":%q,"in":%q,"required":true,"style":%q,"explode":%v,"schema":%s}]`, parameter, in, style, explode, schema))
			return o.Parameters(get(target, query, h))
		}
		if r := judge(v.schema(false), text); r.Reason != OK || r.Unchecked != "" || len(r.Undeclared) > 0 {
			t.Errorf("%s: %q: got %+v, want it to pass", name, text, r)
		}
		if r := judge(v.schema(true), text); r.Reason != Invalid || r.Errors[len(r.Errors)-1].Keyword != "enum" {
			t.Errorf("%s: %q: got %+v, want its twin refused", name, text, r)
		}
	}
	for _, version := range []string{"3.0.3", "3.1.0", "3.2.0"} {
		for _, place := range places {
			for _, explode := range []bool{false, true} {
				for _, v := range styledValues {
					text := place.of(v, explode)
					switch {
					case place.in == "path" && text == "":
						continue // no route has an empty segment
					case place.in == "header" && strings.ContainsAny(text, " %") && (v.list != nil || v.members != nil):
						continue // a header has no encoding: what has separators in it cannot be written
					}
					row(fmt.Sprintf("%s %s %s explode=%v %s", version, place.in, place.style, explode, v.name), version, place.in, place.style, explode, v, text)
				}
			}
		}
		for style, separators := range map[string][]string{"spaceDelimited": {"%20", "+"}, "pipeDelimited": {"%7C", "|", "%7c"}} {
			for _, separator := range separators {
				for _, v := range styledValues {
					var items []string
					for _, item := range v.list {
						items = append(items, encodeURI(fmt.Sprint(item)))
					}
					for _, m := range v.members {
						items = append(items, m.name, encodeURI(fmt.Sprint(m.value)))
					}
					text := strings.Join(items, separator)
					if len(items) == 0 || strings.Contains(v.name, "blanks") || strings.Contains(v.name, "texts") {
						continue // the separator in an item cannot be told from one between them
					}
					row(fmt.Sprintf("%s query %s %q %s", version, style, separator, v.name), version, "query", style, false, v, "p="+text)
				}
			}
		}
		for _, brackets := range [][2]string{{"[", "]"}, {"%5B", "%5D"}} {
			for _, v := range styledValues {
				var items []string
				for _, m := range v.members {
					items = append(items, "p"+brackets[0]+m.name+brackets[1]+"="+encodeURI(fmt.Sprint(m.value)))
				}
				if len(items) > 0 {
					row(fmt.Sprintf("%s query deepObject %s %s", version, brackets[0], v.name), version, "query", "deepObject", true, v, strings.Join(items, "&"))
				}
			}
		}
	}
	t.Logf("%d rows and as many twins", rows)
	if rows < 300 {
		t.Errorf("only %d rows", rows)
	}
}

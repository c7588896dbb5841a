package apiguard

import (
	"bytes"
	"errors"
	"fmt"
	"reflect"
	"regexp"
	"slices"
	"strings"

	"github.com/caddyserver/caddy/v2"
	"github.com/go-json-experiment/json"
	"github.com/go-json-experiment/json/jsontext"
)

// UnmarshalJSON reads the configuration strictly. An error names the field by its
// path: one that is unknown, stands twice or has a value of another kind.
func (app *App) UnmarshalJSON(text []byte) error {
	if _, err := jsontext.NewDecoder(bytes.NewReader(text)).ReadValue(); errors.Is(err, jsontext.ErrDuplicateName) {
		var where *jsontext.SyntacticError
		if errors.As(err, &where) {
			return wrong(fieldPath(where.JSONPointer), "", "it is written twice: write it once")
		}
	}
	type plain App
	if err := readStrictly(text, (*plain)(app)); err != nil {
		return err
	}
	return noNulls(reflect.ValueOf(app).Elem(), "")
}

// readStrictly reads JSON into a struct. An error names the field by its path from there.
func readStrictly[T any](text []byte, to *T) error {
	err := caddy.StrictUnmarshalJSON(text, to)
	if err == nil {
		return nil
	}
	var where *json.SemanticError
	if !errors.As(json.Unmarshal(text, new(T), json.RejectUnknownMembers(true), durations), &where) || where.JSONPointer == "" {
		return err
	}
	at := fieldPath(where.JSONPointer)
	var within *fieldError
	var duration noDuration
	switch {
	case errors.As(where.Err, &within): // of a rule, which is read on its own
		return wrong(at+"."+within.path, "", "%w", within.err)
	case errors.Is(where.Err, json.ErrUnknownName):
		known := fieldNames(where.GoType)
		return wrong(at, "", "unrecognized option%s: there are %s", meantOption(where.JSONPointer.LastToken(), known), strings.Join(known, ", "))
	case errors.As(where.Err, &duration):
		return wrong(at, "", "%w", duration)
	case where.JSONKind != 0 && where.Err == nil:
		return wrong(at, "", "%s stands where there should be %s", kindName(where.JSONKind), typeName(where.GoType))
	default:
		return wrong(at, "", "%w", err)
	}
}

// durations reads them as Caddy does, with errors that say what is wrong and what to write.
var durations = json.WithUnmarshalers(json.UnmarshalFunc(func(text []byte, to *caddy.Duration) error {
	if to.UnmarshalJSON(text) != nil {
		return noDuration(strings.Trim(string(text), `"`))
	}
	return nil
}))

// noNulls tells of a null where a list has its members: an api, a limit.
func noNulls(v reflect.Value, at string) error {
	switch v.Kind() {
	case reflect.Pointer:
		if !v.IsNil() {
			return noNulls(v.Elem(), at)
		}
	case reflect.Slice:
		for i := range v.Len() {
			member, where := v.Index(i), fmt.Sprintf("%s[%d]", at, i)
			if member.Kind() == reflect.Pointer && member.IsNil() {
				return wrong(where, "", "null stands where there should be %s: write one, or leave it out", typeName(member.Type()))
			}
			if err := noNulls(member, where); err != nil {
				return err
			}
		}
	case reflect.Struct:
		for i := range v.NumField() {
			field := v.Type().Field(i)
			name, _, _ := strings.Cut(field.Tag.Get("json"), ",")
			if !field.IsExported() || name == "-" {
				continue
			}
			if name != "" && at != "" {
				name = at + "." + name
			} else if name == "" {
				name = at // of rules, within what has them
			}
			if err := noNulls(v.Field(i), name); err != nil {
				return err
			}
		}
	}
	return nil
}

var indexes = regexp.MustCompile(`\.(\d+)`)

// fieldPath writes a JSON pointer as errors name fields: api[0].version[1].hosts.
func fieldPath(p jsontext.Pointer) string {
	return indexes.ReplaceAllString(strings.Join(slices.Collect(p.Tokens()), "."), "[$1]")
}

// fieldNames are the names that the fields of a struct have in JSON.
func fieldNames(t reflect.Type) []string {
	var names []string
	for i := range t.NumField() {
		field := t.Field(i)
		name, _, _ := strings.Cut(field.Tag.Get("json"), ",")
		switch {
		case field.Anonymous:
			names = append(names, fieldNames(field.Type)...)
		case field.IsExported() && name != "source":
			names = append(names, name)
		}
	}
	if t == reflect.TypeFor[API]() || t == reflect.TypeFor[Version]() {
		names = slices.DeleteFunc(names, func(name string) bool { return name == "unknown_host" })
	}
	slices.Sort(names)
	return slices.Compact(names) // a version's audience hides that of the rules
}

func kindName(k jsontext.Kind) string {
	switch k {
	case '{':
		return "an object"
	case '[':
		return "an array"
	case '"':
		return "a string"
	case '0':
		return "a number"
	default:
		return k.String()
	}
}

func typeName(t reflect.Type) string {
	for t.Kind() == reflect.Pointer {
		t = t.Elem()
	}
	switch t.Kind() {
	case reflect.Bool:
		return "true or false"
	case reflect.String:
		return "a string"
	case reflect.Slice:
		return "an array"
	case reflect.Struct, reflect.Map:
		return "an object"
	case reflect.Int, reflect.Int64, reflect.Uint32:
		return "a whole number"
	default:
		return fmt.Sprint(t)
	}
}

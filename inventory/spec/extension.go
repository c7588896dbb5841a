package spec

import (
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/getkin/kin-openapi/openapi3"
)

// sunsetOf reads x-sunset: a day, which begins at 00:00 UTC, or a time by RFC
// 3339 whose seconds may be left out, from 1970 on. One that is neither is a problem of the operation, not an end.
func (d *Document) sunsetOf(at string, op *openapi3.Operation) time.Time {
	var text string
	switch value := op.Extensions["x-sunset"].(type) {
	case nil:
		return time.Time{}
	case time.Time:
		return value.UTC()
	case string:
		text = value
	}
	for _, layout := range []string{time.DateOnly, time.RFC3339, "2006-01-02T15:04Z07:00"} {
		if t, err := time.Parse(layout, text); err == nil && t.Year() >= 1970 {
			return t.UTC()
		}
	}
	d.problem(at, fmt.Sprintf("x-sunset %q is no date: write a day such as 2027-03-31, or a time such as 2027-03-31T14:00:00Z", text))
	return time.Time{}
}

// multiSegment names the path parameters that say x-multi-segment. What an
// operation says about a parameter overrides what its path item says.
func multiSegment(item *openapi3.PathItem, op *openapi3.Operation) []string {
	var names []string
	apply := func(parameters openapi3.Parameters) {
		for _, ref := range parameters {
			if ref == nil || ref.Value == nil || ref.Value.In != openapi3.ParameterInPath {
				continue
			}
			name := ref.Value.Name
			names = slices.DeleteFunc(names, func(n string) bool { return n == name })
			if on, _ := ref.Value.Extensions["x-multi-segment"].(bool); on {
				names = append(names, name)
			}
		}
	}
	apply(item.Parameters)
	if op != nil {
		apply(op.Parameters)
	}
	return names
}

// checkMultiSegment says where x-multi-segment is neither true nor false.
func (d *Document) checkMultiSegment(at string, parameters openapi3.Parameters) {
	for _, ref := range parameters {
		if ref == nil || ref.Value == nil {
			continue
		}
		value, ok := ref.Value.Extensions["x-multi-segment"]
		// GitHub writes it at parameters of the query too, where it says nothing.
		if _, isBool := value.(bool); ok && value != nil && !isBool {
			d.problem(at, fmt.Sprintf("x-multi-segment of the parameter %q is not in force: write true or false", ref.Value.Name))
		}
	}
}

// upgradesOf reads x-api-guard-upgrade, a protocol or a list of them (RFC 9110
// section 7.8). What is none is a problem of the operation, and not let through.
func (d *Document) upgradesOf(at string, op *openapi3.Operation) (protocols []string) {
	value, ok := op.Extensions["x-api-guard-upgrade"]
	if !ok || value == nil {
		return nil
	}
	list, isList := value.([]any)
	if text, isText := value.(string); isText {
		isList = true
		for _, p := range strings.Fields(text) {
			list = append(list, p)
		}
	}
	usable := isList && len(list) > 0
	for _, one := range list {
		protocol, _ := one.(string)
		name, version, versioned := strings.Cut(protocol, "/")
		if !token(name) || versioned && !token(version) {
			usable = false
			continue
		}
		protocols = append(protocols, protocol)
	}
	if !usable {
		d.problem(at, "x-api-guard-upgrade has what is no protocol, and lets that through nowhere: write one such as websocket, or a list of them")
	}
	return protocols
}

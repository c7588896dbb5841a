package spec

import (
	"fmt"
	"regexp"
	"strings"

	"go.yaml.in/yaml/v3"
)

// wrongType is how encoding/json tells of a value of the wrong kind, within what
// kin-openapi makes of it: the kind, the field and the Go type that it has.
var wrongType = regexp.MustCompile(`cannot unmarshal (string|number|bool|object|array)\b.* into (?:Go struct )?field (?:\w+\.)*([\w$-]+) of type (\S+)`)

// wrongKind says in which line a value of the wrong kind stands. Of several with the same
// name and kind it is the first.
func wrongKind(data []byte, err error) error {
	found := wrongType.FindStringSubmatch(err.Error())
	if found == nil || len(data) > maxDiagnosed {
		return err
	}
	kind, name, goType := found[1], found[2], found[3]
	var document yaml.Node
	if yaml.Unmarshal(data, &document) != nil {
		return err
	}
	line := lineOf(&document, name, kind)
	if line == 0 {
		return err
	}
	return fmt.Errorf("line %d: %s is %s, where %s must be", line, name, inWords[kind], inWords[jsonKind(goType)])
}

var inWords = map[string]string{
	"string": "a text", "number": "a number", "bool": "true or false", "object": "an object", "array": "a list",
}

// jsonKind is the kind of JSON value that fills a Go type.
func jsonKind(goType string) string {
	switch goType = strings.TrimLeft(goType, "*"); {
	case goType == "string", goType == "bool":
		return goType
	case strings.HasPrefix(goType, "float"), strings.HasPrefix(goType, "int"), strings.HasPrefix(goType, "uint"):
		return "number"
	case strings.HasPrefix(goType, "[]"):
		return "array"
	default:
		return "object"
	}
}

// lineOf is the line of the first member of that name whose value is of that kind, or 0.
func lineOf(n *yaml.Node, name, kind string) int {
	for i, c := range n.Content {
		if n.Kind == yaml.MappingNode && i%2 == 1 && n.Content[i-1].Value == name && kindOfNode(c) == kind {
			return n.Content[i-1].Line
		}
		if line := lineOf(c, name, kind); line != 0 {
			return line
		}
	}
	return 0
}

func kindOfNode(n *yaml.Node) string {
	if n.Kind == yaml.AliasNode {
		n = n.Alias
	}
	switch n.ShortTag() {
	case "!!str", "!!timestamp", "!!binary":
		return "string"
	case "!!int", "!!float":
		return "number"
	case "!!bool":
		return "bool"
	case "!!map":
		return "object"
	case "!!seq":
		return "array"
	default:
		return ""
	}
}

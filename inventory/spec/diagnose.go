package spec

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"regexp"
	"strings"

	"go.yaml.in/yaml/v3"

	"github.com/apiguard/caddy-api-guard/internal/shorten"
)

// maxDiagnosed is how much of a YAML document is read a second time to explain
// why it could not be loaded.
const maxDiagnosed = 1 << 20

// maxReason is how much of a message is repeated that quotes the document.
const maxReason = 500

// diagnose turns the reader's error into one that says how to mend the file,
// for the mistakes that people make.
func diagnose(data []byte, err error) error {
	if other := isOther(data); other != "" {
		return errors.New(other)
	}
	head, ok := topLevel(data)
	if !ok {
		return tidy(data, err)
	}
	if v, ok := head["swagger"]; ok {
		return swagger(v)
	}
	switch v := head["openapi"].(type) {
	case nil:
		return fmt.Errorf(`it is no OpenAPI document: it has no "openapi" field (%w)`, tidy(data, err))
	case string:
		return wrongKind(data, leadsNowhere(data, tidy(data, err)))
	default:
		return fmt.Errorf(`its "openapi" field is the number %v; write it in quotes`, v)
	}
}

// isOther says of files that are often where a document should be what they are.
func isOther(data []byte) string {
	switch text := bytes.TrimLeft(data, " \t\r\n\ufeff"); {
	case bytes.HasPrefix(text, []byte("<")):
		return "it is HTML or XML, perhaps the page of a login or of an error that was saved in the document's place; name the OpenAPI document, in JSON or YAML"
	case bytes.HasPrefix(text, []byte("version https://git-lfs")):
		return "it is the pointer of a file in Git LFS and not the file: fetch it with git lfs pull"
	default:
		return ""
	}
}

// unresolved is how kin-openapi tells of a reference whose target is not there.
var unresolved = regexp.MustCompile(`^failed to resolve "[^"]*" in fragment in URI: "(#/[^"]*)"`)

// leadsNowhere says where a reference into the document stands that leads to nothing.
func leadsNowhere(data []byte, err error) error {
	found := unresolved.FindStringSubmatch(err.Error())
	if found == nil {
		return err
	}
	line := ""
	if i := bytes.Index(data, []byte(found[1])); i >= 0 {
		line = fmt.Sprintf(" (line %d)", bytes.Count(data[:i], []byte("\n"))+1)
	}
	return fmt.Errorf("the reference %q%s leads to nothing in the document: add what is missing, or take the reference out", found[1], line)
}

// topLevel reads the scalar fields of the outermost object and leaves the rest.
func topLevel(data []byte) (map[string]any, bool) {
	if looksLikeJSON(data) {
		var fields map[string]json.RawMessage
		if json.Unmarshal(data, &fields) != nil {
			return nil, false
		}
		head := make(map[string]any)
		for _, name := range []string{"swagger", "openapi"} {
			var v any
			if raw, ok := fields[name]; ok && len(raw) < 64 && json.Unmarshal(raw, &v) == nil {
				head[name] = v
			}
		}
		return head, true
	}
	if len(data) > maxDiagnosed {
		return nil, false
	}
	// A node tree does not expand aliases.
	var document yaml.Node
	if yaml.Unmarshal(data, &document) != nil || len(document.Content) == 0 {
		return nil, false
	}
	head := make(map[string]any)
	fields := document.Content[0].Content
	if document.Content[0].Kind != yaml.MappingNode {
		return head, true
	}
	for i := 0; i+1 < len(fields); i += 2 {
		name := fields[i].Value
		if (name != "swagger" && name != "openapi") || fields[i+1].Kind != yaml.ScalarNode {
			continue
		}
		var v any
		if fields[i+1].Decode(&v) == nil {
			head[name] = v
		}
	}
	return head, true
}

func looksLikeJSON(data []byte) bool {
	data = bytes.TrimLeft(data, " \t\r\n")
	return len(data) > 0 && (data[0] == '{' || data[0] == '[')
}

// tidy says where a JSON syntax error stands. kin-openapi tries JSON, then YAML,
// and reports both attempts: only one of them is about the file.
func tidy(data []byte, err error) error {
	text := err.Error()
	if !strings.HasPrefix(text, "failed to unmarshal data:") {
		return err
	}
	jsonText, yamlText, found := strings.Cut(strings.TrimPrefix(text, "failed to unmarshal data: json error: "), ", yaml error: ")
	if !found {
		return err
	}
	if !looksLikeJSON(data) {
		return errors.New("reading it as YAML: " + shorten.Text(yamlText, maxReason))
	}
	var syntax *json.SyntaxError
	var v json.RawMessage
	if errors.As(json.Unmarshal(data, &v), &syntax) {
		before := data[:min(int(syntax.Offset), len(data))]
		line := bytes.Count(before, []byte("\n")) + 1
		column := len(before) - bytes.LastIndexByte(before, '\n') - 1
		return fmt.Errorf("reading it as JSON: line %d, column %d: %w", line, column, syntax)
	}
	return errors.New("reading it as JSON: " + shorten.Text(jsonText, maxReason))
}

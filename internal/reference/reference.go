package main

import (
	"bytes"
	"fmt"
	"regexp"
	"strings"
)

const head = `<!-- Made by "go generate ." from the doc comments of the configuration structs: do not edit. -->

# Configuration reference

Every option, with its Caddyfile spelling and its name in JSON. [configuration.md](configuration.md) is the guide, which says how the options work together. The app is ` + "`apps.api_guard`" + ` in Caddy's JSON; where a Caddyfile repeats an option or a block, JSON has an array.

| value | in a Caddyfile | in JSON |
|---|---|---|
| text | a word, or text in quotes | a string |
| number | a whole number | a number |
| flag | the word alone | ` + "`true`" + ` |
| size | bytes, or ` + "`512KiB`, `1MiB`" + ` | a number of bytes, or the same as a string |
| duration | ` + "`10s`, `5m`, `90d`" + ` | the same as a string, or a number of nanoseconds |
| texts, numbers | words behind each other | an array |
| object, objects | a block, which may repeat where it says objects | an object, an array of objects |

JSON has ` + "`source`" + ` in some objects: the Caddyfile's line, for messages. The adapter fills it.
`

// The parts of a doc comment that have columns of their own.
var (
	defaults = regexp.MustCompile(`\s*Defaults?: (.+?)\.(\s|$)`)
	spelling = regexp.MustCompile(`\s*Caddyfile: ` + "`([^`]+)`" + `\.?`)
)

// reference is docs/reference.md for the package in dir.
func reference(dir string) ([]byte, error) {
	blocks, err := read(dir)
	if err != nil {
		return nil, err
	}
	names := make(map[string]*block)
	for _, b := range blocks {
		names[b.name] = b
	}
	var out bytes.Buffer
	out.WriteString(head)
	for _, b := range blocks {
		fmt.Fprintf(&out, "\n## %s\n\n%s\n", b.title(), prose(b.doc))
		var inherited []string
		out.WriteString("\n| Caddyfile | JSON | value | default | what it does |\n|---|---|---|---|---|\n")
		for _, f := range b.fields {
			if f.embedded != "" {
				inherited = append(inherited, names[f.embedded].link())
				continue
			}
			f.row(&out, b, names)
		}
		if len(b.fields) == len(inherited) {
			out.Truncate(out.Len() - len("\n| Caddyfile | JSON | value | default | what it does |\n|---|---|---|---|---|\n"))
		}
		for _, link := range inherited {
			fmt.Fprintf(&out, "\nAnd all of %s.\n", link)
		}
	}
	return out.Bytes(), nil
}

// rules is the one struct that others embed; each of its texts is a mode.
const rules = "Rules"

func (b *block) title() string {
	if b.name == rules {
		return "Rules"
	}
	return "`" + b.option + "`"
}

func (b *block) link() string {
	return "[" + b.title() + "](#" + strings.ToLower(strings.Trim(b.title(), "`")) + ")"
}

func (f *field) row(out *bytes.Buffer, b *block, names map[string]*block) {
	doc, std, how := strings.Join(strings.Fields(f.doc), " "), "", ""
	if m := spelling.FindStringSubmatch(doc); m != nil {
		doc, how = strings.Replace(doc, m[0], "", 1), m[1]
	}
	if m := defaults.FindStringSubmatch(doc); m != nil {
		doc, std = strings.Replace(doc, m[0], m[2], 1), m[1]
	}
	value := f.kind
	if inner := names[f.block]; inner != nil {
		value += ": " + inner.link()
	}
	if f.json == "name" {
		if how = b.option + " <name>"; doc == "" {
			doc = `Letters, digits, "_", "-" and ".".`
		}
	}
	if how == "" {
		how = f.spelling(names)
		if b.name == rules && f.kind == "text" {
			how = f.json + " enforce|monitor|off"
		}
	}
	fmt.Fprintf(out, "| `%s` | `%s` | %s | %s | %s |\n", strings.ReplaceAll(how, "|", `\|`), f.json, value, cell(std), cell(doc))
}

// spelling is how the Caddyfile has the option, where its doc comment does not say
// otherwise.
func (f *field) spelling(names map[string]*block) string {
	switch f.kind {
	case "flag":
		return f.json
	case "text", "number", "size", "duration":
		return f.json + " <" + f.kind + ">"
	case "texts", "numbers":
		return f.json + " <" + strings.TrimSuffix(f.kind, "s") + ">..."
	}
	if inner := names[f.block]; inner != nil && len(inner.fields) > 0 && inner.fields[0].json == "name" {
		return f.json + " <name> { … }"
	}
	return f.json + " { … }"
}

// escaped is Markdown whose "<" begin no HTML. Within a code span they need no escape,
// and would be shown with one.
func escaped(s string) string {
	parts := strings.Split(s, "`")
	for i := 0; i < len(parts); i += 2 {
		parts[i] = strings.ReplaceAll(parts[i], "<", "&lt;")
	}
	return strings.Join(parts, "`")
}

// prose is a doc comment as Markdown; it has paragraphs, and lists are indented in
// it. The Go type's name at its beginning means nothing to operators.
func prose(doc string) string {
	return escaped(strings.TrimSpace(doc))
}

// cell is text in one line of a table.
func cell(s string) string {
	s = strings.ReplaceAll(strings.Join(strings.Fields(s), " "), "|", `\|`)
	return escaped(s)
}

package main

import (
	"fmt"
	"go/ast"
	"go/parser"
	"go/token"
	"path/filepath"
	"reflect"
	"strconv"
	"strings"
)

// block is a configuration struct: a block of the Caddyfile, an object in JSON.
type block struct {
	name   string // of the Go type
	option string // the option that opens it
	doc    string
	fields []field
}

// field is one option of a block.
type field struct {
	json     string
	kind     string // "text", "number", "flag", "size", "duration", "texts", "object", "objects", "lists by name"
	block    string // the struct of an object or of objects
	embedded string // the struct whose options stand here as if they were this block's
	doc      string
}

// roots are the structs that Caddy itself fills, and the options that open them.
var roots = []struct{ name, option string }{{"App", "api_guard"}, {"Page", "api_inventory"}}

// read finds the structs that the roots lead to, in the order in which a reader
// meets them.
func read(dir string) ([]*block, error) {
	files, err := filepath.Glob(filepath.Join(dir, "*.go"))
	if err != nil {
		return nil, err
	}
	structs := make(map[string]*ast.StructType)
	docs := make(map[string]string)
	set := token.NewFileSet()
	for _, name := range files {
		if strings.HasSuffix(name, "_test.go") {
			continue
		}
		file, err := parser.ParseFile(set, name, nil, parser.ParseComments)
		if err != nil {
			return nil, err
		}
		for _, decl := range file.Decls {
			types, ok := decl.(*ast.GenDecl)
			if !ok || types.Tok != token.TYPE {
				continue
			}
			for _, spec := range types.Specs {
				t := spec.(*ast.TypeSpec)
				if s, ok := t.Type.(*ast.StructType); ok {
					structs[t.Name.Name], docs[t.Name.Name] = s, types.Doc.Text()+t.Doc.Text()
				}
			}
		}
	}
	var blocks []*block
	seen := make(map[string]bool)
	var visit func(name, option string) error
	visit = func(name, option string) error {
		s := structs[name]
		if s == nil {
			return fmt.Errorf("there is no struct %s", name)
		}
		if seen[name] {
			return nil
		}
		seen[name] = true
		b := &block{name: name, option: option, doc: docs[name]}
		if b.doc == "" {
			return fmt.Errorf("%s has no doc comment", name)
		}
		blocks = append(blocks, b)
		for _, f := range s.Fields.List {
			if err := b.add(f); err != nil {
				return err
			}
		}
		for _, f := range b.fields {
			if inner := f.block + f.embedded; inner != "" {
				if err := visit(inner, f.json); err != nil {
					return err
				}
			}
		}
		return nil
	}
	for _, root := range roots {
		if err := visit(root.name, root.option); err != nil {
			return nil, err
		}
	}
	return blocks, nil
}

// add takes in a field. Each option has a doc comment of its own.
func (b *block) add(f *ast.Field) error {
	if len(f.Names) == 0 {
		if name, ok := f.Type.(*ast.Ident); ok && name.IsExported() {
			b.fields = append(b.fields, field{embedded: name.Name})
		}
		return nil
	}
	if f.Tag == nil || !f.Names[0].IsExported() {
		return nil
	}
	tag, err := strconv.Unquote(f.Tag.Value)
	if err != nil {
		return err
	}
	name, _, _ := strings.Cut(reflect.StructTag(tag).Get("json"), ",")
	if name == "" || name == "-" || name == "source" {
		return nil
	}
	out := field{json: name, doc: f.Doc.Text()}
	if out.doc == "" && name != "name" {
		return fmt.Errorf("%s.%s has no doc comment: say what it does, its unit and its default", b.name, f.Names[0].Name)
	}
	if out.kind, out.block = kindOf(f.Type); out.kind == "" {
		return fmt.Errorf("%s.%s has a type that the reference does not know: add it to internal/reference", b.name, f.Names[0].Name)
	}
	b.fields = append(b.fields, out)
	return nil
}

// kindOf tells what a Go type is for those who write configurations.
func kindOf(t ast.Expr) (kind, block string) {
	switch t := t.(type) {
	case *ast.Ident:
		return map[string]string{"string": "text", "int": "number", "bool": "flag", "Size": "size"}[t.Name], ""
	case *ast.SelectorExpr:
		if t.Sel.Name == "Duration" {
			return "duration", ""
		}
	case *ast.StarExpr:
		if name, ok := t.X.(*ast.Ident); ok {
			return "object", name.Name
		}
	case *ast.ArrayType:
		switch inner, block := kindOf(t.Elt); inner {
		case "text", "number":
			return inner + "s", ""
		case "object":
			return "objects", block
		}
	case *ast.MapType:
		return "lists by name", ""
	}
	return "", ""
}

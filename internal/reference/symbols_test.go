package main

import (
	"go/ast"
	"go/parser"
	"go/token"
	"io/fs"
	"path/filepath"
	"strings"
	"testing"
)

// What other programs may import is documented: every exported function, method,
// type, constant and variable of the packages that are libraries, and of Caddy's
// side.
func TestEveryExportedSymbolHasADocComment(t *testing.T) {
	symbols := 0
	for _, library := range []string{".", "coverage", "ratelimit", "policy", "inventory"} {
		for _, dir := range packagesBelow(t, filepath.Join(root, library), library != ".") {
			files, err := filepath.Glob(filepath.Join(dir, "*.go"))
			if err != nil {
				t.Fatal(err)
			}
			documented := false
			for _, file := range files {
				if strings.HasSuffix(file, "_test.go") {
					continue
				}
				f, err := parser.ParseFile(token.NewFileSet(), file, nil, parser.ParseComments)
				if err != nil {
					t.Fatal(err)
				}
				documented = documented || f.Doc != nil
				for _, decl := range f.Decls {
					for _, missing := range undocumented(decl, &symbols) {
						t.Errorf("%s: %s has no doc comment that begins with its name", file, missing)
					}
				}
			}
			if !documented {
				t.Errorf("the package in %s has no doc comment", dir)
			}
		}
	}
	if symbols < 300 {
		t.Errorf("only %d symbols were found", symbols)
	}
}

func packagesBelow(t *testing.T, dir string, deep bool) []string {
	t.Helper()
	if !deep {
		return []string{dir}
	}
	found := map[string]bool{}
	err := filepath.WalkDir(dir, func(path string, d fs.DirEntry, err error) error {
		if err != nil || d.IsDir() && d.Name() == "testdata" {
			return fs.SkipDir
		}
		if strings.HasSuffix(path, ".go") && !strings.HasSuffix(path, "_test.go") {
			found[filepath.Dir(path)] = true
		}
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
	var dirs []string
	for d := range found {
		dirs = append(dirs, d)
	}
	return dirs
}

// undocumented are the exported symbols of a declaration without a doc comment. In
// a group of constants or variables one comment for all suffices; what a method of
// a type that is not exported does is seen where the type is used.
func undocumented(decl ast.Decl, symbols *int) (missing []string) {
	switch d := decl.(type) {
	case *ast.FuncDecl:
		if !d.Name.IsExported() || d.Recv != nil && !ast.IsExported(receiver(d.Recv.List[0].Type)) {
			return nil
		}
		*symbols++
		if d.Recv != nil && wellKnown[d.Name.Name] {
			return nil
		}
		if !begins(d.Doc, d.Name.Name) {
			return []string{d.Name.Name}
		}
	case *ast.GenDecl:
		for _, spec := range d.Specs {
			switch s := spec.(type) {
			case *ast.TypeSpec:
				if !s.Name.IsExported() {
					continue
				}
				*symbols++
				if !begins(d.Doc, s.Name.Name) && !begins(s.Doc, s.Name.Name) {
					missing = append(missing, s.Name.Name)
				}
			case *ast.ValueSpec:
				for _, name := range s.Names {
					if !name.IsExported() {
						continue
					}
					*symbols++
					if d.Doc == nil && s.Doc == nil && s.Comment == nil {
						missing = append(missing, name.Name)
					}
				}
			}
		}
	}
	return missing
}

// wellKnown are methods that do what the standard library says of them.
var wellKnown = map[string]bool{"String": true, "Error": true, "Unwrap": true, "MarshalJSON": true, "UnmarshalJSON": true, "MarshalText": true}

func receiver(t ast.Expr) string {
	switch t := t.(type) {
	case *ast.StarExpr:
		return receiver(t.X)
	case *ast.IndexExpr:
		return receiver(t.X)
	case *ast.Ident:
		return t.Name
	}
	return ""
}

// begins reports whether a comment is there and begins with the name, or an article
// before it.
func begins(doc *ast.CommentGroup, name string) bool {
	text := doc.Text()
	for _, article := range []string{"A ", "An ", "The "} {
		text = strings.TrimPrefix(text, article)
	}
	return strings.HasPrefix(text, name)
}

package main

import (
	"fmt"
	"go/ast"
	"go/parser"
	"go/token"
	"io/fs"
	"path/filepath"
	"slices"
	"strings"
	"testing"
)

// What other programs may import is documented: every exported function, method,
// type, constant, variable and field of the packages that are libraries, and of
// Caddy's side.
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
				set := token.NewFileSet()
				f, err := parser.ParseFile(set, file, nil, parser.ParseComments)
				if err != nil {
					t.Fatal(err)
				}
				documented = documented || f.Doc != nil
				missing, n := undocumented(f)
				symbols += n
				for _, name := range missing {
					t.Errorf("%s: %s", set.Position(name.Pos()), name.says)
				}
			}
			if !documented {
				t.Errorf("the package in %s has no doc comment", dir)
			}
		}
	}
	if symbols < 1200 {
		t.Errorf("only %d symbols were found", symbols)
	}
}

// The judge itself: what it must pass beside what it must find.
func TestASymbolWithoutADocCommentIsFound(t *testing.T) {
	for name, c := range map[string]struct {
		source string
		want   []string
	}{
		"a function without":                 {"func F() {}", []string{"3: F"}},
		"a function with":                    {"// F does x.\nfunc F() {}", nil},
		"a comment that begins otherwise":    {"// Does x.\nfunc F() {}", []string{"4: F"}},
		"a function that is not exported":    {"func f() {}", nil},
		"a comment with a blank line behind": {"// F does x.\n\nfunc F() {}", []string{"5: F"}},
		"a directive alone":                  {"//go:noinline\nfunc F() {}", []string{"4: F"}},
		"a method without":                   {"// T is x.\ntype T int\n\nfunc (t *T) String() string { return \"\" }", []string{"6: String"}},
		"a method with":                      {"// T is x.\ntype T int\n\n// String is y.\nfunc (t T) String() string { return \"\" }", nil},
		"a method of a type with parameters": {"// T is x.\ntype T[A, B any] int\n\nfunc (t *T[A, B]) M() {}", []string{"6: M"}},
		"a method of a type not exported":    {"type t int\n\nfunc (t) String() string { return \"\" }", nil},
		"a type without":                     {"type T int", []string{"3: T"}},
		"a type of a group without":          {"type (\n\t// T is x.\n\tT int\n\tU int\n)", []string{"6: U"}},
		"a constant without":                 {"const C = 1", []string{"3: C"}},
		"constants under one comment":        {"// Both.\nconst (\n\tC = 1\n\tD = 2\n)", nil},
		"a variable with one at its end":     {"var (\n\tV = 1 // x\n\tW = 2\n)", []string{"5: W"}},
		"a field without":                    {"// T is x.\ntype T struct {\n\tA int\n\tb int\n}", []string{"5: T.A"}},
		"fields with":                        {"// T is x.\ntype T struct {\n\t// A is y.\n\tA int\n\tB int // z\n\tC, D int // both\n}", nil},
		"fields in one line":                 {"// T is x.\ntype T struct{ A, B int } // y", []string{"4: T.A", "4: T.B"}},
		"a field of a struct in a struct":    {"// T is x.\ntype T struct {\n\t// A is y.\n\tA []struct {\n\t\tB int\n\t}\n}", []string{"7: T.A.B"}},
		"an embedded type":                   {"// T is x.\ntype T struct{ Other }", nil},
		"a field of a type not exported":     {"type t struct{ A int }", nil},
		"a method of an interface without":   {"// I is x.\ntype I interface {\n\tM()\n\t// N does y.\n\tN()\n}", []string{"5: I.M"}},
	} {
		t.Run(name, func(t *testing.T) {
			set := token.NewFileSet()
			f, err := parser.ParseFile(set, "x.go", "package x\n\n"+c.source+"\n", parser.ParseComments)
			if err != nil {
				t.Fatal(err)
			}
			var got []string
			missing, _ := undocumented(f)
			for _, m := range missing {
				got = append(got, fmt.Sprintf("%d: %s", set.Position(m.Pos()).Line, m.name))
			}
			if !slices.Equal(got, c.want) {
				t.Errorf("found %q, want %q", got, c.want)
			}
		})
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

// symbol is an exported name that has no doc comment.
type symbol struct {
	*ast.Ident
	name string // with that of the type that it is a field of
	says string // what is wrong with it
}

// undocumented are the exported symbols of a file without a doc comment, and how
// many exported ones there are. In a group of constants or variables one comment for
// all suffices, and for a field one at the line's end; what a method of a type that is
// not exported does is seen where the type is used.
func undocumented(f *ast.File) (missing []symbol, symbols int) {
	need := func(id *ast.Ident, within string, has bool, says string) {
		if !id.IsExported() {
			return
		}
		symbols++
		if !has {
			missing = append(missing, symbol{id, within + id.Name, within + id.Name + says})
		}
	}
	const begin, some = " has no doc comment that begins with its name", " has no comment: say its shape, unit or source, or what it is when there is none"
	var inside func(t ast.Expr, within string)
	inside = func(t ast.Expr, within string) {
		var members []*ast.Field
		switch t := t.(type) {
		case *ast.StructType:
			members = t.Fields.List
		case *ast.InterfaceType:
			members = t.Methods.List
		case *ast.ArrayType:
			inside(t.Elt, within)
		case *ast.StarExpr:
			inside(t.X, within)
		case *ast.MapType:
			inside(t.Value, within)
		}
		for _, member := range members {
			for _, id := range member.Names {
				need(id, within, member.Doc.Text() != "" || member.Comment.Text() != "", some)
				if id.IsExported() {
					inside(member.Type, within+id.Name+".")
				}
			}
		}
	}
	for _, decl := range f.Decls {
		switch d := decl.(type) {
		case *ast.FuncDecl:
			if d.Recv == nil || ast.IsExported(receiver(d.Recv.List[0].Type)) {
				need(d.Name, "", begins(d.Doc, d.Name.Name), begin)
			}
		case *ast.GenDecl:
			for _, spec := range d.Specs {
				switch s := spec.(type) {
				case *ast.TypeSpec:
					need(s.Name, "", begins(d.Doc, s.Name.Name) || begins(s.Doc, s.Name.Name), begin)
					if s.Name.IsExported() {
						inside(s.Type, s.Name.Name+".")
					}
				case *ast.ValueSpec:
					for _, id := range s.Names {
						need(id, "", d.Doc.Text() != "" || s.Doc.Text() != "" || s.Comment.Text() != "", some)
					}
				}
			}
		}
	}
	return missing, symbols
}

func receiver(t ast.Expr) string {
	switch t := t.(type) {
	case *ast.StarExpr:
		return receiver(t.X)
	case *ast.IndexExpr:
		return receiver(t.X)
	case *ast.IndexListExpr:
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

package main

import (
	"go/ast"
	"go/parser"
	"go/token"
	"os"
	"path/filepath"
	"regexp"
	"strconv"
	"strings"
	"testing"
)

const root = "../.."

func TestTheReferenceIsWhatTheDocCommentsSay(t *testing.T) {
	want, err := reference(root)
	if err != nil {
		t.Fatal(err)
	}
	got, err := os.ReadFile(filepath.Join(root, "docs/reference.md"))
	if err != nil {
		t.Fatal(err)
	}
	if string(got) != string(want) {
		t.Error("docs/reference.md is not what the doc comments of the configuration say: run `go generate .` in the root of the repository")
	}
}

// The reference has what the parser reads, and the parser reads what it has.
func TestTheReferenceSpellsWhatTheCaddyfileTakes(t *testing.T) {
	text, err := reference(root)
	if err != nil {
		t.Fatal(err)
	}
	spelled := map[string]bool{}
	for _, m := range regexp.MustCompile("(?m)^\\| `([a-z_]+)[^`]*` \\| `").FindAllStringSubmatch(string(text), -1) {
		spelled[m[1]] = true
	}
	taken := optionsOfTheParser(t)
	if len(taken) < 50 {
		t.Fatalf("only %d options were found in the parser: %v", len(taken), taken)
	}
	for option := range taken {
		if !spelled[option] {
			t.Errorf("the Caddyfile takes %q, and the reference does not have it", option)
		}
	}
	for option := range spelled {
		if !taken[option] {
			t.Errorf("the reference has %q, and the Caddyfile does not take it: say `Caddyfile: …` in the doc comment", option)
		}
	}
}

// optionsOfTheParser are the words that begin a line of a block: the keys of
// options in the parser, and the cases of the directive's.
func optionsOfTheParser(t *testing.T) map[string]bool {
	t.Helper()
	files, err := filepath.Glob(filepath.Join(root, "caddyfile*.go"))
	if err != nil {
		t.Fatal(err)
	}
	taken := map[string]bool{}
	take := func(e ast.Expr) {
		if lit, ok := e.(*ast.BasicLit); ok && lit.Kind == token.STRING {
			word, err := strconv.Unquote(lit.Value)
			if err != nil {
				t.Fatal(err)
			}
			taken[word] = true
		}
	}
	for _, name := range files {
		file, err := parser.ParseFile(token.NewFileSet(), name, nil, 0)
		if err != nil {
			t.Fatal(err)
		}
		ast.Inspect(file, func(n ast.Node) bool {
			switch n := n.(type) {
			case *ast.CompositeLit:
				if of, ok := n.Type.(*ast.Ident); ok && of.Name == "options" {
					for _, e := range n.Elts {
						take(e.(*ast.KeyValueExpr).Key)
					}
				}
			case *ast.AssignStmt:
				if at, ok := n.Lhs[0].(*ast.IndexExpr); ok {
					if of, ok := at.X.(*ast.Ident); ok && of.Name == "opts" {
						take(at.Index)
					}
				}
			case *ast.CaseClause:
				if strings.HasSuffix(name, "caddyfile_page.go") {
					for _, e := range n.List {
						take(e)
					}
				}
			}
			return true
		})
	}
	return taken
}

func TestAFieldWithoutADocCommentIsNamed(t *testing.T) {
	dir := t.TempDir()
	source := "package x\n\n// App is x.\ntype App struct {\n\tBare string `json:\"bare\"`\n}\n\n// Page is y.\ntype Page struct{}\n"
	if err := os.WriteFile(filepath.Join(dir, "x.go"), []byte(source), 0o600); err != nil {
		t.Fatal(err)
	}
	if _, err := reference(dir); err == nil || !strings.Contains(err.Error(), "App.Bare has no doc comment") {
		t.Errorf("got %v", err)
	}
}

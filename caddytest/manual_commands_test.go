package caddytest

import (
	"go/ast"
	"go/parser"
	"go/token"
	"net/url"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"

	caddycmd "github.com/caddyserver/caddy/v2/cmd"
	"github.com/spf13/cobra"
)

// tellings are the manual's pages and the examples, which tell people what to run.
func tellings(t *testing.T) map[string]string {
	t.Helper()
	pages := manual(t)
	files, err := filepath.Glob("../examples/*/*")
	if err != nil || len(files) < 20 {
		t.Fatal(err, files)
	}
	for _, file := range files {
		if info, err := os.Stat(file); err != nil || info.IsDir() || filepath.Ext(file) == ".png" {
			continue
		}
		text, err := os.ReadFile(file)
		if err != nil {
			t.Fatal(err)
		}
		pages[filepath.ToSlash(file)] = string(text)
	}
	return pages
}

// shellWords splits a command as far as quotes go, up to what a shell does with it
// besides.
func shellWords(line string) []string {
	var words []string
	for _, m := range regexp.MustCompile(`'[^']*'|"[^"]*"|[^\s'"]+`).FindAllString(line, -1) {
		if m == "|" || m == ">" || m == "&" || m == ";" || strings.HasPrefix(m, "#") {
			break
		}
		words = append(words, strings.Trim(m, `'"`))
	}
	return words
}

// guardCommand is caddy api-guard, as it is registered.
func guardCommand(t *testing.T) *cobra.Command {
	t.Helper()
	registered, ok := caddycmd.Commands()["api-guard"]
	if !ok {
		t.Fatal("there is no command api-guard")
	}
	cmd := &cobra.Command{Use: "api-guard"}
	registered.CobraFunc(cmd)
	return cmd
}

// Every caddy api-guard that the manual and the examples tell to run is a command, with
// flags and as many arguments as it takes.
func TestEveryCommandOfTheManualIsOne(t *testing.T) {
	t.Parallel()
	told := regexp.MustCompile("(?m)caddy api-guard ([a-z]+[^`|\n]*)")
	found := 0
	for file, page := range tellings(t) {
		for _, m := range told.FindAllStringSubmatch(page, -1) {
			words := shellWords(m[1])
			cmd, rest, err := guardCommand(t).Find(words)
			if err != nil || cmd.Name() != words[0] {
				t.Errorf("%s: %s: there is no command %s (%v)", file, m[0], words[0], err)
				continue
			}
			found++
			if err := cmd.ParseFlags(rest); err != nil {
				t.Errorf("%s: %s: %v", file, m[0], err)
			}
		}
	}
	if found < 20 {
		t.Errorf("only %d commands were found", found)
	}
}

// Every query of the admin API that the manual and the examples show is one that it
// takes.
func TestEveryQueryOfTheManualIsTaken(t *testing.T) {
	t.Parallel()
	caddy, _ := startFleet(t)
	shown := regexp.MustCompile("/api_guard/([a-z]+)(\\?[^'\"`\\s)]*)?")
	asked := map[string]bool{}
	for file, page := range tellings(t) {
		for _, m := range shown.FindAllStringSubmatch(page, -1) {
			if asked[m[0]] || strings.Contains(m[0], "…") || m[1] == "documents" || m[1] == "inventory" {
				continue
			}
			asked[m[0]] = true
			query, err := url.ParseQuery(strings.TrimPrefix(m[2], "?"))
			if err != nil {
				t.Errorf("%s: %s: %v", file, m[0], err)
				continue
			}
			for name, values := range query {
				switch {
				case m[1] == "limits" && name == "limit":
					query.Set(name, "password_reset") // the fleet's
				case strings.Contains(values[0], "<") || values[0] == "":
					query.Del(name)
				}
			}
			if m[1] == "openapi" && query.Get("version") == "" {
				query = url.Values{"unknown": {"1"}}
			}
			if status, body := caddy.Ask(t, "GET", "/api_guard/"+m[1]+"?"+query.Encode()); status != 200 {
				t.Errorf("%s: %s: %d %s", file, m[0], status, body)
			}
		}
	}
	if len(asked) < 20 {
		t.Errorf("only %d queries were found", len(asked))
	}
}

// Every go test by which the manual lets readers measure for themselves finds a test,
// a benchmark or a fuzz test in each package that it names.
func TestEveryMeasurementOfTheManualIsThere(t *testing.T) {
	t.Parallel()
	told := regexp.MustCompile("go test ([^`\n]*)")
	found := 0
	for file, page := range manual(t) {
		for _, m := range told.FindAllStringSubmatch(page, -1) {
			words := shellWords(strings.NewReplacer("(", " ", ")", " ").Replace(m[1]))
			var packages, patterns []string
			for i, word := range words {
				switch {
				case word == "." || strings.HasPrefix(word, "./"):
					packages = append(packages, word)
				case i > 0 && (words[i-1] == "-run" || words[i-1] == "-bench") && word != "^$" && word != ".":
					patterns = append(patterns, word)
				}
			}
			for _, dir := range packages {
				if strings.HasSuffix(dir, "...") {
					continue
				}
				found++
				names := testsIn(t, filepath.Join("..", dir))
				if len(names) == 0 {
					t.Errorf("%s: %s: there is no test in %s", file, m[0], dir)
				}
				for _, pattern := range patterns {
					pattern, _, _ = strings.Cut(pattern, "/") // after it come the names of subtests
					for part := range strings.SplitSeq(pattern, "|") {
						if !regexp.MustCompile(part).MatchString(strings.Join(names, "\n")) {
							t.Errorf("%s: %s: no test of %s matches %s", file, m[0], dir, part)
						}
					}
				}
			}
		}
	}
	if found < 10 {
		t.Errorf("only %d measurements were found", found)
	}
}

// testsIn are the names of a package's tests, benchmarks and fuzz tests.
func testsIn(t *testing.T, dir string) []string {
	t.Helper()
	files, err := filepath.Glob(filepath.Join(dir, "*_test.go"))
	if err != nil {
		t.Fatal(err)
	}
	var names []string
	for _, file := range files {
		parsed, err := parser.ParseFile(token.NewFileSet(), file, nil, parser.SkipObjectResolution)
		if err != nil {
			t.Fatal(err)
		}
		for _, decl := range parsed.Decls {
			if f, ok := decl.(*ast.FuncDecl); ok && f.Recv == nil && regexp.MustCompile("^(Test|Benchmark|Fuzz|Example)").MatchString(f.Name.Name) {
				names = append(names, f.Name.Name)
			}
		}
	}
	return names
}

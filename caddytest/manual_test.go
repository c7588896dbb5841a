package caddytest

import (
	"fmt"
	"net/url"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"

	"github.com/caddyserver/caddy/v2/caddyconfig"
)

// manual are the README and the pages of docs/ and of the rooms, by their path.
func manual(t *testing.T) map[string]string {
	t.Helper()
	pages := map[string]string{}
	files, err := filepath.Glob("../docs/*.md")
	if err != nil || len(files) < 10 {
		t.Fatal(err, files)
	}
	for _, file := range append(files, "../README.md", "../policy/THREATS.md") {
		text, err := os.ReadFile(file)
		if err != nil {
			t.Fatal(err)
		}
		pages[filepath.ToSlash(file)] = string(text)
	}
	return pages
}

var (
	fenced  = regexp.MustCompile("(?ms)^```([a-z]*)\n(.*?)^```$")
	linked  = regexp.MustCompile(`\]\(([^)\s]+)\)`)
	heading = regexp.MustCompile(`(?m)^#+ (.+)$`)
)

// anchors are the names that links into a page may have, as GitHub makes them.
func anchors(page string) map[string]bool {
	names := map[string]bool{}
	for _, m := range heading.FindAllStringSubmatch(fenced.ReplaceAllString(page, ""), -1) {
		name := strings.Map(func(r rune) rune {
			switch {
			case r == ' ':
				return '-'
			case r >= 'a' && r <= 'z', r >= '0' && r <= '9', r == '-', r == '_':
				return r
			default:
				return -1
			}
		}, strings.ToLower(m[1]))
		for at, n := name, 1; ; n++ {
			if !names[at] {
				names[at] = true
				break
			}
			at = fmt.Sprint(name, "-", n)
		}
	}
	return names
}

func TestEveryLinkOfTheManualLeadsSomewhere(t *testing.T) {
	t.Parallel()
	links := 0
	for file, page := range manual(t) {
		for _, m := range linked.FindAllStringSubmatch(fenced.ReplaceAllString(page, ""), -1) {
			u, err := url.Parse(m[1])
			if err != nil {
				t.Errorf("%s: %s: %v", file, m[1], err)
				continue
			}
			if u.IsAbs() {
				continue
			}
			links++
			to, text := file, page
			if u.Path != "" {
				to = filepath.Join(filepath.Dir(file), u.Path)
				content, err := os.ReadFile(to)
				if info, statErr := os.Stat(to); err != nil && (statErr != nil || !info.IsDir()) {
					t.Errorf("%s: %s is not there", file, m[1])
					continue
				}
				text = string(content)
			}
			if u.Fragment != "" && !anchors(text)[u.Fragment] {
				t.Errorf("%s: %s has no heading %q", file, to, u.Fragment)
			}
		}
	}
	if links < 60 {
		t.Errorf("only %d links were found", links)
	}
}

// Every Caddyfile of the manual is one that Caddy takes, once what it leaves out is
// put around it: a piece of the policy, of an API or of a version has its own lines
// alone.
func TestEveryCaddyfileOfTheManualAdapts(t *testing.T) {
	t.Parallel()
	declares := regexp.MustCompile(`(?m)^\s*api [a-z]`)
	// What may stand around a piece, the largest first.
	const version = "api a {\nversion a {\nhosts a.example.com\npath /a\n%s\n}\n}\n"
	around := []string{
		"%s",
		"%s\nhttp:// {\nrespond ok\n}\n",
		"{\napi_guard {\n%s\n}\n}\n",
		"{\napi_guard {\n%s\n" + fmt.Sprintf(version, "") + "}\n}\n",
		"{\napi_guard {\npolicy {\n%s\n}\n" + fmt.Sprintf(version, "") + "}\n}\n",
		"{\napi_guard {\npolicy {\nlimit a {\n%s\n}\n}\n" + fmt.Sprintf(version, "") + "}\n}\n",
		"{\napi_guard {\napi a {\n%s\n}\n}\n}\n",
		"{\napi_guard {\n" + version + "}\n}\n",
		"{\napi_guard {\npolicy {\nlimit per_client {\nrate 600/1m\n}\n}\nintegration acme {\nconsumer sha256:" + strings.Repeat("ab", 32) + "\n}\n" + version + "}\n}\n",
		"http:// {\n%s\n}\n",
		"http:// {\nroute {\n%s\n}\n}\n",
	}
	found := 0
	for file, page := range manual(t) {
		for _, m := range fenced.FindAllStringSubmatch(page, -1) {
			if m[1] != "caddyfile" {
				continue
			}
			found++
			text := strings.ReplaceAll(m[2], "…", "")
			if !declares.MatchString(text) { // the catalogue is left out
				text = strings.Replace(text, "api_guard {\n", "api_guard {\n"+fmt.Sprintf(version, ""), 1)
			}
			var tried []string
			for _, frame := range around {
				_, _, err := caddyconfig.GetAdapter("caddyfile").Adapt(fmt.Appendf(nil, frame, text), map[string]any{"filename": "Caddyfile"})
				if err == nil {
					tried = nil
					break
				}
				tried = append(tried, err.Error())
			}
			if tried != nil {
				t.Errorf("%s: nothing makes a configuration of\n%s\n%s", file, m[2], strings.Join(tried, "\n"))
			}
		}
	}
	if found < 8 {
		t.Errorf("only %d Caddyfiles were found", found)
	}
}

// The synopsis of the configuration names every option that the parser takes where
// it takes it: asked for one that is none, the parser says which there are.
func TestTheSynopsisHasEveryOption(t *testing.T) {
	t.Parallel()
	page := manual(t)["../docs/configuration.md"]
	var synopsis string
	for _, m := range fenced.FindAllStringSubmatch(page, -1) {
		if m[1] == "text" && strings.Contains(m[2], "api_guard {") {
			synopsis = m[2]
		}
	}
	if synopsis == "" {
		t.Fatal("docs/configuration.md has no synopsis")
	}
	options := 0
	for _, at := range []string{
		"%s", "inventory {\n%s\n}", "cluster redis://127.0.0.1 {\n%s\n}", "integration a {\n%s\n}", "passthrough a {\n%s\n}",
		"policy {\n%s\n}", "policy {\nrequest enforce {\n%s\n}\n}", "policy {\nresponse monitor {\n%s\n}\n}", "policy {\nlimit a {\n%s\n}\n}",
		"api a {\n%s\n}", "api a {\nversion a {\n%s\n}\n}", "api a {\nversion a {\nexception a {\n%s\n}\n}\n}",
	} {
		text := "{\napi_guard {\n" + fmt.Sprintf(at, "nonsense") + "\n}\n}\n"
		_, _, err := caddyconfig.GetAdapter("caddyfile").Adapt([]byte(text), map[string]any{"filename": "Caddyfile"})
		if err == nil {
			t.Errorf("nonsense is taken by %s", text)
			continue
		}
		_, list, ok := strings.Cut(err.Error(), "there are ")
		list, _, _ = strings.Cut(list, ", at ")
		if !ok {
			t.Errorf("%s: %v", text, err)
		}
		for option := range strings.SplitSeq(list, ", ") {
			options++
			if !regexp.MustCompile(`(?m)^\s*` + regexp.QuoteMeta(option) + `\b`).MatchString(synopsis) {
				t.Errorf("the synopsis does not have %s of %s", option, strings.ReplaceAll(at, "\n", " "))
			}
		}
	}
	if options < 80 {
		t.Errorf("only %d options were found", options)
	}
}

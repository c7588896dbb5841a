package apiguard

import (
	"bytes"
	"errors"
	"fmt"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync"
	"testing"

	"github.com/spf13/cobra"
)

// pages is an admin API that has so many items on its n-th page, and that cursor after
// it. Whoever asks for more pages than patience gets a last one, so that the test ends.
type pages struct {
	page     func(n int) (items int, next string)
	mu       sync.Mutex
	asked    []string // cursors
	patience int
}

func (p *pages) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.asked = append(p.asked, r.URL.Query().Get("cursor"))
	items, next := p.page(len(p.asked))
	if len(p.asked) > p.patience {
		next = ""
	}
	list := strings.TrimSuffix(strings.Repeat(`{"host":"a.example"},`, items), ",")
	fmt.Fprintf(w, `{"items":[%s],"next":%q,"complete":true,"gaps":[]}`, list, next)
}

func TestAListEndsWhateverTheServerSays(t *testing.T) {
	lists := map[string]func() *cobra.Command{
		"routes": routesCommand, "findings": findingsCommand, "consumers": consumersCommand, "flows": flowsCommand, "hosts": hostsCommand,
	}
	for _, c := range []struct {
		name  string
		page  func(n int) (int, string)
		args  []string
		asked string // with which cursors
		ends  bool   // well
	}{
		{"one page", func(int) (int, string) { return 2, "" }, []string{"--all"}, "", true},
		{"nothing", func(int) (int, string) { return 0, "" }, []string{"--all"}, "", true},
		{"three pages", func(n int) (int, string) { return 2, []string{"c1", "c2", ""}[n-1] }, []string{"--all"}, ",c1,c2", true},
		{"three pages, the last of them empty", func(n int) (int, string) { return 3 - n, []string{"c1", "c2", ""}[n-1] }, []string{"--all"}, ",c1,c2", true},
		{"as many as are asked for", func(n int) (int, string) { return 2, fmt.Sprint("c", n) }, []string{"--limit", "4"}, ",c1", true},
		{"the same cursor for ever", func(int) (int, string) { return 2, "c1" }, []string{"--all"}, ",c1", false},
		{"the same cursor for ever, of few", func(int) (int, string) { return 2, "c1" }, []string{"--limit", "100"}, ",c1", false},
		{"two cursors in turn", func(n int) (int, string) { return 2, fmt.Sprint("c", n%2) }, []string{"--all"}, ",c1,c0", false},
		{"an empty page, and more", func(n int) (int, string) { return 0, fmt.Sprint("c", n) }, []string{"--all"}, "", false},
		{"an empty page after a full one, and more", func(n int) (int, string) { return 2 * (n % 2), fmt.Sprint("c", n) }, []string{"--all"}, ",c1", false},
	} {
		for name, command := range lists {
			t.Run(c.name+", "+name, func(t *testing.T) {
				api := &pages{page: c.page, patience: 20}
				server := httptest.NewServer(api)
				defer server.Close()
				cmd := command()
				var out, notes bytes.Buffer
				cmd.SetOut(&out)
				cmd.SetErr(&notes)
				cmd.SilenceErrors = true
				cmd.SetArgs(append([]string{"--address", strings.TrimPrefix(server.URL, "http://")}, c.args...))
				err := cmd.ExecuteContext(t.Context())
				api.mu.Lock()
				defer api.mu.Unlock()
				if asked := strings.Join(api.asked, ","); asked != c.asked {
					t.Errorf("asked for the pages after %q, want %q", asked, c.asked)
				}
				switch {
				case c.ends && err != nil:
					t.Errorf("it ends with %v", err)
				case !c.ends && (err == nil || !strings.Contains(err.Error(), "reading "+name) || !strings.Contains(err.Error(), "never end")):
					t.Errorf("it ends with %v", err)
				case !c.ends && out.Len() > 0:
					t.Errorf("a part of the list is written as if it were all:\n%s", &out)
				}
			})
		}
	}
}

// Hosts that were refused, or asked for by a scan, prove nothing: anybody can ask.
func TestHostsAreStrictAboutThoseThatAnswered(t *testing.T) {
	for _, c := range []struct {
		name, host string
		found      bool
	}{
		{"undeclared, and it answered", `{"host":"a.example","declared":false,"evidence":"confirmed"}`, true},
		{"undeclared, and it answered as to everything", `{"host":"a.example","declared":false,"evidence":"unproven"}`, true},
		{"undeclared and refused", `{"host":"a.example","declared":false,"evidence":"refused"}`, false},
		{"undeclared and scanned", `{"host":"a.example","declared":false,"evidence":"scan"}`, false},
		{"declared, and it answered", `{"host":"a.example","declared":true,"evidence":"confirmed"}`, false},
	} {
		for _, args := range [][]string{{"--strict"}, {"--strict", "--json"}, {}} {
			server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
				fmt.Fprintf(w, `{"items":[{"host":"b.example","declared":true,"evidence":"confirmed"},%s],"next":"","complete":true,"gaps":[]}`, c.host)
			}))
			cmd := hostsCommand()
			var out bytes.Buffer
			cmd.SetOut(&out)
			cmd.SilenceErrors = true
			cmd.SetArgs(append([]string{"--address", strings.TrimPrefix(server.URL, "http://")}, args...))
			err := cmd.ExecuteContext(t.Context())
			server.Close()
			if found := err != nil; found != (c.found && len(args) > 0) || found && !errors.Is(err, errFound) {
				t.Errorf("%s, %q: %v", c.name, args, err)
			}
			if !strings.Contains(out.String(), "a.example") {
				t.Errorf("%s, %q: the list is not written: %s", c.name, args, &out)
			}
		}
	}
}

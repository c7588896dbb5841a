package apiguard

import (
	"bytes"
	"encoding/csv"
	"encoding/json"
	"errors"
	"io"
	"net/http"
	"net/http/httptest"
	"net/url"
	"reflect"
	"slices"
	"strings"
	"testing"
	"time"
	"unicode"
	"unicode/utf8"

	"github.com/caddyserver/caddy/v2"
	"github.com/go-json-experiment/json/jsontext"

	"github.com/apiguard/caddy-api-guard/inventory"
)

// adminConfig is what the fuzzed admin API tells of.
const adminConfig = `{"apps":{"api_guard":{"policy":{"limit":[{"name":"per_client","rate":"600/1m"}]},"api":[{"name":"orders","version":[
	{"name":"v1","hosts":["api.example.com"],"path":"/v1","deprecated":"2025-01-01","sunset":"2027-01-01"},{"name":"v2","hosts":["api.example.com"],"path":"/v2"}]}]}}}`

// What is asked of the admin API is answered with JSON, a table or lines that can be
// read again and are harmless to show, or with an error of the 400s that says
// something and not all of the question; and asking again gives the same. What is
// taken from a body is what a strict reader has in it, which takes no name twice.
func FuzzAdmin(f *testing.F) {
	for _, row := range []struct{ method, name, query, accept, body string }{
		{"GET", "plan", "at=2027-03-31", "", ""}, {"GET", "plan", "at=2027-03-31T14:00Z&at=x", "", ""}, {"GET", "plan", "at=%F5", "", ""},
		{"GET", "limits", "", "", ""}, {"GET", "limits", "limit=per_client&key=192.0.2.1", "", ""}, {"DELETE", "limits", "limit=per_client&key=192.0.2.1", "", ""},
		{"DELETE", "limits", "limit=per_client&key=a&key=b&api=orders", "", ""}, {"GET", "limits", "limit=a&limit=b", "", ""},
		{"POST", "override", "", "", `{"rule":"request","mode":"monitor","ttl":"15m","reason":"why"}`}, {"DELETE", "override", "id=x", "", ""},
		{"POST", "override", "", "", `{"rule":"request","mode":"monitor","mode":"off","ttl":"15m","reason":"twice"}`},
		{"POST", "override", "", "", `{"Rule":"request","MODE":"monitor","ttl":"15m","reason":"\ud800"}`}, {"POST", "override", "", "", "{\"rule\":\"request\",\"mode\":\"off\",\"ttl\":\"1h\",\"reason\":\"\xff\"}"},
		{"POST", "override", "", "", `{"rule":"limit","limit":"per_client","mode":"off","ttl":"1d","reason":"x"} {}`}, {"POST", "override", "", "", `null`},
		{"POST", "routes/ID/review", "", "", `{"review":"accepted","note":"\u202e\u0000"}`}, {"POST", "routes/ID/review", "", "", `{"review":"open"}`},
		{"POST", "routes/ID/template", "", "", `{"template":"/v2/{thing}","pinned":true}`}, {"POST", "routes/ID/template", "", "", `{"template":"/v2/{","pinned":true}`},
		{"GET", "routes", "sort=-count&limit=2&path=/v2", "text/csv", ""}, {"GET", "hosts", "", "application/x-ndjson", ""}, {"GET", "findings", "kind=x", "text/csv;q=0", ""},
		{"GET", "consumers", "cursor=AAAA", "text/csv", ""}, {"GET", "flows", "", "", ""}, {"GET", "openapi", "unknown=1", "", ""}, {"GET", "openapi", "api=orders&version=v2", "", ""},
		{"GET", "feed", "since=2026-01-31", "", ""}, {"GET", "feed", "since=17900", "", ""}, {"GET", "feed", "since=-1&since=2", "", ""}, {"HEAD", "apis", "", "", ""}, {"GET", "routes/ID", "", "", ""},
		{"PUT", "routes", "", "", ""}, {"GET", "health", "a=b", "", ""}, {"GET", "../../x", "", "", ""}, {"GET", "routes//review", "", "", ""},
	} {
		f.Add(row.method, row.name, row.query, row.accept, row.body)
	}
	app, err := standalone([]byte(adminConfig), time.Now)
	if err != nil {
		f.Fatal(err)
	}
	f.Cleanup(app.close)
	for _, target := range []string{"/v1/orders", "/v2/extra", "/v2/=cmd", "/v2/\u202e", "/v2/x,y"} {
		r := httptest.NewRequest("GET", "http://api.example.com"+(&url.URL{Path: target}).EscapedPath(), nil)
		if err := serve(app, httptest.NewRecorder(), r, func(w http.ResponseWriter, _ *http.Request) error { w.WriteHeader(200); return nil }); err != nil {
			f.Fatal(err)
		}
	}
	app.shared.inventory.CatchUp()
	list, err := app.shared.inventory.Routes(inventory.RouteQuery{State: []inventory.State{inventory.StateShadow}})
	if err != nil || len(list.Items) == 0 {
		f.Fatal("no route to ask for", err)
	}
	f.Fuzz(func(t *testing.T, method, name, query, accept, body string) {
		name = strings.Replace(name, "ID", list.Items[0].ID, 1)
		if !slices.Contains([]string{"GET", "HEAD", "POST", "PUT", "DELETE"}, method) || name == "coverage" || strings.Contains(accept, "event-stream") {
			return // the running Caddy's, and what does not end
		}
		defer func() {
			for _, o := range app.shared.overrides.list() {
				app.shared.overrides.end(o.ID, "the test goes on")
			}
		}()
		w := ask(t, app, method, name, query, accept, body)
		if list := app.shared.overrides.list(); len(list) > 0 && (method != http.MethodPost || name != "override" || w == nil) {
			t.Fatalf("%s %s puts %+v into force", method, name, list)
		}
		if w == nil {
			return
		}
		if method == http.MethodPost {
			if _, err := jsontext.NewDecoder(strings.NewReader(body)).ReadValue(); err != nil {
				t.Fatalf("%s takes %q, which a strict reader does not: %v", name, body, err)
			}
		}
		if method != http.MethodDelete {
			if ask(t, app, method, name, query, accept, body) == nil && method != http.MethodPost {
				t.Fatalf("%s %s?%s is not answered twice", method, name, query)
			}
		}
	})
}

// ask asks the admin API, and is nil for an error.
func ask(t *testing.T, app *App, method, name, query, accept, body string) *httptest.ResponseRecorder {
	r := httptest.NewRequest(method, "http://localhost/", strings.NewReader(body))
	r.URL.Path, r.URL.RawQuery = adminPrefix+name, query
	r.Header.Set("Content-Type", "application/json")
	r.Header.Set("Accept", accept)
	w := httptest.NewRecorder()
	if err := app.serveAdmin(w, r); err != nil {
		var refused caddy.APIError
		var wrong methodError
		switch {
		case errors.As(err, &refused) && refused.HTTPStatus >= 400 && refused.HTTPStatus < 500 && refused.Err != nil && refused.Err.Error() != "":
			if n := len(refused.Err.Error()); n > 2000+2*len(name) {
				t.Fatalf("%s %s?%s: an error of %d bytes", method, name, query, n)
			}
		case errors.As(err, &wrong) && wrong.allow != "" && wrong.message != "":
		default:
			t.Fatalf("%s %s?%s: %v", method, name, query, err)
		}
		return nil
	}
	text := w.Body.String()
	for _, r := range text {
		if r != '\n' && r != '\r' && !unicode.IsPrint(r) || r == utf8.RuneError {
			t.Fatalf("%s %s?%s has %U in its answer: %q", method, name, query, r, text)
		}
	}
	if method == http.MethodHead {
		return w
	}
	switch kind, _, _ := strings.Cut(w.Header().Get("Content-Type"), ";"); kind {
	case mediaTypeCSV:
		readTable(t, text)
	case mediaTypeLines:
		for line := range strings.Lines(text) {
			if !json.Valid([]byte(line)) {
				t.Fatalf("%s?%s has the line %q", name, query, line)
			}
		}
	default:
		if !json.Valid([]byte(text)) {
			t.Fatalf("%s?%s is answered with %q", name, query, text)
		}
	}
	return w
}

// readTable reads CSV as a spreadsheet does, whose cells must be no formula.
func readTable(t *testing.T, text string) (rows [][]string) {
	t.Helper()
	rows, err := csv.NewReader(strings.NewReader(text)).ReadAll() // as many cells in each
	if err != nil {
		t.Fatalf("the table cannot be read: %v\n%s", err, text)
	}
	for _, row := range rows {
		for _, cell := range row {
			if c := strings.TrimLeft(cell, " "); c != "" && strings.ContainsAny(c[:1], "=+-@\t\r\n|%") {
				t.Fatalf("a spreadsheet takes %q for a formula", cell)
			}
		}
	}
	return rows
}

// What stands in the inventory came from requests. However it is spelt, a row of a
// table has the cells that its head has, a line of JSON says what the entry does, and
// neither has anything that a terminal or a spreadsheet acts on.
func FuzzExport(f *testing.F) {
	for _, s := range []string{"=1+1", " @SUM(A1)", "\t=x", "a\"b,c\r\nd", "\x1b[31m", "\u202egnp", "\xff\xfe", "\uff1dx", "plain", "", "'=x", "\u0085", "\U000e0001", "<script>", "\\u0041"} {
		f.Add(s, "GET", "x=y")
	}
	f.Fuzz(func(t *testing.T, path, method, host string) {
		entry := inventory.RouteEntry{Path: path, Method: method, Host: host, Reasons: []string{path, host}, DataClasses: []string{method}, Statuses: map[string]uint64{path: 3}}
		cells := inventory.Cells(entry)
		var b bytes.Buffer
		table := csv.NewWriter(&b)
		table.UseCRLF = true
		if err := table.WriteAll([][]string{inventory.Columns[inventory.RouteEntry](), cells}); err != nil {
			t.Fatal(err)
		}
		rows := readTable(t, b.String())
		if len(rows) != 2 || !slices.Equal(rows[1], cells) {
			t.Fatalf("%q is read again as %q", cells, rows)
		}
		b.WriteTo(io.Discard)
		writeJSON(&b, entry)
		for _, text := range append(cells, strings.TrimSuffix(b.String(), "\n")) {
			if i := strings.IndexFunc(text, func(r rune) bool { return !unicode.IsPrint(r) }); i >= 0 || !utf8.ValidString(text) {
				t.Fatalf("%q is shown as it is", text)
			}
		}
		var again, want inventory.RouteEntry
		plain, err := json.Marshal(entry)
		if err != nil {
			t.Fatal(err)
		}
		if err := errors.Join(json.Unmarshal(b.Bytes(), &again), json.Unmarshal(plain, &want)); err != nil || !reflect.DeepEqual(again, want) {
			t.Fatalf("%s says something else than %s: %v", &b, plain, err)
		}
	})
}

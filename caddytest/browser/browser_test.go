// Package browser looks at the inventory page with a real browser: Debian's
// chromium, headless, on loopback. It is a module of its own so that nobody who
// builds the plugin gets the browser's driver.
package browser

import (
	"context"
	"fmt"
	"hash/crc32"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/chromedp/cdproto/emulation"
	"github.com/chromedp/cdproto/log"
	"github.com/chromedp/cdproto/page"
	"github.com/chromedp/cdproto/runtime"
	"github.com/chromedp/chromedp"

	_ "github.com/apiguard/caddy-api-guard"
	"github.com/apiguard/caddy-api-guard/caddytest/internal/harness"
	"github.com/apiguard/caddy-api-guard/internal/needs"
	_ "github.com/caddyserver/caddy/v2/modules/standard"
)

func TestMain(m *testing.M) { harness.Main(m) }

// document describes what the browser's traffic calls.
const document = `
openapi: 3.1.0
info: {title: Orders, version: "2"}
paths:
  /orders:
    get: {operationId: listOrders, responses: {"200": {description: orders}}}
    post: {operationId: createOrder, responses: {"201": {description: created}}}
  /orders/{id}:
    get:
      operationId: getOrder
      parameters: [{name: id, in: path, required: true, schema: {type: string}}]
      responses: {"200": {description: an order}}
`

// hostile is text that would do harm in a page that took it for more than text, as
// far as a path, a note or a declaration can hold it.
var hostile = []string{
	`<script>window.harmed=1</script>`,
	`"><img src=x onerror=window.harmed=1>`,
	`'><svg onload=window.harmed=1>`,
	`</title><script>window.harmed=1</script>`,
	`</textarea><script>window.harmed=1</script>`,
	`javascript:window.harmed=1`,
	`{{.Title}}`,
	`{{template "routes"}}`,
	`=HYPERLINK("http://evil.example","x")`,
	`+1+1`,
	`@SUM(A1)`,
	`-2-3`,
	`&lt;b&gt;bold`,
	`<b>bold</b>`,
	`<style>body{display:none}</style>`,
	`<base href=//evil.example>`,
	`<meta http-equiv=refresh content=0;url=//evil.example>`,
	`<!-- swallowed`,
}

// guard declares an API whose owners and purposes are hostile.
func guard() string {
	var b strings.Builder
	b.WriteString(`
		api orders {
			owner team-checkout
			purpose "create and track orders"
			version v1 {
				hosts old.localhost
				path /v1
				spec orders.yaml
				deprecated 2026-01-01
				sunset 2099-01-01
				successor v2
				brownout 2027-03-15T14:00Z 2h
			}
			version v2 {
				hosts api.localhost
				path /v2
				spec orders.yaml
			}
			version v3 {
				hosts beta.localhost
				path /v3
				state beta
				environment staging
			}
		}
`)
	for i, text := range hostile {
		fmt.Fprintf(&b, "\t\tapi hostile-%d {\n\t\t\tpurpose `%s`\n\t\t\tversion v1 {\n\t\t\t\thosts h%d.localhost\n\t\t\t}\n\t\t}\n", i, text, i)
	}
	return b.String()
}

const sites = `
http://:<http> {
	api_guard
	reverse_proxy 127.0.0.1:<upstream>
}
http://page.localhost:<http> {
	handle_path /inventory/* {
		api_inventory {
			review
		}
	}
}
`

// viewer is a browser that looks at a page with an inventory behind it.
type viewer struct {
	t     *testing.T
	ctx   context.Context
	caddy *harness.Caddy
	base  string

	mu         sync.Mutex
	complaints []string
}

func look(t *testing.T) *viewer { return lookAt(t, guard(), (*viewer).traffic) }

// lookAt opens a browser on the page of a guard that has seen some traffic.
func lookAt(t *testing.T, guard string, traffic func(*viewer)) *viewer {
	t.Helper()
	chromium := needs.Tool(t, "chromium")
	up := harness.NewUpstream(t)
	// Answers differ, since a host that answers everything alike tells nothing.
	up.Answer(func(r harness.Recorded) string {
		body := fmt.Sprintf("%*d", 1+crc32.ChecksumIEEE([]byte(r.Target()))%2000, len(r.Target()))
		return fmt.Sprintf("HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nContent-Length: %d\r\n\r\n%s", len(body), body)
	})
	v := &viewer{t: t, caddy: harness.Start(t, harness.Config{
		Guard: guard, Sites: sites, Upstream: up, Untrusted: true, Files: map[string]string{"orders.yaml": document},
	})}
	_, port, _ := strings.Cut(v.caddy.HTTP, ":")
	v.base = "http://page.localhost:" + port + "/inventory/"
	traffic(v)

	options := append(chromedp.DefaultExecAllocatorOptions[:],
		chromedp.ExecPath(chromium), chromedp.NoSandbox, chromedp.DisableGPU,
		chromedp.Flag("disable-quic", true), chromedp.Flag("disable-component-update", true),
		chromedp.Flag("host-resolver-rules", "MAP *.localhost 127.0.0.1"),
		chromedp.UserDataDir(t.TempDir()),
	)
	allocator, cancel := chromedp.NewExecAllocator(context.Background(), options...)
	t.Cleanup(cancel)
	ctx, cancel := chromedp.NewContext(allocator)
	t.Cleanup(cancel)
	v.ctx = ctx
	v.do() // starts the browser, which lives as long as this call's context
	v.ctx, cancel = context.WithTimeout(ctx, 2*time.Minute)
	t.Cleanup(cancel)
	if err := chromedp.Listen(ctx, func(event any) {
		switch e := event.(type) {
		case *runtime.EventExceptionThrown:
			v.complain(fmt.Sprintf("exception: %+v", e.ExceptionDetails))
		case *runtime.EventConsoleAPICalled:
			v.complain(fmt.Sprintf("console.%s: %+v", e.Type, e.Args))
		case *log.EventEntryAdded:
			v.complain(fmt.Sprintf("%s %s: %s %s", e.Entry.Source, e.Entry.Level, e.Entry.Text, e.Entry.URL))
		case *page.EventJavascriptDialogOpening:
			v.complain("dialog: " + e.Message)
		}
	}); err != nil {
		t.Fatal(err)
	}
	v.do(chromedp.EmulateViewport(1280, 900))
	return v
}

func (v *viewer) complain(text string) {
	v.mu.Lock()
	defer v.mu.Unlock()
	v.complaints = append(v.complaints, text)
}

// quiet fails the test when the browser had anything to say, or was harmed.
func (v *viewer) quiet(where string) {
	v.t.Helper()
	if is[bool](v, "'harmed' in window") {
		v.t.Errorf("%s: text was run as script", where)
	}
	v.mu.Lock()
	defer v.mu.Unlock()
	for _, c := range v.complaints {
		v.t.Errorf("%s: the browser says: %s", where, c)
	}
	v.complaints = nil
}

// do runs the actions.
func (v *viewer) do(actions ...chromedp.Action[chromedp.Void]) {
	v.t.Helper()
	if err := chromedp.Do(v.ctx, actions...); err != nil {
		v.t.Fatal(err)
	}
}

func (v *viewer) open(name string) {
	v.t.Helper()
	v.do(chromedp.Navigate(v.base+name), chromedp.WaitReady(chromedp.CSS("footer")))
}

// is what an expression gives.
func is[T any](v *viewer, expression string) T {
	v.t.Helper()
	got, err := chromedp.Run(v.ctx, chromedp.Evaluate[T](expression))
	if err != nil {
		v.t.Fatalf("%s: %v", expression, err)
	}
	return got
}

// until waits until an expression holds, over navigations.
func (v *viewer) until(expression string) {
	v.t.Helper()
	harness.Await(v.t, expression, func() (string, bool) {
		holds, err := chromedp.Run(v.ctx, chromedp.Evaluate[bool]("document.readyState === 'complete' && Boolean("+expression+")"))
		return fmt.Sprint(holds, err), err == nil && holds
	})
}

// click clicks and waits until something holds of what comes then.
func (v *viewer) click(selector, then string) {
	v.t.Helper()
	v.do(chromedp.Click(chromedp.CSS(selector)))
	v.until(then)
}

// shoot keeps a picture of what is seen: see go test -artifacts.
func (v *viewer) shoot(name string) {
	v.t.Helper()
	picture, err := chromedp.Run(v.ctx, chromedp.CaptureScreenshot())
	if err != nil {
		v.t.Fatal(err)
	}
	if err := os.WriteFile(filepath.Join(v.t.ArtifactDir(), name+".png"), picture, 0o600); err != nil {
		v.t.Fatal(err)
	}
}

// traffic calls documented, deprecated and shadow routes, and hosts of nobody.
func (v *viewer) traffic() {
	call := func(host, target string) {
		v.caddy.Do1(v.t, harness.Call{Host: host, Target: target})
	}
	for range 7 {
		call("api.localhost", "/v2/orders")
		call("old.localhost", "/v1/orders/17")
	}
	for i := range 120 {
		call("api.localhost", fmt.Sprintf("/v2/debug-%c%c", 'a'+i/26, 'a'+i%26))
	}
	call("api.localhost", "/v2/internal/metrics/all")
	call("stray.localhost", "/")
	for _, text := range hostile {
		// As a path: spelled with percent signs it passes, raw it is refused.
		var spelled strings.Builder
		for _, b := range []byte(text) {
			fmt.Fprintf(&spelled, "%%%02X", b)
		}
		call("api.localhost", "/v2/"+spelled.String())
		call("api.localhost", "/v2/"+strings.ReplaceAll(text, " ", ""))
	}
	harness.Await(v.t, "the traffic is in the inventory", func() (string, bool) {
		var list struct{ Items []struct{ Path string } }
		v.caddy.Query(v.t, "/api_guard/routes?state=shadow&limit=1000&path=/v2/debug", &list)
		return fmt.Sprintf("%d routes", len(list.Items)), len(list.Items) == 120
	})
}

var views = []string{"", "routes", "routes?state=shadow&evidence=confirmed", "findings", "findings?open=any", "consumers", "flows", "hosts", "coverage", "plan?at=2099-01-02"}

func TestEveryViewFitsEveryScreenAndCanBeRead(t *testing.T) {
	v := look(t)
	v.open("routes?path=/v2/internal")
	id := is[string](v, `document.querySelector("tbody a").getAttribute("href")`)
	for _, scheme := range []string{"light", "dark"} {
		if _, err := chromedp.Call(v.ctx, emulation.SetEmulatedMedia, emulation.SetEmulatedMediaParams{
			Features: []*emulation.MediaFeature{{Name: "prefers-color-scheme", Value: scheme}},
		}); err != nil {
			t.Fatal(err)
		}
		for _, width := range []int64{360, 1280, 1920} {
			v.do(chromedp.EmulateViewport(width, 1000))
			for i, name := range append([]string{id}, views...) {
				v.open(name)
				where := fmt.Sprintf("%q, %d pixels, %s", name, width, scheme)
				if wide := is[int](v, "document.scrollingElement.scrollWidth"); wide > int(width) {
					t.Errorf("%s: it is %d wide", where, wide)
				}
				for _, faint := range is[[]string](v, faint) {
					t.Errorf("%s: %s", where, faint)
				}
				v.quiet(where)
				v.shoot(fmt.Sprintf("view%d-%s-%d", i, scheme, width))
			}
		}
	}
}

// faint lists texts whose contrast is below 4.5 (WCAG 2.2, 1.4.3), and headings and
// labels that are missing.
const faint = `(() => {
	const found = [];
	const canvas = document.createElement("canvas").getContext("2d", {willReadFrequently: true});
	const rgb = (css, under) => {
		canvas.fillStyle = under; canvas.fillRect(0, 0, 1, 1);
		canvas.fillStyle = css; canvas.fillRect(0, 0, 1, 1);
		return canvas.getImageData(0, 0, 1, 1).data;
	};
	const light = (c) => {
		const part = (x) => (x /= 255) <= 0.03928 ? x / 12.92 : ((x + 0.055) / 1.055) ** 2.4;
		return 0.2126 * part(c[0]) + 0.7152 * part(c[1]) + 0.0722 * part(c[2]);
	};
	for (const node of document.querySelectorAll("body *:not(svg *)")) {
		const own = [...node.childNodes].some((n) => n.nodeType === 3 && n.textContent.trim() !== "");
		if (!own || node.closest(".skip, .closed")) continue;
		let back = "#fff";
		for (let n = node; n; n = n.parentElement) {
			const color = getComputedStyle(n).backgroundColor;
			if (!/, 0\)$|transparent/.test(color)) { back = color; break; }
		}
		const a = light(rgb(getComputedStyle(node).color, back)), b = light(rgb(back, "#fff"));
		const ratio = (Math.max(a, b) + 0.05) / (Math.min(a, b) + 0.05);
		if (ratio < 4.5) found.push("contrast " + ratio.toFixed(2) + ": " + node.outerHTML.slice(0, 100));
	}
	if (document.querySelectorAll("h1").length !== 1) found.push("there is not one h1");
	for (const field of document.querySelectorAll("input:not([type=hidden]), select")) {
		if (!field.labels.length) found.push("no label: " + field.outerHTML);
	}
	return found;
})()`

func TestHostileTextIsShownAsText(t *testing.T) {
	v := look(t)
	v.open("")
	text := is[string](v, "document.body.textContent")
	for _, h := range hostile {
		if !strings.Contains(text, h) {
			t.Errorf("%q is not on the page", h)
		}
	}
	for _, name := range append([]string{"routes?limit=1000", "routes?path=%2F%3Cscript%3E", "routes?host=%3Cimg%20src%3Dx%3E"}, views...) {
		v.open(name)
		if n := is[int](v, `document.querySelectorAll("img, iframe, object, base, style, script:not([src])").length`); n != 0 {
			t.Errorf("%q: %d elements that no template has", name, n)
		}
		v.quiet(name)
	}
	// Notes are shown to everybody who looks at the route.
	v.open("routes?path=/v2/internal")
	v.click("tbody a", `document.querySelector("form.review")`)
	for _, h := range hostile {
		v.do(chromedp.SetValue(chromedp.CSS("form.review input[name=note]"), h))
		v.click("form.review button[value=accepted]", fmt.Sprintf(`document.querySelector("q")?.textContent === %q`, h))
		v.quiet(h)
	}
}

func TestAViewerFiltersFollowsReviewsAndComesBack(t *testing.T) {
	v := look(t)
	v.open("")
	v.click(`.tiles a[href*="state=shadow"]`, `document.querySelector("form.filter")`)
	if !is[bool](v, `document.querySelector("input[value=shadow]").checked && location.search.includes("evidence=confirmed")`) {
		t.Error("the number of shadow routes does not lead to them")
	}
	// A filter applies as it is changed, and the URL remembers it, without empty fields.
	v.do(chromedp.SetValue(chromedp.CSS("#search"), "/v2/internal"))
	v.click("form.filter button", `location.search.includes("path=%2Fv2%2Finternal") && document.querySelectorAll("tbody tr").length === 1`)
	filtered := is[string](v, "location.search")
	if strings.Contains(filtered, "host=") {
		t.Errorf("the URL has empty fields: %s", filtered)
	}
	v.click("tbody a", `document.querySelector("form.review")`)
	if got := is[string](v, `document.querySelector("h1").textContent`); got != "GET /v2/internal/metrics/all" {
		t.Errorf("the route's page is headed %q", got)
	}
	v.shoot("route")
	v.do(chromedp.SetValue(chromedp.CSS("form.review input[name=note]"), "for the operators"))
	v.click("form.review button[value=accepted]", `document.querySelector("q")?.textContent === "for the operators"`)
	if is[bool](v, `[...document.querySelectorAll(".finding:not(.closed)")].some((f) => f.textContent.includes("shadow-answers"))`) {
		t.Error("the finding is still open after it was accepted")
	}
	v.click(".trail a", `document.querySelector("form.filter")`)
	// Orders and pages.
	v.click(`thead a[href*="count"]`, `document.querySelector("[aria-sort=descending]")`)
	if first := is[string](v, `document.querySelector("tbody tr").textContent`); !strings.Contains(first, "/orders") {
		t.Errorf("the most called route is not first: %s", first)
	}
	v.click("a[rel=next]", `document.querySelector("a[rel=first]")`)
	is[any](v, "history.back()")
	v.until(`document.querySelector("a[rel=next]") && !document.querySelector("a[rel=first]")`)
	v.quiet("the walk")
}

func TestThePageIsUsedByKeyboard(t *testing.T) {
	v := look(t)
	v.open("routes")
	v.do(chromedp.KeyEvent("/"))
	if !is[bool](v, `document.activeElement.id === "search"`) {
		t.Error(`"/" does not go to the search field`)
	}
	v.do(chromedp.KeyEvent("/v2/orders\r"))
	v.until(`location.search.includes("path=")`)
	v.open("routes")
	v.do(chromedp.KeyEvent("\t"))
	if !is[bool](v, `document.activeElement.className === "skip" && document.activeElement.getBoundingClientRect().left >= 0`) {
		t.Error("the first Tab does not show the link to the content")
	}
	// Every link and field can be reached, and shows that it has the focus.
	want := is[int](v, `document.querySelectorAll("a[href], button, input:not([type=hidden]), select, [tabindex='0']").length`)
	reached := map[string]bool{}
	for range want {
		reached[is[string](v, `(() => { const e = document.activeElement; e.dataset.n ??= String(Math.random()); return e.dataset.n; })()`)] = true
		if is[string](v, "getComputedStyle(document.activeElement).outlineStyle") == "none" {
			t.Errorf("no outline on %s", is[string](v, "document.activeElement.outerHTML"))
			break
		}
		v.do(chromedp.KeyEvent("\t"))
	}
	if len(reached) != want {
		t.Errorf("Tab reaches %d of %d", len(reached), want)
	}
	v.quiet("keyboard")
}

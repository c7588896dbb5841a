package browser

import (
	"fmt"
	"strings"
	"testing"

	"github.com/chromedp/chromedp"
)

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

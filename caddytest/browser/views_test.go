package browser

import (
	"fmt"
	"strings"
	"testing"

	"github.com/chromedp/cdproto/emulation"
	"github.com/chromedp/chromedp"
)

var views = []string{"", "routes", "routes?state=shadow&evidence=confirmed", "findings", "findings?open=any", "findings?kind=shadow-answers", "consumers", "flows", "hosts", "coverage", "plan?at=2099-01-02"}

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
		for _, width := range []int64{360, 1200, 1920} {
			v.do(chromedp.EmulateViewport(width, 1000))
			for _, name := range append([]string{id}, views...) {
				v.open(name)
				where := fmt.Sprintf("%q, %d pixels, %s", name, width, scheme)
				if wide := is[int](v, "document.scrollingElement.scrollWidth"); wide > int(width) {
					t.Errorf("%s: it is %d wide", where, wide)
				}
				for _, barrier := range is[[]string](v, barriers) {
					t.Errorf("%s: %s", where, barrier)
				}
				v.quiet(where)
				v.shoot(fmt.Sprintf("%s-%s-%d", pictured(name), scheme, width))
			}
		}
	}
}

// pictured is a view's name as a file's.
func pictured(name string) string {
	switch {
	case name == "":
		return "overview"
	case strings.HasPrefix(name, "routes/"):
		return "route"
	default:
		return strings.NewReplacer("?", "-", "&", "-", "=", "-").Replace(name)
	}
}

// barriers are what keeps people from using the page: texts whose contrast is below
// 4.5 (WCAG 2.2, 1.4.3), and what a screen reader finds its way by that is missing.
const barriers = `(() => {
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
		if (!own || node.closest(".skip")) continue;
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
	let level = 0;
	for (const heading of document.querySelectorAll("h1, h2, h3, h4, h5, h6")) {
		const next = Number(heading.tagName[1]);
		if (next > level + 1) found.push("a level is left out before " + heading.outerHTML);
		level = next;
	}
	for (const landmark of ["html[lang]", "body > header", "nav[aria-label]", "main", "body > footer"]) {
		if (document.querySelectorAll(landmark).length < 1) found.push("there is no " + landmark);
	}
	for (const named of document.querySelectorAll("a, button, summary, nav, form, [role=region], [role=img]")) {
		if (!(named.textContent.trim() || named.ariaLabel) || named.matches("nav, form.filter, [role]") && !named.ariaLabel) {
			found.push("no name: " + named.outerHTML.slice(0, 100));
		}
	}
	for (const table of document.querySelectorAll("table")) {
		if (table.querySelector("th:not([scope])") || !table.querySelector("tbody th")) found.push("a table without heads: " + table.outerHTML.slice(0, 100));
	}
	const ids = [...document.querySelectorAll("[id]")].map((e) => e.id);
	if (new Set(ids).size !== ids.length) found.push("an id stands twice: " + ids);
	for (const field of document.querySelectorAll("input:not([type=hidden]), select")) {
		if (!field.labels.length) found.push("no label: " + field.outerHTML);
	}
	return found;
})()`

// The heads of a long table stay in sight, in front of its rows.
func TestTheHeadsOfALongTableStayInSight(t *testing.T) {
	v := look(t)
	v.open("routes")
	is[any](v, "window.scrollTo({top: 1500, behavior: 'instant'})")
	v.until("window.scrollY > 1000")
	if got := is[string](v, `(() => { const head = document.querySelector("thead th"), at = head.getBoundingClientRect(); return Math.round(at.top) + " " + head.contains(document.elementFromPoint(at.left + 20, at.top + 10)); })()`); got != "0 true" {
		t.Errorf("the top of the head and whether it is in front: %s", got)
	}
	v.quiet("a long table")
}

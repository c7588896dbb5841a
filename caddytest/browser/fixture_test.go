package browser

import (
	"fmt"
	"strings"
)

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

// traffic calls documented, deprecated and shadow routes, and hosts of nobody.
func (v *viewer) traffic() {
	v.call(7, "api.localhost", "/v2/orders")
	v.call(7, "old.localhost", "/v1/orders/17")
	for i := range 120 {
		v.call(1, "api.localhost", fmt.Sprintf("/v2/debug-%c%c", 'a'+i/26, 'a'+i%26))
	}
	v.call(1, "api.localhost", "/v2/internal/metrics/all")
	v.call(1, "stray.localhost", "/")
	for _, text := range hostile {
		// As a path: spelled with percent signs it passes, raw it is refused.
		var spelled strings.Builder
		for _, b := range []byte(text) {
			fmt.Fprintf(&spelled, "%%%02X", b)
		}
		v.call(1, "api.localhost", "/v2/"+spelled.String())
		v.call(1, "api.localhost", "/v2/"+strings.ReplaceAll(text, " ", ""))
	}
	v.settle("/v2/debug", 120)
}

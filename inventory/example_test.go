package inventory_test

import (
	"fmt"
	"net/url"
	"time"

	"github.com/apiguard/caddy-api-guard/inventory"
	"github.com/apiguard/caddy-api-guard/inventory/catalogue"
	"github.com/apiguard/caddy-api-guard/inventory/spec"
)

const orders = `
openapi: 3.1.0
info: {title: Orders, version: "2"}
paths:
  /orders:
    get: {operationId: listOrders, responses: {"200": {description: orders}}}
`

// What is declared next to what answers, without Caddy: a server of one's own tells
// of each request, and asks what is in no document.
func Example() {
	document, err := spec.Load("orders.yaml", []byte(orders), spec.Options{})
	if err != nil {
		fmt.Println(err)
		return
	}
	cat, err := catalogue.New(catalogue.Config{APIs: []*catalogue.API{{Name: "orders", Owner: "team-checkout", Versions: []*catalogue.Version{{
		Name: "v2", Hosts: []string{"api.example.com"}, Claims: []catalogue.Claim{{Path: "/v2"}}, Documents: []*spec.Document{document},
	}}}}})
	if err != nil {
		fmt.Println(err)
		return
	}
	inv := inventory.New(inventory.Options{})
	recorder := inv.Bind(cat)
	inv.Activate(recorder)

	// In a server: go inv.Run(ctx). Here CatchUp does its work.
	answered := func(path string, status int, length int64) {
		q := catalogue.Query{Host: "api.example.com", Method: "GET", Path: path}
		var m catalogue.Match
		cat.Match(&q, &m)
		o := inventory.Outcome{
			Time: time.Now().UnixNano(), Status: status, Verdict: inventory.Allow, Forwarded: true,
			ContentType: "application/json", BodyLength: length,
		}
		recorder.Observe(&m, "api.example.com", "GET", path, o)
	}
	answered("/v2/orders", 200, 13)
	answered("/v2/debug/1000", 200, 4711)
	answered("/v2/debug/1001", 200, 815)
	answered("/v2/backup.zip", 404, 9)
	inv.CatchUp()

	query, err := inventory.ParseRouteQuery(url.Values{"sort": {"host,path"}})
	if err != nil {
		fmt.Println(err)
		return
	}
	list, err := inv.Routes(query)
	if err != nil {
		fmt.Println(err)
		return
	}
	for _, r := range list.Items {
		fmt.Println(r.Method, r.Path, r.State, r.Evidence, r.Count)
	}
	// Output:
	// GET /v2/backup.zip shadow scan 1
	// GET /v2/debug/{integer} shadow confirmed 2
	// GET /v2/orders active confirmed 1
}

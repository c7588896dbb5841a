package caddytest

import (
	"strings"
	"testing"

	"github.com/apiguard/caddy-api-guard/caddytest/internal/harness"
)

// Caddy's placeholder of a cookie is the first one in whatever letter case, and that of a
// query parameter joins all values: upstream reads one of them, and who changes the others
// must not get a fresh bucket for each request.
func TestAKeyThatCameTwiceBuysNoBucket(t *testing.T) {
	t.Parallel()
	caddy, _ := startFleet(t, "unknown_route enforce", `unknown_route enforce
limit session {
	operations listOrders
	key {client_ip} {cookie.session}
	rate 1/1h
}
limit tenant {
	operations getOrder
	key {client_ip} {query.tenant}
	rate 1/1h
}
limit mixed {
	operations getFile
	key {client_ip} "t-{header.X-Tenant}"
	rate 1/1h
}`)
	list, order, file := get("api.example.com", "/v2/orders"), get("api.example.com", "/v2/orders/7"), get("api.example.com", "/v2/files/a")
	asked := func(query string) harness.Call { return get("api.example.com", "/v2/orders/7?"+query) }
	blanks := strings.Repeat("+", 200) // PHP drops them from names
	for name, do := range protocols(caddy) {
		for what, row := range map[string]struct {
			first, second harness.Call
			same          bool
		}{
			"a cookie in two letter cases":         {list.With("Cookie", "SESSION=1; session=real"), list.With("Cookie", "SESSION=2; session=real"), true},
			"a cookie twice":                       {list.With("Cookie", "session=1; session=real"), list.With("Cookie", "session=real; session=2"), true},
			"a cookie in two lines":                {list.With("Cookie", "session=1").With("Cookie", "session=real"), list.With("Cookie", "session=2").With("Cookie", "session=real"), true},
			"two sessions":                         {list.With("Cookie", "a=1; session=one"), list.With("Cookie", "sessions=1; session=two"), false},
			"no cookie":                            {list, list.With("Cookie", "session="), true},
			"a parameter twice":                    {asked("tenant=a&tenant=1"), asked("tenant=2&tenant=a"), true},
			"a parameter encoded":                  {asked("tenant=1&%74enant=a"), asked("tenant=2&%74enant=a"), true},
			"a parameter in two letter cases":      {asked("tenant=1&Tenant=a"), asked("tenant=2&Tenant=a"), true},
			"a parameter and an element of a list": {asked("tenant=1&tenant[]=a"), asked("tenant=2&tenant[]=a"), true},
			"a parameter after many blanks":        {asked("tenant=1&" + blanks + "tenant=a"), asked("tenant=2&" + blanks + "tenant=a"), true},
			"a parameter before a NUL and more":    {asked("tenant=1&tenant%00" + blanks + "=a"), asked("tenant=2&tenant%00" + blanks + "=a"), true},
			"a parameter and one with more of it":  {asked("tenant=c&" + blanks + "tenants=a"), asked("tenant=d&" + blanks + "tenants=a"), false},
			"a cookie whose name is encoded":       {list.With("Cookie", "session=1; sess%69on=real"), list.With("Cookie", "session=2; sess%69on=real"), true},
			"two tenants":                          {asked("tenant=a&tenants=1"), asked("tenant=b&x=a"), false},
			"no parameter":                         {order, asked("tenant="), true},
			"a field within text":                  {file.With("X-Tenant", "a").With("X-Tenant", "1"), file.With("X-Tenant", "2").With("X-Tenant", "a"), true},
			"a cookie encoded":                     {list.With("Cookie", "session=real"), list.With("Cookie", "session=r%65al"), true},
			"two fields within text":               {file.With("X-Tenant", "a"), file.With("X-Tenant", "b"), false},
		} {
			first, client := as(row.first)
			second := row.second.With("X-Forwarded-For", client)
			if got := do(t, first); got.Status != 200 {
				t.Errorf("%s, %s: the first call: %v", name, what, got)
			}
			want := 200
			if row.same {
				want = 429
			}
			if got := do(t, second); got.Status != want {
				t.Errorf("%s, %s: the second call: %v, want %d", name, what, got, want)
			}
		}
	}
}

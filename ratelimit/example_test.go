package ratelimit_test

import (
	"fmt"
	"net/netip"
	"time"

	"github.com/apiguard/caddy-api-guard/ratelimit"
)

// Two limits at once: five attempts a minute from one address, and never more
// than that for one account, from wherever.
func Example() {
	perClient := &ratelimit.Limit{Name: "per_client", Space: ratelimit.SpaceOf("accounts", "per_client"), Rate: 5, Window: time.Minute}
	perAccount := &ratelimit.Limit{Name: "per_account", Space: ratelimit.SpaceOf("accounts", "per_account"), Rate: 5, Window: time.Minute, Protect: true}
	limits := []*ratelimit.Limit{perClient, perAccount}
	if err := ratelimit.ValidateAll(limits); err != nil {
		fmt.Println(err)
		return
	}
	clock := int64(0) // leave Now out for the real one
	table := ratelimit.NewTable(ratelimit.TableConfig{Slots: 1024, Now: func() int64 { return clock }})

	guess := func(from, account string) {
		client := table.Key(perClient.Space)
		client.Addr(netip.MustParseAddr(from))
		user := table.Key(perAccount.Space)
		user.String(account)
		charges := []ratelimit.Charge{{Limit: perClient, Key: client.Sum()}, {Limit: perAccount, Key: user.Sum()}}
		out := make([]ratelimit.Decision, len(charges))
		if table.Take(charges, out) {
			fmt.Printf("200 RateLimit: %s\n", ratelimit.AppendLimit(nil, limits, out))
			return
		}
		seconds, _ := ratelimit.RetryAfterSeconds(charges, out)
		fmt.Printf("429 Retry-After: %d\n", seconds)
	}
	fmt.Printf("RateLimit-Policy: %s\n", ratelimit.AppendPolicy(nil, limits))
	for i := range 6 {
		guess(fmt.Sprintf("192.0.2.%d", i), "alice")
	}
	guess("192.0.2.1", "bob")
	clock += int64(64 * time.Second)
	guess("192.0.2.9", "alice")
	// Output:
	// RateLimit-Policy: "per_client";q=5;w=60, "per_account";q=5;w=60
	// 200 RateLimit: "per_client";r=4;t=64, "per_account";r=4;t=64
	// 200 RateLimit: "per_client";r=4;t=64, "per_account";r=3;t=64
	// 200 RateLimit: "per_client";r=4;t=64, "per_account";r=2;t=64
	// 200 RateLimit: "per_client";r=4;t=64, "per_account";r=1;t=64
	// 200 RateLimit: "per_client";r=4;t=64, "per_account";r=0;t=64
	// 429 Retry-After: 64
	// 200 RateLimit: "per_client";r=3;t=64, "per_account";r=4;t=64
	// 200 RateLimit: "per_client";r=4;t=64, "per_account";r=4;t=64
}

// A bucket lets a burst through and then an even flow.
func ExampleLimit_bucket() {
	clock := int64(0)
	table := ratelimit.NewTable(ratelimit.TableConfig{Slots: 64, Now: func() int64 { return clock }})
	search := &ratelimit.Limit{Name: "search", Space: ratelimit.SpaceOf("search"), Rate: 2, Window: time.Second, Burst: 3, Algorithm: ratelimit.Bucket}
	key := table.Key(search.Space)
	key.Missing() // everybody together
	out := make([]ratelimit.Decision, 1)
	for range 5 {
		admitted := table.Take([]ratelimit.Charge{{Limit: search, Key: key.Sum()}}, out)
		fmt.Println(admitted, out[0].Remaining, out[0].RetryAfter)
		clock += int64(100 * time.Millisecond)
	}
	// Output:
	// true 2 0s
	// true 1 0s
	// true 0 0s
	// false 0 200ms
	// false 0 100ms
}

// A limit that is being tried out: it says what it would do and refuses nobody.
func ExampleCharge_shadow() {
	table := ratelimit.NewTable(ratelimit.TableConfig{Slots: 64})
	tried := &ratelimit.Limit{Name: "tried", Space: ratelimit.SpaceOf("tried"), Rate: 1, Window: time.Hour}
	key := table.Key(tried.Space)
	key.Addr(netip.MustParseAddr("2001:db8::1"))
	out := make([]ratelimit.Decision, 1)
	for range 2 {
		admitted := table.Take([]ratelimit.Charge{{Limit: tried, Key: key.Sum(), Shadow: true}}, out)
		fmt.Println(admitted, out[0].Admitted)
	}
	fmt.Println(table.PeekShadow(tried, key.Sum()).Used)
	// Output:
	// true true
	// true false
	// 1
}

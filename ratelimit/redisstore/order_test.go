package redisstore

import (
	"fmt"
	"testing"
	"time"

	"github.com/apiguard/caddy-api-guard/ratelimit"
)

// What was held is let go in the order in which it is asked: a client who holds the one
// that there is room for, lets it go and holds it again is not in his own way.
func TestWhoHoldsAgainWhatHeLetGoIsNotInHisOwnWay(t *testing.T) {
	t.Parallel()
	eachServer(t, func(t *testing.T, s *server) {
		n := s.node(t)
		l := limit(t, ratelimit.Limit{Rate: 1, Window: time.Hour})
		var out [1]ratelimit.Decision
		for client := range 50 {
			for hold := range 4 {
				c := []ratelimit.Charge{{Limit: l, Key: keyOf(n, l, fmt.Sprint("client ", client)), Cost: 1, When: ratelimit.Later}}
				if !n.Take(c, out[:]) {
					t.Fatalf("client %d, hold %d: %+v", client, hold+1, out[0])
				}
				n.Settle(&c[0], false)
			}
		}
	})
}

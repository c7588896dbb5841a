package redisstore

import (
	"context"
	"fmt"
	"net"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/redis/go-redis/v9"

	"github.com/apiguard/caddy-api-guard/internal/needs/mini"
	"github.com/apiguard/caddy-api-guard/ratelimit"
)

// broken is a client that panics as long as it says so.
type broken struct{ one, many atomic.Bool }

func (b *broken) DialHook(next redis.DialHook) redis.DialHook {
	return func(ctx context.Context, network, addr string) (net.Conn, error) { return next(ctx, network, addr) }
}

func (b *broken) ProcessHook(next redis.ProcessHook) redis.ProcessHook {
	return func(ctx context.Context, cmd redis.Cmder) error {
		if b.one.Load() {
			panic("broken")
		}
		return next(ctx, cmd)
	}
}

func (b *broken) ProcessPipelineHook(next redis.ProcessPipelineHook) redis.ProcessPipelineHook {
	return func(ctx context.Context, cmds []redis.Cmder) error {
		if b.many.Load() {
			panic("broken")
		}
		return next(ctx, cmds)
	}
}

// What panics while Redis is asked ended the process. It counts as no answer: each limit
// does what it says for that, nobody waits on, and what was admitted meanwhile is told.
func TestAPanicOfWhoAsksRedisIsNoAnswer(t *testing.T) {
	t.Parallel()
	m := mini.Redis(t)
	client := new(broken)
	stacks := make(chan string, 1000)
	node := func() *Store {
		n := makeNode(t, m.Addr(), ratelimit.TableConfig{Slots: 4096, Secret: []byte("the fleet's")})
		n.cfg.Survived = func(panicked any, stack []byte) {
			select {
			case stacks <- fmt.Sprint(panicked, string(stack)):
			default:
			}
		}
		return n
	}
	n := node()
	n.cfg.Client.AddHook(client)
	run(t, n)
	await(t, "Redis", func() bool { return n.up.Load() })
	l := limit(t, ratelimit.Limit{Rate: 10, Window: time.Hour})
	l.OnStoreFailure = ratelimit.FailLocal
	admitted := 0
	ask := func() {
		if take(n, l, "client", 1).Admitted {
			admitted++
		}
	}
	ask()
	for _, where := range []*atomic.Bool{&client.many, &client.one} {
		where.Store(true)
		await(t, "the end of it", func() bool { ask(); return !n.up.Load() })
		if err := n.Health(); err == nil || !strings.Contains(err.Error(), "defect") || !strings.Contains(err.Error(), "broken") {
			t.Errorf("its health is %v", err)
		}
		if s := <-stacks; !strings.HasPrefix(s, "broken") || !strings.Contains(s, "attempt_test.go") {
			t.Errorf("told of %s", s)
		}
		where.Store(false)
		await(t, "Redis", func() bool { return n.up.Load() })
	}
	if admitted != 10 {
		t.Errorf("%d admitted of 10", admitted)
	}
	other := node()
	run(t, other)
	await(t, "Redis", func() bool { return other.up.Load() })
	await(t, "what was admitted to be told", func() bool { return !take(other, l, "client", 1).Admitted })
}

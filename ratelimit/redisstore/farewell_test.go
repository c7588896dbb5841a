package redisstore

import (
	"context"
	"fmt"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/redis/go-redis/v9"

	"github.com/apiguard/caddy-api-guard/ratelimit"
)

// slow is a Redis that takes its time for each batch, and counts what it is told.
type slow struct {
	takes time.Duration
	told  atomic.Int64
	begun chan struct{} // the first batch has
}

func (*slow) DialHook(next redis.DialHook) redis.DialHook { return next }

// ProcessHook answers a sign of life.
func (*slow) ProcessHook(redis.ProcessHook) redis.ProcessHook {
	return func(_ context.Context, cmd redis.Cmder) error {
		cmd.(*redis.Cmd).SetVal(int64(1))
		return nil
	}
}

func (r *slow) ProcessPipelineHook(redis.ProcessPipelineHook) redis.ProcessPipelineHook {
	return func(ctx context.Context, cmds []redis.Cmder) error {
		select {
		case r.begun <- struct{}{}:
		default:
		}
		select {
		case <-time.After(r.takes):
		case <-ctx.Done():
			for _, cmd := range cmds {
				cmd.SetErr(ctx.Err())
			}
			return ctx.Err()
		}
		for _, cmd := range cmds {
			cmd.(*redis.Cmd).SetVal([]any{int64(0), int64(0), int64(0), int64(0), int64(0), int64(0), "0"})
		}
		r.told.Add(int64(len(cmds)))
		return nil
	}
}

// A process that ends just after an outage waits for Redis no longer than it may, however
// much there is to be told, and says what was left.
func TestAProcessThatEndsTellsNoLongerThanItMay(t *testing.T) {
	for owed, want := range map[int]time.Duration{
		1_000:  16 * 15 * time.Millisecond, // all
		20_000: farewell,
	} {
		t.Run(fmt.Sprint(owed), func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				r := &slow{takes: 15 * time.Millisecond, begun: make(chan struct{}, 1)}
				client := redis.NewClient(&redis.Options{Addr: "127.0.0.1:1"})
				defer client.Close()
				client.AddHook(r)
				n := New(Config{Client: client, Prefix: "test:", Table: ratelimit.NewTable(ratelimit.TableConfig{Slots: 64})})
				l := limit(t, ratelimit.Limit{Rate: 10, Window: time.Hour})
				for i := range owed {
					n.owed.note(n, &call{op: opCharge, limit: l, bucket: n.bucket(l, keyOf(n, l, fmt.Sprint(i))), min: 1})
				}
				ctx, end := context.WithCancel(t.Context())
				done := make(chan struct{})
				go func() {
					defer close(done)
					n.Run(ctx)
				}()
				<-r.begun
				began := time.Now()
				end()
				<-done
				if took := time.Since(began); took > want {
					t.Errorf("it took %s to end, and may take %s", took, want)
				}
				if told, left := r.told.Load(), int64(n.Untold()); told+left != int64(owed) || told == 0 || left > 0 && owed < 20_000 || left == 0 && owed >= 20_000 {
					t.Errorf("%d were told and %d not, of %d", told, left, owed)
				}
			})
		})
	}
}

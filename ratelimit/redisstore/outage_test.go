package redisstore

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"sync/atomic"
	"testing"
	"time"

	"github.com/alicebob/miniredis/v2"
	"github.com/redis/go-redis/v9"

	"github.com/apiguard/caddy-api-guard/internal/needs/mini"
	"github.com/apiguard/caddy-api-guard/ratelimit"
)

// away makes Redis fail until the function that it gives is called.
func away(t *testing.T, m *miniredis.Miniredis, n *Store) (back func()) {
	t.Helper()
	l := limit(t, ratelimit.Limit{Rate: 1000, Window: time.Hour})
	l.Space++
	m.SetError("LOADING away")
	await(t, "the end of it", func() bool { take(n, l, "another", 1); return !n.up.Load() })
	return func() {
		m.SetError("")
		await(t, "Redis", func() bool { return n.up.Load() })
	}
}

// late has a node tell Redis of nothing until isTelling is false again.
func (s *Store) late(t *testing.T) {
	t.Helper()
	await(t, "the end of what is being told", func() bool { return s.isTelling.CompareAndSwap(false, true) })
}

// However much was decided meanwhile, each bucket is told once, with the sum.
func TestALongOutageIsToldInOneSum(t *testing.T) {
	t.Parallel()
	for name, l := range map[string]ratelimit.Limit{
		"window": {Rate: 1_000_000, Window: time.Hour},
		"bucket": {Rate: 1_000_000, Window: time.Hour, Algorithm: ratelimit.Bucket},
		"quota":  {Rate: 1_000_000, Algorithm: ratelimit.Quota, Period: ratelimit.Month},
	} {
		t.Run(name, func(t *testing.T) {
			m := still(t)
			n := nodeAt(t, m.Addr())
			n.nodes.Store(3)
			l := limit(t, l)
			back := away(t, m, n)
			for range 20_000 {
				if !take(n, l, "client", 1).Admitted {
					t.Fatal("refused within its share")
				}
			}
			asked := n.Asked()
			back()
			other := nodeAt(t, m.Addr())
			used := 0
			await(t, "what was counted", func() bool {
				used = other.Peek(l, keyOf(other, l, "client")).Used
				return used > 0
			})
			if used != 20_000 {
				t.Errorf("told %d, want 20,000", used)
			}
			if n.Untold() != 0 || n.Asked()-asked > 100 {
				t.Errorf("%d untold, %d questions", n.Untold(), n.Asked()-asked)
			}
		})
	}
}

// What was held is let go when Redis knows what became of it: in between others would
// take its place.
func TestWhatWasHeldIsLetGoAfterItIsTold(t *testing.T) {
	t.Parallel()
	n := newNode(t, "127.0.0.1:1")
	l := limit(t, ratelimit.Limit{Rate: 5, Window: time.Hour})
	for i := range 5 {
		n.Settle(&ratelimit.Charge{Limit: l, Key: keyOf(n, l, fmt.Sprint("client ", i)), When: ratelimit.Later, Ticket: 1}, true)
	}
	var ops []op
	for _, c := range n.owed.take(n) {
		ops = append(ops, c.op)
	}
	if want := slices.Concat(slices.Repeat([]op{opCharge}, 5), slices.Repeat([]op{opRelease}, 5)); !slices.Equal(ops, want) {
		t.Errorf("%v is told, want %v", ops, want)
	}
}

// What a limit has forgotten by the end of an outage is not held against anybody.
func TestOnlyWhatStillCountsIsTold(t *testing.T) {
	t.Parallel()
	m := still(t)
	var now atomic.Int64
	n := makeNode(t, m.Addr(), ratelimit.TableConfig{Slots: 4096, Now: now.Load})
	n.clock, n.wall = now.Load, func() time.Time { return noon.Add(time.Duration(now.Load())) }
	run(t, n)
	await(t, "Redis", func() bool { return n.up.Load() })
	l := limit(t, ratelimit.Limit{Rate: 100, Window: time.Minute})
	back := away(t, m, n)
	for range 50 {
		take(n, l, "client", 1)
	}
	now.Add(int64(10 * time.Minute))
	for range 3 {
		take(n, l, "client", 1)
	}
	back()
	used := 0
	await(t, "what was counted", func() bool {
		used = n.Peek(l, keyOf(n, l, "client")).Used
		return used > 0
	})
	if used != 3 {
		t.Errorf("told %d, want the 3 of the last minute", used)
	}
}

// There is an end to what is remembered, and a count of what is beyond it.
func TestWhatCannotBeRememberedIsCounted(t *testing.T) {
	t.Parallel()
	n := newNode(t, "127.0.0.1:1")
	l := limit(t, ratelimit.Limit{Rate: 10, Window: time.Hour})
	const buckets = maxOwed + 1000
	for i := range buckets {
		take(n, l, fmt.Sprint("client ", i), 2)
	}
	told, tells := 0, make(map[*bucket]bool)
	for _, c := range n.owed.take(n) {
		told += int(c.min)
		tells[c.bucket] = c.min == 2
	}
	if lost := int(n.Untold()); told+lost != 2*buckets || lost < 2000 || lost > buckets/2 {
		t.Errorf("%d to be told and %d lost of %d", told, lost, 2*buckets)
	}
	// Of whom something was lost the node itself has to remember.
	unsure := 0
	for i := range n.shards {
		for _, b := range n.shards[i].m {
			if !tells[b] && !b.unsure || tells[b] && b.untold != 1 {
				t.Fatalf("told of all: %t, unsure: %t, %d untold", tells[b], b.unsure, b.untold)
			}
			if b.unsure {
				unsure++
			}
		}
	}
	if unsure == 0 || unsure == n.known() {
		t.Errorf("it is unsure of %d of %d", unsure, n.known())
	}
}

// late is a Redis that takes so long, by what whoever asks has left: a process that was
// not run meanwhile finds both his deadline and the answer there.
type late struct{ takes atomic.Int64 }

func (*late) DialHook(next redis.DialHook) redis.DialHook { return next }

func (r *late) ProcessHook(next redis.ProcessHook) redis.ProcessHook {
	return func(ctx context.Context, cmd redis.Cmder) error {
		if err := r.wait(ctx); err != nil {
			cmd.SetErr(err)
			return err
		}
		return next(ctx, cmd)
	}
}

func (r *late) ProcessPipelineHook(next redis.ProcessPipelineHook) redis.ProcessPipelineHook {
	return func(ctx context.Context, cmds []redis.Cmder) error {
		if err := r.wait(ctx); err != nil {
			for _, cmd := range cmds {
				cmd.SetErr(err)
			}
			return err
		}
		return next(ctx, cmds)
	}
}

// wait ends with the patience of who has less than it takes.
func (r *late) wait(ctx context.Context) error {
	if deadline, ok := ctx.Deadline(); ok && time.Until(deadline) < time.Duration(r.takes.Load()) {
		<-ctx.Done()
		return ctx.Err()
	}
	return nil
}

// A Redis that answers later than requests wait is no more asked than one that is
// away: nobody waits for it again and again.
func TestASlowRedisIsNotAskedAgainAndAgain(t *testing.T) {
	t.Parallel()
	m := mini.Redis(t)
	n := makeNode(t, m.Addr(), ratelimit.TableConfig{Slots: 4096})
	slowly := new(late)
	n.cfg.Client.AddHook(slowly)
	n.cfg.Patience = 50 * time.Millisecond
	var changes atomic.Int64
	n.cfg.Changed = func(error) { changes.Add(1) }
	run(t, n)
	await(t, "Redis", func() bool { return n.up.Load() })
	slowly.takes.Store(int64(120 * time.Millisecond))
	l := limit(t, ratelimit.Limit{Rate: 1_000_000, Window: time.Hour})
	i := 0
	await(t, "the end of it", func() bool {
		i++
		take(n, l, fmt.Sprint("client ", i), 1)
		return !n.up.Load()
	})
	await(t, "the last change to be told", func() bool { return changes.Load()%2 == 0 })
	before, asked := changes.Load(), n.Asked()
	// Several tries later it is still not asked.
	for deadline := time.Now().Add(2 * time.Second); time.Now().Before(deadline); time.Sleep(5 * time.Millisecond) {
		i++
		if !take(n, l, fmt.Sprint("client ", i), 1).Admitted {
			t.Fatal("refused")
		}
	}
	// But for what was on its way to it then.
	if changes.Load() != before || n.Asked() > asked+flushers || n.Health() == nil {
		t.Errorf("it changed %d times and was asked %d times: %v", changes.Load()-before, n.Asked()-asked, n.Health())
	}
	slowly.takes.Store(0)
	await(t, "Redis", func() bool { return n.up.Load() })
}

// What is under way when a process ends is told all the same.
func TestTheLastAreToldWhenAProcessEnds(t *testing.T) {
	t.Parallel()
	m := still(t)
	other := nodeAt(t, m.Addr())
	l := limit(t, ratelimit.Limit{Rate: 100, Window: time.Hour})
	var key ratelimit.Key
	t.Run("a process", func(t *testing.T) {
		n := nodeAt(t, m.Addr())
		key = keyOf(n, l, "client")
		for range 50 {
			n.Settle(&ratelimit.Charge{Limit: l, Key: key, When: ratelimit.Look}, true)
		}
	})
	if used := other.Peek(l, key).Used; used != 50 {
		t.Errorf("told %d, want 50", used)
	}
}

func TestEndedStoreSaysSo(t *testing.T) {
	t.Parallel()
	m := still(t)
	var n *Store
	t.Run("a process", func(t *testing.T) { n = nodeAt(t, m.Addr()) })
	if err := n.Health(); err == nil || errors.Unwrap(err) != nil {
		t.Errorf("health: %v", err)
	}
}

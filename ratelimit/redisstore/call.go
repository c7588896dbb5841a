package redisstore

import (
	"context"
	_ "embed"
	"errors"
	"fmt"
	"strconv"
	"strings"
	"time"

	"github.com/redis/go-redis/v9"

	"github.com/apiguard/caddy-api-guard/ratelimit"
)

//go:embed take.lua
var takeSource string

var takeScript = redis.NewScript(takeSource)

type op string

const (
	opTake    op = "take"    // min to want
	opHold    op = "hold"    // min, until it is settled
	opCharge  op = "charge"  // min, whether or not it fits
	opRelease op = "release" // a hold
	opReturn  op = "return"  // min of a grant: want says which
	opLook    op = "look"
	opPunish  op = "punish" // begin the penalty if min does not fit
	opForget  op = "forget"
)

const (
	flushers = 2
	batch    = 256
)

// call is one question to Redis.
type call struct {
	op     op
	limit  *ratelimit.Limit
	bucket *bucket
	min    int64
	want   int64
	unhold string
	leads  bool // it asks for a lease: one of a bucket at a time does
	untold int  // how many of the bucket's charges Redis is told of by it, where those are counted

	sent   int64
	number uint64 // of those that were sent, from 1
	answer answer
	err    error
	done   chan struct{} // nil: nobody waits
	tries  int
	ended  bool
}

// answer is what the script says.
type answer struct {
	granted, remaining         int64
	retry, reset, blocked, ttl time.Duration
	micros, seconds            int64 // of Redis's clock
	grant                      int64 // tells a grant from others, for opReturn
	floor                      []string
	inc                        string
	cum                        int64
}

var errBusy = errors.New("more is asked of Redis than it answers")

// ask puts a call into a queue. Those of a bucket have one, so that Redis gets them in the
// order in which they were asked: who holds again what he lets go must not meet himself.
func (s *Store) ask(c *call) bool {
	select {
	case s.queues[uint64(c.bucket.key)>>32%flushers] <- c:
		return true
	default:
		c.err = errBusy
		if c.done != nil {
			close(c.done)
		}
		return false
	}
}

// flush sends what waits in a queue, all of it at once: while one batch is on its way the
// next one gathers.
func (s *Store) flush(ctx context.Context, queue <-chan *call) {
	calls := make([]*call, 0, batch)
	for {
		calls = calls[:0]
		select {
		case <-ctx.Done():
			return
		case c := <-queue:
			calls = append(calls, c)
		}
	more:
		for len(calls) < batch {
			select {
			case c := <-queue:
				calls = append(calls, c)
			default:
				break more
			}
		}
		// Patience ends it; what is under way when the process ends is told.
		s.send(context.WithoutCancel(ctx), calls)
	}
}

// drain sends what the queues have.
func (s *Store) drain(ctx context.Context) {
	for _, queue := range s.queues {
		for len(queue) > 0 {
			var calls []*call
			for len(calls) < batch && len(queue) > 0 {
				calls = append(calls, <-queue)
			}
			s.send(ctx, calls)
		}
	}
}

// send asks and ends the calls, whatever comes of it.
func (s *Store) send(ctx context.Context, calls []*call) {
	for _, c := range calls {
		c.ended = false
	}
	err := s.attempt(func() error {
		s.sendAll(ctx, calls)
		return nil
	})
	for _, c := range calls {
		if err != nil && !c.ended {
			_ = s.attempt(func() error {
				s.end(c, err)
				return nil
			})
		}
	}
}

func (s *Store) sendAll(ctx context.Context, calls []*call) {
	if !s.up.Load() {
		// Whoever waits has begun to while Redis could be asked.
		s.finish(calls, errors.New(*s.why.Load()))
		return
	}
	calls = s.round(ctx, calls, false, false)
	if again := s.round(ctx, calls, true, false); len(again) > 0 {
		s.finish(s.round(ctx, again, true, true), errors.New("it keeps losing what it is told"))
	}
}

// round asks and finishes the calls, but for those to be asked again: with the source
// of the script, or with the floor of what Redis has lost.
func (s *Store) round(ctx context.Context, calls []*call, source, floor bool) (again []*call) {
	if len(calls) == 0 {
		return nil
	}
	ctx, cancel := context.WithTimeout(ctx, s.cfg.Patience)
	defer cancel()
	pipe := s.cfg.Client.Pipeline()
	cmds := make([]*redis.Cmd, len(calls))
	now := s.now()
	for i, c := range calls {
		c.sent, c.number = now, s.asked.Add(1)
		c.tries++
		key, args := []string{s.redisKey(c.bucket)}, s.args(c, c.tries > 1 || floor)
		if source {
			cmds[i] = s.script.Eval(ctx, pipe, key, args...)
		} else {
			cmds[i] = s.script.EvalSha(ctx, pipe, key, args...)
		}
	}
	_, _ = pipe.Exec(ctx) // each command has its own error
	for i, c := range calls {
		result, err := cmds[i].Slice()
		switch {
		case err != nil && redis.HasErrorPrefix(err, "NOSCRIPT"):
			again = append(again, c)
			c.tries-- // its floor was not wanted
		case err != nil:
			s.end(c, err)
		case len(result) == 1:
			again = append(again, c)
		default:
			if err := c.answer.read(result); err != nil {
				s.end(c, err)
				continue
			}
			s.learn(c)
			s.end(c, nil)
		}
	}
	return again
}

// args are the script's, with the floor where Redis has lost something.
func (s *Store) args(c *call, floor bool) []any {
	l, b := c.limit, c.bucket
	b.mu.Lock()
	defer b.mu.Unlock()
	var span int64
	switch l.Algorithm {
	case ratelimit.Window:
		ms := (l.Window + time.Millisecond - 1) / time.Millisecond
		span = (int64(ms)*1000 + 14) / 15
	case ratelimit.Bucket:
		span = l.Window.Microseconds()
	case ratelimit.Quota:
		span = int64(l.Period)
	}
	inc, cum := "", int64(0)
	if b.inc != "" && s.now() < b.floored {
		inc, cum = b.inc, b.cum
	}
	args := []any{
		string(c.op), string(kinds[l.Algorithm]), l.Capacity(), span, l.Rate, c.min, c.want, s.nodes.Load(),
		l.Penalty.Microseconds(), inc, cum, fresh(), c.unhold,
	}
	if floor && inc != "" {
		args = append(args, "floor", "0") // so that one without anything is one too
		for _, text := range b.floor {
			args = append(args, text)
		}
	}
	return args
}

func (a *answer) read(result []any) error {
	if len(result) < 7 || len(result)%2 != 1 {
		return fmt.Errorf("it answers with %d values", len(result))
	}
	var n [6]int64
	for i := range n {
		var ok bool
		if n[i], ok = result[i].(int64); !ok {
			return fmt.Errorf("it answers %T where a number belongs", result[i])
		}
	}
	now, _ := result[6].(string)
	micros, err := strconv.ParseInt(now, 10, 64)
	if err != nil {
		return errors.New("it answers without its time")
	}
	*a = answer{
		granted: n[0], remaining: n[1], retry: time.Duration(n[2]) * time.Microsecond, reset: time.Duration(n[3]) * time.Microsecond,
		blocked: time.Duration(n[4]) * time.Microsecond, ttl: time.Duration(n[5]) * time.Microsecond, micros: micros, seconds: micros / 1e6,
		grant: micros,
	}
	for i := 7; i < len(result); i += 2 {
		name, _ := result[i].(string)
		value, _ := result[i+1].(string)
		switch {
		case name == "i":
			a.inc = value
		case name == "c":
			a.cum, _ = strconv.ParseInt(value, 10, 64)
		case strings.HasPrefix(name, "h"): // held by requests that are told nowhere else
		case name == "p": // before u, which it clears
			a.floor = append([]string{name, value}, a.floor...)
		default:
			a.floor = append(a.floor, name, value)
		}
		if name == "t" || name == "p" {
			a.grant, _ = strconv.ParseInt(value, 10, 64)
		}
	}
	return nil
}

// learn remembers an answer, and that Redis was told.
func (s *Store) learn(c *call) {
	c.bucket.mu.Lock()
	defer c.bucket.mu.Unlock()
	c.bucket.untold -= c.untold
	c.bucket.learn(c, &c.answer, s.now(), s.asked.Load())
}

// end tells whoever waits, and whether Redis can be asked.
func (s *Store) end(c *call, err error) {
	c.err, c.ended = err, true
	defer c.release()
	if err != nil {
		s.fail(err)
		if c.unhold != "" || c.op == opCharge {
			s.owed.note(s, c)
		}
	} else {
		s.failed.Store(0)
	}
}

// release lets go of whoever waits for the call.
func (c *call) release() {
	if c.leads {
		c.bucket.mu.Lock()
		c.bucket.lead = nil
		c.bucket.mu.Unlock()
	}
	if c.done != nil {
		close(c.done)
	}
}

func (s *Store) finish(calls []*call, err error) {
	for _, c := range calls {
		s.end(c, err)
	}
}

package redisstore

import (
	"context"
	"fmt"
	"math/rand/v2"
	"time"

	"github.com/redis/go-redis/v9"
)

const (
	// tolerated is how many calls in a row may fail before Redis is not asked any
	// more.
	tolerated = 3
	// beat is how often a node tells that it is there.
	beat = time.Second
	// Redis is tried again after retry, twice as long each time, and not later than
	// after longestRetry, give or take a quarter of it: a fleet does not come back at
	// one moment. One that was back for less than steady has not been well.
	retry, longestRetry, steady = 250 * time.Millisecond, time.Second, 5 * time.Second
	// tryPatience is how long such a try may take, a connection included.
	tryPatience = 500 * time.Millisecond
	// absent is how many seconds a node is counted that is not heard of.
	absent = 5
	// farewell is how long the end of a process may wait for Redis, or its patience
	// where that is longer.
	farewell = time.Second
)

// beatScript notes that a node is there, and counts those that are.
var beatScript = redis.NewScript(`
local now = tonumber(redis.call('TIME')[1])
redis.call('ZADD', KEYS[1], now, ARGV[1])
redis.call('ZREMRANGEBYSCORE', KEYS[1], '-inf', now - tonumber(ARGV[2]))
redis.call('EXPIRE', KEYS[1], 60)
return redis.call('ZCARD', KEYS[1])`)

// watch tells Redis that this node is there, and finds out whether it can be asked. Until
// last it is told what it was not told yet.
func (s *Store) watch(ctx, last context.Context) {
	pause, raised := retry, time.Time{}
	for ctx.Err() == nil {
		wait := beat
		switch err := s.attempt(func() error { return s.beat(ctx) }); {
		case ctx.Err() != nil:
			return
		case err == nil:
			if !s.up.Load() {
				raised = time.Now()
				s.raise()
			}
			s.tell(last)
		default:
			s.down(err)
			wait, pause = jitter(pause), min(2*pause, longestRetry)
		}
		timer := time.NewTimer(wait)
		select {
		case <-timer.C:
		case <-s.kick:
			timer.Stop()
			if time.Since(raised) > steady {
				pause = retry
			}
			select {
			case <-time.After(jitter(pause)):
			case <-ctx.Done():
			}
			pause = min(2*pause, longestRetry)
		case <-ctx.Done():
			timer.Stop()
		}
	}
}

func jitter(d time.Duration) time.Duration { return d*3/4 + rand.N(d/2) }

// beat is a sign of life. While Redis is not asked it has to answer a second one as
// fast as requests want it to: the first may have had to connect.
func (s *Store) beat(ctx context.Context) error {
	patience := max(tryPatience, s.cfg.Patience)
	if s.up.Load() {
		return s.sign(ctx, patience)
	}
	if err := s.sign(ctx, patience); err != nil {
		return err
	}
	return s.sign(ctx, s.cfg.Patience)
}

func (s *Store) sign(ctx context.Context, patience time.Duration) error {
	ctx, cancel := context.WithTimeout(ctx, patience)
	defer cancel()
	n, err := beatScript.Run(ctx, s.cfg.Client, []string{s.cfg.Prefix + "{nodes}"}, s.node, absent).Int64()
	if err != nil {
		return err
	}
	s.nodes.Store(max(n, 1))
	return nil
}

// fail counts a call that failed, and after some in a row asks no more.
func (s *Store) fail(err error) {
	s.failures.Add(1)
	if s.failed.Add(1) >= tolerated && s.up.Load() {
		s.down(err)
		select {
		case s.kick <- struct{}{}:
		default:
		}
	}
}

func (s *Store) down(err error) {
	why := fmt.Sprintf("Redis cannot be asked: %v", err)
	s.why.Store(&why)
	if s.up.Load() {
		s.failures.Add(1) // before anybody can be told that it is down
	}
	if s.up.CompareAndSwap(true, false) && s.cfg.Changed != nil {
		s.cfg.Changed(err)
	}
}

// raise has Redis asked again.
func (s *Store) raise() {
	s.failed.Store(0)
	if s.up.CompareAndSwap(false, true) && s.cfg.Changed != nil {
		s.cfg.Changed(nil)
	}
}

// tell tells Redis what was counted while it could not be asked: beside the queue, so
// that no request waits behind it.
func (s *Store) tell(ctx context.Context) {
	if !s.isTelling.CompareAndSwap(false, true) {
		return
	}
	owed := s.owed.take(s)
	s.telling.Go(func() {
		defer s.isTelling.Store(false)
		for len(owed) > 0 && ctx.Err() == nil {
			n := min(len(owed), tellBatch)
			s.send(ctx, owed[:n])
			owed = owed[n:]
		}
		s.owed.lose(owed)
	})
}

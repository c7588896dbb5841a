package redisstore

import (
	"context"
	"fmt"
	"time"

	"github.com/redis/go-redis/v9"
)

const (
	// tolerated is how many calls in a row may fail before Redis is not asked any
	// more.
	tolerated = 3
	// beat is how often a node tells that it is there, and retry how often one looks
	// whether Redis can be asked again.
	beat, retry = time.Second, 250 * time.Millisecond
	// absent is how long a node is counted that is not heard of.
	absent = 5
	// maxLate is how much of what was settled meanwhile is remembered.
	maxLate = 4096
)

// beatScript notes that a node is there, and counts those that are.
var beatScript = redis.NewScript(`
local now = tonumber(redis.call('TIME')[1])
redis.call('ZADD', KEYS[1], now, ARGV[1])
redis.call('ZREMRANGEBYSCORE', KEYS[1], '-inf', now - tonumber(ARGV[2]))
redis.call('EXPIRE', KEYS[1], 60)
return redis.call('ZCARD', KEYS[1])`)

// watch tells Redis that this node is there, and finds out whether it can be asked.
func (s *Store) watch(ctx context.Context) {
	for ctx.Err() == nil {
		wait := beat
		if err := s.beat(ctx); err != nil && ctx.Err() == nil {
			s.down(err)
			wait = retry
		} else if err == nil {
			s.raise()
		}
		timer := time.NewTimer(wait)
		select {
		case <-timer.C:
		case <-s.kick:
			timer.Stop()
		case <-ctx.Done():
			timer.Stop()
		}
	}
}

func (s *Store) beat(ctx context.Context) error {
	ctx, cancel := context.WithTimeout(ctx, 500*time.Millisecond)
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

// raise has Redis asked again, first with what was settled meanwhile.
func (s *Store) raise() {
	if s.up.Load() {
		return
	}
	s.failed.Store(0)
	s.mu.Lock()
	late := s.late
	s.late = nil
	s.mu.Unlock()
	if s.up.CompareAndSwap(false, true) && s.cfg.Changed != nil {
		s.cfg.Changed(nil)
	}
	for _, c := range late {
		s.ask(c)
	}
}

// keep remembers what was settled and could not be told.
func (s *Store) keep(c *call) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if len(s.late) < maxLate && c.done == nil {
		c.tries = 0
		s.late = append(s.late, c)
	}
}

package apiguard

import (
	"fmt"
	"sync"
	"time"

	"go.uber.org/zap"
)

// tellSurvivedEvery is how often panics of one kind are logged: one that comes back with
// every request must not fill a disk.
const tellSurvivedEvery = time.Hour

// survived logs the panics that goroutines of no request go on after.
type survived struct {
	logger func() *zap.Logger
	now    func() time.Time

	mu    sync.Mutex
	kinds map[string]*survivedKind // by what was being done
}

type survivedKind struct {
	told  time.Time
	times int // since
}

// while tells of panics while something was being done.
func (s *survived) while(doing string) func(panicked any, stack []byte) {
	return func(panicked any, stack []byte) {
		if times := s.due(doing); times > 0 {
			s.logger().Error("panic while "+doing+": a defect of api_guard, report it with this entry",
				zap.String("panic", fmt.Sprint(panicked)), zap.ByteString("stack", stack), zap.Int("times", times))
		}
	}
}

// due is how many panics of a kind have to be told, 0 as long as they were of late.
func (s *survived) due(doing string) (times int) {
	s.mu.Lock()
	defer s.mu.Unlock()
	k := s.kinds[doing]
	if k == nil {
		k = new(survivedKind)
		s.kinds[doing] = k
	}
	k.times++
	now := s.now()
	if since := now.Sub(k.told); since >= 0 && since < tellSurvivedEvery {
		return 0
	}
	times, k.times, k.told = k.times, 0, now
	return times
}

package redisstore

import (
	"fmt"
	"runtime/debug"
)

// attempt is f, whose panic is an error: what asks Redis must not end the process.
func (s *Store) attempt(f func() error) (err error) {
	defer func() {
		if p := recover(); p != nil {
			err = fmt.Errorf("a defect of api_guard or its client: %v", p)
			if s.cfg.Survived != nil {
				s.cfg.Survived(p, debug.Stack())
			}
		}
	}()
	return f()
}

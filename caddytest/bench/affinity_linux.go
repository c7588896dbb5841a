package main

import (
	"os"
	"runtime"
	"strconv"

	"golang.org/x/sys/unix"
)

// place is where a process is started.
type place func(start func() error) error

// apart keeps this process, and what it starts, on the first half of the processors
// that it may use, until back is called; other starts a process on the other half.
// With one processor there is nothing to part.
//
// A proxy that shares its processors with its load and its upstream pays for being
// moved and woken across them, by chance more in one round than in the next: two bare
// Caddys then differ by a tenth.
func apart() (other place, back func(), err error) {
	var all, first, second unix.CPUSet
	if err := unix.SchedGetaffinity(0, &all); err != nil {
		return nil, nil, err
	}
	n := all.Count()
	if n < 2 {
		return nil, func() {}, nil
	}
	for cpu, seen := 0, 0; seen < n; cpu++ {
		if !all.IsSet(cpu) {
			continue
		}
		if seen < n/2 {
			first.Set(cpu)
		} else {
			second.Set(cpu)
		}
		seen++
	}
	before := runtime.GOMAXPROCS(first.Count())
	if err := keepOn(&first); err != nil {
		return nil, nil, err
	}
	other = func(start func() error) error {
		// A child has the processors of the thread that it was forked from.
		runtime.LockOSThread()
		defer runtime.UnlockOSThread()
		if err := unix.SchedSetaffinity(0, &second); err != nil {
			return err
		}
		defer func() { _ = unix.SchedSetaffinity(0, &first) }()
		return start()
	}
	return other, func() {
		_ = keepOn(&all)
		runtime.GOMAXPROCS(before)
	}, nil
}

// keepOn moves all threads of this process; those to come are where the one is that
// makes them.
func keepOn(set *unix.CPUSet) error {
	threads, err := os.ReadDir("/proc/self/task")
	if err != nil {
		return err
	}
	for _, t := range threads {
		id, err := strconv.Atoi(t.Name())
		if err != nil {
			return err
		}
		if err := unix.SchedSetaffinity(id, set); err != nil && err != unix.ESRCH {
			return err
		}
	}
	return nil
}

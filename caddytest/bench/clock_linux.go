package main

import (
	"time"

	"golang.org/x/sys/unix"
)

// processorTime is what all threads of a process, ended ones included, have used of
// the processors so far, in user and system mode, to the nanosecond
// (clock_getcpuclockid(3); /proc/PID/stat counts in ticks of 10 ms).
func processorTime(pid int) (time.Duration, error) {
	const schedClock = 2
	var t unix.Timespec
	if err := unix.ClockGettime(int32(^pid<<3|schedClock), &t); err != nil {
		return 0, err
	}
	return time.Duration(t.Nano()), nil
}

package main

import (
	"os"
	"strconv"
	"strings"
	"time"
)

// othersSince begins to watch what processes use that are no part of the run, and
// returns how much of the processors they had since then, in per cent.
func (f *fleet) othersSince() func() float64 {
	all, own, began := processorsUsed(), f.used(), time.Now()
	return func() float64 {
		others := processorsUsed() - all - (f.used() - own)
		return 100 * max(others.Seconds(), 0) / (time.Since(began).Seconds() * processors())
	}
}

// used is what the run's own processes have used of the processors.
func (f *fleet) used() time.Duration {
	pids := []int{os.Getpid(), f.upstream.cmd.Process.Pid}
	for _, s := range f.subjects {
		pids = append(pids, s.process.cmd.Process.Pid)
	}
	var sum time.Duration
	for _, pid := range pids {
		used, _ := processorTime(pid)
		sum += used
	}
	return sum
}

// processorsUsed is what all processes have used of all processors, with the
// interrupts that they were charged for and what the hypervisor gave to others; the
// kernel counts it in ticks of 10 ms.
func processorsUsed() time.Duration {
	stat, _ := os.ReadFile("/proc/stat")
	line, _, _ := strings.Cut(string(stat), "\n")
	var ticks int
	for i, field := range strings.Fields(line) {
		switch i {
		case 1, 2, 3, 6, 7, 8: // user, nice, system, irq, softirq, steal: proc(5)
			n, _ := strconv.Atoi(field)
			ticks += n
		}
	}
	return time.Duration(ticks) * 10 * time.Millisecond
}

// processors is how many there are, whichever of them this process may use.
func processors() float64 {
	stat, _ := os.ReadFile("/proc/stat")
	return float64(max(strings.Count(string(stat), "\ncpu"), 1))
}

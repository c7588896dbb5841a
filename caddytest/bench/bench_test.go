package main

import (
	"bytes"
	"context"
	"math"
	"os"
	"strings"
	"testing"
	"time"
)

func TestMain(m *testing.M) {
	if become(os.Getenv(roleVariable)) {
		return
	}
	os.Exit(m.Run())
}

// It is the whole run with a few requests: every subject serves, every load gets
// the answers that it is about (Run fails otherwise), and every row is printed.
func TestASmallRunPrintsTheWholeTable(t *testing.T) {
	ctx, cancel := context.WithTimeout(t.Context(), 20*time.Minute)
	defer cancel()
	var out, progress bytes.Buffer
	if err := Run(ctx, Options{Rounds: 1, Requests: 40, Conns: 2, Memory: "192MiB", Apart: true}, &out, &progress); err != nil {
		t.Fatalf("%v\n%s", err, progress.String())
	}
	nginx := !strings.Contains(progress.String(), errNoNginx.Error())
	if !nginx && os.Getenv("API_GUARD_REQUIRE_TOOLS") != "" {
		t.Error(errNoNginx)
	}
	want := 1
	for _, s := range subjects() {
		if s.nginx == "" || nginx {
			want += len(s.loads)
		}
	}
	if lines := strings.Count(out.String(), "\n"); lines != want {
		t.Errorf("%d lines, want %d:\n%s", lines, want, out.String())
	}
}

func TestTheIntervalOfAMedianIsTheBinomialOne(t *testing.T) {
	for n, rank := range map[int]int{1: 0, 3: 0, 5: 0, 6: 0, 9: 1, 20: 5, 40: 13} {
		sorted := make([]float64, n)
		for i := range sorted {
			sorted[i] = float64(i)
		}
		low, high := interval(sorted)
		if int(low) != rank || int(high) != n-1-rank {
			t.Errorf("of %d: %v to %v, want the values at %d from either end", n, low, high, rank)
		}
	}
}

// The clock of another process must be that of all its threads, and not jump.
func TestTheClockOfAProcessCountsWhatItUses(t *testing.T) {
	before, err := processorTime(os.Getpid())
	if err != nil {
		t.Fatal(err)
	}
	began := time.Now()
	x := 0.0
	for i := 0; time.Since(began) < 20*time.Millisecond; i++ {
		x += math.Sqrt(float64(i))
	}
	after, _ := processorTime(os.Getpid())
	if x == 0 || after <= before {
		t.Errorf("from %v to %v after work", before, after)
	}
}

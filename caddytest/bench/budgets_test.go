package main

import (
	"bytes"
	"context"
	"math"
	"slices"
	"strings"
	"testing"
	"time"
)

// Every budget's benchmark is there and reports what is held against it, but for those
// that load a real API's document, which take long. Nothing is judged: one pass says
// nothing about time.
func TestEveryBudgetIsMeasured(t *testing.T) {
	ctx, cancel := context.WithTimeout(t.Context(), 20*time.Minute)
	defer cancel()
	list := slices.DeleteFunc(slices.Clone(parts), func(b budget) bool { return strings.HasPrefix(b.what, "GitHub") })
	var out, progress bytes.Buffer
	if err := Budgets(ctx, list, "../..", "1x", &out, &progress); err != nil {
		t.Fatalf("%v\n%s", err, progress.String())
	}
	if lines := strings.Count(out.String(), "\n"); lines != len(list)+1 {
		t.Errorf("%d lines, want %d:\n%s", lines, len(list)+1, out.String())
	}
}

func TestBenchmarksAreReadAtTheirLeast(t *testing.T) {
	got := readBenchmarks([]byte("goos: linux\nBenchmarkTake/keys=1-2 \t 3\t 20.5 ns/op\t 7 B/op\nBenchmarkTake/keys=1-2 \t 3\t 10 ns/op\t 8 B/op\nPASS\n"))
	if v := got["Take/keys=1"]; len(got) != 1 || v["ns/op"] != 10 || v["B/op"] != 7 {
		t.Errorf("%v", got)
	}
}

// A whole run of two sizes of each dimension: the proxies serve, and what is fitted
// is a number.
func TestASmallGrowthPrintsEveryDimension(t *testing.T) {
	ctx, cancel := context.WithTimeout(t.Context(), 20*time.Minute)
	defer cancel()
	var out, progress bytes.Buffer
	if err := Grow(ctx, Options{Rounds: 1, Requests: 20, Conns: 2}, &out, &progress); err != nil {
		t.Fatalf("%v\n%s", err, progress.String())
	}
	for _, d := range dimensions() {
		if !strings.Contains(out.String(), "\n"+d.name+" ") {
			t.Errorf("%s is not in\n%s", d.name, out.String())
		}
	}
	if n := strings.Count(out.String(), "exponent"); n != len(dimensions()) || strings.Contains(out.String(), "NaN") {
		t.Errorf("%d exponents in\n%s", n, out.String())
	}
}

func TestTheExponentOfAPowerIsFound(t *testing.T) {
	n := []float64{1, 10, 100, 1000}
	for k := range 3 {
		var cost []float64
		for _, x := range n {
			cost = append(cost, 7*math.Pow(x, float64(k)))
		}
		if got := exponent(n, cost); math.Abs(got-float64(k)) > 1e-9 {
			t.Errorf("of n^%d: %v", k, got)
		}
	}
}

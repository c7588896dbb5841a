package main

import (
	"bufio"
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"maps"
	"os/exec"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"text/tabwriter"
)

// budget is what a part of the guard may cost, and the benchmark that says what it
// does cost. What is compared with something else is measured in the same run of the
// benchmark.
type budget struct {
	what  string
	in    string // the package, from the repository's root
	bench string // of -bench
	// of is the benchmark that is held against most, in unit; less is subtracted
	// from it, over divided by it. All three are full names without "Benchmark".
	of, less, over string
	unit           string
	most           float64
}

// parts are the budgets of the guard's parts. The whole proxy's are in the table of a run without
// -budgets; what memory and time a flood or a stopped Redis may cost is held by tests
// (TestAHundredThousandUnknownPathsAndHostsCostNothingThatLasts,
// TestARedisThatStandsStillHoldsUpNobody).
var parts = []budget{
	{what: "GET hit, added to Caddy's chain", in: "./caddytest", bench: "Chain", of: "Chain/GET/guard", less: "Chain/GET/idle", unit: "ns/op", most: 2000},
	{what: "the same with cold caches", in: "./caddytest", bench: "Chain", of: "ColdChain/guard", less: "ColdChain/idle", unit: "ns/request"},
	{what: "GET hit, allocations added", in: "./caddytest", bench: "Chain", of: "Chain/GET/guard", less: "Chain/GET/idle", unit: "allocs/op", most: 0},
	{what: "1 KB POST, added to Caddy's chain", in: "./caddytest", bench: "Chain", of: "Chain/POST_1_KB/guard", less: "Chain/POST_1_KB/idle", unit: "ns/op", most: 5000},
	{what: "429 against passed, whole chain", in: "./caddytest", bench: "Chain", of: "RefusedChain/429", unit: "of-a-pass", most: 1},
	{what: "400 against passed, whole chain", in: "./caddytest", bench: "Chain", of: "RefusedChain/400", unit: "of-a-pass", most: 1},
	{what: "match, 10 operations", in: "./inventory/catalogue", bench: "Match$", of: "Match/10/all", unit: "ns/op", most: 150},
	{what: "match, allocations", in: "./inventory/catalogue", bench: "Match$", of: "Match/10000/all", unit: "allocs/op", most: 0},
	{what: "match, 10,000 operations against 10", in: "./inventory/catalogue", bench: "Match$", of: "Match/10000/hot", over: "Match/10/hot", unit: "ns/op", most: 1.5},
	{what: "Decide, GET hit", in: "./policy", bench: "Decide$", of: "Decide", unit: "ns/op", most: 1000},
	{what: "Decide, allocations", in: "./policy", bench: "Decide$", of: "Decide", unit: "allocs/op", most: 0},
	{what: "1 KB body", in: "./policy/conformance", bench: "JSONBody", of: "JSONBody/1KB/guard", unit: "ns/op", most: 2500},
	{what: "1 KB body, allocations", in: "./policy/conformance", bench: "JSONBody", of: "JSONBody/1KB/guard", unit: "allocs/op", most: 2},
	{what: "1 KB body, of openapi3filter", in: "./policy/conformance", bench: "JSONBody", of: "JSONBody/1KB/guard", over: "JSONBody/1KB/openapi3filter", unit: "ns/op", most: 1.0 / 6},
	{what: "1 KB body, of json.Valid", in: "./policy/conformance", bench: "JSONBody", of: "JSONBody/1KB/guard", over: "JSONBody/1KB/json.Valid", unit: "ns/op"},
	{what: "100 KB body", in: "./policy/conformance", bench: "JSONBody", of: "JSONBody/100KB/guard", unit: "ns/op", most: 400_000},
	{what: "100 KB body, allocations", in: "./policy/conformance", bench: "JSONBody", of: "JSONBody/100KB/guard", unit: "allocs/op", most: 2},
	{what: "100 KB body, of openapi3filter", in: "./policy/conformance", bench: "JSONBody", of: "JSONBody/100KB/guard", over: "JSONBody/100KB/openapi3filter", unit: "ns/op", most: 1.0 / 6},
	{what: "1 KB body, oneOf and discriminator", in: "./policy/conformance", bench: "JSONBody", of: "JSONBody/oneOf1KB/guard", unit: "ns/op", most: 8000},
	{what: "3 limits, hot key", in: "./ratelimit", bench: "Take/keys=(1|1M)/limits=3", of: "Take/keys=1/limits=3/goroutines=1", unit: "ns/op", most: 150},
	{what: "3 limits, 1M keys", in: "./ratelimit", bench: "Take/keys=(1|1M)/limits=3", of: "Take/keys=1M/limits=3/goroutines=1", unit: "ns/op", most: 400},
	{what: "3 limits, allocations", in: "./ratelimit", bench: "Take/keys=(1|1M)/limits=3", of: "Take/keys=1M/limits=3/goroutines=1", unit: "allocs/op", most: 0},
	{what: "Redis lease, hot key", in: "./ratelimit/redisstore", bench: "HotKey/leased", of: "HotKey/leased", unit: "ns/op", most: 1000},
	{what: "GitHub's document, of LoadFromData", in: "./inventory/spec", bench: "LoadAgainst", of: "LoadAgainstLoadFromData", unit: "of-LoadFromData", most: 1.4},
	{what: "GitHub's document unchanged on reload", in: ".", bench: "ReloadWithGitHubUnchanged/plain", of: "ReloadWithGitHubUnchanged/plain", unit: "ns/op", most: 50e6},
}

// Budgets runs the benchmarks that the budgets name in the repository at root, each
// for such a -benchtime, and prints what was measured beside what may be. It fails for
// none that is missed: on a machine that does other work the times are too long.
func Budgets(ctx context.Context, list []budget, root, benchtime string, out, progress io.Writer) error {
	measured := make(map[string]map[string]float64)
	ran := make(map[string]bool)
	for _, b := range list {
		if ran[b.in+b.bench] {
			continue
		}
		ran[b.in+b.bench] = true
		fmt.Fprintln(progress, "measuring", b.in, b.bench)
		found, err := benchmarks(ctx, root, b, benchtime)
		if err != nil {
			return err
		}
		maps.Copy(measured, found)
	}
	w := tabwriter.NewWriter(out, 0, 0, 2, ' ', 0)
	fmt.Fprintln(w, "what\tbudget\tmeasured\t\t-bench")
	for _, b := range list {
		value, err := b.value(measured)
		if err != nil {
			return err
		}
		most, verdict := "–", ""
		if b.most != 0 || b.unit == "allocs/op" {
			if most, verdict = "≤ "+b.spell(b.most), "held"; value > b.most {
				verdict = "missed"
			}
		}
		fmt.Fprintf(w, "%s\t%s\t%s\t%s\t%s %s\n", b.what, most, b.spell(value), verdict, b.in, b.bench)
	}
	return w.Flush()
}

func (b *budget) value(measured map[string]map[string]float64) (float64, error) {
	var err error
	one := func(name string) float64 {
		v, ok := measured[name][b.unit]
		if !ok {
			err = errors.Join(err, fmt.Errorf("%s: Benchmark%s reports no %s", b.what, name, b.unit))
		}
		return v
	}
	v := one(b.of)
	if b.less != "" {
		v -= one(b.less)
	}
	if b.over != "" {
		v /= one(b.over)
	}
	return v, err
}

func (b *budget) spell(v float64) string {
	switch {
	case b.over != "" || strings.HasPrefix(b.unit, "of-"):
		return fmt.Sprintf("%.2f ×", v)
	case b.unit == "allocs/op":
		return fmt.Sprintf("%.0f", v)
	case v >= 1e6:
		return fmt.Sprintf("%.1f ms", v/1e6)
	case v >= 1e4:
		return fmt.Sprintf("%.0f µs", v/1e3)
	case v >= 1e3:
		return fmt.Sprintf("%.2f µs", v/1e3)
	default:
		return fmt.Sprintf("%.0f ns", v)
	}
}

// benchmarks runs those of one package three times and takes the least of each
// number, which is what the rest of the machine disturbed least.
func benchmarks(ctx context.Context, root string, b budget, benchtime string) (map[string]map[string]float64, error) {
	count := "3"
	if strings.HasSuffix(benchtime, "x") {
		count = "1"
	}
	cmd := exec.CommandContext(ctx, "go", "test", "-run", "^$", "-bench", b.bench, "-benchmem", "-benchtime", benchtime, "-count", count, "-timeout", "30m", b.in)
	cmd.Dir = filepath.FromSlash(root)
	text, err := cmd.CombinedOutput()
	if err != nil {
		return nil, fmt.Errorf("%s: %w\n%s", strings.Join(cmd.Args, " "), err, text)
	}
	return readBenchmarks(text), nil
}

// readBenchmarks reads the lines of benchmarks: a name, the number of runs, and pairs
// of a number and its unit.
func readBenchmarks(text []byte) map[string]map[string]float64 {
	found := make(map[string]map[string]float64)
	for lines := bufio.NewScanner(bytes.NewReader(text)); lines.Scan(); {
		words := strings.Fields(lines.Text())
		if len(words) < 4 || !strings.HasPrefix(words[0], "Benchmark") {
			continue
		}
		name := strings.TrimPrefix(words[0], "Benchmark")
		if i := strings.LastIndexByte(name, '-'); i > 0 { // the number of processors
			if _, err := strconv.Atoi(name[i+1:]); err == nil {
				name = name[:i]
			}
		}
		if found[name] == nil {
			found[name] = make(map[string]float64)
		}
		for pair := range slices.Chunk(words[2:], 2) {
			if v, err := strconv.ParseFloat(pair[0], 64); err == nil && len(pair) == 2 {
				if before, again := found[name][pair[1]]; !again || v < before {
					found[name][pair[1]] = v
				}
			}
		}
	}
	return found
}

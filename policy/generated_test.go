package policy_test

import (
	"flag"
	"maps"
	"net/http"
	"net/netip"
	"os"
	"path/filepath"
	"slices"
	"testing"
	"time"

	"github.com/apiguard/caddy-api-guard/inventory/catalogue"
	"github.com/apiguard/caddy-api-guard/inventory/spec"
	"github.com/apiguard/caddy-api-guard/policy"
	"github.com/apiguard/caddy-api-guard/policy/conformance"
	"github.com/apiguard/caddy-api-guard/policy/internal/generate"
	"github.com/apiguard/caddy-api-guard/policy/target"
	"github.com/apiguard/caddy-api-guard/ratelimit"
)

var (
	generated = flag.Int("generated", 3000, "how many valid requests and how many mutants to generate from the real documents; 100000 is the full measure")
	seed      = flag.Uint64("seed", 1, "what the generated requests begin with")
)

// described is a real document under a policy with everything enforced.
type described struct {
	name       string
	policy     *policy.Policy
	operations []*catalogue.Route
	whole      bool // nothing of it may be unchecked
}

func describedBy(t *testing.T, name, host string, whole bool) described {
	t.Helper()
	folder := os.Getenv("API_GUARD_SHARED")
	if folder == "" {
		folder = filepath.Join("..", "..", "shared")
	}
	file := filepath.Join(folder, "specs", name)
	if _, err := os.Stat(file); os.IsNotExist(err) && os.Getenv("API_GUARD_REQUIRE_SHARED") == "" {
		t.Skipf("%s is not beside the repository; set API_GUARD_SHARED to its folder", name)
	}
	document, err := spec.LoadFile(file, spec.Options{})
	if err != nil {
		t.Fatal(err)
	}
	rules := policy.DefaultRules()
	rules.SetAll(policy.Enforce)
	version := &catalogue.Version{Name: "v", Documents: []*spec.Document{document}}
	if host != "" {
		version.Hosts = []string{host}
	}
	p, err := policy.New(policy.Config{
		Rules: rules,
		APIs: []policy.API{{
			Declared: &catalogue.API{Name: "api", Versions: []*catalogue.Version{version}},
			Rules:    rules, Versions: []policy.Version{{Rules: rules}},
		}},
		Table: ratelimit.NewTable(ratelimit.TableConfig{Slots: 64}),
	})
	if err != nil {
		t.Fatal(err)
	}
	return described{name, p, p.Catalogue().Routes, whole}
}

// realDocuments are those of ../shared/specs.
func realDocuments(t *testing.T) []described {
	return []described{
		describedBy(t, "box/v2024.0.json", "", true),
		describedBy(t, "box/v2025.0.json", "", true),
		describedBy(t, "box/v2026.0.json", "", true),
		describedBy(t, "vampi/openapi3.yml", "vampi.test", true),
		describedBy(t, "github/api.github.com.json", "", false),
	}
}

// judge is what becomes of a request, as the handler asks.
func (d *described) judge(r *generate.Request, at generate.Spelling, v *policy.Verdict) *policy.Request {
	in := target.Input{Method: r.Method, Raw: at.Target, Host: at.Host}
	q := &policy.Request{
		Now: time.Unix(1_800_000_000, 0), Method: r.Method, Header: r.Header, Client: netip.MustParseAddr("192.0.2.1"),
		HasBody: func() bool { return len(r.Body) > 0 },
		Trusted: func() bool { return false },
	}
	if q.Target, q.Problem = target.Canonical(in); q.Problem == "" {
		q.Problem = target.HeaderProblem(r.Header, nil)
	}
	d.policy.Catalogue().Match(&catalogue.Query{
		Host: q.Target.Host, Method: r.Method, Path: q.Target.Path, RawQuery: q.Target.RawQuery, Header: http.Header{},
	}, &q.Match)
	d.policy.Decide(q, v)
	if v.Outcome != policy.Refuse && v.Body.Action == conformance.Judge {
		v.JudgeBody(r.Body)
	}
	return q
}

// next is a valid request to one of the document's operations, each in its turn.
func (d *described) next(g *generate.Generator, i int) (*generate.Request, *catalogue.Route) {
	route := d.operations[i%len(d.operations)]
	host := route.Hosts[(i/len(d.operations))%len(route.Hosts)].Name
	base := route.Path[:len(route.Path)-len(templatePath(route.Operation.Template))]
	return g.Valid(route.Operation, host, base), route
}

func templatePath(template string) string {
	for i := range template {
		if template[i] == '#' {
			return template[:i]
		}
	}
	return template
}

// share is how many of the generated requests the document gets.
func share(documents int) int { return (*generated + documents - 1) / documents }

func TestValidRequestsOfRealDocumentsPassInEverySpelling(t *testing.T) {
	documents := realDocuments(t)
	for _, d := range documents {
		t.Run(d.name, func(t *testing.T) {
			t.Parallel()
			g := generate.New(*seed)
			unchecked, reached := map[string]int{}, map[*catalogue.Route]bool{}
			count, spellings, bad := max(share(len(documents)), len(d.operations)), 0, 0
			for i := range count {
				r, route := d.next(g, i)
				for j, at := range generate.Spellings(r.Target(), r.Host) {
					var v policy.Verdict
					q := d.judge(r, at, &v)
					spellings++
					if v.Outcome != policy.Allow || q.Match.Route == nil {
						if bad++; bad <= 10 {
							t.Errorf("%s, %s: %s %s %s\n%.600s\n%v %s %s %v", route.Operation.ID, at.Name, r.Method, at.Host, at.Target, r.Body, v.Outcome, v.Rule, v.Reason, v.Errors)
						}
						break
					}
					reached[q.Match.Route] = true
					if v.Unchecked != "" && j == 0 {
						unchecked[v.Unchecked]++
						if d.whole {
							t.Errorf("%s: %s %s\n%.600s\nunchecked: %s", route.Operation.ID, r.Method, at.Target, r.Body, v.Unchecked)
						}
					}
				}
			}
			sum := 0
			for _, reason := range slices.Sorted(maps.Keys(unchecked)) {
				sum += unchecked[reason]
			}
			t.Logf("%d valid requests in %d spellings, %d refused; unchecked: %d (%.2f %%) %v", count, spellings, bad, sum, 100*float64(sum)/float64(count), unchecked)
			if d.whole && sum > 0 || sum*100 >= count {
				t.Errorf("%d of %d were not checked: %v", sum, count, unchecked)
			}
			if len(reached) != len(d.operations) {
				t.Errorf("%d of %d operations were matched", len(reached), len(d.operations))
			}
		})
	}
}

func TestRequestsWithOneFaultAreRefused(t *testing.T) {
	documents := realDocuments(t)
	for _, d := range documents {
		t.Run(d.name, func(t *testing.T) {
			t.Parallel()
			g := generate.New(*seed)
			mutants, bad, none := 0, 0, 0
			for i := 0; mutants < share(len(documents)) && i < 20*share(len(documents)); i++ {
				r, route := d.next(g, i)
				if len(route.Alternatives) > 0 {
					continue // what one of them refuses another may allow
				}
				fault := g.Fault(r)
				if fault == "" {
					none++
					continue
				}
				mutants++
				var v policy.Verdict
				at := generate.Spelling{Target: r.Target(), Host: r.Host}
				if d.judge(r, at, &v); v.Outcome != policy.Refuse {
					if bad++; bad <= 10 {
						t.Errorf("%s with %s: %s %s %s\n%.600s\n%v, unchecked %q", route.Operation.ID, fault, r.Method, at.Host, at.Target, r.Body, v.Outcome, v.Unchecked)
					}
				}
			}
			t.Logf("%d mutants, %d not refused", mutants, bad)
			if mutants == 0 {
				t.Errorf("no mutants; %d without a place for a fault", none)
			}
		})
	}
}

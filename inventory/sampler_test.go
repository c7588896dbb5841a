package inventory

import (
	"bytes"
	"compress/gzip"
	"compress/zlib"
	"context"
	"fmt"
	"net/http"
	"slices"
	"strings"
	"testing"

	"github.com/apiguard/caddy-api-guard/internal/allocs"
	"github.com/apiguard/caddy-api-guard/inventory/catalogue"
	"github.com/klauspost/compress/zstd"
)

// drawn counts how many of n requests, one each step, are looked at.
func drawn(s *scene, m *catalogue.Match, n int, step int64, path func(int) string) int {
	count := 0
	t := s.clock.now().UnixNano()
	for i := range n {
		if p := s.rec.Draw(m, "api.example.com", "GET", path(i), t+int64(i)*step); p != nil {
			count++
			p.Discard()
		}
	}
	return count
}

func sampling(t testing.TB) (*scene, *catalogue.Match) {
	s := newScene(t, Options{}, orders())
	s.OnSample(func(*Sample) {})
	r := s.cat.Routes[3]
	return s, &catalogue.Match{Outcome: catalogue.Found, Host: r.Hosts[0], API: r.API, Version: r.Version, Route: r}
}

// wantUnsampled wants every answer whose entries come of samples to say how many are
// missing, and the others to say nothing of it.
func wantUnsampled(t *testing.T, s *scene, n uint64) {
	t.Helper()
	health := s.Health()
	findings, err := s.Findings(FindingQuery{})
	if err != nil {
		t.Fatal(err)
	}
	flows, err := s.Flows(FlowQuery{})
	if err != nil {
		t.Fatal(err)
	}
	if health.Unsampled != n || gap(health.Gaps, GapSamples) != n || gap(findings.Gaps, GapSamples) != n || gap(flows.Gaps, GapSamples) != n {
		t.Errorf("health says %d and %+v, findings %+v, flows %+v; want %d", health.Unsampled, health.Gaps, findings.Gaps, flows.Gaps, n)
	}
	if findings.Complete != (n == 0) || flows.Complete != (n == 0) {
		t.Errorf("complete: findings %v, flows %v", findings.Complete, flows.Complete)
	}
	hosts, err := s.Hosts(HostQuery{})
	if err != nil || !hosts.Complete {
		t.Errorf("hosts lack nothing, and say %+v, %v", hosts.Gaps, err)
	}
}

func TestARequestBeforeRunIsLookedAtWhenItBegins(t *testing.T) {
	s, m := sampling(t)
	looked := 0
	s.OnSample(func(*Sample) { looked++ })
	for range 3 {
		p := s.rec.Draw(m, "api.example.com", "GET", "/v2/orders", s.clock.now().UnixNano())
		if p == nil {
			t.Fatal("no sample before Run")
		}
		p.TakeRequest(http.Header{}, "")
		p.TakeAnswer(http.Header{})
		o := answered(200)
		p.Submit(&o)
	}
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	s.Run(ctx)
	if looked != 3 {
		t.Errorf("%d of 3 were looked at", looked)
	}
	wantUnsampled(t, s, 0)
}

func same(path string) func(int) string { return func(int) string { return path } }

func TestSamplesKeepToTheirBudget(t *testing.T) {
	const minute = int64(60e9)
	t.Run("one percent of a steady operation", func(t *testing.T) {
		s, m := sampling(t)
		n := drawn(s, m, 50_000, minute/100, same("/v2/orders"))
		if n < 400 || n > 610 {
			t.Errorf("%d of 50,000 requests were looked at, want about 510", n)
		}
	})
	t.Run("ten a minute of a busy one", func(t *testing.T) {
		s, m := sampling(t)
		if n := drawn(s, m, 100_000, 10*minute/100_000, same("/v2/orders")); n < 95 || n > 110 {
			t.Errorf("%d were looked at in ten minutes, want ten a minute", n)
		}
	})
	t.Run("each of the first ten", func(t *testing.T) {
		s, m := sampling(t)
		if n := drawn(s, m, 10, 1, same("/v2/orders")); n != 10 {
			t.Errorf("%d of the first ten", n)
		}
	})
	t.Run("none when switched off", func(t *testing.T) {
		s, m := sampling(t)
		s.Sample(Sampling{Share: 1})
		if n := drawn(s, m, 100, 1, same("/v2/orders")); n != 0 {
			t.Errorf("%d", n)
		}
	})
	t.Run("all when told so", func(t *testing.T) {
		s, m := sampling(t)
		s.Sample(Sampling{Share: 1, PerMinute: 1000})
		if n := drawn(s, m, 500, 1, same("/v2/orders")); n != 500 {
			t.Errorf("%d of 500", n)
		}
	})
	t.Run("a scan does not buy more than twenty a second", func(t *testing.T) {
		s, _ := sampling(t)
		m := &catalogue.Match{Outcome: catalogue.NoRoute, Host: s.cat.Hosts[1]}
		if n := drawn(s, m, 10_000, 1000, func(i int) string { return "/" + word(i) }); n > strayPerSecond {
			t.Errorf("%d samples in 10 ms", n)
		}
	})
	t.Run("no more at once than fit", func(t *testing.T) {
		s, m := sampling(t)
		s.Sample(Sampling{Share: 1, PerMinute: 1000})
		for range 200 {
			s.rec.Draw(m, "api.example.com", "GET", "/v2/orders", s.clock.now().UnixNano())
		}
		if got := s.sampler.taken.Load(); got != maxSamples || s.Unsampled() != 200-maxSamples {
			t.Errorf("%d at once, %d dropped", got, s.Unsampled())
		}
		wantUnsampled(t, s, 200-maxSamples)
	})
}

func TestWhatIsNotThereIsNoSampleAndCostsNothing(t *testing.T) {
	s, _ := sampling(t)
	seen := 0
	s.OnSample(func(*Sample) { seen++ })
	m := &catalogue.Match{Outcome: catalogue.NoRoute, Host: s.cat.Hosts[1]}
	for range 500 {
		p := s.rec.Draw(m, "api.example.com", "GET", "/nothing", s.clock.now().UnixNano())
		if p != nil {
			o := answered(404)
			p.Submit(&o)
		}
		s.clock.advance(1e8)
	}
	s.drain()
	p := s.rec.Draw(m, "api.example.com", "GET", "/nothing", s.clock.now().UnixNano())
	if seen != 0 || p == nil {
		t.Errorf("%d samples; the budget is spent: %v", seen, p == nil)
	}
}

func TestASampleReachesItsConsumersWithItsEntry(t *testing.T) {
	s, m := sampling(t)
	var got []string
	s.OnSample(func(p *Sample) {
		if strings.Contains(string(p.Request.Body), "panic") {
			panic("in a consumer")
		}
		got = append(got, fmt.Sprint(p.entry.key.path, " ", p.Status, " ", p.Request.MediaType, " ", string(p.Request.Body), " ", p.Request.Whole,
			" ", string(p.Answer.Body), " ", p.Answer.Whole, " ", p.Cookies, " ", p.Anonymous()))
	})
	feed := func(m *catalogue.Match, path, body, answer string) {
		o := s.at(answered(200))
		o.Caller = &Caller{Header: http.Header{}, Answer: http.Header{}}
		s.rec.Observe(m, "api.example.com", "GET", path, o)
		p := s.rec.Draw(m, "api.example.com", "GET", path, o.Time)
		p.TakeRequest(http.Header{"Content-Type": {"application/JSON; charset=utf-8"}, "Cookie": {"b=1; a=2"}}, "x=1")
		p.Request.Add([]byte(body))
		p.TakeAnswer(http.Header{})
		p.Answer.Add([]byte(answer))
		p.Submit(&o)
	}
	feed(m, "/v2/orders", "one", "two")
	feed(&catalogue.Match{Outcome: catalogue.NoRoute, Host: s.cat.Hosts[1], API: m.API, Version: m.Version, Base: "/v2"}, "/v2/admin/77", "panic", "")
	feed(&catalogue.Match{Outcome: catalogue.NoRoute, Host: s.cat.Hosts[1], API: m.API, Version: m.Version, Base: "/v2"}, "/v2/admin/78", "", strings.Repeat("x", SampleBody+1))
	s.drain()
	want := []string{
		"/v2/orders 200 application/json one true two true [a b] true",
		"/v2/admin/{integer} 200 application/json  true " + strings.Repeat("x", SampleBody) + " false [a b] true",
	}
	if fmt.Sprint(got) != fmt.Sprint(want) {
		t.Errorf("got %.300q", got)
	}
	if n := s.sampler.taken.Load(); n != 0 {
		t.Errorf("%d samples are still held", n)
	}
	if s.gaps.internal != 1 {
		t.Error("the panic is no gap")
	}
}

func TestSampledBodiesAreDecoded(t *testing.T) {
	text := []byte(strings.Repeat(`{"a":1}`, 100))
	bomb := make([]byte, 10<<20)
	pack := func(coding string, text []byte) []byte {
		var b bytes.Buffer
		switch coding {
		case "gzip":
			w := gzip.NewWriter(&b)
			_, _ = w.Write(text)
			_ = w.Close()
		case "deflate":
			w := zlib.NewWriter(&b)
			_, _ = w.Write(text)
			_ = w.Close()
		case "zstd":
			w, _ := zstd.NewWriter(&b)
			_, _ = w.Write(text)
			_ = w.Close()
		default:
			b.Write(text)
		}
		return b.Bytes()
	}
	for _, coding := range []string{"", "identity", "gzip", "deflate", "zstd"} {
		m := Message{Coding: coding, Body: pack(coding, text), Whole: true}
		if m.decode(); !bytes.Equal(m.Body, text) || !m.Whole {
			t.Errorf("%s: %.40q, whole %v", coding, m.Body, m.Whole)
		}
	}
	for _, coding := range []string{"gzip", "deflate", "zstd"} {
		m := Message{Coding: coding, Body: pack(coding, bomb), Whole: true}
		if m.decode(); len(m.Body) != SampleBody || m.Whole {
			t.Errorf("a bomb in %s: %d bytes, whole %v", coding, len(m.Body), m.Whole)
		}
		m = Message{Coding: coding, Body: []byte("no such thing"), Whole: true}
		if m.decode(); len(m.Body) != 0 || m.Whole {
			t.Errorf("no %s: %q", coding, m.Body)
		}
	}
	m := Message{Coding: "br", Body: text, Whole: true}
	if m.decode(); len(m.Body) != 0 || m.Whole {
		t.Errorf("br: %q", m.Body)
	}
}

func TestChoosingASampleAllocatesNothing(t *testing.T) {
	s, m := sampling(t)
	drawn(s, m, 100, 1, same("/v2/orders"))
	stray := &catalogue.Match{Outcome: catalogue.NoRoute, Host: s.cat.Hosts[1]}
	drawn(s, stray, 100, 1, same("/x/77/y"))
	at := s.clock.now().UnixNano()
	if n := allocs.PerRun(1000, func() {
		if p := s.rec.Draw(m, "api.example.com", "GET", "/v2/orders", at); p != nil {
			p.Discard()
		}
		if p := s.rec.Draw(stray, "api.example.com", "GET", "/x/77/y", at); p != nil {
			p.Discard()
		}
	}); n != 0 {
		t.Errorf("%v allocations", n)
	}
}

func BenchmarkDraw(b *testing.B) {
	s, m := sampling(b)
	b.ReportAllocs()
	for b.Loop() {
		if p := s.rec.Draw(m, "api.example.com", "GET", "/v2/orders", 1); p != nil {
			p.Discard()
		}
	}
}

// However many requests hold a sample and do not end, the next ones are looked at: after
// a while the oldest make room, and what still comes of them goes nowhere.
func TestRequestsThatDoNotEndLeaveSamplesForOthers(t *testing.T) {
	s, m := sampling(t)
	s.Sample(Sampling{Share: 1, PerMinute: 1000})
	var looked []string
	s.OnSample(func(p *Sample) { looked = append(looked, string(p.Answer.Body)) })
	draw := func() *Sample {
		return s.rec.Draw(m, "api.example.com", "GET", "/v2/orders", s.clock.now().UnixNano())
	}
	end := func(p *Sample, body string) {
		p.TakeRequest(http.Header{}, "")
		p.Answer.Add([]byte(body))
		p.TakeAnswer(http.Header{})
		o := answered(200)
		p.Submit(&o)
	}
	var slow []*Sample
	for range maxSamples {
		slow = append(slow, draw())
		slow[len(slow)-1].Answer.Add([]byte("slow "))
	}
	s.clock.advance(unhurried - 1)
	if draw() != nil {
		t.Error("one that is not late made room")
	}
	s.clock.advance(1)
	for range 3 {
		end(draw(), "quick")
		s.drain()
	}
	for i, p := range slow {
		if i%2 == 0 {
			end(p, "end")
		} else {
			p.Discard()
		}
	}
	s.drain()
	// One draw took the place of the oldest, and the others its own again.
	want := append([]string{"quick", "quick", "quick"}, slices.Repeat([]string{"slow end"}, maxSamples/2-1)...)
	if !slices.Equal(looked, want) {
		t.Errorf("%d were looked at, want %d: %q", len(looked), len(want), looked)
	}
	if n := s.sampler.taken.Load(); n != 0 || len(s.sampler.underway) != 0 {
		t.Errorf("%d are taken, %d under way", n, len(s.sampler.underway))
	}
	wantUnsampled(t, s, 2) // the one that found no room, and the oldest

	// Those that wait for their consumers keep their places.
	for range maxSamples {
		end(draw(), "waits")
	}
	if draw() != nil {
		t.Error("one more than there are")
	}
}

func TestABodyThatIsLongerThanASampleIsNotWhole(t *testing.T) {
	s, m := sampling(t)
	for size, whole := range map[int]bool{SampleBody: true, SampleBody + 1: false} {
		p := s.rec.Draw(m, "api.example.com", "GET", "/v2/orders", s.clock.now().UnixNano())
		if got := p.Answer.Add(make([]byte, size)); got != whole {
			t.Errorf("%d bytes: %v", size, got)
		}
		if p.TakeAnswer(http.Header{}); p.Answer.Whole != whole {
			t.Errorf("%d bytes, whole: %v", size, p.Answer.Whole)
		}
		p.Discard()
	}
}

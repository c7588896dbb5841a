package inventory

import (
	"net/http"
	"net/netip"
	"net/url"
	"testing"

	"github.com/apiguard/caddy-api-guard/inventory/catalogue"
)

func BenchmarkHit(b *testing.B) {
	s := newScene(b, Options{}, orders())
	r := s.cat.Routes[3]
	m := catalogue.Match{Outcome: catalogue.Found, Host: r.Hosts[1], Route: r}
	o := s.at(answered(200))
	b.Run("serial", func(b *testing.B) {
		b.ReportAllocs()
		for b.Loop() {
			o.Time += 1000
			s.rec.Hit(&m, o)
		}
	})
	b.Run("parallel", func(b *testing.B) {
		b.ReportAllocs()
		b.RunParallel(func(pb *testing.PB) {
			for o := o; pb.Next(); {
				o.Time += 1000
				s.rec.Hit(&m, o)
			}
		})
	})
}

func BenchmarkObserve(b *testing.B) {
	s := newScene(b, Options{}, orders())
	m := catalogue.Match{Outcome: catalogue.NoRoute, Host: s.cat.Hosts[1], API: s.cat.APIs[0], Version: s.cat.APIs[0].Versions[1], Base: "/v2"}
	o := s.at(answered(404))
	b.Run("request", func(b *testing.B) {
		b.ReportAllocs()
		for b.Loop() {
			s.rec.Observe(&m, "api.example.com", "GET", "/v2/some/path/17", o)
			if len(s.queue) == cap(s.queue) {
				b.StopTimer()
				s.drain()
				b.StartTimer()
			}
		}
	})
	b.Run("recorded", func(b *testing.B) {
		b.ReportAllocs()
		for b.Loop() {
			s.rec.Observe(&m, "api.example.com", "GET", "/v2/some/path/17", o)
			s.drain()
		}
	})
	b.Run("full queue", func(b *testing.B) {
		for len(s.queue) < cap(s.queue) {
			s.rec.Observe(&m, "api.example.com", "GET", "/v2/some/path/17", o)
		}
		b.ReportAllocs()
		for b.Loop() {
			s.rec.Observe(&m, "api.example.com", "GET", "/v2/some/path/17", o)
		}
	})
}

// BenchmarkRoutes10000 filters, sorts and pages 10,000 entries: at most 20 ms each.
func BenchmarkRoutes10000(b *testing.B) {
	s := newScene(b, Options{}, orders())
	for i := range 9_989 {
		o := answered(200)
		o.BodyLength = int64(i)
		s.miss(catalogue.NoRoute, "v2", "api.example.com", "GET", "/v2/"+word(i), o)
	}
	for _, query := range []string{
		"", "limit=1000", "sort=-last_seen", "sort=-count", "sort=path&limit=1000",
		"state=shadow&reason=answered-2xx&sort=-first_seen", "state=shadow&state=retired&evidence=confirmed&evidence=probable&sort=-last_seen&limit=1000",
		"api=orders&version=v2&host=api.example.com&method=GET&path=/v2/&lifecycle=active&since=2026-11-01&sort=-count",
		"path=/v2/pa&path=/v2/pb&sort=path", "reason=undocumented&sort=-count&limit=1000", "state=active", "method=PATCH",
	} {
		v, err := url.ParseQuery(query)
		if err != nil {
			b.Fatal(err)
		}
		q, err := ParseRouteQuery(v)
		if err != nil {
			b.Fatal(err)
		}
		for _, page := range []string{"first", "middle"} {
			if page == "middle" {
				list, err := s.Routes(q)
				for n := 0; err == nil && list.Next != "" && n < 3; n++ {
					q.Cursor = list.Next
					list, err = s.Routes(q)
				}
				if err != nil || q.Cursor == "" {
					continue
				}
			}
			b.Run(page+"?"+query, func(b *testing.B) {
				for b.Loop() {
					if _, err := s.Routes(q); err != nil {
						b.Fatal(err)
					}
				}
			})
		}
	}
}

// BenchmarkConsumers100000 looks for those that a rule refused.
func BenchmarkConsumers100000(b *testing.B) {
	s := newScene(b, Options{}, orders())
	addr := netip.MustParseAddr("10.0.0.0")
	for i := range 100_000 {
		addr = addr.Next()
		o := answered(200)
		if i%2 == 0 {
			o = refused(429, "limit", "quota-exceeded")
		}
		o.Caller = &Caller{Addr: addr}
		s.hit("api.example.com", "GET", "/v2/orders", o)
		if i%arrivalQueue == 0 {
			s.settle()
		}
	}
	s.settle()
	for name, q := range map[string]ConsumerQuery{"all": {}, "by rule": {Rule: []string{"limit"}}, "by rule, none": {Rule: []string{"request"}}} {
		b.Run(name, func(b *testing.B) {
			for b.Loop() {
				if _, err := s.Consumers(q); err != nil {
					b.Fatal(err)
				}
			}
		})
	}
	b.Run("of a route", func(b *testing.B) {
		id := s.list(RouteQuery{Path: []string{"/v2/orders"}, Host: []string{"api.example.com"}, Method: []string{"GET"}}).Items[0].ID
		for b.Loop() {
			if detail, _ := s.Detail(id); len(detail.Refusals) != maxRefusals {
				b.Fatal(len(detail.Refusals))
			}
		}
	})
}

// BenchmarkHitOfAKnownCaller is Hit with what it costs to know the caller: an
// address of its own or a user, a bearer token, an origin.
func BenchmarkHitOfAKnownCaller(b *testing.B) {
	s := newScene(b, Options{}, orders())
	r := s.cat.Routes[3]
	m := catalogue.Match{Outcome: catalogue.Found, Host: r.Hosts[1], Route: r}
	for name, c := range map[string]*Caller{
		"nobody":  nil,
		"network": {Addr: netip.MustParseAddr("2001:db8::1"), Header: http.Header{"Authorization": {"Bearer x"}, "Accept": {"*/*"}}, Answer: http.Header{"Content-Type": {"application/json"}}},
		"user":    {User: "u-1234", Header: http.Header{"Authorization": {"Bearer x"}, "Origin": {"https://a.test"}}, Answer: http.Header{"Access-Control-Allow-Origin": {"*"}}},
	} {
		b.Run(name, func(b *testing.B) {
			o := s.at(answered(200))
			o.Caller = c
			s.rec.Hit(&m, o)
			s.settle()
			b.ReportAllocs()
			for b.Loop() {
				o.Time += 1000
				s.rec.Hit(&m, o)
			}
		})
	}
}

package inventory

import (
	"net/http"
	"net/netip"
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

func BenchmarkRoutes10000(b *testing.B) {
	s := newScene(b, Options{}, orders())
	for i := range 9_989 {
		o := answered(200)
		o.BodyLength = int64(i)
		s.miss(catalogue.NoRoute, "v2", "api.example.com", "GET", "/v2/"+word(i), o)
	}
	for _, q := range []RouteQuery{{}, {Limit: 1000}, {Sort: "-last_seen"}, {Sort: "-count"}, {State: []State{StateShadow}, Reason: []string{ReasonAnswered}, Sort: "-first_seen"}} {
		name := q.order()
		if len(q.Reason) > 0 {
			name += ",filtered"
		}
		if q.Limit > 0 {
			name += ",1000"
		}
		b.Run(name, func(b *testing.B) {
			for b.Loop() {
				if _, err := s.Routes(q); err != nil {
					b.Fatal(err)
				}
			}
		})
	}
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

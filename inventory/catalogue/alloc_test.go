package catalogue

import (
	"sync"
	"testing"
)

func TestMatchAllocatesNothing(t *testing.T) {
	c := benchCatalogue(t, synthetic(300), "GET /resource7/{id}", "GET /resource9")
	sel := compile(t, selected())
	for _, tt := range []struct {
		name  string
		c     *Catalogue
		query Query
		want  Outcome
	}{
		{"a hit", c, Query{Host: "api.example.com", Method: "GET", Path: "/v2/resource5/1/items/2"}, Found},
		{"a bound hit", c, Query{Host: "api.example.com", Method: "HEAD", Path: "/v2/resource7/1"}, Found},
		{"a miss", c, Query{Host: "api.example.com", Method: "GET", Path: "/v2/resource5/1/other/2"}, NoRoute},
		{"a near miss", c, Query{Host: "api.example.com", Method: "GET", Path: "/V2/Resource5/1/ITEMS/2/"}, NearMiss},
		{"another method", c, Query{Host: "api.example.com", Method: "PUT", Path: "/v2/resource7/1"}, NoMethod},
		{"no document", c, Query{Host: "legacy.example.com", Method: "GET", Path: "/v1/resource7/1"}, NoDocument},
		{"outside every claim", c, Query{Host: "api.example.com", Method: "GET", Path: "/resource7/1"}, Unclaimed},
		{"an unknown host", c, Query{Host: "x", Method: "GET", Path: "/"}, UnknownHost},
		{"a selector", sel, Query{Host: "h", Method: "GET", Path: "/x", Header: map[string][]string{"X-Version": {" 2 "}}}, Found},
		{"two selectors", sel, Query{Host: "h", Method: "GET", Path: "/x", Header: map[string][]string{"X-Version": {"2", "1"}}}, Ambiguous},
	} {
		var m Match
		if tt.c.Match(&tt.query, &m); m.Outcome != tt.want {
			t.Errorf("%s: %s", tt.name, got(m))
		}
		if n := testing.AllocsPerRun(100, func() { tt.c.Match(&tt.query, &m) }); n != 0 {
			t.Errorf("%s allocates %v times", tt.name, n)
		}
	}
}

func TestMatchIsSafeForConcurrentUse(t *testing.T) {
	c := benchCatalogue(t, synthetic(300), "GET /resource7/{id}")
	var wg sync.WaitGroup
	for range 4 {
		wg.Go(func() {
			for range 500 {
				var m Match
				c.Match(&Query{Host: "api.example.com", Method: "GET", Path: "/v2/resource7/1"}, &m)
				if m.Bound != 1 {
					t.Error("a binding was lost")
				}
			}
		})
	}
	wg.Wait()
}

func TestMatchOverwritesWhatAnEarlierRequestLeft(t *testing.T) {
	c := benchCatalogue(t, synthetic(30), "GET /resource7/{id}")
	var m Match
	c.Match(&Query{Host: "api.example.com", Method: "GET", Path: "/v2/resource7/1"}, &m)
	c.Match(&Query{Host: "x"}, &m)
	if m != (Match{}) {
		t.Errorf("left over: %+v", m)
	}
}

// Hostile paths make the walk no longer than the path and the templates allow.
func TestLongPathsAreWalkedInBoundedSteps(t *testing.T) {
	c := one(t, "GET /{a+}/x", "GET /{a}/{b}/{c}/{d}/{e}/y", "GET /{p}.{q}/x/{r}")
	path := make([]byte, 0, 8192)
	for len(path) < 8190 {
		path = append(path, "/x"...)
	}
	m := ask(c, "GET h"+string(path)+"y")
	if m.Outcome != NoRoute {
		t.Error(got(m))
	}
}

package target

import (
	"net/http"
	"testing"
)

func TestHeadersThatChangeTheRequestOnItsWay(t *testing.T) {
	tests := []struct {
		name       string
		connection []string
		problem    Problem
	}{
		{"no Connection field", nil, ""},
		{"an empty one", []string{""}, ""},
		{"close", []string{"close"}, ""},
		{"options in any letter case", []string{"Keep-Alive, UPGRADE, Te"}, ""},
		{"what an upgrade to h2c names", []string{"Upgrade, HTTP2-Settings"}, ""},
		{"hop-by-hop fields over several lines", []string{"keep-alive", "Proxy-Connection", "transfer-encoding"}, ""},
		{"empty elements and white space", []string{" ,\tclose\t, ,"}, ""},

		{"a credential", []string{"Authorization"}, ConnectionHeader},
		{"a client address", []string{"close, X-Forwarded-For"}, ConnectionHeader},
		{"a body's type, in lower case", []string{"content-type"}, ConnectionHeader},
		{"on the second line", []string{"close", "X-Api-Version"}, ConnectionHeader},
		{"behind an empty element", []string{",,cookie"}, ConnectionHeader},
		{"a name with a space in it", []string{"keep alive"}, ConnectionHeader},
		{"a quoted option", []string{`"close"`}, ConnectionHeader},
		{"an option that folds to a known one by Unicode only", []string{"clo\u017fe"}, ConnectionHeader},
		{"white space that is not HTTP's", []string{"close\u00a0"}, ConnectionHeader},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			h := http.Header{"Accept": {"*/*"}}
			if tt.connection != nil {
				h["Connection"] = tt.connection
			}
			if problem := HeaderProblem(h, nil); problem != tt.problem {
				t.Errorf("problem %q, want %q", problem, tt.problem)
			}
			if n := testing.AllocsPerRun(10, func() { HeaderProblem(h, nil) }); n != 0 {
				t.Errorf("%v allocations", n)
			}
		})
	}
}

func TestAnnouncedTrailers(t *testing.T) {
	tests := []struct {
		name              string
		header, announced http.Header
		problem           Problem
	}{
		{"none", http.Header{}, nil, ""},
		{"an empty announcement of net/http", http.Header{}, http.Header{}, ""},
		{"moved out of the header by net/http", http.Header{}, http.Header{"X-Sum": nil}, TrailerAnnounced},
		{"left in the header of a request that is not chunked", http.Header{"Trailer": {"X-Sum"}}, nil, TrailerAnnounced},
		{"a client that only accepts them", http.Header{"Te": {"trailers"}}, nil, ""},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			if problem := HeaderProblem(tt.header, tt.announced); problem != tt.problem {
				t.Errorf("problem %q, want %q", problem, tt.problem)
			}
		})
	}
}

func TestStandardMethodsAreExact(t *testing.T) {
	for m, want := range map[string]bool{
		"GET": true, "HEAD": true, "POST": true, "PUT": true, "DELETE": true,
		"PATCH": true, "OPTIONS": true, "CONNECT": true, "TRACE": true,
		"get": false, "Get": false, "GET ": false, "": false, "FOO": false, "PRI": false,
		"QUERY": false, "PROPFIND": false,
	} {
		if got := StandardMethod(m); got != want {
			t.Errorf("StandardMethod(%q) = %v", m, got)
		}
	}
}

func TestExpectationsAndLengthsThatCanBeReadInTwoWays(t *testing.T) {
	for _, tt := range []struct {
		name    string
		header  http.Header
		problem Problem
	}{
		{"to continue", http.Header{"Expect": {"100-continue"}}, ""},
		{"to continue, in other letters", http.Header{"Expect": {"100-Continue"}}, ""},
		{"a word before it", http.Header{"Expect": {"y 100-continue"}}, UnknownExpectation},
		{"a list", http.Header{"Expect": {"100-continue, x"}}, UnknownExpectation},
		{"two lines", http.Header{"Expect": {"100-continue", "100-continue"}}, UnknownExpectation},
		{"nothing", http.Header{"Expect": {""}}, UnknownExpectation},
		{"one length", http.Header{"Content-Length": {"5"}}, ""},
		{"two lengths", http.Header{"Content-Length": {"5", "31"}}, RepeatedLength},
	} {
		if problem := HeaderProblem(tt.header, nil); problem != tt.problem {
			t.Errorf("%s: problem %q, want %q", tt.name, problem, tt.problem)
		}
	}
}

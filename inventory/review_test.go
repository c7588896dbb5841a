package inventory

import (
	"errors"
	"strings"
	"testing"

	"github.com/apiguard/caddy-api-guard/inventory/catalogue"
)

func TestAReviewedShadowIsNoFindingUntilItIsOpenAgain(t *testing.T) {
	for _, state := range []string{ReviewAccepted, ReviewIgnored} {
		s := newScene(t, Options{}, api("a", tidy()))
		s.miss(catalogue.NoRoute, "v1", "h.test", "GET", "/v1/y", answered(200))
		s.miss(catalogue.NoRoute, "v1", "h.test", "GET", "/v1/z", answered(200))
		id := s.one("/v1/y").ID
		e, err := s.Review(id, Review{state, "CHG-1: for the partner"})
		if err != nil || e.Review != state || e.ReviewNote != "CHG-1: for the partner" || e.Reviewed.IsZero() {
			t.Fatalf("%+v, %v", e, err)
		}
		if got := s.wrong(); len(got) != 1 || got[0] != "shadow-answers v1 h.test /v1/z" {
			t.Errorf("%s: open are %v", state, got)
		}
		s.load(api("a", tidy()))
		if e := s.one("/v1/y"); e.Review != state || e.State != StateShadow {
			t.Errorf("after a reload: %+v", e)
		}
		if e, err = s.Review(id, Review{ReviewOpen, ""}); err != nil || e.Review != ReviewOpen || !e.Reviewed.IsZero() {
			t.Errorf("%+v, %v", e, err)
		}
		if got := s.wrong(); len(got) != 2 {
			t.Errorf("open again are %v", got)
		}
	}
}

func TestAReviewThatCannotBe(t *testing.T) {
	s := newScene(t, Options{}, api("a", tidy()))
	id := s.one("/v1/x").ID
	for name, c := range map[string]struct {
		id     string
		review Review
		says   string
	}{
		"no state":          {id, Review{"", ""}, "write accepted, ignored or open"},
		"an unknown state":  {id, Review{"rejected", ""}, "write accepted, ignored or open"},
		"a long note":       {id, Review{ReviewAccepted, strings.Repeat("x", MaxNote+1)}, "at most 1000"},
		"a line end":        {id, Review{ReviewAccepted, "a\nb"}, "one line"},
		"a mark of bidi":    {id, Review{ReviewAccepted, "a\u202eb"}, "one line"},
		"an escape":         {id, Review{ReviewAccepted, "a\x1b[31m"}, "one line"},
		"invalid UTF-8":     {id, Review{ReviewAccepted, "a\xff"}, "one line"},
		"no such route":     {"aaaaaaaaaaaaaaaa", Review{ReviewAccepted, ""}, "no route"},
		"what is no id":     {"x", Review{ReviewAccepted, ""}, "no route"},
		"an empty route id": {"", Review{ReviewAccepted, ""}, "no route"},
	} {
		if _, err := s.Review(c.id, c.review); err == nil || !strings.Contains(err.Error(), c.says) {
			t.Errorf("%s: %v", name, err)
		}
	}
	if _, err := s.Review(id, Review{ReviewAccepted, strings.Repeat("ü", MaxNote/2)}); err != nil {
		t.Errorf("the longest note: %v", err)
	}
}

func TestReviewsAreBoundedAndTakenBack(t *testing.T) {
	s := newScene(t, Options{}, api("a", tidy()))
	id := s.one("/v1/x").ID
	for i := range maxReviews {
		s.reviews[routeID{byte(i), byte(i >> 8), 1}] = new(review)
	}
	if _, err := s.Review(id, Review{ReviewAccepted, ""}); !errors.Is(err, ErrManyReviews) {
		t.Errorf("one more: %v", err)
	}
	delete(s.reviews, routeID{0, 0, 1})
	if _, err := s.Review(id, Review{ReviewAccepted, ""}); err != nil {
		t.Errorf("after one was taken back: %v", err)
	}
	if _, err := s.Review(id, Review{ReviewIgnored, ""}); err != nil {
		t.Errorf("another review of the same: %v", err)
	}
}

func TestAReviewedRouteIsNotPushedOut(t *testing.T) {
	s := newScene(t, Options{MaxRoutes: 3}, api("a", tidy()))
	for _, path := range []string{"/v1/first", "/v1/second", "/v1/third"} {
		s.miss(catalogue.NoRoute, "v1", "h.test", "GET", path, answered(401))
		s.clock.advance(1)
	}
	if _, err := s.Review(s.one("/v1/first").ID, Review{ReviewIgnored, ""}); err != nil {
		t.Fatal(err)
	}
	s.miss(catalogue.NoRoute, "v1", "h.test", "GET", "/v1/confirmed", answered(200))
	s.one("/v1/first")
	s.one("/v1/confirmed")
	if n := len(s.list(RouteQuery{Path: []string{"/v1/second"}}).Items); n != 0 {
		t.Error("the oldest that nobody reviewed is still there")
	}
}

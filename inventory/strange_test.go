package inventory

import (
	"strings"
	"testing"

	"github.com/apiguard/caddy-api-guard/internal/allocs"
)

// One answer among many thousands is no sample, and is told all the same.
func TestAnUndeclaredStatusIsSeenInEveryAnswer(t *testing.T) {
	s, m := driftScene(t)
	o := s.at(answered(200))
	for i := range 5000 {
		o.Status = 200
		if i == 3217 {
			o.Status = 503
		}
		s.rec.Hit(m, o)
	}
	found := s.openFindings("document-drift")
	if len(found) != 1 || !strings.Contains(found[0].Evidence, "status 503. It was seen once, the latest at ") {
		t.Fatalf("%+v", found)
	}
	o.Status = 507
	refused := refused(507, "limit", "quota-exceeded")
	s.rec.Hit(m, refused)
	if found := s.openFindings("document-drift"); strings.Contains(found[0].Evidence, "507") {
		t.Errorf("what the guard answers is no drift: %s", found[0].Evidence)
	}
	for i := range 40 {
		o.Status = 500 + i
		s.rec.Hit(m, o)
	}
	if found := s.openFindings("document-drift"); len(found) != 1 {
		t.Errorf("%d findings", len(found))
	}
	if n := allocs.PerRun(1000, func() { o.Status = 503; s.rec.Hit(m, o) }); n != 0 && !underRace {
		t.Errorf("%v allocations", n)
	}
}

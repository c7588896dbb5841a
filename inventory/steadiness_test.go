package inventory

import (
	"testing"
	"time"
)

// The clock of the wall may be set, by a day or a year, and set right again: only time
// that has passed lets what was seen be forgotten.
func TestNothingIsForgottenByAClockThatWasSetAhead(t *testing.T) {
	const day = 24 * time.Hour
	type look struct {
		passed, set time.Duration // since the look before: on both clocks, and on the wall's besides
		forgets     bool
	}
	for name, looks := range map[string][]look{
		"a clock that is right": {{0, 0, true}, {10 * time.Minute, 0, true}, {100 * day, 0, true}},
		"one that drifts":       {{0, 0, true}, {10 * time.Minute, time.Minute, true}, {10 * time.Minute, -time.Minute, true}},
		"a year ahead, and right again within the hour": {
			{0, 0, true}, {10 * time.Minute, 365 * day, false}, {10 * time.Minute, 0, false}, {10 * time.Minute, -365 * day, true}, {time.Hour, 0, true},
		},
		"a day ahead, for good": {{0, 0, true}, {time.Hour, day, false}, {23 * time.Hour, 0, false}, {time.Hour, 0, true}, {time.Hour, 0, true}},
		"ahead twice":           {{0, 0, true}, {time.Hour, day, false}, {23 * time.Hour, day, false}, {23 * time.Hour, 0, false}, {time.Hour, 0, true}},
		"a day back":            {{0, 0, true}, {time.Hour, -day, true}, {time.Hour, 0, true}},
		"back, and right again": {{0, 0, true}, {time.Hour, -day, true}, {time.Hour, day, false}, {day, 0, true}},
	} {
		t.Run(name, func(t *testing.T) {
			var s steadiness
			wall, steady := time.Date(2026, 11, 26, 12, 0, 0, 0, time.UTC), time.Duration(0)
			for i, l := range looks {
				wall, steady = wall.Add(l.passed+l.set), steady+l.passed
				if got := s.trusts(wall, steady); got != l.forgets {
					t.Errorf("look %d: forgets %v", i+1, got)
				}
			}
		})
	}
}

package inventory

import (
	"testing"

	"pgregory.net/rapid"
)

// The days of a counter are what a list of every request would say, however late
// and however seldom it is looked at.
func TestDaysAddUpToTheRequestsOfEachDay(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		const first = int32(20_000)
		d, count, naive := days{day: first}, uint64(0), map[int32]uint64{}
		today := first
		for range rapid.IntRange(1, 40).Draw(t, "steps") {
			// Requests come while the counter is looked at: a day that nobody
			// looks at has none, since what looks is what runs.
			n := rapid.Uint64Range(0, 5).Draw(t, "requests")
			count += n
			naive[today] += n
			if rapid.Bool().Draw(t, "saved") {
				saved := d.save()
				d = days{}
				d.load(saved)
			}
			check(t, d, count, today, naive)
			today += int32(rapid.IntRange(0, 40).Draw(t, "days"))
			for range rapid.IntRange(1, 2).Draw(t, "looks") { // a second one changes nothing
				d.roll(count, today)
			}
			check(t, d, count, today, naive)
		}
	})
}

func check(t *rapid.T, d days, count uint64, today int32, naive map[int32]uint64) {
	for i, n := range d.window(count, today) {
		day := today - (planWindow - 1) + int32(i)
		if n != naive[day] {
			t.Fatalf("%d days ago: %d, want %d", today-day, n, naive[day])
		}
	}
}

func TestACounterOfUnknownDaysTellsNothingOfThePast(t *testing.T) {
	var d days
	if w := d.window(1000, 20_000); sum(w[:]) != 0 {
		t.Errorf("%v", w)
	}
	d.roll(1000, 20_000)
	if w := d.window(1003, 20_000); sum(w[:]) != 3 || w[planWindow-1] != 3 {
		t.Errorf("%v", w)
	}
}

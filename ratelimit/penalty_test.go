package ratelimit

import (
	"testing"
	"time"
)

func TestAPenaltyBeginsWithTheFirstRefusalAndIsNotProlonged(t *testing.T) {
	for _, alg := range []Algorithm{Window, Bucket} {
		for _, protect := range []bool{false, true} {
			m := new(manual)
			table := tiny(m)
			l := valid(t, Limit{Rate: 2, Window: time.Second, Algorithm: alg, Protect: protect, Penalty: time.Minute})
			ask(table, l, "client", 1)
			if d := ask(table, l, "client", 1); !d.Admitted {
				t.Fatalf("%s: within the limit: %+v", alg, d)
			}
			d := ask(table, l, "client", 1)
			if d.Admitted || d.RetryAfter != time.Minute || d.Remaining != 0 {
				t.Fatalf("%s: the first refusal: %+v", alg, d)
			}
			for range 59 {
				m.sleep(time.Second)
				if d = ask(table, l, "client", 1); d.Admitted {
					t.Fatalf("%s: admitted during the penalty", alg)
				}
			}
			if d.RetryAfter != time.Second || table.Peek(l, keyOf(table, l, "client")).Blocked != time.Second {
				t.Errorf("%s: retrying prolonged it: %+v", alg, d)
			}
			if other := ask(table, l, "other", 1); !other.Admitted {
				t.Errorf("%s: another client is punished", alg)
			}
			m.sleep(time.Second)
			if d = ask(table, l, "client", 1); !d.Admitted || d.Remaining != 1 {
				t.Errorf("%s: after the penalty: %+v", alg, d)
			}
		}
	}
}

// The twin: without a penalty the limit's own wait is all.
func TestWithoutAPenaltyARefusalLeavesNothing(t *testing.T) {
	m := new(manual)
	table := tiny(m)
	l := valid(t, Limit{Rate: 1, Window: time.Second, Algorithm: Bucket})
	ask(table, l, "client", 1)
	ask(table, l, "client", 1)
	m.sleep(time.Second)
	if d := ask(table, l, "client", 1); !d.Admitted {
		t.Errorf("%+v", d)
	}
}

func TestRetryAfterOfAPenaltyAdmitsWhenWaitedOut(t *testing.T) {
	m := new(manual)
	table := tiny(m)
	l := valid(t, Limit{Rate: 1, Window: time.Hour, Penalty: time.Second})
	ask(table, l, "client", 1)
	d := ask(table, l, "client", 1)
	m.sleep(d.RetryAfter - 1)
	if early := ask(table, l, "client", 1); early.Admitted || early.RetryAfter > time.Second {
		t.Errorf("a nanosecond early: %+v", early)
	}
	m.sleep(time.Second)
	if late := ask(table, l, "client", 1); !late.Admitted {
		t.Errorf("waited out: %+v", late)
	}
}

func TestAFloodDoesNotClearAPenalty(t *testing.T) {
	m := new(manual)
	table := tiny(m)
	l := valid(t, Limit{Rate: 5, Window: time.Hour, Penalty: 2 * time.Hour})
	for range 6 {
		ask(table, l, "client", 1)
	}
	for i := range 10_000 {
		var out [1]Decision
		table.Take([]Charge{{Limit: l, Key: Key(uint64(i+1) * 0x9e3779b97f4a7c15)}}, out[:])
	}
	if d := ask(table, l, "client", 1); d.Admitted {
		t.Error("10,000 other clients cleared it")
	}
}

func TestForgettingEndsAPenalty(t *testing.T) {
	table := tiny(new(manual))
	l := valid(t, Limit{Rate: 1, Window: time.Hour, Penalty: time.Hour})
	ask(table, l, "client", 1)
	ask(table, l, "client", 1)
	if !table.Forget(l, keyOf(table, l, "client")) {
		t.Error("there was nothing to forget")
	}
	if d := ask(table, l, "client", 1); !d.Admitted {
		t.Errorf("%+v", d)
	}
}

func TestAMonitoredPenaltyBlocksItsShadowOnly(t *testing.T) {
	m := new(manual)
	table := tiny(m)
	l := valid(t, Limit{Rate: 1, Window: time.Second, Penalty: time.Hour})
	shadow := Charge{Limit: l, Key: keyOf(table, l, "client"), Shadow: true}
	var out [1]Decision
	for range 2 {
		if !table.Take([]Charge{shadow}, out[:]) {
			t.Fatal("a shadow refuses")
		}
	}
	m.sleep(time.Minute)
	if table.Take([]Charge{shadow}, out[:]); out[0].Admitted {
		t.Error("the shadow is not blocked")
	}
	if d := ask(table, l, "client", 1); !d.Admitted {
		t.Error("the shadow's penalty refuses the client")
	}
}

func TestACostThatNeverFitsIsNotPunished(t *testing.T) {
	table := tiny(new(manual))
	l := valid(t, Limit{Rate: 1, Window: time.Hour, Penalty: time.Hour})
	if d := ask(table, l, "client", 2); d.Admitted || d.RetryAfter != Never {
		t.Errorf("%+v", d)
	}
	if d := ask(table, l, "client", 1); !d.Admitted {
		t.Errorf("%+v", d)
	}
}

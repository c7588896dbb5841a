package apiguard

import (
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"go.uber.org/zap"
	"go.uber.org/zap/zaptest/observer"
)

func monitorRequest() Override {
	return Override{Rule: "request", Mode: "monitor", Reason: "CHG-1"}
}

func TestAnOverrideEndsByItself(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		core, logs := observer.New(zap.InfoLevel)
		o := newOverrides(func() *zap.Logger { return zap.New(core) })
		added, err := o.add(monitorRequest(), 15*time.Minute)
		if err != nil || added.ID == "" || added.Until.Sub(added.Since.Time) != 15*time.Minute {
			t.Fatalf("%+v, %v", added, err)
		}
		time.Sleep(15*time.Minute - 1)
		if len(o.inForce()) != 1 || len(o.list()) != 1 {
			t.Error("it ended too early")
		}
		time.Sleep(time.Nanosecond)
		synctest.Wait()
		if len(o.inForce()) != 0 || len(o.list()) != 0 {
			t.Error("it did not end")
		}
		if o.end(added.ID, "again") {
			t.Error("it ended twice")
		}
		if logs.FilterMessage("a rule is overridden").FilterField(zap.String("reason", "CHG-1")).Len() != 1 || logs.FilterMessage("an override ended").Len() != 1 {
			t.Errorf("the log says %v", logs.All())
		}
	})
}

func TestWhatIsNoOverrideIsRefused(t *testing.T) {
	for name, c := range map[string]struct {
		change func(*Override)
		ttl    time.Duration
		says   string
	}{
		"an unknown rule":             {func(o *Override) { o.Rule = "everything" }, time.Minute, "everything"},
		"an unknown mode":             {func(o *Override) { o.Mode = "loose" }, time.Minute, "loose"},
		"no reason":                   {func(o *Override) { o.Reason = " " }, time.Minute, "reason"},
		"a novel for a reason":        {func(o *Override) { o.Reason = strings.Repeat("x", 501) }, time.Minute, "500"},
		"no time":                     {func(*Override) {}, 0, "15m"},
		"a week":                      {func(*Override) {}, 7 * 24 * time.Hour, "configuration"},
		"a version of no API":         {func(o *Override) { o.Version = "v1" }, time.Minute, "api"},
		"a limit with another rule":   {func(o *Override) { o.Limit = "x" }, time.Minute, "limit"},
		"an unknown host of some API": {func(o *Override) { o.Rule, o.API = "unknown_host", "orders" }, time.Minute, "unknown_host"},
	} {
		o, entry := newOverrides(zap.NewNop), monitorRequest()
		c.change(&entry)
		if _, err := o.add(entry, c.ttl); err == nil || !strings.Contains(err.Error(), c.says) || len(o.inForce()) > 0 {
			t.Errorf("%s: %v", name, err)
		}
	}
	o := newOverrides(zap.NewNop)
	defer o.close()
	for range maxOverrides {
		if _, err := o.add(monitorRequest(), time.Hour); err != nil {
			t.Fatal(err)
		}
	}
	if _, err := o.add(monitorRequest(), time.Hour); err != errManyOverrides {
		t.Errorf("one more than there is room for: %v", err)
	}
}

func TestOverridesComeAndGoWhileRequestsReadThem(t *testing.T) {
	o := newOverrides(zap.NewNop)
	defer o.close()
	var wg sync.WaitGroup
	for range 2 {
		wg.Go(func() {
			for range 200 {
				added, err := o.add(monitorRequest(), time.Hour)
				if err != nil {
					t.Error(err)
				}
				for _, rule := range o.inForce() {
					if rule.Until.IsZero() {
						t.Error("an override without an end")
					}
				}
				if !o.end(added.ID, "done") {
					t.Error("it was not there")
				}
			}
		})
	}
	wg.Wait()
	if len(o.inForce()) > 0 {
		t.Error("one stayed")
	}
}

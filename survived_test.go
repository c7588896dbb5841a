package apiguard

import (
	"errors"
	"strings"
	"testing"
	"time"

	"go.uber.org/zap"
	"go.uber.org/zap/zapcore"
	"go.uber.org/zap/zaptest/observer"

	"github.com/apiguard/caddy-api-guard/inventory"
)

func TestAPanicThatComesBackIsLoggedOnceInAWhile(t *testing.T) {
	core, logs := observer.New(zap.ErrorLevel)
	now := time.Unix(0, 0)
	s := &survived{logger: func() *zap.Logger { return zap.New(core) }, now: func() time.Time { return now }, kinds: make(map[string]*survivedKind)}
	one, other := s.while("doing one thing"), s.while("doing another")
	for _, step := range []struct {
		later time.Duration
		want  int64 // times that are told, 0 for no line
	}{{0, 1}, {time.Second, 0}, {time.Hour - 2*time.Second, 0}, {time.Second, 3}, {time.Minute, 0}, {-24 * time.Hour, 2}} {
		now = now.Add(step.later)
		one(errors.New("odd"), []byte("where it was"))
		entries := logs.TakeAll()
		if len(entries) > 1 || len(entries) == 0 && step.want > 0 {
			t.Fatalf("after %s: %v", step.later, entries)
		}
		if len(entries) == 0 {
			continue
		}
		f := entries[0].ContextMap()
		if f["times"] != step.want || f["panic"] != "odd" || f["stack"] != "where it was" || !strings.Contains(entries[0].Message, "while doing one thing: a defect of api_guard, report it") {
			t.Errorf("after %s: %s %v, want %d", step.later, entries[0].Message, f, step.want)
		}
	}
	other("x", nil)
	if logs.Len() != 1 {
		t.Error("another kind waits for the first")
	}
}

func TestAPanicInTheInventoryIsLoggedWithItsStack(t *testing.T) {
	app := mustProvision(t, smallApp(t))
	app.Inventory = &Inventory{File: inventoryMemory, Sample: "100% 1000"}
	core, logs := observer.New(zap.ErrorLevel)
	logged := make(chan struct{}, 9)
	app.logger = zap.New(core).WithOptions(zap.Hooks(func(e zapcore.Entry) error {
		if e.Level == zap.ErrorLevel {
			logged <- struct{}{}
		}
		return nil
	}))
	startSampling(t, app, func(*inventory.Sample) { panic("odd") })
	serveNoContent(t, app)
	select {
	case <-logged:
	case <-time.After(time.Minute):
		t.Fatal("it is not logged")
	}
	entry := logs.All()[0]
	f := entry.ContextMap()
	if stack, _ := f["stack"].(string); f["panic"] != "odd" || !strings.Contains(stack, "survived_test.go") || !strings.Contains(entry.Message, "while recording what was seen") {
		t.Errorf("%s %v", entry.Message, f)
	}
}

package inventory

import (
	"context"
	"fmt"
	"path/filepath"
	"strconv"
	"testing"
	"time"

	"github.com/apiguard/caddy-api-guard/inventory/catalogue"
)

// found has something new turn up.
func (s *scene) found(i int) {
	o := answered(200)
	o.BodyLength = int64(i)
	s.miss(catalogue.NoRoute, "v2", "api.example.com", "GET", "/v2/"+word(i), o)
	s.clock.advance(time.Second)
	s.settle()
}

func cursor(t *testing.T, s string) uint64 {
	t.Helper()
	n, fromCursor, err := FeedSince(s)
	if err != nil || !fromCursor {
		t.Fatalf("cursor %q: %v", s, err)
	}
	return n
}

func TestTheFeedGoesOnAfterACursorAlsoOverACrash(t *testing.T) {
	file := filepath.Join(t.TempDir(), "inventory.db")
	s := newScene(t, Options{}, orders())
	s.open(file)
	for i := range 5 {
		s.found(i)
	}
	all, _, _, _ := s.Changes(0, 100)
	if len(all) < 5 {
		t.Fatalf("%d changes", len(all))
	}
	for i := range all[1:] {
		if cursor(t, all[i].Cursor) >= cursor(t, all[i+1].Cursor) {
			t.Errorf("the cursor %s comes before %s", all[i].Cursor, all[i+1].Cursor)
		}
	}
	again := newScene(t, Options{}, orders())
	again.clock.set(s.clock.now().Add(-time.Hour)) // the clock was put back
	again.open(s.crash(file))
	again.found(100)
	after, next, lost, _ := again.Changes(cursor(t, all[1].Cursor), 100)
	if lost || len(after) <= len(all)-2 || after[0].Cursor != all[2].Cursor || after[0].Path != all[2].Path {
		t.Fatalf("after the crash: lost %v, %+v", lost, after)
	}
	if last := after[len(after)-1]; last.Path != "/v2/"+word(100) || strconv.FormatUint(next, 10) != last.Cursor {
		t.Errorf("the new change is %+v, next %d", last, next)
	}
	if _, _, lost, _ := again.Changes(uint64(noon.UnixMicro()), 100); lost {
		t.Error("all changes since the beginning are there, and some said to be lost")
	}
}

func TestChangesThatAreNotKeptAreSaidToBeLost(t *testing.T) {
	s := newScene(t, Options{}, orders())
	before := uint64(s.clock.now().Add(-time.Hour).UnixMicro())
	if _, next, lost, _ := s.Changes(before, 10); !lost || next <= before {
		t.Errorf("a cursor of an earlier process: lost %v, next %d", lost, next)
	}
	for i := range maxLogged + 20 {
		s.feed.log.add(Event{Path: fmt.Sprint(i)}, s.clock.now().UnixNano())
	}
	first := uint64(s.clock.now().UnixMicro())
	list, _, lost, _ := s.Changes(first+3, 10)
	if !lost || len(list) != 10 || list[0].Path != "20" {
		t.Errorf("lost %v, %+v", lost, list[:1])
	}
	if list, _, lost, _ := s.Changes(first+19, 10); lost || list[0].Path != "20" {
		t.Errorf("lost %v, %+v", lost, list[:1])
	}
	if n := len(s.feed.log.entries); n != maxLogged {
		t.Errorf("%d are kept", n)
	}
}

func TestWhoFollowsTheFeedIsToldOfMore(t *testing.T) {
	s := newScene(t, Options{}, orders())
	_, next, _, more := s.Changes(uint64(s.clock.now().UnixMicro()-1), 10)
	select {
	case <-more:
		t.Fatal("there is nothing")
	default:
	}
	s.found(1)
	<-more
	if list, _, _, _ := s.Changes(next, 10); len(list) == 0 {
		t.Error("there is nothing")
	}
}

func TestFeedSince(t *testing.T) {
	for text, want := range map[string]uint64{
		"": 0, "1764000000000001": 1764000000000001, "1970-01-02": 86400e6 - 1, "1970-01-01T00:00:01Z": 1e6 - 1,
	} {
		if n, _, err := FeedSince(text); err != nil || n != want {
			t.Errorf("%q is %d, %v; want %d", text, n, err, want)
		}
	}
	for _, text := range []string{"x", "12", "-1", "1e9", "2026-13-01", "99999999999999999999999"} {
		if n, _, err := FeedSince(text); err == nil {
			t.Errorf("%q is %d", text, n)
		}
	}
}

func TestTheStoreForgetsWhatTheFeedForgot(t *testing.T) {
	file := filepath.Join(t.TempDir(), "inventory.db")
	s := newScene(t, Options{}, orders())
	s.open(file)
	for i := range maxLogged {
		s.feed.log.add(Event{Path: fmt.Sprint(i)}, s.clock.now().UnixNano())
	}
	s.Settle(context.Background())
	for i := range 50 {
		s.feed.log.add(Event{Path: fmt.Sprint("more", i)}, s.clock.now().UnixNano())
	}
	again := newScene(t, Options{}, orders())
	again.open(s.crash(file))
	if n := len(again.feed.log.entries); n != maxLogged {
		t.Errorf("%d are kept", n)
	}
	list, _, lost, _ := again.Changes(uint64(noon.UnixMicro()), 1)
	if !lost || list[0].Path != "50" {
		t.Errorf("lost %v, %+v", lost, list)
	}
}

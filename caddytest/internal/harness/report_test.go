package harness

import (
	"strings"
	"testing"
)

func TestOnlyTheRacesThatCaddyHasWithItselfAreLeftOut(t *testing.T) {
	const frame = "==================\n"
	report := func(functions ...string) string {
		return frame + "WARNING: DATA RACE\nWrite at 0x00c0 by main goroutine:\n  " + strings.Join(functions, "()\n  ") + "()\n\n" + frame
	}
	caddys := report("caddyevents.(*App).Subscribe", "caddyevents.(*App).ShouldEmit", "caddytls.(*TLS).onEvent")
	body := report("reverseproxy.(*bodyNopCloserIfNotRead).Read", "reverseproxy.(*bodyNopCloserIfNotRead).Close")
	length := report("caddyhttp.(*Server).logRequest", "caddyhttp.(*lengthReader).Read")
	ours := report("caddyevents.(*App).Subscribe", "caddyevents.(*App).ShouldEmit", "apiguard.(*shared).emitEvents")
	if got := withoutCaddysRaces("before\n" + caddys + body + length + "after\n"); strings.Contains(got, "DATA RACE") || !strings.Contains(got, "before") || !strings.Contains(got, "after") {
		t.Errorf("Caddy's own: %q", got)
	}
	for _, log := range []string{ours, caddys + ours, ours + caddys} {
		if got := withoutCaddysRaces(log); strings.Count(got, "DATA RACE") != 1 || !strings.Contains(got, "emitEvents") {
			t.Errorf("one of ours is left out: %q", got)
		}
	}
}

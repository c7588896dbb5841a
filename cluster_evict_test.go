package apiguard

import "testing"

func TestARedisThatEvictsIsKnownByItsInfo(t *testing.T) {
	for _, c := range []struct {
		name, info string
		evicts     bool
	}{
		{"a ceiling and LRU", "# Memory\r\nmaxmemory:67108864\r\nmaxmemory_human:64.00M\r\nmaxmemory_policy:allkeys-lru\r\n", true},
		{"a ceiling, and what has an end", "maxmemory:1\r\nmaxmemory_policy:volatile-ttl\r\n", true},
		{"no ceiling", "maxmemory:0\r\nmaxmemory_policy:allkeys-lru\r\n", false},
		{"as it should be", "maxmemory:67108864\r\nmaxmemory_policy:noeviction\r\n", false},
		{"it does not tell", "# Memory\r\nused_memory:1\r\n", false},
		{"nothing", "", false},
	} {
		if why := evictionOf(c.info); (why != "") != c.evicts {
			t.Errorf("%s: %q", c.name, why)
		}
	}
}

package catalogue

import (
	"strings"
)

// maxPatternBases bounds how many base paths with variables one host may have,
// so that the prefixes of a request fit into candidates.
const maxPatternBases = 15

// hostTable finds the declared host of a name.
type hostTable struct {
	exact    map[string]*hostEntry
	wildcard map[string]*hostEntry // by what follows "*."
	patterns []hostPattern         // the most concrete first
}

// hostPattern is a name with wildcard labels in other places than the first
// alone. They come from variables of server URLs.
type hostPattern struct {
	labels []string
	entry  *hostEntry
}

// hostEntry is what is claimed on a host.
type hostEntry struct {
	host     *Host
	guards   []*guard // of the APIs on it, in declared order
	prefixes []*prefix
	exact    *tree // value: 1 + index of prefixes
	folded   *tree // value: 1 + index of merged
	merged   [][]int32
}

// lookup prefers the exact name, then the wildcard in place of the first label,
// as Caddy's host matcher has it, then the other patterns.
func (t *hostTable) lookup(name string) *hostEntry {
	if h := t.exact[name]; h != nil {
		return h
	}
	if len(t.wildcard) > 0 {
		if i := strings.IndexByte(name, '.'); i > 0 {
			if h := t.wildcard[name[i+1:]]; h != nil {
				return h
			}
		}
	}
	for i := range t.patterns {
		if matchLabels(t.patterns[i].labels, name) {
			return t.patterns[i].entry
		}
	}
	return nil
}

// HostMatches reports whether a host in lower case is one of a version's, which may have
// "*" for labels.
func HostMatches(pattern, host string) bool { return matchLabels(strings.Split(pattern, "."), host) }

func matchLabels(labels []string, name string) bool {
	for i, label := range labels {
		end := strings.IndexByte(name, '.')
		if last := i == len(labels)-1; last != (end < 0) {
			return false
		} else if last {
			end = len(name)
		}
		if label == "*" {
			if end == 0 {
				return false
			}
		} else if name[:end] != label {
			return false
		}
		name = name[min(end+1, len(name)):]
	}
	return true
}

// add files an entry under its name.
func (t *hostTable) add(name string, h *hostEntry) {
	suffix, first := strings.CutPrefix(name, "*.")
	switch {
	case !strings.Contains(name, "*"):
		t.exact[name] = h
	case first && !strings.Contains(suffix, "*"):
		t.wildcard[suffix] = h
	default:
		t.patterns = append(t.patterns, hostPattern{labels: strings.Split(name, "."), entry: h})
	}
}

// wildcards counts the wildcard labels of a pattern.
func (p hostPattern) wildcards() int {
	n := 0
	for _, label := range p.labels {
		if label == "*" {
			n++
		}
	}
	return n
}

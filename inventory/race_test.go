//go:build race

package inventory

// underRace makes floods smaller: the detector makes each observation ten times as
// slow, and what it looks for needs no more of them.
const underRace = true

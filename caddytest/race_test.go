//go:build race

package caddytest

// raceEnabled says that the race detector is on, in the Caddy under test too.
const raceEnabled = true

// Package soak runs the guard in a real Caddy under everything at once for a while:
// valid, hostile, aborted, slow and upgraded traffic, while the configuration is
// reloaded and a version's date passes and comes back. Afterwards nothing may be
// left behind, and what is counted must be what was sent.
//
//	go test ./caddytest/soak -soak 5m
//	go test ./caddytest/soak -soak 30m -timeout 40m
package soak

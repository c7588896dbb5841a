// Package soak runs the guard in a real Caddy under everything at once for a while:
// valid, hostile, aborted, slow and upgraded traffic, while Redis stands still or is
// gone, the disk is full, the configuration is reloaded and versions end by their
// dates, with a reload and without. Afterwards nothing may be left behind, and what is
// counted must be what was sent, in the next process too.
//
//	go test ./caddytest/soak -soak 5m
//	go test ./caddytest/soak -soak 30m -timeout 40m
package soak

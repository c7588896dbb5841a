// Package caddytest tests API Guard from the outside: in a real Caddy process
// with sockets of its own, in front of an upstream that records what reached it
// byte for byte, and configured by nothing but a Caddyfile. It holds the adapt
// goldens, the end-to-end tests, the hostile ones and the benchmarks; what they
// share is in internal/harness.
//
// The tests know the guard only by its contract: the Caddyfile, what clients
// get, the access log, the metrics and the admin API.
package caddytest

// Package rivals holds the conformance engine against others of its kind: their
// verdicts on generated requests, with every difference explained, and their speed
// on the same documents and bodies in one run. It is a module of its own, so that
// nobody who builds the guard inherits them.
//
//	go -C caddytest/rivals test -v ./...
//	go -C caddytest/rivals test -run '^$' -bench . ./...
package rivals

//go:build race

package conformance

// The race detector makes sync.Pool forget at random, which allocates.
const raceDetector = true

//go:build !linux

package ratelimit

// askHugePages does nothing where the kernel is not asked for large pages.
func askHugePages([]set) {}

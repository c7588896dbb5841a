//go:build amd64 || arm64

package ratelimit

import "unsafe"

// prefetch asks for a cache line without waiting for it.
//
//go:noescape
func prefetch(p unsafe.Pointer)

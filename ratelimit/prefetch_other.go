//go:build !amd64 && !arm64

package ratelimit

import "unsafe"

// prefetch does nothing where there is no instruction for it here: the lines come when
// they are read.
func prefetch(unsafe.Pointer) {}

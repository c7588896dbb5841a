package ratelimit

import (
	"syscall"
	"unsafe"
)

// hugePage is what the processor can map in one entry on most machines: 2 MiB.
const hugePage = 2 << 20

// askHugePages asks the kernel to back the sets with large pages. Clients are spread
// over all of them, so with pages of 4 KiB nearly every look at a large table is a
// walk through the page tables too, dearest in a virtual machine. It is advice: a
// kernel that has transparent huge pages off, or none left, does as before.
func askHugePages(sets []set) {
	size := uintptr(len(sets)) * unsafe.Sizeof(set{})
	first := unsafe.Pointer(unsafe.SliceData(sets))
	skip := -uintptr(first) % hugePage // the part of a page before the first whole one
	if size < skip+hugePage {
		return
	}
	whole := (size - skip) &^ (hugePage - 1)
	_ = syscall.Madvise(unsafe.Slice((*byte)(unsafe.Add(first, skip)), whole), syscall.MADV_HUGEPAGE)
}

package ratelimit

import (
	"encoding/binary"
	"math/bits"
	"net/netip"
	"unsafe"

	"github.com/dchest/siphash"
)

// Key names one client in one limit's space: a keyed 64-bit hash. Two clients
// whose hashes collide share a bucket, which can only refuse too early; nobody
// without the secret can aim for it. A key is good for the tables of one secret.
type Key uint64

func (t *Table) hash(b []byte) uint64 { return siphash.Hash(t.seed[0], t.seed[1], b) }

// The parts of a key are self-delimiting, so that no two lists of parts have the
// same bytes.
const (
	partMissing byte = iota + 1
	partAddr4
	partAddr6
	partString // one byte of length, then the bytes
	partLong   // 8 bytes of length, then 8 bytes of hash
	partFolded // everything before, as 8 bytes of hash; only ever first
)

// maxInline is the longest string that goes into a key as it is. Longer ones go
// in as length and hash, which also bounds what a client can make the key cost.
const maxInline = 40

// KeyBuilder collects the parts of a key. It lives on the caller's stack and
// allocates nothing; it comes from [Table.Key]. Order counts: the same parts in
// another order are another client.
type KeyBuilder struct {
	table *Table
	space uint64
	sum   uint64 // hash of the parts, when summed
	used  uint8
	done  bool
	buf   [64]byte
}

// Key begins a key in a space.
func (t *Table) Key(space uint64) KeyBuilder {
	return KeyBuilder{table: t, space: space}
}

// Addr adds a client's address: IPv4 as it is, also when it comes mapped into
// IPv6, and IPv6 by its /64, which is what one subscriber holds. A zone is
// dropped: it names an interface of this machine, not a client. The zero Addr is
// [KeyBuilder.Missing].
func (k *KeyBuilder) Addr(a netip.Addr) {
	a = a.Unmap()
	switch {
	case a.Is4():
		b := a.As4()
		p := k.room(5)
		p[0] = partAddr4
		copy(p[1:], b[:])
	case a.IsValid():
		b := a.As16()
		p := k.room(9)
		p[0] = partAddr6
		copy(p[1:], b[:8])
	default:
		k.Missing()
	}
}

// String adds a part that is text, byte for byte. The empty string is a value
// like any other; what is not there is [KeyBuilder.Missing].
func (k *KeyBuilder) String(s string) {
	if len(s) <= maxInline {
		p := k.room(2 + len(s))
		p[0], p[1] = partString, byte(len(s))
		copy(p[2:], s)
		return
	}
	p := k.room(17)
	p[0] = partLong
	binary.LittleEndian.PutUint64(p[1:], uint64(len(s)))
	binary.LittleEndian.PutUint64(p[9:], k.table.hash(unsafe.Slice(unsafe.StringData(s), len(s))))
}

// Missing adds a part that the request does not have, or that could not be
// read. All requests without it share one bucket: leaving it out is not a way
// around the limit.
func (k *KeyBuilder) Missing() {
	k.room(1)[0] = partMissing
}

// Sum is the key.
func (k *KeyBuilder) Sum() Key { return k.SumIn(k.space) }

// SumIn is the key that the same parts have in another space: what [Table.Key]
// of that space and the same parts would sum to. Several limits on one client
// hash it once.
func (k *KeyBuilder) SumIn(space uint64) Key {
	if !k.done {
		k.sum, k.done = k.table.hash(k.buf[:k.used]), true
	}
	// One-to-one in k.sum for each space, so that spaces add no collisions of
	// their own; the multipliers are those of MurmurHash3's finalizer.
	x := k.sum ^ bits.RotateLeft64(space*0x9e3779b97f4a7c15, 32) ^ k.table.salt
	x ^= x >> 33
	x *= 0xff51afd7ed558ccd
	x ^= x >> 33
	x *= 0xc4ceb9fe1a85ec53
	return Key(x ^ x>>33)
}

// room returns the next n bytes (at most 42) of the buffer, folding what is in
// it when they do not fit.
func (k *KeyBuilder) room(n int) []byte {
	k.done = false
	if int(k.used)+n > len(k.buf) {
		h := k.table.hash(k.buf[:k.used])
		k.buf[0] = partFolded
		binary.LittleEndian.PutUint64(k.buf[1:], h)
		k.used = 9
	}
	p := k.buf[k.used : int(k.used)+n]
	k.used += uint8(n)
	return p
}

package store

import (
	"bytes"
	"encoding/binary"
	"fmt"
	"hash/fnv"
	"os"
	"strconv"
)

// The layout of a bbolt file (bbolt/internal/common), in the machine's byte order.
// A page begins with id (8 bytes), flags (2), count (2) and overflow (4: how many
// pages follow that belong to it), then its elements:
//
//	branch: position of the key from the element (4), its length (4), page (8)
//	leaf:   flags (4), position (4), length of the key (4), of the value (4)
//
// The value of a leaf with bucketFlag is a bucket: its root page (8) and a sequence
// (8); root 0: its only page follows in the value itself.
const (
	pageHeader  = 16
	elementSize = 16
	bucketSize  = 16

	branchPage   = 0x01
	leafPage     = 0x02
	metaPage     = 0x04
	freelistPage = 0x10
	bucketFlag   = 0x01

	metaSize     = 64 // of which the last 8 are the checksum
	boltMagic    = 0xED0CDAED
	boltVersion  = 2
	noFreelist   = ^uint64(0)
	maxDepth     = 64
	maxPageBytes = 64 << 20 // of one page with what overflows: a value of that size
)

var order = binary.NativeEndian

// walk reads a file without trusting it.
type walk struct {
	file     *os.File
	size     uint64 // of the file
	pageSize uint64
	pages    uint64 // in use or free, the two meta pages included
	root     uint64
	freelist uint64
	// transaction is that of the meta page that counts.
	transaction uint64
	seen        map[uint64]bool
	damage      string // the first that was found
	each        func(Pair)
	only        string // the one bucket to read; empty: all
	most        int    // how many pages to read; 0: all
	buckets     []string
}

// newWalk finds the meta page that counts. It says what is wrong when neither does.
func newWalk(f *os.File) (*walk, string) {
	info, err := f.Stat()
	if err != nil {
		return nil, err.Error()
	}
	w := &walk{file: f, size: uint64(info.Size())}
	found := false
	take := func(at uint64) (pageSize uint64) {
		b := make([]byte, pageHeader+metaSize)
		if _, err := f.ReadAt(b, int64(at)); err != nil {
			return 0
		}
		meta := b[pageHeader:]
		sum := fnv.New64a()
		_, _ = sum.Write(meta[:metaSize-8])
		if order.Uint32(meta) != boltMagic || order.Uint32(meta[4:]) != boltVersion || order.Uint64(meta[56:]) != sum.Sum64() {
			return 0
		}
		size := uint64(order.Uint32(meta[8:]))
		if size < 512 || size > 64<<10 || size&(size-1) != 0 {
			return 0
		}
		if transaction := order.Uint64(meta[48:]); !found || transaction > w.transaction {
			found, w.transaction = true, transaction
			w.pageSize, w.root, w.freelist, w.pages = size, order.Uint64(meta[16:]), order.Uint64(meta[32:]), order.Uint64(meta[40:])
		}
		return size
	}
	if size := take(0); size != 0 {
		take(size)
	} else {
		for size := uint64(512); size <= 64<<10 && !found; size <<= 1 {
			take(size)
		}
	}
	switch {
	case !found:
		return nil, "neither of its meta pages is whole"
	case w.pages < 4 || w.pages > w.size/w.pageSize:
		return w, fmt.Sprintf("it is cut: it has %d bytes of %d pages of %d", w.size, w.pages, w.pageSize)
	}
	return w, ""
}

// schema is the file's, 0 for one that is not there or not whole.
func (w *walk) schema() int {
	schema := 0
	w.only = string(formatBucket)
	w.run(func(p Pair) {
		if string(p.Key) == string(schemaKey) {
			schema, _ = strconv.Atoi(string(p.Value))
		}
	})
	w.only = ""
	return schema
}

// run hands out every pair that is whole, and says what is wrong with the file.
func (w *walk) run(each func(Pair)) string {
	w.seen = map[uint64]bool{0: true, 1: true}
	w.damage, w.buckets = "", nil
	w.each = each
	w.tree("", w.root, nil, 0)
	if w.only == "" {
		w.checkFreelist()
		if w.unmarked() {
			w.wrong("it has no bucket %q", formatBucket)
		}
	}
	return w.damage
}

func (w *walk) wrong(format string, args ...any) {
	if w.damage == "" {
		w.damage = fmt.Sprintf(format, args...)
	}
}

// page reads a page with what overflows, once.
func (w *walk) page(id uint64) []byte {
	if id < 2 || id >= w.pages {
		w.wrong("page %d is not one of its %d", id, w.pages)
		return nil
	}
	if w.most > 0 && len(w.seen) >= w.most {
		return nil
	}
	head := make([]byte, pageHeader)
	if _, err := w.file.ReadAt(head, int64(id*w.pageSize)); err != nil {
		w.wrong("reading page %d: %v", id, err)
		return nil
	}
	n := uint64(order.Uint32(head[12:])) + 1
	if order.Uint64(head) != id || n > w.pages-id || n*w.pageSize > maxPageBytes {
		w.wrong("page %d has a broken header", id)
		return nil
	}
	for i := range n {
		if w.seen[id+i] {
			w.wrong("page %d is used twice", id+i)
			return nil
		}
		w.seen[id+i] = true
	}
	b := make([]byte, n*w.pageSize)
	if _, err := w.file.ReadAt(b, int64(id*w.pageSize)); err != nil {
		w.wrong("reading page %d: %v", id, err)
		return nil
	}
	return b
}

// tree walks the pages of a bucket from id on. least is what its keys must not be
// before.
func (w *walk) tree(bucket string, id uint64, least []byte, depth int) {
	if depth > maxDepth {
		w.wrong("page %d is too deep", id)
		return
	}
	if b := w.page(id); b != nil {
		w.elements(bucket, id, b, least, depth)
	}
}

// elements walks what is on a page.
func (w *walk) elements(bucket string, id uint64, b, least []byte, depth int) {
	flags, count := order.Uint16(b[8:]), int(order.Uint16(b[10:]))
	if flags != branchPage && flags != leafPage || flags == branchPage && count == 0 {
		w.wrong("page %d has the flags %#x and %d elements", id, flags, count)
		return
	}
	if pageHeader+count*elementSize > len(b) {
		w.wrong("page %d has too many elements: %d", id, count)
		return
	}
	for i := range count {
		at := pageHeader + i*elementSize
		e := b[at:]
		// Of 64 bits everywhere: where an int has 32 these would be negative, or a sum that
		// fits.
		var keyAt, keySize, valueSize uint64
		if flags == branchPage {
			keyAt, keySize = uint64(order.Uint32(e)), uint64(order.Uint32(e[4:]))
		} else {
			keyAt, keySize, valueSize = uint64(order.Uint32(e[4:])), uint64(order.Uint32(e[8:])), uint64(order.Uint32(e[12:]))
		}
		from := uint64(at) + keyAt
		if keyAt < elementSize || from+keySize+valueSize > uint64(len(b)) {
			w.wrong("page %d: element %d reaches out of it", id, i)
			return
		}
		key := b[from : from+keySize]
		if c := bytes.Compare(key, least); len(key) == 0 || c < 0 || c == 0 && i > 0 {
			w.wrong("page %d: the keys are not in order", id)
			return
		}
		least = key
		value := b[from+keySize : from+keySize+valueSize]
		switch {
		case flags == branchPage:
			w.tree(bucket, order.Uint64(e[8:]), key, depth+1)
		case order.Uint32(e) == bucketFlag:
			w.bucket(bucket, id, key, value, depth)
		case order.Uint32(e) != 0:
			w.wrong("page %d: element %d has unknown flags", id, i)
		default:
			w.pair(bucket, id, key, value)
		}
	}
}

func (w *walk) bucket(parent string, id uint64, key, value []byte, depth int) {
	if parent != "" || len(value) < bucketSize {
		w.wrong("page %d: bucket %q is none of ours", id, key)
		return
	}
	w.buckets = append(w.buckets, string(key))
	if w.only != "" && w.only != string(key) {
		return
	}
	if root := order.Uint64(value); root != 0 {
		w.tree(string(key), root, nil, depth+1)
		return
	}
	inline := value[bucketSize:]
	if len(inline) < pageHeader || order.Uint16(inline[8:]) != leafPage {
		w.wrong("page %d: bucket %q is broken", id, key)
		return
	}
	w.elements(string(key), id, inline, nil, depth+1)
}

func (w *walk) pair(bucket string, id uint64, key, sealed []byte) {
	value, ok := unseal(key, sealed)
	if !ok {
		w.wrong("page %d: a value of bucket %q does not match its checksum", id, bucket)
		return
	}
	if bucket == "" {
		w.wrong("page %d: a value stands outside of any bucket", id)
		return
	}
	if bucket != string(formatBucket) || w.only != "" {
		w.each(Pair{Bucket: bucket, Key: key, Value: value})
	}
}

// checkFreelist checks that no page is free and used.
func (w *walk) checkFreelist() {
	if w.freelist == noFreelist {
		return
	}
	b := w.page(w.freelist)
	if b == nil {
		return
	}
	ids := b[pageHeader:]
	count := uint64(order.Uint16(b[10:]))
	if count == 0xFFFF && len(ids) >= 8 {
		count, ids = order.Uint64(ids), ids[8:]
	}
	if order.Uint16(b[8:]) != freelistPage || count > uint64(len(ids)/8) {
		w.wrong("its list of free pages is broken")
		return
	}
	last := uint64(1)
	for i := range count {
		id := order.Uint64(ids[i*8:])
		if id <= last || id >= w.pages || w.seen[id] {
			w.wrong("its list of free pages has page %d", id)
			return
		}
		last = id
	}
}

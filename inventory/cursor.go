package inventory

import (
	"bytes"
	"cmp"
	"encoding/base64"
	"encoding/binary"
	"errors"
	"strings"
)

// sortKey is where an entry stands in an order: by number, then texts, then id.
type sortKey struct {
	number  int64
	a, b, c string
	id      routeID
}

func (k *sortKey) compare(l *sortKey) int {
	return cmp.Or(
		cmp.Compare(k.number, l.number),
		strings.Compare(k.a, l.a), strings.Compare(k.b, l.b), strings.Compare(k.c, l.c),
		bytes.Compare(k.id[:], l.id[:]),
	)
}

// position is where a walk over a list stands: after the item with this key. It
// is what a cursor says.
//
// Names and paths of entries do not change, so in their order a walk sees
// everything that is there throughout, by going on after the key. Counts and
// times change, and an entry whose key grows during a descending walk would jump
// from what is still to come into what has been. So such a walk has two parts.
// Its first page opens an epoch. The pages after it list, in order, what was not
// touched since that epoch began, whose keys are therefore what they were then;
// the tail lists, by id, what was. An entry that is touched during the walk may
// thus come twice; none is left out.
type position struct {
	started bool
	tail    bool
	epoch   uint64
	key     sortKey
}

const (
	cursorFormat = 1 << 4 // upper half of the first byte
	cursorTail   = 1
	cursorFixed  = 1 + 8 + 8 + 8 + len(routeID{})
	maxCursor    = 16 << 10
)

var errCursor = errors.New("reading parameter cursor: not a cursor of this query: take next from the page before, unchanged, and keep the other parameters")

// text is the cursor for the query with that hash: its fixed part in binary,
// then the texts with NUL between, all in base64url.
func (p *position) text(hash uint64) string {
	first := byte(cursorFormat)
	if p.tail {
		first |= cursorTail
	}
	b := make([]byte, 0, cursorFixed+len(p.key.a)+len(p.key.b)+len(p.key.c)+2)
	b = append(b, first)
	b = binary.BigEndian.AppendUint64(b, hash)
	b = binary.BigEndian.AppendUint64(b, p.epoch)
	b = binary.BigEndian.AppendUint64(b, uint64(p.key.number))
	b = append(b, p.key.id[:]...)
	b = append(b, p.key.a...)
	b = append(b, 0)
	b = append(b, p.key.b...)
	b = append(b, 0)
	b = append(b, p.key.c...)
	return base64.RawURLEncoding.EncodeToString(b)
}

func parsePosition(s string, hash uint64) (position, error) {
	if len(s) > maxCursor {
		return position{}, errCursor
	}
	b, err := base64.RawURLEncoding.Strict().DecodeString(s)
	if err != nil || len(b) < cursorFixed || b[0]&^cursorTail != cursorFormat || binary.BigEndian.Uint64(b[1:]) != hash {
		return position{}, errCursor
	}
	p := position{started: true, tail: b[0]&cursorTail != 0, epoch: binary.BigEndian.Uint64(b[9:])}
	p.key.number = int64(binary.BigEndian.Uint64(b[17:]))
	copy(p.key.id[:], b[25:])
	texts := strings.Split(string(b[cursorFixed:]), "\x00")
	if len(texts) != 3 {
		return position{}, errCursor
	}
	p.key.a, p.key.b, p.key.c = texts[0], texts[1], texts[2]
	return p, nil
}

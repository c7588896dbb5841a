package inventory

import (
	"net/http"
	"strconv"
	"sync/atomic"

	"github.com/apiguard/caddy-api-guard/inventory/spec"
)

// statusSet is the statuses from 100 to 599 that a document has for an operation.
type statusSet [8]uint64

func (s *statusSet) add(status int) {
	if i := uint(status - 100); i < 64*uint(len(s)) {
		s[i/64] |= 1 << (i % 64)
	}
}

func (s *statusSet) has(status int) bool {
	i := uint(status - 100)
	return i >= 64*uint(len(s)) || s[i/64]&(1<<(i%64)) != 0
}

// statusesOf are the statuses that an operation may answer with; nil: any. An answer
// to a conditional request (304) and those of a gateway that did not reach the API
// (502, 504: RFC 9110, 15.6.3 and 15.6.5) are no operation's own.
func statusesOf(op *spec.Operation) *statusSet {
	if op.Op == nil || op.Op.Responses == nil || op.Op.Responses.Default() != nil {
		return nil
	}
	s := new(statusSet)
	for name := range op.Op.Responses.Map() {
		if status, err := strconv.Atoi(name); err == nil {
			s.add(status)
		}
		if len(name) == 3 && (name[1:] == "XX" || name[1:] == "xx") {
			for i := range 100 {
				s.add(100*int(name[0]-'0') + i)
			}
		}
	}
	for _, status := range [...]int{http.StatusNotModified, http.StatusBadGateway, http.StatusGatewayTimeout} {
		s.add(status)
	}
	return s
}

// maxStrange is how many undeclared statuses of an operation are told apart.
const maxStrange = 8

// strange counts the answers of an operation with statuses that its document does not
// have: all of them, so that a rare one is not missed as it may be in samples. Requests
// write it directly.
type strange [maxStrange]struct {
	status atomic.Uint32
	count  atomic.Uint64
	last   atomic.Int64
	told   uint64 // of count, in what was learned of the operation; Inventory.mu guards it
}

// judge counts o if the operation's document does not have its status. Only the first
// such answer allocates.
func (s *slot) judge(o *Outcome) {
	if s.statuses == nil || !o.Forwarded || o.Meant || o.Status < 200 || s.statuses.has(o.Status) {
		return
	}
	list := s.hits.strange.Load()
	if list == nil {
		s.hits.strange.CompareAndSwap(nil, new(strange))
		list = s.hits.strange.Load()
	}
	for i := range list {
		x := &list[i]
		had := x.status.Load()
		if had == 0 {
			if x.status.CompareAndSwap(0, uint32(o.Status)) {
				had = uint32(o.Status)
			} else {
				had = x.status.Load()
			}
		}
		if had == uint32(o.Status) {
			x.count.Add(1)
			for last := x.last.Load(); o.Time > last && !x.last.CompareAndSwap(last, o.Time); {
				last = x.last.Load()
			}
			return
		}
	}
}

// takeStrange puts what was counted into what is learned of the operation, where it is
// kept.
func (inv *Inventory) takeStrange(e *entry) {
	if e.hits == nil || e.slot == nil {
		return
	}
	list := e.hits.strange.Load()
	if list == nil {
		return
	}
	for i := range list {
		x := &list[i]
		count := x.count.Load()
		if count == x.told {
			continue
		}
		status := int(x.status.Load())
		// A reload may have brought a document that has it.
		if s := e.slot.statuses; s != nil && !s.has(status) {
			inv.addDrift(e, "status "+strconv.Itoa(status), count-x.told, x.last.Load())
		}
		x.told = count
	}
}

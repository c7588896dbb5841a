package inventory

import (
	"hash/maphash"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"time"

	"github.com/apiguard/caddy-api-guard/inventory/catalogue"
)

// Sampling says how many requests are looked at in full.
type Sampling struct {
	// Share of an operation's requests, 0 to 1. The first 10 are looked at anyway,
	// so that what is seldom called is known too.
	Share float64
	// PerMinute is how many of an operation within a minute at most. 0: none.
	PerMinute int
}

// DefaultSampling is 1 % of an operation's requests, and 10 of them a minute.
var DefaultSampling = Sampling{Share: 0.01, PerMinute: 10}

const (
	// firstSamples of an operation are looked at whatever the share is.
	firstSamples = 10
	// maxSamples is how many samples there are at once, under way and waiting.
	// Full ones hold 16 MiB.
	maxSamples = 128
	// unhurried is how long a sample under way keeps its place when there are as many:
	// clients that are slow to read, or to send, would in the end have all of them. It
	// is long enough for most answers, since where every sample makes room for the
	// next before it ends none is looked at. What it was drawn for is spent, so that
	// it buys no other.
	unhurried = 5 * time.Second
	// strayBudgets is how many budgets the requests share that no document has, and
	// strayPerSecond how many of them are looked at within a second in all, so that
	// a scan of many names does not buy what many operations may.
	strayBudgets   = 1024
	strayPerSecond = 20
)

// budget decides which requests of an operation are looked at.
type budget struct {
	seen  atomic.Uint64
	spent atomic.Uint64 // the time span it is for, and how many within it: span<<16 | n
}

// draw reports whether the request is one to look at, and in which minute.
func (b *budget) draw(share uint64, perMinute uint64, minute int64) bool {
	n := b.seen.Add(1)
	if n > firstSamples && mix(n) >= share {
		return false
	}
	return take(&b.spent, perMinute, minute)
}

// take takes one of so many within a span of time.
func take(spent *atomic.Uint64, most uint64, span int64) bool {
	for {
		old := spent.Load()
		next := uint64(span)<<16 | 1
		if old>>16 == uint64(span)&(1<<48-1) {
			if old&0xffff >= most {
				return false
			}
			next = old + 1
		}
		if most == 0 {
			return false
		}
		if spent.CompareAndSwap(old, next) {
			return true
		}
	}
}

// giveBack undoes a draw that led to nothing.
func (b *budget) giveBack(minute int64) {
	b.seen.Add(^uint64(0))
	if old := b.spent.Load(); old>>16 == uint64(minute)&(1<<48-1) && old&0xffff > 0 {
		b.spent.CompareAndSwap(old, old-1)
	}
}

// mix spreads a count over all of 64 bits (the finalizer of SplitMix64), so that
// samples do not fall into step with requests that come in turns.
func mix(n uint64) uint64 {
	n *= 0x9e3779b97f4a7c15
	n = (n ^ n>>30) * 0xbf58476d1ce4e5b9
	n = (n ^ n>>27) * 0x94d049bb133111eb
	return n ^ n>>31
}

// sampler is the one place where requests are chosen to be looked at in full, and
// where they wait for it.
type sampler struct {
	share     atomic.Uint64 // of all values of mix
	perMinute atomic.Uint64
	strays    [strayBudgets]budget
	second    atomic.Uint64 // of all strays
	taken     atomic.Int64  // samples that exist
	queue     chan *Sample
	mu        sync.Mutex
	underway  []*Sample // those that wait for their answer, the oldest first
	consumers []func(*Sample)
	dropped   atomic.Uint64 // chosen, and not looked at for want of room
}

// Sample sets how many requests are looked at. It may be changed at any time.
func (inv *Inventory) Sample(s Sampling) {
	share := uint64(0)
	switch {
	case s.Share >= 1:
		share = 1<<64 - 1
	case s.Share > 0:
		share = uint64(s.Share * (1 << 63) * 2)
	}
	inv.sampler.share.Store(share)
	inv.sampler.perMinute.Store(uint64(min(max(s.PerMinute, 0), 1<<16-1)))
}

// OnSample registers a consumer of samples before Run. Consumers are called one
// after another on the inventory's goroutine, with Inventory.mu held, after the
// request itself was recorded. What one of them does to a panic is a gap.
func (inv *Inventory) OnSample(consumer func(*Sample)) {
	inv.sampler.consumers = append(inv.sampler.consumers, consumer)
}

// Draw decides whether the request that m matched is one to look at in full, and
// returns what to fill then, else nil. Whoever gets a sample gives it to Submit or
// to Discard. The strings must not be held by anything that changes them. Before Run
// has begun samples wait for it, as many as there are at once.
func (r *Recorder) Draw(m *catalogue.Match, host, method, path string, now int64) *Sample {
	q := &r.inv.sampler
	perMinute := q.perMinute.Load()
	if perMinute == 0 || len(q.consumers) == 0 {
		return nil
	}
	b := r.budgetFor(m, host, method, path)
	minute := now / 60e9
	if !b.draw(q.share.Load(), perMinute, minute) {
		return nil
	}
	if m.Outcome != catalogue.Found && !take(&q.second, strayPerSecond, now/1e9) {
		b.giveBack(minute)
		return nil
	}
	if q.taken.Add(1) > maxSamples && !q.revoke(now) {
		q.taken.Add(-1)
		b.giveBack(minute)
		q.dropped.Add(1)
		return nil
	}
	s := samples.Get().(*Sample)
	s.rec, s.match, s.drawn, s.minute = r, m.Outcome, b, minute
	s.Request.of, s.Answer.of = s, s
	s.Host, s.Time, s.Method = host, now, r.methodName(method)
	s.Path = path[:min(len(path), maxPath+1)]
	s.base, s.declared = m.Base, m.Host
	if m.Host != nil {
		s.Host = m.Host.Name
	}
	if m.API != nil {
		s.api = m.API.Name
	}
	if m.Version != nil {
		s.version = m.Version.Name
	}
	if m.Outcome == catalogue.Found {
		s.Route = m.Route
	}
	q.mu.Lock()
	q.underway = append(q.underway, s)
	q.mu.Unlock()
	return s
}

// revoke takes the oldest sample under way from its request, which keeps an empty one and
// is not looked at. It reports false when none is old enough at the time of now.
func (q *sampler) revoke(now int64) bool {
	q.mu.Lock()
	defer q.mu.Unlock()
	if len(q.underway) == 0 || now-q.underway[0].Time < int64(unhurried) {
		return false
	}
	s := q.underway[0]
	q.underway = slices.Delete(q.underway, 0, 1)
	s.mu.Lock()
	s.revoked = true
	s.Request.Body, s.Answer.Body = nil, nil
	s.mu.Unlock()
	q.taken.Add(-1)
	q.dropped.Add(1)
	return true
}

// arrived takes a sample from those under way. It releases one that was revoked, and
// reports false.
func (s *Sample) arrived() bool {
	q := &s.rec.inv.sampler
	q.mu.Lock()
	defer q.mu.Unlock()
	i := slices.Index(q.underway, s)
	if i < 0 {
		s.release()
		return false
	}
	q.underway = slices.Delete(q.underway, i, i+1)
	return true
}

func (r *Recorder) budgetFor(m *catalogue.Match, host, method, path string) *budget {
	if m.Outcome == catalogue.Found {
		if s := r.slotOf(m); s != nil {
			return &s.hits.samples
		}
	}
	if m.Host != nil {
		host = m.Host.Name
	}
	return &r.inv.sampler.strays[strayHash(&r.inv.seed, host, method, m.Base, path)%strayBudgets]
}

// strayHash tells routes apart that no document has, roughly and without an
// allocation: segments with a digit in them are taken for values, those of the
// base path aside.
func strayHash(seed *maphash.Seed, host, method, base, path string) uint64 {
	h := maphash.String(*seed, host) ^ maphash.String(*seed, method)*3
	rest, ok := strings.CutPrefix(path, base)
	if !ok {
		rest = path
	} else {
		h ^= maphash.String(*seed, base) * 5
	}
	for rest != "" {
		var segment string
		segment, rest, _ = strings.Cut(rest, "/")
		h *= 0x9e3779b97f4a7c15
		if strings.ContainsAny(segment, "0123456789") {
			h++
		} else {
			h ^= maphash.String(*seed, segment)
		}
	}
	return h
}

// Submit gives a sample to its consumers. Of o only Status, Forwarded and Caller
// are read. What says that there is nothing (404, 410, an answer that never came,
// a refusal) is not looked at and costs the budget nothing, documented operations
// aside.
func (s *Sample) Submit(o *Outcome) {
	inv := s.rec.inv
	if !s.arrived() {
		return
	}
	s.Status = o.Status
	if !o.Forwarded || s.Route == nil && o.worth() < rankProbable {
		if s.Route == nil {
			s.drawn.giveBack(s.minute)
		}
		s.done()
		return
	}
	if c := o.Caller; c != nil {
		keys := s.rec.keys
		if p := s.rec.places[versionKey{s.api, s.version}]; p != nil && len(p.keys) > 0 {
			keys = p.keys
		}
		s.traits = c.traits(keys, true)
		s.anonymous = o.unauthenticated(s.traits)
		if s.consumer = inv.consumers.hash(c); s.consumer != 0 {
			s.caller = c.identify(s.consumer)
		}
	}
	// As many fit as there are.
	inv.sampler.queue <- s
}

// Discard gives up a sample.
func (s *Sample) Discard() {
	if s.arrived() {
		s.done()
	}
}

// done makes room for another one.
func (s *Sample) done() {
	inv := s.rec.inv
	s.release()
	inv.sampler.taken.Add(-1)
}

// study shows a sample to the consumers.
func (inv *Inventory) study(s *Sample) {
	defer s.done()
	defer inv.survive()
	// What it is a sample of is recorded first.
	for n := len(inv.queue); n > 0; n -= batchLength {
		ob := <-inv.queue
		inv.record(&ob)
	}
	s.Request.decode()
	s.Answer.decode()
	s.find()
	inv.mu.Lock()
	defer inv.mu.Unlock()
	s.entry = inv.sampled(s)
	for _, consumer := range inv.sampler.consumers {
		consumer(s)
	}
}

// sampled is the entry that a sample belongs to, nil when there is none.
func (inv *Inventory) sampled(s *Sample) *entry {
	if s.Route != nil {
		m := catalogue.Match{Outcome: catalogue.Found, Route: s.Route, Host: s.declared}
		if slot := s.rec.slotOf(&m); slot != nil {
			return slot.entry
		}
		return nil
	}
	ob := observation{
		rec: s.rec, match: s.match, host: s.declared, api: s.api, version: s.version, base: s.base,
		name: s.Host, method: s.Method, path: s.Path,
	}
	host := inv.hosts[inv.hostName(&ob)]
	if host == nil {
		return nil
	}
	if e := inv.find(&ob, host); e != nil {
		return e
	}
	k := inv.keyOf(&ob, host, (&Outcome{Status: s.Status, Forwarded: true}).worth())
	return inv.routes[k.id()]
}

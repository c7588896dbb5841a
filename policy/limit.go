package policy

import (
	"net/http"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/apiguard/caddy-api-guard/ratelimit"
)

// MaxLimits is how many limits may bind one request.
const MaxLimits = 16

// MaxBoundLimits is how many limits with `operations` a configuration may have.
const MaxBoundLimits = 64

// Limit is one `limit` of a configuration.
type Limit struct {
	Name       string              // stands in the RateLimit fields and in metrics
	Rate       int                 // N of N/W
	Window     time.Duration       // W
	Burst      int                 // bucket only; 0: Rate
	Algorithm  ratelimit.Algorithm // of the rate; Window by default
	Operations []string            // operationIds or "METHOD /template"; empty: every request
	Key        []KeyPart           // in order; empty: the client's address
	Mode       Mode                // of the rule limit, for this one
	HideFields bool                // `headers off`
	Protect    bool                // buckets in a part of the table that no flood of other keys evicts

	Count    Count // requests by default
	Failures []int // statuses of upstream that CountFailures counts
	// Penalty is how long a key is refused after the limit refused it.
	Penalty time.Duration
	// Cost is what a request takes; 0: what its operation's document says, else 1.
	Cost uint32
	// Concurrency is how many requests may be on their way at one time; 0: any
	// number. Without a rate it is all that the limit says.
	Concurrency int
	// Quota is how much fits in a Period of the calendar; 0: any amount. It counts
	// what the rate counts, and can stand without one.
	Quota  int
	Period ratelimit.Period // Day or Month, of Quota
	// OnStoreFailure is what holds while the fleet's store cannot be asked.
	OnStoreFailure ratelimit.StoreFailure
}

// ByClient reports whether the limit counts by the client's address.
func (l *Limit) ByClient() bool {
	if len(l.Key) == 0 {
		return true
	}
	for _, part := range l.Key {
		if part.ClientIP() {
			return true
		}
	}
	return false
}

// bound is a limit as it holds in one scope: an API, or one version of it.
type bound struct {
	arithmetic ratelimit.Limit
	key        []KeyPart
	mode       Mode
	hideFields bool
	// sameKey says that the limit before it in its list counts by the same key,
	// sameName that another one in its list bears its name.
	sameKey, sameName bool
	// mask is 0 when the limit binds every request, else the bit of
	// catalogue.Match.Bound that says whether it binds this one.
	mask uint64
	// number is that of its name, see Policy.LimitNames.
	number int

	count    Count
	failures []int
	cost     uint32 // 0: the operation's
	byBody   bool   // a part of the key stands in the body
	waits    bool   // to read the key may take time

	// shown is its member of a RateLimit-Policy field, which never changes, and named
	// the part of it that a RateLimit field has too. quoted is its name in a problem.
	shown, named, quoted string
}

// newBounds is what a limit says: its rate, its quota, and what may be on its way
// at one time. They are counted apart under the same key.
func newBounds(l *Limit, mask uint64, scope ...string) ([]bound, error) {
	out, err := countedApart(l, mask, scope...)
	for i := range out {
		out[i].byBody = slices.ContainsFunc(out[i].key, KeyPart.Body)
		out[i].waits = slices.ContainsFunc(out[i].key, KeyPart.waits)
		one := []*ratelimit.Limit{&out[i].arithmetic}
		out[i].shown = string(ratelimit.AppendPolicy(nil, one))
		out[i].named = strings.TrimSuffix(string(ratelimit.AppendLimit(nil, one, make([]ratelimit.Decision, 1))), ";r=0")
		out[i].quoted = strconv.Quote(l.Name)
	}
	return out, err
}

func countedApart(l *Limit, mask uint64, scope ...string) ([]bound, error) {
	var out []bound
	if l.Rate != 0 || l.Concurrency == 0 && l.Quota == 0 {
		b, err := newBound(l, mask, scope...)
		if err != nil {
			return nil, err
		}
		out = append(out, b)
	}
	if l.Quota != 0 {
		b, _ := newBound(l, mask, scope...) // which may have no rate
		b.arithmetic = ratelimit.Limit{
			Name:      l.Name,
			Space:     ratelimit.SpaceOf(append([]string{"quota", l.Name}, scope...)...),
			Rate:      l.Quota,
			Period:    l.Period,
			Algorithm: ratelimit.Quota,
			Protect:   l.Protect,
			Penalty:   l.Penalty,

			OnStoreFailure: l.OnStoreFailure,
		}
		if err := b.arithmetic.Validate(); err != nil {
			return nil, err
		}
		out = append(out, b)
	}
	if l.Concurrency == 0 {
		return out, nil
	}
	b := bound{
		arithmetic: ratelimit.Limit{
			Name:      l.Name,
			Space:     ratelimit.SpaceOf(append([]string{"concurrency", l.Name}, scope...)...),
			Rate:      l.Concurrency,
			Algorithm: ratelimit.Concurrency,
			Protect:   l.Protect,
		},
		key: keyOrClient(l.Key), mode: l.Mode, hideFields: l.HideFields, mask: mask, cost: 1,
	}
	return append(out, b), b.arithmetic.Validate()
}

func keyOrClient(key []KeyPart) []KeyPart {
	if len(key) == 0 {
		return []KeyPart{{kind: keyClientIP}}
	}
	return key
}

// newBound gives a limit its bucket space. The space belongs to the API (and to
// the version, for a limit that stands in one), never to a host or a spelling.
// Its numbers are no part of it, so that a reload which changes them keeps what
// was used.
func newBound(l *Limit, mask uint64, scope ...string) (bound, error) {
	space := append([]string{"limit", l.Name}, scope...)
	b := bound{
		arithmetic: ratelimit.Limit{
			Name:      l.Name,
			Space:     ratelimit.SpaceOf(space...),
			Rate:      l.Rate,
			Window:    l.Window,
			Burst:     l.Burst,
			Algorithm: l.Algorithm,
			Protect:   l.Protect,
			Penalty:   l.Penalty,

			OnStoreFailure: l.OnStoreFailure,
		},
		key:        keyOrClient(l.Key),
		mode:       l.Mode,
		hideFields: l.HideFields,
		mask:       mask,
		count:      l.Count,
		failures:   l.Failures,
		cost:       l.Cost,
	}
	return b, b.arithmetic.Validate()
}

// link marks the limits that count by the same key as the one before them, and those
// that are not the only ones of their name.
func link(limits []bound) {
	for i := range limits {
		l := &limits[i]
		l.sameKey = i > 0 && slices.EqualFunc(l.key, limits[i-1].key, KeyPart.same)
		l.sameName = false
		for j := range limits {
			l.sameName = l.sameName || j != i && limits[j].arithmetic.Name == l.arithmetic.Name
		}
	}
}

func (b *bound) binds(r *Request) bool { return b.concerns(r) && r.limitMode(b) != Off }

// concerns reports whether the limit is about what the request is meant for.
func (b *bound) concerns(r *Request) bool { return b.mask == 0 || r.Match.Bound&b.mask != 0 }

// keyFor is the bucket of a request.
func (b *bound) keyFor(table ratelimit.Limiter, r *Request) ratelimit.Key {
	kb := table.Key(b.arithmetic.Space)
	for _, part := range b.key {
		part.add(&kb, r)
	}
	return kb.Sum()
}

// charge asks the table for every limit that binds the request, all or none.
func (p *Policy) charge(s *scope, r *Request, v *Verdict) (admitted bool) {
	limits := s.limits
	n := 0
	var kb ratelimit.KeyBuilder
	built := false // whether kb is the key of limits[i]
	at := r.Now
	for i := range limits {
		l := &limits[i]
		built = built && l.sameKey
		if !l.concerns(r) {
			continue
		}
		mode := r.limitMode(l)
		if mode == Off {
			continue
		}
		if l.byBody && mode == Monitor && s.rules.modes[RuleRequest] != Enforce {
			// In monitor nothing waits for a body: it is asked when that has passed. Where
			// the rule request is enforced bodies are read before they pass in any case.
			if !v.awaited(l) {
				v.awaiting = append(v.awaiting, l)
			}
			continue
		}
		if !built {
			kb = p.table.Key(l.arithmetic.Space)
			for _, part := range l.key {
				part.add(&kb, r)
			}
			if built = true; l.waits {
				at = time.Time{} // it is later now: a client may send a body as slowly as he likes
			}
		}
		v.limits[n] = l
		v.charges[n] = ratelimit.Charge{
			Limit: &l.arithmetic, Key: kb.SumIn(l.arithmetic.Space), Cost: l.costOf(s.costs, r), Shadow: mode == Monitor, When: l.when(r),
		}
		v.shadows = v.shadows || mode == Monitor
		if v.around != nil {
			if v.charges[n].Cost = v.unpaid(&v.charges[n]); v.charges[n].Cost == 0 {
				continue
			}
		}
		n++
	}
	v.bound = n
	if n == 0 {
		return true
	}
	if !p.table.TakeAt(at, v.charges[:n], v.decisions[:n]) {
		return false
	}
	v.table = p.table
	v.leaveOpen()
	return true
}

// exceed refuses what the limits do not admit. Charges in monitor never make the table
// refuse: one that is enforced did.
func (v *Verdict) exceed() {
	if v.limitsUnavailable() {
		v.Object(RuleLimit, Enforce, ReasonLimitsUnavailable, http.StatusServiceUnavailable)
		return
	}
	v.Object(RuleLimit, Enforce, ReasonQuotaExceeded, http.StatusTooManyRequests)
}

// wouldExceed records that limits in monitor would not have admitted it.
func (v *Verdict) wouldExceed() {
	for i := range v.bound {
		if v.charges[i].Shadow && !v.decisions[i].Admitted {
			v.Object(RuleLimit, Monitor, ReasonQuotaExceeded, http.StatusTooManyRequests)
			return
		}
	}
	if v.wouldExceedAround() {
		v.Object(RuleLimit, Monitor, ReasonQuotaExceeded, http.StatusTooManyRequests)
	}
}

// limitsUnavailable reports whether limits refuse because their store cannot be
// asked, and none because it is used up.
func (v *Verdict) limitsUnavailable() bool {
	unavailable := false
	for i, d := range v.decisions[:v.bound] {
		if d.Admitted || v.charges[i].Shadow {
			continue
		}
		if !d.Unavailable {
			return false
		}
		unavailable = true
	}
	return unavailable
}

// Limited is one limit's decision about a request.
type Limited struct {
	Name     string // as declared
	Admitted bool   // it has room for the request
	Shadow   bool   // in monitor: it refuses nothing
	Number   int    // of its name in Policy.LimitNames
}

// Limited is the number of limits that were asked, and Limit the i-th of them.
func (v *Verdict) Limited() int { return v.bound }

// Limit is the i-th limit that was asked about the request.
func (v *Verdict) Limit(i int) Limited {
	return Limited{
		Name:     v.charges[i].Limit.Name,
		Admitted: v.decisions[i].Admitted,
		Shadow:   v.charges[i].Shadow,
		Number:   v.limits[i].number,
	}
}

// Exceeded names the limits that have no room for the request, ", " between them:
// those that refuse it, or in monitor would. Empty: none.
func (v *Verdict) Exceeded() string {
	var names string
	shadow := v.Rule != RuleLimit || v.Outcome != Refuse
	for i := range v.bound {
		name := v.charges[i].Limit.Name
		if v.decisions[i].Admitted || v.charges[i].Shadow != shadow || v.exceededBefore(i, shadow) {
			continue
		}
		if names != "" {
			names += ", "
		}
		names += name
	}
	if names == "" && v.around != nil {
		return v.around.Exceeded()
	}
	return names
}

// exceededBefore reports whether a limit of the same name is in the list already.
func (v *Verdict) exceededBefore(i int, shadow bool) bool {
	for j := range i {
		if v.charges[j].Shadow == shadow && !v.decisions[j].Admitted && v.charges[j].Limit.Name == v.charges[i].Limit.Name {
			return true
		}
	}
	return false
}

// AppendFields appends the values of the RateLimit-Policy and RateLimit fields
// for the limits that show themselves, and reports whether there are any. Of
// limits that bear one name (a version's tighter one beside the API's) the one
// with less remaining is shown, since a name may stand in a field once; so it is with
// those of a guard around this one.
func (v *Verdict) AppendFields(policyField, limitField []byte) (policy, limit []byte, any bool) {
	var shown [MaxLimits]uint8 // of v.limits; clearing lists of decisions takes longer than writing them
	n := 0
next:
	for i := range v.bound {
		if v.hides(i) || v.around != nil && v.tellsAround(i) {
			continue
		}
		for j := 0; v.limits[i].sameName && j < n; j++ {
			k := shown[j]
			if v.charges[k].Limit.Name != v.charges[i].Limit.Name {
				continue
			}
			if v.decisions[i].Remaining < v.decisions[k].Remaining || !v.decisions[i].Admitted {
				shown[j] = uint8(i)
			}
			continue next
		}
		shown[n] = uint8(i)
		n++
	}
	for i, k := range shown[:n] {
		if i > 0 {
			policyField, limitField = append(policyField, ", "...), append(limitField, ", "...)
		}
		policyField = append(policyField, v.limits[k].shown...)
		limitField = ratelimit.AppendRemaining(append(limitField, v.limits[k].named...), &v.decisions[k])
	}
	return policyField, limitField, n > 0
}

package inventory

// history tells the answers of a route apart by day and status class. It is that of
// this node: what others of a fleet counted came at times that only they know.
type history [numClasses]days

// begin makes the counters of a new route ones of which every request is known.
func (h *history) begin(today int32) {
	for i := range h {
		h[i] = days{day: today}
	}
}

func (h *history) roll(counts *[numClasses]uint64, today int32) {
	for i := range h {
		h[i].roll(counts[i], today)
	}
}

// window is each class by day, the oldest first and today last; classes without a
// request are left out.
func (h *history) window(counts *[numClasses]uint64, today int32) map[string][]uint64 {
	out := make(map[string][]uint64)
	for i := range h {
		w := h[i].window(counts[i], today)
		for _, n := range w {
			if n > 0 {
				out[classNames[i]] = w[:]
				break
			}
		}
	}
	return out
}

// join adds the days of another route, whose counts counts were.
func (h *history) join(o *history, counts *[numClasses]uint64, today int32) {
	o.roll(counts, today)
	for i := range h {
		h[i].join(&o[i])
	}
}

// join adds the days of another counter. Both were rolled to the same day, or h to
// none yet.
func (d *days) join(o *days) {
	d.day = max(d.day, o.day)
	d.base += o.base
	if o.past == nil {
		return
	}
	if d.past == nil {
		d.past = new([planWindow - 1]uint32)
	}
	for i, n := range o.past {
		d.past[i] = saturate(uint64(d.past[i]) + uint64(n))
	}
}

// classes are the answers that this node counted.
func (e *entry) classes() [numClasses]uint64 {
	counts := e.seen.classes
	if e.hits != nil {
		for i := range counts {
			counts[i] += e.hits.classes[i].Load()
		}
	}
	return counts
}

// rollHistories closes the days that ended. Inventory.mu is held for writing.
func (inv *Inventory) rollHistories(today int32) {
	for _, e := range inv.routes {
		counts := e.classes()
		before := e.history
		e.history.roll(&counts, today)
		e.unsaved = e.unsaved || e.history != before
	}
}

// RouteDays are a route's answers by status class over 30 days (UTC), the oldest
// first and today last, as this node counted them; classes without any are left
// out. It reports false where there is no such route.
func (inv *Inventory) RouteDays(id string) (map[string][]uint64, bool) {
	key, ok := parseRouteID(id)
	if !ok {
		return nil, false
	}
	inv.mu.RLock()
	defer inv.mu.RUnlock()
	e := inv.routes[key]
	if e == nil || !inv.listed(e) {
		return nil, false
	}
	counts := e.classes()
	return e.history.window(&counts, dayOf(inv.now())), true
}

// RouteDetail is an entry with what only the answer for it alone has.
type RouteDetail struct {
	RouteEntry
	Days map[string][]uint64 `json:"days"` // see RouteDays
	// Refusals are who was refused here, or would have been, by which rule, and how
	// often: the 100 most frequent. Of a consumer that was refused at many routes,
	// and where many were, not all routes are told apart.
	Refusals []RouteRefusal `json:"refusals"`
}

// Detail is the entry with that id, with its days.
func (inv *Inventory) Detail(id string) (RouteDetail, bool) {
	entry, ok := inv.Route(id)
	if !ok {
		return RouteDetail{}, false
	}
	days, ok := inv.RouteDays(id)
	return RouteDetail{entry, days, inv.refusals(id)}, ok
}

// savedHistory is a history as the store has it, by status class.
type savedHistory map[string]*savedDays

func (h *history) save(counts *[numClasses]uint64) savedHistory {
	var s savedHistory
	for i := range h {
		if h[i].day != 0 && counts[i] > 0 {
			if s == nil {
				s = make(savedHistory)
			}
			s[classNames[i]] = h[i].save()
		}
	}
	return s
}

// load takes over what an earlier process had. Classes that it did not have begin
// when the others did.
func (h *history) load(s savedHistory) {
	if len(s) == 0 {
		return
	}
	var day int32
	for _, d := range s {
		if d != nil {
			day = max(day, d.Day)
		}
	}
	for i, name := range classNames {
		if d := s[name]; d != nil {
			h[i].load(d)
		} else {
			h[i] = days{day: day}
		}
	}
}

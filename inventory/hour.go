package inventory

import "time"

// hour sums up the refused and scanned requests to a host within an hour of the clock.
// Its parts are for scans, which do not begin when an hour of the clock does.
type hour struct {
	start                    int64 // Unix nanoseconds
	refused, scanned, routes uint64
	parts                    [hourParts]part
}

// part is what came within five minutes.
type part struct{ requests, routes uint32 }

const (
	hourParts  = 12
	partLength = int64(time.Hour) / hourParts
)

// hourAt is the hourly record for now. A clock that went back adds to the latest.
func (h *hostRecord) hourAt(now time.Time) *hour {
	start := now.Truncate(time.Hour).UnixNano()
	if n := len(h.hours); n > 0 && h.hours[n-1].start >= start {
		return &h.hours[n-1]
	}
	if len(h.hours) == maxHours {
		h.hours = append(h.hours[:0], h.hours[1:]...)
	}
	h.hours = append(h.hours, hour{start: start})
	return &h.hours[len(h.hours)-1]
}

// partOf is the part that now is in, the first or last one where it is in another hour.
func (x *hour) partOf(now time.Time) int {
	return int(min(max(now.UnixNano()-x.start, 0)/partLength, hourParts-1))
}

// at is what came in a part. What the record has in no part, since an earlier release
// counted it, came in the last one.
func (x *hour) at(i int) (requests, routes uint64) {
	requests, routes = uint64(x.parts[i].requests), uint64(x.parts[i].routes)
	if i < hourParts-1 {
		return requests, routes
	}
	all, known := x.refused+x.scanned, uint64(0)
	allRoutes, knownRoutes := x.routes, uint64(0)
	for _, p := range x.parts {
		known, knownRoutes = known+uint64(p.requests), knownRoutes+uint64(p.routes)
	}
	return requests + all - min(all, known), routes + allRoutes - min(allRoutes, knownRoutes)
}

// add adds what another node, or an earlier process, has of the same hour.
func (x *hour) add(s *savedHour) {
	x.refused += s.Refused
	x.scanned += s.Scanned
	x.routes += s.Routes
	for i, p := range s.Parts[:min(len(s.Parts), hourParts)] {
		x.parts[i].requests += p[0]
		x.parts[i].routes += p[1]
	}
}

// span is what came within an hour of any beginning.
type span struct {
	from, end        int64 // of the first and the last part with a request
	requests, routes uint64
}

// spanTo is the hour that ends with part i of the k-th of hours, that part and the twelve
// before it: where in a part a request came is not known, and none of the hour is missed.
func spanTo(hours []hour, k, i int) span {
	last := hours[k].start + int64(i)*partLength
	s := span{end: last + partLength}
	for j := max(k-1, 0); j <= k; j++ {
		for q := range hourParts {
			begins := hours[j].start + int64(q)*partLength
			if begins < last-int64(time.Hour) || begins > last {
				continue
			}
			requests, routes := hours[j].at(q)
			if requests > 0 && s.from == 0 {
				s.from = begins
			}
			s.requests, s.routes = s.requests+requests, s.routes+routes
		}
	}
	return s
}

// scanIn is the busiest hour of what is a scan at the time of now, and when the latest
// such hour ended.
func scanIn(hours []hour, now time.Time) (busiest span, end int64, found bool) {
	for k := range hours {
		for i := range hourParts {
			ends := hours[k].start + int64(i+1)*partLength
			if requests, _ := hours[k].at(i); requests == 0 || !now.Before(time.Unix(0, ends).Add(scanFades)) {
				continue
			}
			if s := spanTo(hours, k, i); s.requests >= scanSize {
				end, found = s.end, true
				if s.requests >= busiest.requests {
					busiest = s
				}
			}
		}
	}
	return busiest, end, found
}

// countNoise counts a request that was refused or found nothing. The feed hears of a scan
// when it grows by a power of ten, and again when it goes on for an hour after that.
func (inv *Inventory) countNoise(host *hostRecord, worth rank, first bool, now time.Time) {
	h := host.hourAt(now)
	i := h.partOf(now)
	h.parts[i].requests++
	if worth == rankRefused {
		h.refused++
	} else {
		h.scanned++
	}
	if first {
		h.parts[i].routes++
		h.routes++
	}
	n := spanTo(host.hours, len(host.hours)-1, i).requests
	if since := now.Sub(host.toldAt); since >= time.Hour || since < 0 {
		host.told = 0
	}
	if grown := max(10*host.told, scanSize); n >= grown {
		for host.told = grown; n >= 10*host.told; host.told *= 10 {
		}
		host.toldAt = now
		inv.announceScan(host, n, now)
	}
}

package ratelimit

import (
	"strconv"
	"time"
)

// The response fields of draft-ietf-httpapi-ratelimit-headers-11: Lists of
// Strings with parameters (RFC 9651 sections 3.1 and 3.3.3).

// AppendPolicy appends the value of a RateLimit-Policy field:
//
//	"per_client";q=600;w=60, "password_reset";q=5;w=60
//
// q is how much fits at once and w the seconds in which that comes back, rounded
// up: for a bucket its burst and the time to refill, so that the r of AppendLimit
// is never more than q. A limit on concurrency has no w but a quota unit, a quota
// per month has none.
func AppendPolicy(dst []byte, limits []*Limit) []byte {
	for i, l := range limits {
		if i > 0 {
			dst = append(dst, ", "...)
		}
		dst = appendString(dst, l.Name)
		dst = append(dst, ";q="...)
		dst = strconv.AppendUint(dst, l.capacity(), 10)
		if l.Algorithm == Concurrency {
			dst = append(dst, `;qu="concurrent-requests"`...)
			continue
		}
		if l.Period == Month {
			continue // of no constant length: the t of RateLimit tells when it ends
		}
		dst = append(dst, ";w="...)
		dst = strconv.AppendInt(dst, ceilSeconds(l.refill()), 10)
	}
	return dst
}

// AppendLimit appends the value of a RateLimit field, decisions[i] being that of
// limits[i]:
//
//	"per_client";r=599;t=60, "password_reset";r=0;t=12
//
// t is the seconds until r next grows, rounded up; it is left out when nothing
// is owed. A Retry-After of the same response is never earlier than a t with
// r=0, as the draft asks.
func AppendLimit(dst []byte, limits []*Limit, decisions []Decision) []byte {
	for i, l := range limits[:min(len(limits), len(decisions))] {
		if i > 0 {
			dst = append(dst, ", "...)
		}
		dst = appendString(dst, l.Name)
		dst = AppendRemaining(dst, &decisions[i])
	}
	return dst
}

// AppendRemaining appends the parameters that AppendLimit gives to a limit's name:
// ";r=599;t=60".
func AppendRemaining(dst []byte, d *Decision) []byte {
	dst = append(dst, ";r="...)
	dst = strconv.AppendInt(dst, int64(max(d.Remaining, 0)), 10)
	if d.Reset > 0 {
		dst = append(dst, ";t="...)
		dst = strconv.AppendInt(dst, ceilSeconds(d.Reset), 10)
	}
	return dst
}

// refill is how long capacity takes to come back, rounded up to nanoseconds.
func (l *Limit) refill() time.Duration {
	if l.Algorithm == Quota {
		return l.Period.longest()
	}
	if l.Algorithm == Window || l.Rate < 1 {
		return l.Window
	}
	ns, frac := span(l.capacity(), uint64(max(l.Window, 0)), uint64(l.Rate))
	if frac != 0 {
		ns++
	}
	return time.Duration(ns)
}

// appendString writes an sf-string. What it cannot hold, and Validate does not
// allow, becomes a question mark: a name must not end the field.
func appendString(dst []byte, s string) []byte {
	dst = append(dst, '"')
	for i := range len(s) {
		switch c := s[i]; {
		case c < ' ' || c > '~':
			dst = append(dst, '?')
		case c == '"' || c == '\\':
			dst = append(dst, '\\', c)
		default:
			dst = append(dst, c)
		}
	}
	return append(dst, '"')
}

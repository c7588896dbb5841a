package inventory

import "net/http"

// Evidence says how sure it is that a route exists, by the best answer so far.
type Evidence string

const (
	// EvidenceNone: never called.
	EvidenceNone Evidence = "none"
	// EvidenceScan: upstream said 404 or 410, gave the answer that this host gives
	// to everything (its baseline), or answered a CORS preflight.
	EvidenceScan Evidence = "scan"
	// EvidenceRefused: the guard refused, so upstream never said.
	EvidenceRefused Evidence = "refused"
	// EvidenceProbable: upstream knew enough to object. 401, 403, 405, 415, 422
	// and every other 4xx but 404 and 410, any 5xx, and redirects that lead
	// nowhere, such as those to a login page.
	EvidenceProbable Evidence = "probable"
	// EvidenceUnproven: it answered as a confirmed one does, but only ever to one
	// consumer, within one hour, and there are more of those than routes use to have:
	// over 400 of one consumer on a host, or over 2,000 of all. A scan that is answered
	// well looks like that.
	EvidenceUnproven Evidence = "unproven"
	// EvidenceConfirmed: 1xx (an upgrade), 2xx, 304, or a real redirect.
	EvidenceConfirmed Evidence = "confirmed"
)

// rank is Evidence in the order of its weight.
type rank uint8

const (
	rankNone rank = iota
	rankScan
	rankRefused
	rankProbable
	rankUnproven // what one answer never is; see entry.rank
	rankConfirmed
)

var evidenceOf = [...]Evidence{
	rankNone:      EvidenceNone,
	rankScan:      EvidenceScan,
	rankRefused:   EvidenceRefused,
	rankProbable:  EvidenceProbable,
	rankUnproven:  EvidenceUnproven,
	rankConfirmed: EvidenceConfirmed,
}

// worth is what one answer proves, its host's baseline aside.
func (o *Outcome) worth() rank {
	if !o.Forwarded {
		return rankRefused
	}
	if o.Preflight {
		return rankScan
	}
	switch s := o.Status; {
	case s == http.StatusNotFound || s == http.StatusGone:
		return rankScan
	case s < 100 || s > 599:
		// The client went away before an answer: nothing was said.
		return rankScan
	case s < 300 || s == http.StatusNotModified:
		return rankConfirmed
	case s < 400 && o.Redirect:
		return rankConfirmed
	default:
		return rankProbable
	}
}

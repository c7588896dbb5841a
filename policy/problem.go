package policy

import (
	"encoding/json"
	"net/http"
	"strconv"

	"github.com/apiguard/caddy-api-guard/policy/conformance"
	"github.com/apiguard/caddy-api-guard/ratelimit"
)

// TypeBase is what a problem's type starts with unless `type_base` says otherwise.
const TypeBase = "urn:api-guard:"

// QuotaExceededType is the problem type of a refusal by a limit, as registered by
// draft-ietf-httpapi-ratelimit-headers-11.
const QuotaExceededType = "https://iana.org/assignments/http-problem-types#quota-exceeded"

// MediaTypeProblem is the media type of a problem document (RFC 9457).
const MediaTypeProblem = "application/problem+json"

// AppendProblem appends the problem document (RFC 9457) of a refusal. Apart from
// instance nothing in it is the client's: no submitted value is echoed. All in it
// is plain ASCII but for the names and details of errors, which JSON escapes.
func (v *Verdict) AppendProblem(dst []byte, typeBase, instance string) []byte {
	return v.appendParticulars(v.appendGeneral(dst, typeBase), instance)
}

// Problem writes problem documents, one after another into the same room. What two
// refusals for one reason have in common is written once: most are for the reason of
// the one before.
type Problem struct {
	text     []byte
	general  int // bytes at the beginning of text that are of
	reason   Reason
	status   int
	typeBase string
}

// Of is what AppendProblem appends. It is good until the next one.
func (p *Problem) Of(v *Verdict, typeBase, instance string) []byte {
	if p.general == 0 || p.reason != v.Reason || p.status != v.Status || p.typeBase != typeBase {
		p.text = v.appendGeneral(p.text[:0], typeBase)
		p.general, p.reason, p.status, p.typeBase = len(p.text), v.Reason, v.Status, typeBase
	}
	p.text = v.appendParticulars(p.text[:p.general], instance)
	return p.text
}

// appendGeneral appends what is the same in all refusals with one reason and status.
func (v *Verdict) appendGeneral(dst []byte, typeBase string) []byte {
	text := reasonText[v.Reason]
	dst = append(dst, `{"type":"`...)
	if v.Reason == ReasonQuotaExceeded {
		dst = append(dst, QuotaExceededType...)
	} else {
		dst = append(dst, typeBase...)
		dst = append(dst, v.Reason...)
	}
	dst = append(dst, `","title":"`...)
	dst = append(dst, text.title...)
	dst = append(dst, `","status":`...)
	dst = strconv.AppendInt(dst, int64(v.Status), 10)
	dst = append(dst, `,"detail":"`...)
	dst = append(dst, text.detail...)
	return append(dst, '"')
}

func (v *Verdict) appendParticulars(dst []byte, instance string) []byte {
	if instance != "" {
		dst = append(dst, `,"instance":"urn:uuid:`...)
		dst = append(dst, instance...)
		dst = append(dst, '"')
	}
	if v.Reason == ReasonQuotaExceeded {
		dst = v.appendViolated(dst)
	}
	if len(v.Errors) > 0 && v.Rule == RuleRequest {
		dst = appendErrors(dst, v.Errors)
	}
	return append(dst, '}')
}

func (v *Verdict) appendViolated(dst []byte) []byte {
	dst = append(dst, `,"violated-policies":[`...)
	first := true
	for i := range v.bound {
		if v.charges[i].Shadow || v.decisions[i].Admitted || v.limits[i].hideFields || v.violatedBefore(i) {
			continue
		}
		if !first {
			dst = append(dst, ',')
		}
		first = false
		dst = append(dst, v.limits[i].quoted...)
	}
	return append(dst, ']')
}

// violatedBefore reports whether a limit of the same name is in the list already:
// a rate and a concurrency bear one.
func (v *Verdict) violatedBefore(i int) bool {
	for j := range i {
		if !v.charges[j].Shadow && !v.decisions[j].Admitted && !v.limits[j].hideFields && v.charges[j].Limit.Name == v.charges[i].Limit.Name {
			return true
		}
	}
	return false
}

func appendErrors(dst []byte, errs []conformance.Error) []byte {
	dst = append(dst, `,"errors":[`...)
	for i, e := range errs[:min(len(errs), conformance.MaxErrors)] {
		if i > 0 {
			dst = append(dst, ',')
		}
		dst = appendString(append(dst, `{"in":`...), string(e.In))
		dst = appendString(append(dst, `,"pointer":`...), e.Pointer)
		dst = appendString(append(dst, `,"name":`...), e.Name)
		dst = appendString(append(dst, `,"keyword":`...), e.Keyword)
		dst = appendString(append(dst, `,"detail":`...), e.Detail)
		dst = append(dst, '}')
	}
	return append(dst, ']')
}

// appendString appends s as encoding/json writes it, which it is asked for only
// where there is something to escape: of its own it takes longer than judging.
func appendString(dst []byte, s string) []byte {
	for i := range len(s) {
		if c := s[i]; c < ' ' || c > '~' || c == '"' || c == '\\' || c == '<' || c == '>' || c == '&' {
			escaped, _ := json.Marshal(s) // a string always marshals
			return append(dst, escaped...)
		}
	}
	dst = append(dst, '"')
	dst = append(dst, s...)
	return append(dst, '"')
}

// SetRefusal writes the header fields that belong to a refusal, apart from those
// of the body.
func (v *Verdict) SetRefusal(h http.Header, values *FieldValues) {
	h["Cache-Control"] = values.List("no-store")
	switch v.Reason {
	case ReasonMethodNotAllowed:
		h["Allow"] = values.List(v.Allow)
	case ReasonCredentialsMissing:
		h["Www-Authenticate"] = v.Challenges
	case ReasonMediaTypeUnsupported:
		if v.Accept != "" {
			h["Accept"] = values.List(v.Accept)
		}
	case ReasonTooManyBodies:
		h["Retry-After"] = values.List("1") // bodies come and go in less
	case ReasonQuotaExceeded, ReasonLimitsUnavailable:
		if seconds, ok := ratelimit.RetryAfterSeconds(v.charges[:v.bound], v.decisions[:v.bound]); ok {
			var digits [20]byte
			h["Retry-After"] = values.List(values.Text(strconv.AppendInt(digits[:0], int64(seconds), 10)))
		}
	}
}

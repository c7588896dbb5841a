package policy

import (
	"net/http"

	"github.com/apiguard/caddy-api-guard/policy/conformance"
)

// judgeRequest asks the operation's plan about the parameters and what to do with
// the body. Documents may tell several operations apart by what no request
// carries (a fragment in the path); then it suffices that one of them takes it.
func judgeRequest(operations []*conformance.Operation, r *Request, v *Verdict) {
	head := conformance.Request{
		Path: r.Target.Path, Params: &r.Match.Params, RawQuery: r.Target.RawQuery, Header: r.Header,
	}
	if len(operations) > 1 {
		judgeAlternatives(operations, &head, r.HasBody(), v)
		return
	}
	result := operations[0].Parameters(&head)
	if v.judge(&result) {
		return
	}
	if present := r.HasBody(); present || operations[0].NeedsBody() {
		v.Body = operations[0].Body(r.Header, present)
		v.judge(&v.Body.Result)
	}
}

func judgeAlternatives(operations []*conformance.Operation, head *conformance.Request, present bool, v *Verdict) {
	best := -1
	var result conformance.Result
	var plan conformance.BodyPlan
	for _, operation := range operations {
		candidate := operation.Parameters(head)
		body := operation.Body(head.Header, present)
		rank := 2 // takes it
		switch {
		case candidate.Reason != conformance.OK || body.Action == conformance.Refuse:
			rank = 0
		case len(candidate.Undeclared) > 0:
			rank = 1
		}
		if rank > best {
			best, result, plan = rank, candidate, body
			v.others = nil
		} else if rank == best && rank > 0 && body.Action == conformance.Judge {
			v.others = append(v.others, body)
		}
	}
	if v.judge(&result) {
		return
	}
	v.Body = plan
	v.judge(&v.Body.Result)
}

// JudgeBody judges the body of a request that Decide let pass.
func (v *Verdict) JudgeBody(body []byte) {
	result := v.Body.Check(body)
	for i := 0; i < len(v.others) && result.Reason != conformance.OK; i++ {
		if other := v.others[i].Check(body); other.Reason == conformance.OK {
			result = other
		}
	}
	v.judge(&result)
}

// JudgeResult judges a body that could not be read.
func (v *Verdict) JudgeResult(result conformance.Result) { v.judge(&result) }

// BodyTimedOut refuses a request whose body did not arrive in time. What was not
// read cannot be passed on, so that it is no matter of mode.
func (v *Verdict) BodyTimedOut() {
	v.Object(RuleRequest, Enforce, ReasonBodyTimeout, reasonText[ReasonBodyTimeout].status)
}

// TooManyBodies refuses a request whose body found no room beside all others. What
// was not read cannot be passed on, so that it is no matter of mode.
func (v *Verdict) TooManyBodies() {
	v.Object(RuleRequest, Enforce, ReasonTooManyBodies, reasonText[ReasonTooManyBodies].status)
}

// Release drops what the verdict holds of a request, so that it can be kept for
// another one.
func (v *Verdict) Release() {
	v.reset()
	v.clean = true
	if v.scope == &v.excepted {
		v.excepted = scope{}
	}
	v.scope = nil
}

// judge turns a conformance result into the verdict.
func (v *Verdict) judge(result *conformance.Result) (refused bool) {
	if result.Reason == conformance.OK && result.Unchecked == "" && len(result.Undeclared) == 0 {
		return false
	}
	return v.take(result)
}

func (v *Verdict) take(result *conformance.Result) (refused bool) {
	mode := v.scope.rules.modes[RuleRequest]
	if result.Unchecked != "" && v.Unchecked == "" {
		v.Unchecked = result.Unchecked
	}
	if n := len(result.Undeclared); n > 0 {
		undeclared := max(mode, v.scope.rules.UnknownParameters)
		if undeclared == Enforce {
			v.Errors = append(v.Errors, result.Undeclared...)
		}
		if v.Object(RuleRequest, undeclared, ReasonRequestInvalid, v.scope.rules.InvalidStatus) && result.Reason == conformance.OK {
			return true
		}
	}
	switch result.Reason {
	case conformance.OK:
		return false
	case conformance.BodyTooLarge:
		return v.object(RuleRequest, ReasonBodyTooLarge)
	case conformance.MediaTypeUnsupported:
		v.Accept = result.Accept
		return v.object(RuleRequest, ReasonMediaTypeUnsupported)
	case conformance.Invalid:
		if v.Errors == nil {
			v.Errors = result.Errors
		} else {
			v.Errors = append(v.Errors, result.Errors...)
		}
		return v.Object(RuleRequest, mode, ReasonRequestInvalid, v.scope.rules.InvalidStatus)
	default:
		// The engine failed. That is never a pass, whatever the mode.
		v.Defect = result.Defect
		return v.Object(RuleRequest, Enforce, ReasonInternalError, http.StatusInternalServerError)
	}
}

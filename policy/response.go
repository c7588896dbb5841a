package policy

import (
	"net/http"
	"slices"

	"github.com/apiguard/caddy-api-guard/policy/conformance"
)

// Answer is how an answer is judged, as far as its head tells. Keep it between
// Verdict.JudgeHead and Verdict.JudgeAnswer.
type Answer struct {
	// Plan says what to do with the body: Judge means that JudgeAnswer wants it.
	Plan conformance.BodyPlan
	// others are plans of further operations that the request may have been for.
	others []conformance.BodyPlan
}

// AnswerMode is the mode in which an answer to the request is judged. It is Off
// where there is nothing to judge it by.
func (v *Verdict) AnswerMode() Mode {
	if v.answers == nil {
		return Off
	}
	return v.scope.rules.modes[RuleResponse]
}

// AnswersWhole reports whether every operation that the request may be for answers
// with JSON alone when it succeeds: what is judged whole or not at all.
func (v *Verdict) AnswersWhole() bool {
	return len(v.answers) > 0 && !slices.ContainsFunc(v.answers, func(o *conformance.Operation) bool { return !o.AnswersJSON() })
}

// AnswersPages reports whether an operation that the request may be for gives out
// pages: answers 206 that are documents of their own.
func (v *Verdict) AnswersPages() bool {
	return slices.ContainsFunc(v.answers, func(o *conformance.Operation) bool { return o.PagesJSON() })
}

// JudgeHead judges status and header of upstream's answer. It is called once at
// most, when the final ones are known and AnswerMode is not Off. method is the
// request's. When it objects, nothing further is to be judged.
func (v *Verdict) JudgeHead(a *Answer, method string, status int, h http.Header) (refused bool) {
	if len(v.answers) == 1 {
		a.Plan, a.others = v.answers[0].Response(method, status, h), nil
		return v.judgeAnswer(&a.Plan.Result)
	}
	best := -1
	for _, operation := range v.answers {
		plan := operation.Response(method, status, h)
		rank := 1
		if plan.Action == conformance.Refuse {
			rank = 0
		}
		if rank > best {
			best, a.Plan, a.others = rank, plan, nil
		} else if rank == best && rank > 0 && plan.Action == conformance.Judge {
			a.others = append(a.others, plan)
		}
	}
	return v.judgeAnswer(&a.Plan.Result)
}

// JudgeAnswer judges the whole body of an answer, as it was sent.
func (v *Verdict) JudgeAnswer(a *Answer, body []byte) (refused bool) {
	result := a.Plan.Check(body)
	for i := 0; i < len(a.others) && result.Reason != conformance.OK; i++ {
		if other := a.others[i].Check(body); other.Reason == conformance.OK {
			result = other
		}
	}
	return v.judgeAnswer(&result)
}

func (v *Verdict) judgeAnswer(result *conformance.Result) (refused bool) {
	if result.Unchecked != "" {
		v.UncheckedAnswer = result.Unchecked
	}
	switch result.Reason {
	case conformance.OK:
		return false
	case conformance.BodyTooLarge: // once decoded
		v.UncheckedAnswer = UncheckedAnswerTooLarge
		return false
	case conformance.Invalid:
		if v.Outcome == Allow || v.scope.rules.modes[RuleResponse] == Enforce {
			v.Errors = result.Errors
		}
		return v.object(RuleResponse, ReasonResponseInvalid)
	default:
		// The engine failed. Upstream has done what it was asked for by now, and the
		// answer is not the client's doing: in monitor it passes.
		v.Defect = result.Defect
		return v.Object(RuleResponse, v.scope.rules.modes[RuleResponse], ReasonInternalError, http.StatusInternalServerError)
	}
}

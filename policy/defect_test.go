package policy

import (
	"testing"

	"github.com/apiguard/caddy-api-guard/policy/conformance"
)

func TestAVerdictCarriesTheDefectOfTheEngine(t *testing.T) {
	defect := conformance.Recovered("panic")
	for name, judge := range map[string]func(*Verdict, *conformance.Result){
		"request": func(v *Verdict, r *conformance.Result) { v.judge(r) },
		"answer":  func(v *Verdict, r *conformance.Result) { v.judgeAnswer(r) },
	} {
		v := &Verdict{scope: new(scope)}
		judge(v, &conformance.Result{Reason: conformance.Internal, Defect: defect})
		if v.Defect != defect {
			t.Errorf("%s: %v", name, v.Defect)
		}
		if v.Release(); v.Defect != nil {
			t.Errorf("%s: the next request has it too", name)
		}
	}
}

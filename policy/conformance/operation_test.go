package conformance

import (
	"math/big"
	"runtime"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/apiguard/caddy-api-guard/inventory/spec"
	"pgregory.net/rapid"
)

func TestAPanicIsInternalAndNeverAPass(t *testing.T) {
	o := parameterOperation(t, "3.0.3", "/x/{p}", `[{"name":"p","in":"path","required":true,"schema":{"type":"integer"}}]`)
	if r := o.Parameters(&Request{Path: "/x/5"}); r.Reason != Internal || !strings.Contains(string(r.Defect.Stack), "(*Operation).Parameters") { // without Params
		t.Errorf("got %+v", r)
	}
	if r := o.Parameters(get("/x/5", "", nil)); r.Reason != OK {
		t.Errorf("the next request must be judged: got %+v", r)
	}
	broken := BodyPlan{Action: Judge, MaxBody: 10}
	if r := broken.Check([]byte("{}")); r.Reason != Internal {
		t.Errorf("got %+v", r)
	}
}

func TestOperationsJudgeConcurrentlyFromTheirFirstUse(t *testing.T) {
	d, err := load(file(t, "orders.json"))
	if err != nil {
		t.Fatal(err)
	}
	body := file(t, "order-1k.json")
	payment := file(t, "payment-1k.json")
	var wait sync.WaitGroup
	for range 3 {
		orders, payments := operation(t, d, "POST", "/orders", Config{}), operation(t, d, "POST", "/payments", Config{})
		for range 8 {
			wait.Add(1)
			go func() {
				defer wait.Done()
				for range 20 {
					if r := orders.Parameters(get("/orders", "", nil)); r.Reason != OK {
						t.Errorf("got %+v", r)
					}
					p, q := orders.Body(jsonHeader, true), payments.Body(jsonHeader, true)
					if r := p.Check(body); r.Reason != OK {
						t.Errorf("got %+v", r)
					}
					if r := q.Check(payment); r.Reason != OK {
						t.Errorf("got %+v", r)
					}
					if r := q.Check(body); r.Reason != Invalid {
						t.Errorf("got %+v", r)
					}
				}
			}()
		}
	}
	wait.Wait()
}

func TestOperationsOfOneDocumentShareItsSchemas(t *testing.T) {
	d, err := load(file(t, "orders.json"))
	if err != nil {
		t.Fatal(err)
	}
	a, b := operation(t, d, "POST", "/orders", Config{}), operation(t, d, "POST", "/payments", Config{})
	a.Compile()
	before := len(a.library().nodes)
	b.Compile()
	if a.library() != b.library() {
		t.Error("two libraries for one document")
	}
	if len(a.library().nodes) <= before || before >= 5 {
		t.Errorf("%d schemas after the first operation, %d after the second: each compiles what it reaches", before, len(a.library().nodes))
	}
}

func TestALibraryGoesWithItsDocument(t *testing.T) {
	count := func() (n int) {
		libraries.Range(func(any, any) bool { n++; return true })
		return n
	}
	runtime.GC()
	before := count()
	func() {
		d, err := load(file(t, "orders.json"))
		if err != nil {
			t.Fatal(err)
		}
		New(&spec.Operation{Document: d, Op: d.Root.Paths.Value("/orders").Post}, nil, Config{}).Compile()
		if count() <= 0 {
			t.Error("no library for a document in use")
		}
	}()
	for deadline := time.Now().Add(time.Minute); count() > before && time.Now().Before(deadline); {
		runtime.GC()
		runtime.Gosched()
	}
	if n := count(); n > before {
		t.Errorf("%d libraries, %d before: the document's must be gone", n, before)
	}
}

func TestAnotherDialectIsUnchecked(t *testing.T) {
	for _, head := range []string{`"jsonSchemaDialect":"http://json-schema.org/draft-07/schema#",`, `"jsonSchemaDialect":"https://spec.openapis.org/oas/3.1/dialect/base",`} {
		o := operation(t, document(t, `{"openapi":"3.1.0",`+head+`"info":{"title":"t","version":"1"},"paths":{"/":{"post":{"requestBody":{"content":{
			"application/json":{"schema":{"type":"object"}}}},"responses":{"200":{"description":"ok"}}}}}}`), "POST", "/", Config{})
		known := strings.Contains(head, "openapis")
		if r := judgeBody(t, o, `1`); (r.Reason == Invalid) != known || (r.Unchecked == uncheckedSchema) == known {
			t.Errorf("%s: got %+v", head, r)
		}
	}
}

func TestDecimalsCompareAndDivideAsExactNumbersDo(t *testing.T) {
	number := rapid.StringMatching(`-?(0|[1-9][0-9]{0,24})(\.[0-9]{1,12})?([eE][+-]?[0-9]{1,2})?`)
	rapid.Check(t, func(t *rapid.T) {
		a, b := number.Draw(t, "a"), number.Draw(t, "b")
		x, y := parseDecimal([]byte(a)), parseDecimal([]byte(b))
		p, _ := new(big.Rat).SetString(a)
		q, _ := new(big.Rat).SetString(b)
		if got, want := x.compare(&y), p.Cmp(q); got != want {
			t.Fatalf("%s compared to %s is %d, want %d", a, b, got, want)
		}
		if got := x.integer(); got != p.IsInt() {
			t.Fatalf("%s is an integer: %v", a, got)
		}
		if (hashNumber([]byte(a)) == hashNumber([]byte(b))) != (p.Cmp(q) == 0) {
			t.Fatalf("%s and %s: hashes and values differ in being equal", a, b)
		}
		if q.Sign() > 0 {
			if got, want := x.multipleOf(&y), new(big.Rat).Quo(p, q).IsInt(); got != want {
				t.Fatalf("%s is a multiple of %s: %v, want %v", a, b, got, want)
			}
		}
	})
}

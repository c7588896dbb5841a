package conformance

import (
	"strings"
	"testing"
)

// What is judged while it is read must be judged as on the tape.

// onePassSchemas have everything that pass knows, and what it leaves to the tape.
var onePassSchemas = []string{
	`{}`, `{"type":"string","minLength":2,"maxLength":3}`, `{"type":"integer","maximum":5}`, `{"type":"number","multipleOf":0.5}`,
	`{"enum":["a",1,null,true,{"a":1}]}`, `{"type":"array","items":{"type":"integer"},"minItems":1,"maxItems":3}`,
	`{"type":"array","prefixItems":[{"type":"string"}],"items":{"type":"number"}}`, `{"type":"array","uniqueItems":true}`,
	`{"type":"object","properties":{"a":{"type":"integer"},"b":{"type":"array","items":{"$ref":"#/components/schemas/R"}},"é\"":{}},"required":["a"],"additionalProperties":false}`,
	`{"type":"object","properties":{"a":{"type":"integer"}},"required":["b"],"additionalProperties":{"type":"string","pattern":"^a+$"},"minProperties":2,"maxProperties":3}`,
	`{"patternProperties":{"^a":{"type":"integer"}}}`, `{"anyOf":[{"type":"string"},{"type":"null"},{"$ref":"#/components/schemas/R"}]}`,
	`{"oneOf":[{"type":"object","properties":{"t":{"const":"a"},"x":{"type":"integer"}}},{"type":"object","properties":{"t":{"enum":["b","c"]}},"required":["t"]}],"discriminator":{"propertyName":"t"}}`,
	`{"allOf":[{"$ref":"#/components/schemas/R"},{"properties":{"a":{"type":"object"},"c":{"format":"date"}},"required":["c"]}]}`,
}

const onePassComponents = `{"R":{"type":"object","properties":{"a":{"$ref":"#/components/schemas/R"},"n":{"type":["number","null"]}}}}`

// bothWays judges a body in one pass and on the tape.
func bothWays(n *node, body []byte) (once, tape bool) {
	r := newRun()
	defer r.release()
	once = r.takes(n, body)
	s := newRun()
	defer s.release()
	return once, s.t.read(body) == noFault && s.holds(program{n}, 0)
}

func onePassNodes(t testing.TB) []*node {
	var nodes []*node
	for _, schema := range onePassSchemas {
		o := bodyOperation(t, "3.1.0", schema, onePassComponents)
		o.Compile()
		root := o.body.entries[0].schema.root()
		if root == nil {
			t.Fatalf("%s: it has no program", schema)
		}
		nodes = append(nodes, root)
	}
	return nodes
}

func FuzzOnePass(f *testing.F) {
	for _, body := range []string{
		`{"a":1,"b":[{"a":{"n":1.5}},{"n":null}],"é\"":[]}`, ` { "a" : 1 , "b" : [ ] } `, `{"b":"x","c":"aaa"}`, `{"a":1,"a":1}`, `{"x":1,"x":2}`,
		`{"\u0061":1}`, `{"a":1,"b":[{"\u006e":1}]}`, `["a",1,2.5]`, `[1,1]`, `{"t":"a","x":1}`, `{"x":1,"t":"b"}`, `{"t":"a","t":"b"}`, `"ab"`, `"\u00e9é"`,
		`-0`, `-0.0`, `01`, `1.`, `1e2`, `12345678901234567890`, `123456789012345678.5`, `-`, `5.0`, `{"c":"2026-02-28","a":{"a":{}}}`, "\xef\xbb\xbf{}", "\"\xff\"",
		"[\n        1,\n        2\n]", `tru`, `null`, `{"a":`, `{"a":1]`, `{,}`, `[1,]`, `{"a":1}}`, strings.Repeat("[", 64) + strings.Repeat("]", 64), strings.Repeat("[", 65) + strings.Repeat("]", 65),
		`{"0":0,"1":0,"2":0,"3":0,"4":0,"5":0,"6":0,"7":0,"8":0,"9":0,"10":0,"11":0,"12":0,"13":0,"14":0,"15":0,"16":0,"17":0,"18":0,"19":0,"20":0,"21":0,"22":0,"23":0,"24":0,"25":0,"26":0,"27":0,"28":0,"29":0,"30":0,"31":0,"32":0,"33":0}`,
	} {
		f.Add([]byte(body))
	}
	nodes := onePassNodes(f)
	f.Fuzz(func(t *testing.T, body []byte) {
		for i, n := range nodes {
			once, tape := bothWays(n, body)
			if once && !tape {
				t.Fatalf("%s takes %q in one pass, but not on the tape", onePassSchemas[i], body)
			}
			// Names are compared as they are written: only escapes, and many names that
			// nobody declared, may make the pass give up.
			if tape && !once && !strings.Contains(string(body), `\`) && strings.Count(string(body), `"`) < 2*smallObject {
				t.Fatalf("%s takes %q on the tape, but not in one pass", onePassSchemas[i], body)
			}
		}
	})
}

func TestObjectsAreReadTwiceAtMost(t *testing.T) {
	n := onePassNodes(t)[0]
	// In each object a name is escaped, at its end: each is found out only there.
	body := strings.Repeat(`{"a":`, 60) + "1" + strings.Repeat(`,"\u0062":1}`, 60)
	r := newRun()
	defer r.release()
	s := pass{r: r, src: []byte(body)}
	r.t.src = s.src
	if s.value(n, 0, 1) >= 0 || s.again > 2*len(body) {
		t.Errorf("%d bytes were read again of %d, want the pass to give up", s.again, len(body))
	}
	if once, tape := bothWays(n, []byte(`{"a":{"\u0061":1}}`)); !once || !tape {
		t.Errorf("an escaped name: %v in one pass, %v on the tape, want both to take it", once, tape)
	}
}

func TestTheMembersOrderIsLearned(t *testing.T) {
	n := onePassNodes(t)[8]
	for range 2 {
		for _, body := range []string{`{"a":1,"b":[]}`, `{"b":[],"a":1}`, `{"a":1,"é\"":0,"b":[]}`} {
			if once, tape := bothWays(n, []byte(body)); !once || !tape {
				t.Errorf("%s: %v in one pass, %v on the tape", body, once, tape)
			}
		}
	}
	if at := n.object.order.next[0].Load(); at == 0 || n.object.names[at-1] != "a" && n.object.names[at-1] != "b" {
		t.Errorf("the first member is expected at %d", at)
	}
}

func TestTheBenchmarksBodiesAreJudgedInOnePass(t *testing.T) {
	d, err := load(file(t, "orders.json"))
	if err != nil {
		t.Fatal(err)
	}
	for body, path := range map[string]string{"order-1k.json": "/orders", "order-100k.json": "/orders", "payment-1k.json": "/payments"} {
		o := operation(t, d, "POST", path, Config{})
		o.Compile()
		r := newRun()
		if !r.takes(o.body.entries[0].schema.root(), file(t, body)) || len(r.t.toks) > 0 {
			t.Errorf("%s goes over the tape", body)
		}
		r.release()
	}
}

func TestTheDiscriminatorSaysWhichAlternativeWasMeant(t *testing.T) {
	o := bodyOperation(t, "3.0.3", `{"oneOf":[{"$ref":"#/components/schemas/Cat"},{"$ref":"#/components/schemas/Dog"}],
		"discriminator":{"propertyName":"kind","mapping":{"hound":"#/components/schemas/Dog"}}}`,
		`{"Cat":{"type":"object","required":["lives"]},"Dog":{"type":"object","required":["breed"]}}`)
	for body, want := range map[string]string{
		`{"kind":"Cat"}`:   "must have the property lives",
		`{"kind":"hound"}`: "must have the property breed",
		`{"kind":"Dog"}`:   "must have the property breed",
		`{"kind":"cow"}`:   "must match one of the schema's alternatives",
	} {
		if r := judgeBody(t, o, body); r.Reason != Invalid || len(r.Errors) != 1 || r.Errors[0].Detail != want {
			t.Errorf("%s: %+v, want %q", body, r, want)
		}
	}
}

package apiguard

import (
	"errors"
	"math/bits"
	"net/http"
	"strconv"
	"sync"
	"time"

	"github.com/caddyserver/caddy/v2"
	"github.com/caddyserver/caddy/v2/modules/caddyhttp"

	"github.com/apiguard/caddy-api-guard/inventory"
	"github.com/apiguard/caddy-api-guard/inventory/catalogue"
	"github.com/apiguard/caddy-api-guard/policy"
	"github.com/apiguard/caddy-api-guard/policy/target"
)

// exchange is one request on its way through the guard. It is reused, so that a
// request that passes costs no allocation; nothing may hold it after ServeHTTP.
type exchange struct {
	course
	request  policy.Request
	verdict  policy.Verdict
	response response
	fields   [2][]byte // RateLimit-Policy, RateLimit
	// policyField is the text of the last RateLimit-Policy that was sent: the next
	// one is mostly the same.
	policyField string
	values      policy.FieldValues
	problem     policy.Problem // the document of a refusal,
	length      int            // and the last one's length
	lengthField string         // as a field's value
	refused     refusedFacts
	ids         instances
}

// course is what there is of an exchange for one request alone. It is let go at once.
type course struct {
	app      *inForce
	w        http.ResponseWriter
	r        *http.Request
	replacer *caddy.Replacer
	vars     map[string]any // Caddy's, of the request
	query    catalogue.Query
	caller   inventory.Caller
	tee      *teeBody
	watched  *watchedBody
	kept     *heldBody // the request's body, as far as the guard has read it
	sent     *heldBody // the same, when it was passed on
	keyTee   *teeBody  // what a limit in monitor counts by, while it passes
	body     timedBody
	held     int64 // bytes of bodies, counted in shared.bodies
	facts    *facts
	sampling sampling
	others   behaviour
	before   behaviour     // of those others that can stand before the guard
	carries  policy.Fields // in its header
	observed bool
	logged   bool // the server has an access log
	// a limit has asked for the body, or nobody may any more
	askedBody bool
	anew      bool   // a guard has judged it before, with another target
	rewritten bool   // the request has its canonical target already
	came      line   // as another handler or the client has sent it
	passed    line   // as it was passed on
	failed    failed // what came of it before an error route
	// readTimeout is the server's own, 0 for none
	readTimeout time.Duration
	// what the rules headers and upgrade removed, or would have
	removed, wouldRemove []string
}

var exchanges = sync.Pool{New: func() any {
	x := new(exchange)
	x.request.Expand = x.expand
	x.request.HasBody = x.hasBody
	x.request.ReadBody = x.readBody
	x.request.Trusted = x.trusted
	x.response.exchange = x
	return x
}}

// release ends the exchange, and lets another request have it unless an error route
// goes on with it.
func (x *exchange) release() {
	x.end()
	if x.failed.left {
		return
	}
	expand, hasBody, trusted, readBody := x.request.Expand, x.request.HasBody, x.request.Trusted, x.request.ReadBody
	x.course = course{}
	x.request = policy.Request{Expand: expand, HasBody: hasBody, Trusted: trusted, ReadBody: readBody}
	x.response.reset(x)
	x.verdict.Release()
	exchanges.Put(x)
}

// end gives back what the request holds, however it ended, panics included.
func (x *exchange) end() {
	if !x.observed {
		x.response.abandon()
	}
	if x.others.traces && x.facts != nil {
		x.trace()
	}
	x.verdict.Close()
	if x.response.tap.kept.buffer != nil {
		x.response.tap.kept.drop(x)
	}
	if x.held != 0 {
		x.letGo(x.held)
	}
	if x.sent != nil {
		x.sent.settle()
	}
	x.kept, x.sent = nil, nil
	if x.keyTee != nil {
		x.keyTee.end(func([]byte, bool, string) {}) // unless it was charged by
		x.keyTee = nil
	}
	if x.tee != nil {
		x.tee.end(func([]byte, bool, string) {}) // unless it was judged
		x.tee = nil
	}
	if x.sampling.sample != nil {
		x.dropSample()
	}
	if x.watched != nil {
		_, _ = x.watched.end() // unless it was asked
		x.watched = nil
	}
}

// expand replaces the placeholders of a limit's key. They see the canonical
// target: another spelling of a host or path is no other bucket.
func (x *exchange) expand(text string) (string, bool) {
	x.rewrite()
	value, err := x.replacer.ReplaceOrErr(text, true, true)
	return value, err == nil
}

// trusted reports whether the request came from a trusted proxy.
func (x *exchange) trusted() bool {
	trusted, _ := x.vars[caddyhttp.TrustedProxyVarKey].(bool)
	return trusted
}

// refuse answers in upstream's place.
func (x *exchange) refuse() error {
	v := &x.verdict
	v.Refused()
	if x.failed.again {
		x.amend()
	} else {
		if x.app.Refusals == refusalsHandleErrors || x.before.intercepts {
			x.disarm()
		}
		x.publish()
	}
	x.observe(v.Status)
	return x.answerRefusal()
}

// answerRefusal sends the problem, or leaves it to Caddy's error routes unless it is in
// one: an error of theirs is an empty page.
func (x *exchange) answerRefusal() error {
	v, h := &x.verdict, x.w.Header()
	x.decorate(h)
	v.SetRefusal(h, &x.values)
	x.unexpect(h)
	if x.app.Refusals == refusalsHandleErrors && !inErrorRoute(x.r) {
		err := caddyhttp.HandlerError{StatusCode: v.Status, Err: errRefused}
		if !x.others.again {
			return err
		}
		return x.leave(left{status: v.Status, problem: v.AppendProblem(nil, x.app.typeBase(), x.instance())}, err)
	}
	return x.sendProblem(h)
}

// disarm makes a refused request harmless for error routes, and for routes on an
// intercepted answer, which may proxy it: it has the canonical target and no header field
// that was to be removed. A target that has no canonical form becomes "/".
func (x *exchange) disarm() {
	if x.verdict.Reason == policy.ReasonMalformedTarget {
		x.request.Target = target.Target{Host: x.request.Target.Host, Authority: x.request.Target.Authority, Path: "/"}
		x.write(true)
	} else {
		x.rewrite()
	}
	x.strip()
}

var errRefused = errors.New("refused by api_guard")

func (app *App) typeBase() string {
	if app.TypeBase != "" {
		return app.TypeBase
	}
	return policy.TypeBase
}

// decorate writes the fields that tell about versions and limits.
func (x *exchange) decorate(h http.Header) {
	v := &x.verdict
	v.SetLifecycle(h)
	v.SetVary(h)
	if v.Limited() == 0 {
		return
	}
	policyField, limitField, any := v.AppendFields(x.fields[0][:0], x.fields[1][:0])
	x.fields[0], x.fields[1] = policyField, limitField
	if any {
		if string(policyField) != x.policyField {
			x.policyField = string(policyField)
		}
		// Beside the origin's own, which counts by limits of its own. The names are
		// in net/http's canonical form, so that nothing has to make it.
		for i, value := range [...]string{x.policyField, x.values.Text(limitField)} {
			x.values.Add(h, limitFields[i], value)
		}
	}
}

var limitFields = [...]string{"Ratelimit-Policy", "Ratelimit"}

// observe records what came of the request, once.
func (x *exchange) observe(status int) {
	if x.observed {
		return
	}
	x.observed = true
	v, m := &x.verdict, &x.request.Match
	if v.Defect != nil {
		x.tellDefect()
	}
	if rejudged := v.Outcome != x.failed.outcome; !x.failed.again || rejudged {
		x.app.counting.count(m, v)
	} else if status == x.failed.status {
		return // the page of the error, which was recorded
	}
	o := inventory.Outcome{
		Time:      x.request.Now.UnixNano(),
		Status:    x.said(status),
		Meant:     x.response.call.meant,
		Verdict:   verdicts[v.Outcome],
		Rule:      v.Rule.String(),
		Reason:    string(v.Reason),
		Would:     wouldRefuse(v.Would),
		Forwarded: x.forwarded(),
		Preflight: v.Preflight,
		Caller:    x.introduce(),
	}
	if m.Outcome == catalogue.Found && x.request.Problem == "" {
		x.app.recorder.Hit(m, o)
		return
	}
	if o.Forwarded {
		x.describe(&o)
	}
	x.app.recorder.Observe(m, x.request.Target.Host, x.request.Method, x.request.Target.Path, o)
}

// forwarded reports whether upstream was asked.
func (x *exchange) forwarded() bool {
	return x.verdict.Outcome != policy.Refuse || x.response.wroteHeader
}

var verdicts = [...]inventory.Verdict{
	policy.Allow: inventory.Allow, policy.WouldRefuse: inventory.WouldRefuse, policy.Refuse: inventory.Refuse,
}

// ruleSets are the policy's rules as the inventory has them.
var ruleSets = func() (of [16]inventory.RuleSet) {
	for _, rule := range policy.AllRules() {
		of[rule] = inventory.RuleSetOf(rule.String())
	}
	return of
}()

func wouldRefuse(rules policy.RuleSet) (set inventory.RuleSet) {
	for ; rules != 0; rules &= rules - 1 {
		set |= ruleSets[bits.TrailingZeros16(uint16(rules))]
	}
	return set
}

// describe adds what tells an answer that a host gives to everything from one
// that means this route.
func (x *exchange) describe(o *inventory.Outcome) {
	h := x.w.Header()
	o.ContentType = contentType(h)
	o.BodyLength = -1
	if n, err := strconv.ParseInt(h.Get("Content-Length"), 10, 64); err == nil {
		o.BodyLength = n
	}
	o.Redirect = o.Status >= 300 && o.Status < 400 && leadsElsewhere(h.Get("Location"), x.request.Target.Path)
}

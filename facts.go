package apiguard

import (
	"strings"
	"sync/atomic"

	"github.com/caddyserver/caddy/v2"
	"github.com/caddyserver/caddy/v2/modules/caddyhttp"
	"go.uber.org/zap"
	"go.uber.org/zap/zapcore"

	"github.com/apiguard/caddy-api-guard/inventory"
	"github.com/apiguard/caddy-api-guard/inventory/catalogue"
	"github.com/apiguard/caddy-api-guard/policy"
)

// facts are what the guard knows about a request, for other handlers, as
// {http.api_guard.*}, and for the access log, as api_guard. They outlive
// ServeHTTP, since handlers around it read them afterwards.
type facts struct {
	api, version, state, operation string
	verdict, rule, reason          string
	limit                          string // names of the limits that refuse, or would
	unchecked, uncheckedAnswer     string
	errors                         []string // what an answer is not, in words of the document
	consumer                       string
	// header fields that the rules headers and upgrade removed, or would have
	removed, wouldRemove []string
	would                policy.RuleSet
}

const placeholderPrefix = "http.api_guard."

// lookup implements caddy.ReplacerFunc.
func (f *facts) lookup(key string) (any, bool) {
	name, ok := strings.CutPrefix(key, placeholderPrefix)
	if !ok {
		return nil, false
	}
	switch name {
	case "api":
		return f.api, true
	case "version":
		return f.version, true
	case "state":
		return f.state, true
	case "operation":
		return f.operation, true
	case "consumer":
		return f.consumer, true
	case "verdict":
		return f.verdict, true
	case "rule":
		return f.rule, true
	case "reason":
		return f.reason, true
	case "limit":
		return f.limit, true
	}
	return nil, false
}

// MarshalLogObject implements zapcore.ObjectMarshaler.
func (f *facts) MarshalLogObject(enc zapcore.ObjectEncoder) error {
	for _, field := range [...]struct{ name, value string }{
		{"api", f.api}, {"version", f.version}, {"state", f.state}, {"operation", f.operation},
		{"verdict", f.verdict}, {"rule", f.rule}, {"reason", f.reason}, {"limit", f.limit}, {"unchecked", f.unchecked}, {"unchecked_response", f.uncheckedAnswer}, {"consumer", f.consumer},
	} {
		if field.value != "" {
			enc.AddString(field.name, field.value)
		}
	}
	if len(f.errors) > 0 {
		zap.Strings("errors", f.errors).AddTo(enc)
	}
	if names := f.would.Names(); len(names) > 1 {
		zap.Strings("would_refuse", names).AddTo(enc)
	}
	if len(f.removed) > 0 {
		zap.Strings("removed", f.removed).AddTo(enc)
	}
	if len(f.wouldRemove) > 0 {
		zap.Strings("would_remove", f.wouldRemove).AddTo(enc)
	}
	return nil
}

// judged takes over a verdict.
func (f *facts) judged(v *policy.Verdict) {
	f.verdict, f.rule, f.reason, f.unchecked = v.Outcome.String(), v.Rule.String(), string(v.Reason), v.Unchecked
	f.uncheckedAnswer, f.would = v.UncheckedAnswer, 0
	if v.Outcome == policy.WouldRefuse {
		f.would = v.Would
	}
	f.limit = ""
	if v.Rule == policy.RuleLimit || f.would.Has(policy.RuleLimit) {
		f.limit = v.Exceeded()
	}
	f.errors = nil
	if v.Rule != policy.RuleResponse {
		return
	}
	for _, e := range v.Errors {
		f.errors = append(f.errors, strings.Join(strings.Fields(string(e.In)+" "+e.Name+" "+e.Pointer), " ")+": "+e.Keyword+": "+e.Detail)
	}
}

// published is a set of facts with the method value that the replacer calls, made
// once so that publishing allocates nothing.
type published struct {
	facts    *facts
	provider caddy.ReplacerFunc
}

func publishedOf(f *facts) published { return published{facts: f, provider: f.lookup} }

// allowedFacts are the facts of a documented operation that is simply allowed, by
// route and state. Each is made at the first request that needs it: of thousands of
// operations few are called, and what nobody reads the garbage collector still must.
type allowedFacts struct {
	routes []*catalogue.Route
	known  [][catalogue.NumStates]atomic.Pointer[published]
}

func newAllowedFacts(cat *catalogue.Catalogue) allowedFacts {
	return allowedFacts{cat.Routes, make([][catalogue.NumStates]atomic.Pointer[published], len(cat.Routes))}
}

func (a *allowedFacts) of(route *catalogue.Route, state catalogue.State) *published {
	known := &a.known[route.Index][state]
	if p := known.Load(); p != nil {
		return p
	}
	p := publishedOf(&facts{
		api: route.API.Name, version: route.Version.Name,
		state: state.String(), operation: operationName(route),
		verdict: policy.Allow.String(),
	})
	known.CompareAndSwap(nil, &p)
	return known.Load()
}

// refusedFacts are the facts of the last refusal. Nothing in them is a client's, and of
// many refusals most are like the one before.
type refusedFacts struct {
	refusedFor
	published
}

// refusedFor is what the facts of a request that is refused are made of.
type refusedFor struct {
	api                        *catalogue.API
	version                    *catalogue.Version
	route                      *catalogue.Route
	state                      catalogue.State
	rule                       policy.Rule
	reason                     policy.Reason
	unchecked, uncheckedAnswer string
	consumer                   string
	limit                      string
}

func (f *refusedFacts) of(x *exchange) published {
	v, m := &x.verdict, &x.request.Match
	now := refusedFor{
		api: m.API, version: m.Version, route: m.Route, state: v.State,
		rule: v.Rule, reason: v.Reason, unchecked: v.Unchecked, uncheckedAnswer: v.UncheckedAnswer, consumer: v.Consumer,
	}
	if v.Rule == policy.RuleLimit {
		now.limit = v.Exceeded()
	}
	if f.facts == nil || f.refusedFor != now {
		f.refusedFor, f.published = now, publishedOf(x.makeFacts())
	}
	return f.published
}

// operationName is the operationId, else the method and template.
func operationName(route *catalogue.Route) string {
	if route.Operation.ID != "" {
		return route.Operation.ID
	}
	return route.Operation.Method + " " + route.Operation.Template
}

// publish makes the facts of this request known.
func (x *exchange) publish() {
	v, m := &x.verdict, &x.request.Match
	var p published
	if m.Route != nil && v.Outcome == policy.Allow && v.Unchecked == "" && v.Consumer == "" && !x.judging() && len(x.removed)+len(x.wouldRemove) == 0 {
		p = *x.app.allowed.of(m.Route, v.State)
	} else if v.Outcome == policy.Refuse && len(x.removed)+len(x.wouldRemove) == 0 {
		p = x.refused.of(x)
	} else {
		p = publishedOf(x.makeFacts())
	}
	x.facts = p.facts
	if x.anew {
		x.say() // over what the first guard said
	} else {
		x.replacer.Map(p.provider)
	}
	if x.logged {
		x.log()
	}
}

var placeholderNames = [...]string{"api", "version", "state", "operation", "consumer", "verdict", "rule", "reason", "limit"}

// say sets each placeholder by itself.
func (x *exchange) say() {
	for _, name := range placeholderNames {
		value, _ := x.facts.lookup(placeholderPrefix + name)
		x.replacer.Set(placeholderPrefix+name, value)
	}
}

// log puts the facts into the access log.
func (x *exchange) log() {
	if extra, ok := x.r.Context().Value(caddyhttp.ExtraLogFieldsCtxKey).(*caddyhttp.ExtraLogFields); ok {
		extra.Set(zap.Object("api_guard", x.facts))
	}
}

// amend brings what is known up to date with a verdict that was made while a body
// streamed, or about the answer. What other handlers share is left as it is: of
// the placeholders those that have changed are set over it.
func (x *exchange) amend() {
	v, m := &x.verdict, &x.request.Match
	if m.Route == nil || x.facts != x.app.allowed.of(m.Route, v.State).facts {
		x.facts.judged(v)
		if x.anew {
			x.say()
		}
		return
	}
	if v.Outcome == policy.Allow && !x.logged {
		return // no placeholder tells what was not checked
	}
	f := x.makeFacts()
	x.facts = f
	if v.Outcome != policy.Allow {
		for name, value := range map[string]string{"verdict": f.verdict, "rule": f.rule, "reason": f.reason, "limit": f.limit} {
			x.replacer.Set(placeholderPrefix+name, value)
		}
	}
	if x.logged {
		x.log()
	}
}

func (x *exchange) makeFacts() *facts {
	m := &x.request.Match
	f := new(facts)
	f.judged(&x.verdict)
	f.consumer = x.verdict.Consumer
	f.removed, f.wouldRemove = x.removed, x.wouldRemove
	if m.API != nil {
		f.api = m.API.Name
	}
	if m.Version != nil {
		f.version, f.state = m.Version.Name, x.verdict.State.String()
	}
	if m.Route != nil {
		f.operation = operationName(m.Route)
	}
	return f
}

// eventFields writes a change of the inventory as log fields.
type eventFields inventory.Event

// MarshalLogObject implements zapcore.ObjectMarshaler.
func (e eventFields) MarshalLogObject(enc zapcore.ObjectEncoder) error {
	enc.AddString("event", e.Event)
	enc.AddTime("time", e.Time.Time)
	for _, field := range [...]struct{ name, value string }{
		{"api", e.API}, {"version", e.Version}, {"host", e.Host}, {"method", e.Method}, {"path", e.Path},
		{"state", e.State}, {"evidence", string(e.Evidence)},
		{"finding", e.Finding}, {"severity", e.Severity}, {"id", e.ID},
	} {
		if field.value != "" {
			enc.AddString(field.name, field.value)
		}
	}
	if len(e.Reasons) > 0 {
		zap.Strings("reasons", e.Reasons).AddTo(enc)
	}
	enc.AddUint64("count", e.Count)
	return nil
}

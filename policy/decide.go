package policy

import (
	"net/http"
	"net/netip"
	"time"

	"github.com/apiguard/caddy-api-guard/inventory/catalogue"
	"github.com/apiguard/caddy-api-guard/policy/conformance"
	"github.com/apiguard/caddy-api-guard/policy/target"
	"github.com/apiguard/caddy-api-guard/ratelimit"
)

// Request is what Decide judges: the head of a request, matched.
type Request struct {
	Now    time.Time   // when it arrived: dates are compared with it, and limits go by it where it is of time.Now
	Method string      // letter case counts (RFC 9110, section 9.1)
	Header http.Header // keys in net/http's form
	// Tunnel is the protocol of an extended CONNECT, whose Method is what upstream gets: GET
	// for a WebSocket, else the CONNECT itself; empty for every other request.
	Tunnel string
	Client netip.Addr // invalid when unknown
	// Early says that it came in TLS early data, before the handshake was complete.
	Early bool
	// Certificate says that the client presented one on its TLS connection.
	Certificate bool
	// Expand replaces the placeholders in a limit's key; false when one is unknown.
	Expand func(string) (string, bool)
	// Trusted says whether a trusted proxy sent the request. It is asked only when
	// a header field depends on it.
	Trusted func() bool
	// ReadBody reads the body for a limit that counts by what is in it, as far as
	// the largest body that is judged; false when it is larger or cannot be read.
	// It is asked only when such a limit binds the request.
	ReadBody func(limit int64) ([]byte, bool)
	// HasBody says whether a body follows, whatever its length. It is asked only
	// when the operation is known and nothing was refused yet, since it may wait
	// for the body's first byte.
	HasBody func() bool
	// Own says that the guard itself answers the request, if the target, the host and
	// the limits let it.
	Own bool
	// Around is the verdict of a guard around this one on the same request, as it was
	// before somebody rewrote it; nil for none. What it charged is not charged again.
	Around *Verdict
	// Overrides are those that somebody put into force for a while, in order.
	Overrides []Override

	// Target is what was asked for, as package target reads it.
	Target target.Target
	// Problem is empty when Target is canonical; else Target is a lenient reading,
	// by which the request is limited and recorded where spellings are not
	// enforced.
	Problem target.Problem
	Match   catalogue.Match // of Target

	bodyLimit int64  // of ReadBody
	consumer  string // the integration that it comes from
}

// Outcome is what becomes of a request.
type Outcome uint8

// The outcomes.
const (
	Allow Outcome = iota
	// WouldRefuse lets it pass because the rule is in monitor.
	WouldRefuse
	Refuse
)

var outcomeNames = [...]string{Allow: "allow", WouldRefuse: "would_refuse", Refuse: "refuse"}

// String is the outcome as logs, metrics and placeholders spell it.
func (o Outcome) String() string { return outcomeNames[o] }

// Verdict is the outcome for a request, with the rule and reason that made it.
// Reuse one by passing it to Decide again.
type Verdict struct {
	Outcome Outcome // the zero value allows
	Rule    Rule    // RuleNone: no rule objected
	Reason  Reason  // empty: no rule objected
	Status  int     // of the refusal
	// Would are the rules in monitor that would not have let it pass. Rule is the
	// first of them, unless an enforced one refused it.
	Would RuleSet

	// Preflight says that it is a CORS preflight that no document has, and passes as
	// one: what answers it says nothing about the route.
	Preflight bool

	// State is the state of the version that the request reached.
	State catalogue.State
	// Consumer is the integration that the request comes from; empty when it is
	// from none that is recognised.
	Consumer string
	// Errors say what does not conform, for ReasonRequestInvalid.
	Errors []conformance.Error
	// Allow and Accept are the values of those headers, for 405 and 415.
	Allow, Accept string
	// Challenges are the values of WWW-Authenticate, for 401.
	Challenges []string
	// Unchecked says what could not be checked; empty when all was. UncheckedAnswer
	// says it of the answer.
	Unchecked, UncheckedAnswer string
	// Defect is the panic of ReasonInternalError.
	Defect *conformance.Defect
	// Body says what to do with the body of a request that is not refused.
	Body conformance.BodyPlan

	scope     *scope
	excepted  scope // what scope points to when an exception holds
	protocols []string
	vary      []string
	// others are plans for the body of further operations that the head may be
	// meant for.
	others []conformance.BodyPlan
	// answers judge what upstream answers: the operations that were found.
	answers []*conformance.Operation
	// tells says that the answer carries fields about versions: the rule lifecycle
	// is enforced.
	tells     bool
	life      *life // of what was matched; nil where it tells nothing
	brownout  bool
	bound     int
	awaiting  []*bound // limits in monitor that count by what is in the body
	around    *Verdict // Request.Around
	hidden    uint32   // the charges that a guard within this one tells of
	table     ratelimit.Limiter
	open      uint32 // the charges that are not settled, a bit each
	failed    uint32 // those that were settled as failures
	shadows   bool   // some limit that was asked is in monitor
	violated  bool   // the rules target or request do not let it pass, in whatever mode
	clean     bool   // as reset leaves it
	limits    [MaxLimits]*bound
	charges   [MaxLimits]ratelimit.Charge
	decisions [MaxLimits]ratelimit.Decision
}

// Rules are the rules in force for the request, after Decide.
func (v *Verdict) Rules() *Rules { return &v.scope.rules }

func (v *Verdict) reset() {
	v.Outcome, v.Rule, v.Reason, v.Status, v.Would = Allow, RuleNone, "", 0, 0
	v.State, v.Errors, v.Allow, v.Accept, v.Unchecked = 0, nil, "", "", ""
	v.Consumer, v.UncheckedAnswer, v.Challenges, v.answers = "", "", nil, nil
	v.Body, v.others, v.Defect = conformance.BodyPlan{}, nil, nil
	v.vary, v.bound, v.awaiting = nil, 0, v.awaiting[:0]
	v.around, v.hidden = nil, 0
	v.table, v.open, v.failed, v.violated, v.shadows = nil, 0, 0, false, false
	v.tells, v.life, v.brownout, v.Preflight = false, nil, false, false
}

// Object records that a rule would not let the request pass and reports whether
// it is refused. Of several rules in monitor the first one makes the verdict; all
// of them are in Would, since any of them may be enforced next.
func (v *Verdict) Object(rule Rule, mode Mode, reason Reason, status int) (refused bool) {
	if mode != Off && (rule == RuleTarget && reason != ReasonTooEarly || rule == RuleRequest && reason != ReasonInternalError && reason != ReasonTooManyBodies) {
		v.violate()
	}
	switch {
	case mode == Off:
		return false
	case mode == Monitor:
		v.Would |= 1 << rule
		if v.Outcome == Allow {
			v.Outcome, v.Rule, v.Reason, v.Status = WouldRefuse, rule, reason, status
		}
		return false
	}
	v.Outcome, v.Rule, v.Reason, v.Status = Refuse, rule, reason, status
	return true
}

func (v *Verdict) object(rule Rule, reason Reason) bool {
	return v.Object(rule, v.scope.rules.modes[rule], reason, reasonText[reason].status)
}

// Decide judges the head of a request. It walks the rules in a fixed order; the
// first one that is enforced and does not hold refuses, and what comes after it
// is not looked at, so that a refusal costs less than a pass. What a rule in
// monitor would have refused is recorded, and the walk goes on.
//
// Limits come before lifecycle and route: who asks for what is not there pays
// too. The body, if v.Body says so, is judged by JudgeBody.
func (p *Policy) Decide(r *Request, v *Verdict) {
	if !v.clean {
		v.reset()
	}
	v.clean = false
	if p.walk(r, v); v.Outcome != Refuse && (r.Match.Outcome != catalogue.Found || r.Tunnel != "") {
		v.confine(r)
	}
}

func (p *Policy) walk(r *Request, v *Verdict) {
	m := &r.Match
	v.around = r.Around
	v.scope, v.protocols = p.scopeOf(m)
	if len(r.Overrides) > 0 {
		v.override(r)
	}
	v.tells = v.scope.rules.modes[RuleLifecycle] == Enforce
	v.live(p, m, r.Now)
	if p.consumers.byCredential != nil {
		v.Consumer = p.consumers.recognise(r)
		r.consumer = v.Consumer
	}
	if v.Consumer != "" {
		v.except(r.Now)
	}
	if m.Host != nil && v.tells {
		v.vary = p.hosts[m.Host.Index].vary
	}
	if p.malformed(r) && v.Object(RuleTarget, p.targetMode(v, r), ReasonMalformedTarget, http.StatusBadRequest) {
		p.chargeViolation(v, r)
		return
	}
	// Early data may be played back by who recorded it, and the address that it comes
	// from is not proven yet (RFC 8470 section 3, RFC 9001 section 9.2): neither limits nor
	// audiences could rely on it. Clients send it again by themselves.
	if r.Early && v.Object(RuleTarget, p.targetMode(v, r), ReasonTooEarly, http.StatusTooEarly) {
		return
	}
	if m.Outcome != catalogue.Found && p.unfound(r, v) {
		return
	}
	design := v.State == catalogue.StateDesign
	if !design && !r.Own && (m.Version == nil || len(v.scope.audience) > 0) && !p.admits(m, v.scope, r.proven()) && v.object(RuleAudience, r.notAdmitted()) {
		return
	}
	r.bodyLimit = v.scope.rules.MaxBody
	if !p.charge(v.scope, r, v) {
		v.exceed()
		return
	}
	if v.shadows || v.around != nil {
		v.wouldExceed()
	}
	if design && v.unborn() {
		return
	}
	if r.Own {
		return
	}
	if m.Outcome != catalogue.Found && preflight(r) && !r.HasBody() {
		// A CORS preflight carries neither credentials nor a body and is judged by
		// host and limits alone (Fetch standard, section 4.8). What has a body is none.
		v.Preflight = true
		return
	}
	if (v.brownout || v.State == catalogue.StateRetired) && v.ended() {
		return
	}
	if m.Outcome != catalogue.Found {
		v.unrouted(m)
		return
	}
	route := &p.routes[m.Route.Index]
	v.answers = route.operations
	if route.credentials != nil && v.unauthenticated(route.credentials, r) {
		return
	}
	if v.scope.rules.modes[RuleRequest] != Off {
		judgeRequest(route.operations, r, v)
	}
}

// unfound goes through what is decided before limits are asked where no operation was
// found, and reports whether that is all.
func (p *Policy) unfound(r *Request, v *Verdict) (final bool) {
	switch m := &r.Match; {
	case m.Outcome == catalogue.Passed:
		p.pass(r, v)
		return true
	case m.Outcome == catalogue.UnknownHost:
		v.object(RuleUnknownHost, ReasonUnknownHost)
		return true
	case m.Outcome == catalogue.NearMiss && v.State != catalogue.StateDesign && v.object(RuleTarget, ReasonAmbiguousTarget),
		m.Outcome == catalogue.Ambiguous && v.object(RuleTarget, ReasonVersionAmbiguous):
		p.chargeViolation(v, r)
		return true
	default:
		return false
	}
}

// unrouted objects to what no document has.
func (v *Verdict) unrouted(m *catalogue.Match) {
	if m.Outcome == catalogue.NoMethod {
		v.Allow = m.Allow
		v.object(RuleUnknownRoute, ReasonMethodNotAllowed)
		return
	}
	v.object(RuleUnknownRoute, ReasonUnknownRoute)
}

// scopeOf finds the policy that holds for what was matched, and the protocols
// that it may upgrade to.
func (p *Policy) scopeOf(m *catalogue.Match) (*scope, []string) {
	switch {
	case m.Outcome == catalogue.Passed:
		return p.passingOn(m.Host), nil
	case m.Route != nil:
		r := &p.routes[m.Route.Index]
		return r.scope, r.protocols
	case m.Version != nil:
		s := p.versions[m.Version]
		return s, s.protocols
	case m.API != nil:
		return p.apis[m.API], nil
	case m.Host != nil:
		return p.hosts[m.Host.Index], nil
	default:
		return &p.nowhere, nil
	}
}

func preflight(r *Request) bool {
	return r.Method == http.MethodOptions && len(r.Header["Origin"]) > 0 && len(r.Header["Access-Control-Request-Method"]) > 0
}

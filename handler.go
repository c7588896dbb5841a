package apiguard

import (
	"errors"
	"net/http"
	"net/netip"
	"reflect"
	"sync"
	"time"

	"github.com/caddyserver/caddy/v2"
	"github.com/caddyserver/caddy/v2/modules/caddyhttp"

	"github.com/apiguard/caddy-api-guard/inventory/catalogue"
	"github.com/apiguard/caddy-api-guard/policy"
	"github.com/apiguard/caddy-api-guard/policy/conformance"
	"github.com/apiguard/caddy-api-guard/policy/target"
)

// Handler is the HTTP handler `api_guard`. It asks the policy of the app
// `api_guard` about each request, refuses it or passes it on, and records what
// came of it. It has no configuration of its own: every site that has it has the
// same policy.
type Handler struct {
	app    *App
	server *caddyhttp.Server // nil outside of a server

	looked sync.Once
	others behaviour
	before behaviour // of those that can stand before it
}

// CaddyModule returns the Caddy module information.
func (*Handler) CaddyModule() caddy.ModuleInfo {
	return caddy.ModuleInfo{ID: "http.handlers.api_guard", New: func() caddy.Module { return new(Handler) }}
}

// Provision finds the app.
func (h *Handler) Provision(ctx caddy.Context) error {
	app, err := ctx.AppIfConfigured("api_guard")
	if errors.Is(err, caddy.ErrNotConfigured) {
		return errors.New("the handler api_guard needs the app api_guard: add the global option api_guard with at least one api")
	}
	if err != nil {
		return err
	}
	h.app = app.(*App)
	h.server, _ = ctx.Value(caddyhttp.ServerCtxKey).(*caddyhttp.Server)
	if h.server != nil && h.app.now.Load().byClient && !h.app.LaxProxies && h.server.TrustedProxiesStrict == 0 && trustsProxies(h.server) {
		return errors.New("limits or audiences go by {client_ip}, and this server has trusted_proxies or trusted_proxies_unix without trusted_proxies_strict: " +
			"a client could choose its own address. Add trusted_proxies_strict to the servers option, or lax_proxies to api_guard")
	}
	return nil
}

// trustsProxies reports whether the server has trusted_proxies, or trusts whoever
// connects to its Unix sockets. By the time that handlers are provisioned Caddy has loaded the option and emptied its exported
// field, so the loaded one is looked at; that it is still there is tested.
func trustsProxies(server *caddyhttp.Server) bool {
	loaded := reflect.ValueOf(server).Elem().FieldByName("trustedProxies")
	return server.TrustedProxiesUnix || server.TrustedProxiesRaw != nil || loaded.IsValid() && !loaded.IsNil()
}

// ServeHTTP implements caddyhttp.MiddlewareHandler.
func (h *Handler) ServeHTTP(w http.ResponseWriter, r *http.Request, next caddyhttp.Handler) error {
	if r.RequestURI == "" { // Caddy has made it, as httpInclude of templates does
		r.RequestURI = r.URL.RequestURI()
	}
	h.look()
	var around *exchange
	if h.others.nests {
		if around = guardAround(w); around != nil && lineOf(r) == around.passed {
			// A directive of the site and one that a snippet brought, say: it is not
			// charged and counted twice.
			return next.ServeHTTP(w, r)
		}
	}
	anew := around != nil
	if h.others.again {
		if l := leftBy(r, h.before.intercepts); l != nil {
			if l.body != nil {
				r.Body = l.body
			}
			if l.is(r) {
				return l.serve(w, r, next, around)
			}
			l.undecorate(w.Header())
			anew = true
		}
	}
	x := exchanges.Get().(*exchange)
	defer x.release()
	x.begin(h, w, r)
	x.anew = anew
	if around != nil {
		x.request.Around = &around.verdict
	}
	x.decide()
	if h.others.again && h.before.intercepts && around == nil {
		return x.answerIntercepted(next)
	}
	return x.answer(next)
}

// answer refuses the request, answers it or passes it on.
func (x *exchange) answer(next caddyhttp.Handler) error {
	if x.verdict.Outcome == policy.Refuse {
		return x.refuse()
	}
	if x.request.Own {
		return x.serveCatalog()
	}
	return x.forward(next)
}

// line is what tells one request from another: rewritten, it is to be judged anew.
type line struct{ method, uri, host string }

func lineOf(r *http.Request) line { return line{r.Method, r.RequestURI, r.Host} }

// guardAround is the exchange of the next guard around this one, nil for none.
func guardAround(w http.ResponseWriter) *exchange {
	for {
		switch inner := w.(type) {
		case *response:
			return inner.exchange
		case interface{ Unwrap() http.ResponseWriter }:
			w = inner.Unwrap()
		default:
			return nil
		}
	}
}

// begin takes over a request.
func (x *exchange) begin(h *Handler, w http.ResponseWriter, r *http.Request) {
	x.app, x.w, x.r, x.others, x.before = h.app.now.Load(), w, r, h.others, h.before
	if h.server != nil {
		x.logged, x.readTimeout = h.server.Logs != nil, time.Duration(h.server.ReadTimeout)
	}
	x.replacer = r.Context().Value(caddy.ReplacerCtxKey).(*caddy.Replacer)
	x.came = lineOf(r)
	x.vars, _ = r.Context().Value(caddyhttp.VarsCtxKey).(map[string]any)
	x.request.Now = time.Now()
	x.request.Method = r.Method
	if x.request.Tunnel = tunnelProtocol(r); x.request.Tunnel == webSocket {
		x.request.Method = http.MethodGet
	}
	x.request.Header = r.Header
	x.request.Overrides = h.app.shared.overrides.inForce()
	x.request.Early = r.ProtoMajor == 3 && r.TLS != nil && !r.TLS.HandshakeComplete
	x.request.Certificate = r.TLS != nil && len(r.TLS.PeerCertificates) > 0
}

// decide judges the request as far as it can be before it is passed on. A panic
// in the guard is a refusal, never a pass.
func (x *exchange) decide() {
	defer func() {
		if p := recover(); p != nil {
			x.verdict.Defect = conformance.Recovered(p)
			x.verdict.Object(policy.RuleNone, policy.Enforce, policy.ReasonInternalError, http.StatusInternalServerError)
		}
	}()
	x.match()
	x.app.policy.Decide(&x.request, &x.verdict)
	if action := x.verdict.Body.Action; x.verdict.Outcome != policy.Refuse && (action == conformance.Judge || action == conformance.Count) {
		x.judgeBody()
	}
	if x.verdict.AwaitsBody() {
		x.keepForKeys()
	}
	if x.body.late {
		x.refuseLate()
	}
}

// match finds the canonical target and what the catalogue has for it.
func (x *exchange) match() {
	r, q := x.r, &x.request
	in := target.Input{Method: q.Method, Raw: r.RequestURI, Host: r.Host, TLS: r.TLS != nil}
	q.Target, q.Problem = target.Canonical(in)
	x.carries = policy.FieldsOf(r.Header)
	if q.Problem == "" {
		if x.carries&policy.FieldsFraming != 0 || len(r.Trailer) != 0 {
			q.Problem = target.HeaderProblem(r.Header, r.Trailer)
		}
		if q.Tunnel != "" && r.ContentLength > 0 && q.Problem == "" {
			q.Problem = target.TunnelLength
		}
	} else {
		// In monitor it goes on as it came: its limits and version must be found
		// all the same.
		q.Target = target.Lenient(in)
	}
	x.query = catalogue.Query{
		Host: q.Target.Host, Method: q.Method, Path: q.Target.Path, RawQuery: q.Target.RawQuery, Header: r.Header,
	}
	x.app.policy.Catalogue().Match(&x.query, &q.Match)
	if q.Match.Outcome != catalogue.Found && q.Problem == "" && q.Target.Conditional == "" {
		x.app.policy.Catalogue().Pass(&x.query, &q.Match)
	}
	if q.Match.Outcome != catalogue.Found && x.asksForCatalog() {
		q.Own, q.Match = true, catalogue.Match{Outcome: catalogue.Unclaimed, Host: q.Match.Host}
	}
	q.Client = netip.Addr{}
	if ip, ok := x.vars[caddyhttp.ClientIPVarKey].(string); ok {
		q.Client, _ = netip.ParseAddr(ip)
	}
}

// forward passes the request on in its canonical form and records the answer.
func (x *exchange) forward(next caddyhttp.Handler) error {
	x.rewrite()
	x.strip()
	x.publish()
	return x.pass(next)
}

// pass passes the request on as it is and records the answer.
func (x *exchange) pass(next caddyhttp.Handler) error {
	x.sample()
	x.passOn()
	x.passed = lineOf(x.r)
	err := x.response.from(next)
	if x.response.call.open {
		x.response.endCall()
	}
	if x.tee != nil {
		x.judgeStreamed()
	}
	if x.watched != nil && x.judgeWatched() {
		return x.answersInstead()
	}
	if x.verdict.AwaitsBody() && !x.chargesLater(err) {
		x.chargePassed(err)
	}
	if x.response.wroteHeader {
		if err != nil {
			err = x.leave(left{}, err) // a page behind the answer is no other one
		}
		return x.response.end(err)
	}
	status := unansweredStatus(err)
	if errors.Is(err, errRefused) { // by a guard within this one
		x.verdict.RefusedWithin()
	} else {
		x.settleUnanswered(status)
	}
	// Caddy's error routes answer, or net/http with an empty 200, on the same
	// header map.
	x.decorate(x.w.Header())
	x.observe(status)
	x.submit(status)
	if err != nil && !errors.Is(err, errRefused) {
		return x.handOver(status, err)
	}
	if err != nil {
		var behind leftError // which has why
		if errors.As(err, &behind) {
			x.tell(behind.left)
		}
	}
	return err
}

// unansweredStatus is what a client gets when the next handler has written nothing: the
// status of its error, since Caddy answers with it, or net/http's empty 200.
func unansweredStatus(err error) int {
	var handlerError caddyhttp.HandlerError
	switch {
	case err == nil:
		return http.StatusOK
	case errors.As(err, &handlerError) && handlerError.StatusCode != 0:
		return handlerError.StatusCode
	default:
		return http.StatusInternalServerError
	}
}

// strip removes the header fields that the policy does not let pass.
func (x *exchange) strip() {
	if x.carries&policy.FieldsStripped == 0 {
		return
	}
	x.removed, x.wouldRemove = x.verdict.Strip(x.r.Header, x.request.Trusted)
}

var (
	_ caddyhttp.MiddlewareHandler = (*Handler)(nil)
	_ caddy.Provisioner           = (*Handler)(nil)
)

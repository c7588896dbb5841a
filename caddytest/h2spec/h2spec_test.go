package h2spec

import (
	"errors"
	"fmt"
	"net"
	"strconv"
	"strings"
	"testing"
	"time"

	_ "github.com/apiguard/caddy-api-guard"
	"github.com/apiguard/caddy-api-guard/caddytest/internal/harness"
	_ "github.com/caddyserver/caddy/v2/modules/standard"
	"github.com/summerwind/h2spec/config"
	"github.com/summerwind/h2spec/generic"
	"github.com/summerwind/h2spec/hpack"
	"github.com/summerwind/h2spec/http2"
	"github.com/summerwind/h2spec/spec"
)

func TestMain(m *testing.M) { harness.Main(m) }

// caddyfile is the Caddy under test; %[1]s is the guard's app, %[2]s the handler.
const caddyfile = `{
	admin 127.0.0.1:<admin>
	persist_config off
	http_port <http>
	https_port <https>
	default_bind 127.0.0.1
	skip_install_trust
	local_certs
	auto_https disable_redirects
	grace_period 1s
	%[1]s
}
http://127.0.0.1:<http> {
}
https://127.0.0.1:<https> {
	tls internal
	%[2]s
	reverse_proxy 127.0.0.1:<upstream>
}
`

// guard judges all that h2spec sends: its requests are for "/" on the address
// that it dials, some with a body that has no media type.
const guard = `api_guard {
		policy {
			unknown_route enforce
			request enforce
		}
		api probe {
			version v1 {
				hosts 127.0.0.1
				spec probe.yaml
			}
		}
	}`

const document = `openapi: 3.1.0
info: {title: Probe, version: "1"}
paths:
  /:
    get:
      responses: {"200": {description: here}}
    head:
      responses: {"200": {description: here}}
    post:
      requestBody:
        content:
          application/octet-stream: {}
      responses: {"200": {description: taken}}
`

// verdict is how a case ended: "passed", "skipped", or what was wrong.
type verdict string

const (
	passed  verdict = "passed"
	skipped verdict = "skipped"
)

func TestTheGuardBreaksNoCaseOfH2spec(t *testing.T) {
	up := harness.NewUpstream(t)
	plain := start(t, up, "", "")
	guarded := start(t, up, guard, "api_guard")

	without, with := map[verdict]int{}, map[verdict]int{}
	for _, c := range cases() {
		before := make(chan verdict)
		go func() { before <- c.run(plain) }()
		g := c.run(guarded)
		p := <-before
		// A case that waits for an answer may fail on a busy machine alone, with the guard
		// and without it.
		for try := range 5 {
			both := short(p) == short(g)
			if both && (short(p) != "failed" || try > 0) {
				break
			}
			if short(p) == "failed" {
				p = c.run(plain)
			}
			if short(g) == "failed" {
				g = c.run(guarded)
			}
		}
		if g != p && p == passed {
			t.Errorf("%s passes without the guard; with it: %s", c.name, g)
		}
		without[short(p)]++
		with[short(g)]++
		if p != passed {
			t.Logf("%s: without the guard %s; with it %s", c.name, p, g)
		}
	}
	t.Logf("without the guard %v, with it %v", without, with)
	if without[passed] < 140 || with[passed] < without[passed] {
		t.Errorf("passed without the guard %d, with it %d: want 140 at least, and no fewer with it", without[passed], with[passed])
	}
}

// short is the verdict without what was wrong.
func short(v verdict) verdict {
	if v == passed || v == skipped {
		return v
	}
	return "failed"
}

func start(t *testing.T, up *harness.Upstream, app, handler string) *config.Config {
	t.Helper()
	caddy := harness.Start(t, harness.Config{
		Caddyfile: fmt.Sprintf(caddyfile, app, handler),
		Files:     map[string]string{"probe.yaml": document},
		Upstream:  up,
	})
	host, port, err := net.SplitHostPort(caddy.HTTPS)
	if err != nil {
		t.Fatal(err)
	}
	number, err := strconv.Atoi(port)
	if err != nil {
		t.Fatal(err)
	}
	cfg := &config.Config{
		Host: host, Port: number, Path: "/", Timeout: 2 * time.Second, MaxHeaderLen: 4000, TLS: true, Insecure: true,
	}
	harness.Await(t, "a certificate", func() (string, bool) { // Caddy makes one up while it serves already
		conn, err := spec.Dial(cfg)
		if err != nil {
			return err.Error(), false
		}
		_ = conn.Close()
		return "", true
	})
	return cfg
}

type testCase struct {
	name string
	*spec.TestCase
}

// cases are all that h2spec has for servers, but for the strict ones: these ask
// for what RFC 9113 only recommends.
func cases() []testCase {
	var all []testCase
	var collect func(g *spec.TestGroup)
	collect = func(g *spec.TestGroup) {
		for i, c := range g.Tests {
			all = append(all, testCase{fmt.Sprintf("%s/%d %s", g.ID(), i+1, c.Desc), c})
		}
		for _, sub := range g.Groups {
			collect(sub)
		}
	}
	for _, g := range []*spec.TestGroup{generic.Spec(), http2.Spec(), hpack.Spec()} {
		collect(g)
	}
	return all
}

func (c testCase) run(cfg *config.Config) verdict {
	conn, err := spec.Dial(cfg)
	if err != nil {
		return verdict("dialling: " + err.Error())
	}
	defer conn.Close()
	err = c.Run(cfg, conn)
	switch {
	case err == nil:
		return passed
	case errors.Is(err, spec.ErrSkipped):
		return skipped
	}
	return verdict(strings.ReplaceAll(err.Error(), "\n", " · "))
}

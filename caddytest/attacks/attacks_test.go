package attacks

import (
	"bufio"
	_ "embed"
	"errors"
	"fmt"
	"io"
	"maps"
	"net"
	"net/http"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"

	"golang.org/x/net/http2/hpack"

	_ "github.com/apiguard/caddy-api-guard"
	"github.com/apiguard/caddy-api-guard/caddytest/internal/harness"
	_ "github.com/caddyserver/caddy/v2/modules/standard"
)

func TestMain(m *testing.M) { harness.Main(m) }

//go:embed testdata/shop.yaml
var shop string

//go:embed testdata/guarded.Caddyfile
var guarded string

//go:embed testdata/plain.Caddyfile
var plain string

// classes are what the corpus must cover, each with attacks and control twins.
var classes = []string{
	"path", "target", "host", "header", "method", "query", "body", "framing", "tunnel", "client identity", "version",
}

// minimum is how many attacks the corpus has at least.
const minimum = 300

func TestTheCorpusCoversEveryClassWithTwins(t *testing.T) {
	all := corpus(t)
	attacks, controls := map[string]int{}, map[string]int{}
	names := map[string]bool{}
	total := 0
	for _, a := range all {
		if names[a.class+a.name] {
			t.Errorf("line %d: %s: %s is there twice", a.line, a.class, a.name)
		}
		names[a.class+a.name] = true
		if a.control {
			controls[a.class]++
		} else {
			attacks[a.class]++
			total++
		}
		if len(a.status) == 0 || len(a.send) == 0 && len(a.fields) == 0 {
			t.Errorf("line %d: %s: %s sends nothing or expects no status", a.line, a.class, a.name)
		}
	}
	for _, class := range classes {
		if attacks[class] < 10 || controls[class] < 2 {
			t.Errorf("class %s has %d attacks and %d controls, want 10 and 2 at least", class, attacks[class], controls[class])
		}
	}
	if total < minimum || len(attacks) != len(classes) {
		t.Errorf("%d attacks in the classes %v, want %d at least in %v", total, slices.Sorted(maps.Keys(attacks)), minimum, classes)
	}
}

func corpus(t *testing.T) []attack {
	t.Helper()
	all, err := readCorpus(corpusText)
	if err != nil {
		t.Fatalf("testdata/corpus.txt: %v", err)
	}
	return all
}

// score counts by class: what passed of attacks and of controls.
type score map[string]*[4]int // attacks held, attacks, controls held, controls

func (s score) count(a *attack, held bool) {
	if s[a.class] == nil {
		s[a.class] = new([4]int)
	}
	at := 0
	if a.control {
		at = 2
	}
	s[a.class][at+1]++
	if held {
		s[a.class][at]++
	}
}

func TestNothingButTheJudgedReachesTheUpstream(t *testing.T) {
	all := corpus(t)
	withGuard, without := score{}, score{}
	t.Run("guarded", func(t *testing.T) {
		r := start(t, guarded)
		for i := range all {
			a := &all[i]
			seen, answers := r.run(t, i, a, len(a.status))
			wrong := a.judge(seen, r.added(i, a), source(i, a))
			if wrong == "" {
				wrong = a.judgeAnswers(answers)
			}
			withGuard.count(a, wrong == "")
			if wrong != "" {
				t.Errorf("corpus.txt:%d: %s: %s: %s", a.line, a.class, a.name, wrong)
			}
		}
	})
	t.Run("plain", func(t *testing.T) {
		r := start(t, plain)
		for i := range all {
			a := &all[i]
			seen, _ := r.run(t, i, a, 0)
			// What it answers is its own affair: only the upstream's word counts.
			without.count(a, a.judge(seen, r.added(i, a), source(i, a)) == "")
		}
	})
	var sum, bare [4]int
	for _, class := range classes {
		g, p := withGuard[class], without[class]
		t.Logf("%-16s guarded %3d/%-3d controls %2d/%-2d   plain Caddy %3d/%-3d controls %2d/%-2d",
			class, g[0], g[1], g[2], g[3], p[0], p[1], p[2], p[3])
		for i := range sum {
			sum[i], bare[i] = sum[i]+g[i], bare[i]+p[i]
		}
	}
	t.Logf("%-16s guarded %3d/%-3d controls %2d/%-2d   plain Caddy %3d/%-3d controls %2d/%-2d",
		"all", sum[0], sum[1], sum[2], sum[3], bare[0], bare[1], bare[2], bare[3])
}

// runner sends the corpus to one Caddy.
type runner struct {
	caddy *harness.Caddy
	judge *judge
}

func start(t *testing.T, caddyfile string) *runner {
	t.Helper()
	j := newJudge(t)
	_, port, _ := net.SplitHostPort(j.listener.Addr().String())
	c := harness.Start(t, harness.Config{
		Caddyfile: strings.ReplaceAll(caddyfile, "<judge>", "127.0.0.1:"+port),
		Files:     map[string]string{"shop.yaml": shop},
	})
	return &runner{caddy: c, judge: j}
}

// source is the address that a case comes from: each has one of its own, so that
// no case uses up another one's limits.
func source(i int, a *attack) string {
	if len(a.fields) > 0 {
		return "127.0.0.1"
	}
	net := 1
	if a.trusted {
		net = 77
	}
	return fmt.Sprintf("127.%d.%d.%d", net, i/250, 1+i%250)
}

// added are the fields that Caddy adds to all that it passes on.
func (r *runner) added(i int, a *attack) []string {
	scheme, via := "http", "1.1 Caddy"
	if len(a.fields) > 0 {
		scheme, via = "https", "2.0 Caddy"
	}
	added := []string{
		"X-Forwarded-For: " + source(i, a), "X-Forwarded-Proto: " + scheme, "Via: " + via, "Via: 1.0 Caddy",
		"Accept-Encoding: gzip", "Connection: close",
	}
	for _, m := range a.sees {
		for _, line := range m.head {
			if host, ok := strings.CutPrefix(line, "Host: "); ok {
				added = append(added, "X-Forwarded-Host: "+host)
			}
		}
	}
	return added
}

// run sends a case and returns what the upstream saw of it and the statuses that
// came back, of which so many are waited for.
func (r *runner) run(t *testing.T, i int, a *attack, want int) (seen, answers []string) {
	t.Helper()
	if len(a.fields) > 0 {
		answers = []string{r.send2(t, a)}
	} else {
		answers = r.send1(t, source(i, a), a.send, want)
	}
	return r.judge.take(t), answers
}

// patience is how long a connection may be silent before the case is over, when it has
// had its answers: only tunnels, and servers that wait for more of a body, are. What has
// to come has more time, since a machine may do much else.
const patience = 300 * time.Millisecond

func (r *runner) send1(t *testing.T, from string, request []byte, want int) (answers []string) {
	t.Helper()
	dialer := net.Dialer{LocalAddr: &net.TCPAddr{IP: net.ParseIP(from)}}
	conn, err := dialer.Dial("tcp", r.caddy.HTTP)
	if err != nil {
		t.Fatalf("dialling Caddy from %s: %v", from, err)
	}
	defer conn.Close()
	go func() { _, _ = conn.Write(request) }()
	in := bufio.NewReader(conn)
	for {
		wait := patience
		switch {
		case len(answers) < want:
			wait = time.Minute
		case len(answers) == 0:
			wait = 5 * time.Second
		}
		_ = conn.SetReadDeadline(time.Now().Add(wait))
		resp, err := http.ReadResponse(in, nil)
		if err != nil {
			var timeout net.Error
			if len(answers) == 0 && !(errors.As(err, &timeout) && timeout.Timeout()) { // reset, too: what it had not read was lost
				answers = append(answers, "closed")
			}
			return answers
		}
		answers = append(answers, strconv.Itoa(resp.StatusCode))
		if resp.StatusCode == http.StatusSwitchingProtocols {
			// What is a tunnel now has all the bytes already; give them time.
			_ = conn.SetReadDeadline(time.Now().Add(patience))
			_, _ = io.Copy(io.Discard, in)
			return answers
		}
		if resp.StatusCode < 200 {
			answers = answers[:len(answers)-1]
			continue
		}
		if _, err := io.Copy(io.Discard, resp.Body); err != nil {
			return answers
		}
	}
}

func (r *runner) send2(t *testing.T, a *attack) string {
	t.Helper()
	h := r.caddy.Dial2(t, "api.example.com")
	defer h.Close()
	var fields []hpack.HeaderField
	for _, f := range a.fields {
		fields = append(fields, hpack.HeaderField{Name: f[0], Value: f[1]})
	}
	answer, err := h.Await(t, h.SendFields(t, fields, a.body))
	if err != nil {
		return "reset"
	}
	return strconv.Itoa(answer.Status)
}

// judge compares what the upstream saw with what it may see.
func (a *attack) judge(seen, added []string, source string) string {
	if len(seen) != len(a.sees) {
		return fmt.Sprintf("the upstream saw %d messages, want %d: %.300q", len(seen), len(a.sees), seen)
	}
	for i, m := range a.sees {
		if wrong := m.differs(seen[i], added, source); wrong != "" {
			return "the upstream saw " + wrong
		}
	}
	return ""
}

func (a *attack) judgeAnswers(answers []string) string {
	if len(answers) != len(a.status) {
		return fmt.Sprintf("answers %v, want %v", answers, a.status)
	}
	for i, want := range a.status {
		if !slices.Contains(strings.Split(want, "|"), answers[i]) {
			return fmt.Sprintf("answers %v, want %v", answers, a.status)
		}
	}
	return ""
}

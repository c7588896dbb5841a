package harness

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"syscall"
	"testing"
	"time"

	"github.com/apiguard/caddy-api-guard/internal/freeport"
)

// startTimeout is how long a Caddy may take from its start until it serves. It
// is generous because the machine may be running everything else at once.
const startTimeout = 60 * time.Second

// Caddy is a running Caddy process.
type Caddy struct {
	Dir   string // holds the Caddyfile, its data and its logs
	HTTP  string // address of the plain HTTP listener
	HTTPS string // address of the TLS listener
	Admin string // address of the admin API

	reloaded atomic.Bool

	// ServerName is what Do2 names in the TLS handshake: a site that has a
	// certificate, whatever host the request is for. "api.example.com" at first.
	ServerName string

	t      testing.TB
	env    []string
	cmd    *exec.Cmd
	stdin  interface{ Close() error }
	stderr *output
	exited chan struct{}
}

// Start runs a Caddy with cfg until the test ends and returns when it serves. A
// Caddy that does not start fails the test with its log.
func Start(t testing.TB, cfg Config) *Caddy {
	t.Helper()
	for attempt := 1; ; attempt++ {
		c, err := start(t, cfg)
		if err == nil {
			t.Cleanup(func() {
				c.Stop()
				c.wantNoAccident()
			})
			return c
		}
		// A server of another kind may have taken a port since it was looked at.
		if attempt < 3 && strings.Contains(err.Error(), "address already in use") {
			continue
		}
		t.Fatalf("starting Caddy: %v", err)
	}
}

func start(t testing.TB, cfg Config) (*Caddy, error) {
	c := &Caddy{Dir: t.TempDir(), ServerName: "api.example.com", t: t, stderr: new(output), env: cfg.Env}
	ports := reservePorts(t)
	c.HTTP, c.HTTPS, c.Admin = loopback(ports[0]), loopback(ports[1]), loopback(ports[2])
	file, err := cfg.write(c.Dir, ports)
	if err != nil {
		return nil, err
	}
	if err := c.run(file); err != nil {
		return nil, err
	}
	return c, nil
}

// run starts the process and waits until it serves.
func (c *Caddy) run(file string) (err error) {
	c.exited = make(chan struct{})
	c.cmd = command(context.Background(), c.Dir, "run", "--config", file, "--adapter", "caddyfile")
	c.cmd.Env = append(c.cmd.Env, c.env...)
	c.cmd.Stdout, c.cmd.Stderr = c.stderr, c.stderr
	if c.stdin, err = c.cmd.StdinPipe(); err != nil {
		return err
	}
	if err := c.cmd.Start(); err != nil {
		return err
	}
	cmd, exited := c.cmd, c.exited
	go func() {
		_ = cmd.Wait()
		close(exited)
	}()
	if err := c.awaitReady(); err != nil {
		c.Stop()
		return fmt.Errorf("%w\n%s", err, c.stderr)
	}
	return nil
}

// Kill ends the process with SIGKILL, as a machine that loses its power would.
func (c *Caddy) Kill() {
	_ = c.cmd.Process.Kill()
	<-c.exited
	_ = c.stdin.Close()
}

// Again starts the process anew after Kill or Stop, with the same configuration,
// folder and addresses.
func (c *Caddy) Again(t testing.TB) {
	t.Helper()
	if err := c.run(filepath.Join(c.Dir, "Caddyfile")); err != nil {
		t.Fatalf("starting Caddy again: %v", err)
	}
}

// awaitReady polls the admin API until it has a configuration and the plain
// listener until it accepts: the first answers before the second exists.
func (c *Caddy) awaitReady() error {
	deadline := time.Now().Add(startTimeout)
	for time.Now().Before(deadline) {
		select {
		case <-c.exited:
			return errors.New("caddy ended instead of serving")
		case <-time.After(20 * time.Millisecond):
		}
		status, body, err := c.admin("GET", "/config/apps", nil)
		if err != nil || status != 200 || !json.Valid(body) || bytes.HasPrefix(body, []byte("null")) {
			continue
		}
		conn, err := net.DialTimeout("tcp", c.HTTP, time.Second)
		if err != nil {
			continue
		}
		_ = conn.Close()
		// A request before that is counted, but none of it is sampled.
		if _, body, err := c.admin("GET", "/api_guard/health", nil); err != nil || bytes.Contains(body, []byte(`"running":false`)) {
			continue
		}
		return nil
	}
	return fmt.Errorf("caddy does not serve after %v", startTimeout)
}

// stopTimeout is how long a Caddy may take to end, generous for the same reason.
const stopTimeout = 60 * time.Second

// Stop ends the process as an operator would and kills it when it does not
// follow in time. It may be called more than once.
func (c *Caddy) Stop() {
	select {
	case <-c.exited:
		return
	default:
	}
	_ = c.cmd.Process.Signal(syscall.SIGTERM)
	select {
	case <-c.exited:
	case <-time.After(stopTimeout):
		_ = c.cmd.Process.Kill()
		<-c.exited
		c.t.Errorf("stopping Caddy: it was still there after %v and was killed\n%s", stopTimeout, c.stderr)
	}
	_ = c.stdin.Close()
}

// accidents are what no Caddy under test may have written: what it does about
// them (answering all the same, ending with another code) would hide them.
var accidents = []string{"WARNING: DATA RACE", "panic", "fatal error: "}

// wantNoAccident fails the test when the process had an accident.
func (c *Caddy) wantNoAccident() {
	log := withoutCaddysRaces(c.stderr.String())
	for _, accident := range accidents {
		if i := strings.Index(log, accident); i >= 0 {
			c.t.Errorf("Caddy had an accident: %.4000s", log[i:])
			return
		}
	}
}

// raceReport is what the race detector writes of one race.
var raceReport = regexp.MustCompile(`(?s)WARNING: DATA RACE\n.*?\n==================\n`)

// caddysRaces are races that Caddy 2.11.9 has with itself, by the functions that the
// race detector names in their reports.
var caddysRaces = [][]string{
	// The events app subscribes its handlers in Start, and apps start in a random order,
	// so that the TLS app may emit the events of a certificate meanwhile.
	{"caddyevents.(*App).Subscribe()", "caddyevents.(*App).ShouldEmit()", "caddytls.(*TLS).onEvent()"},
	// reverse_proxy notes without a lock that a body was read, and asks when the
	// transport closes it: that of HTTP/2 does both at one time.
	{"reverseproxy.(*bodyNopCloserIfNotRead).Read()", "reverseproxy.(*bodyNopCloserIfNotRead).Close()"},
	// The access log says how much of a body was read while that transport reads on.
	{"caddyhttp.(*lengthReader).Read()", "caddyhttp.(*Server).logRequest()"},
}

// withoutCaddysRaces leaves out the reports of those.
func withoutCaddysRaces(log string) string {
	return raceReport.ReplaceAllStringFunc(log, func(report string) string {
		for _, race := range caddysRaces {
			if !slices.ContainsFunc(race, func(function string) bool { return !strings.Contains(report, function) }) {
				return ""
			}
		}
		return report
	})
}

// Log is what the process wrote to its standard output and error so far, up to the end
// of a line: the last one may be half written.
func (c *Caddy) Log() string {
	text := c.stderr.String()
	return text[:strings.LastIndexByte(text, '\n')+1]
}

// Command runs a caddy command such as `validate` on cfg to its end and returns
// its output and whether it succeeded. In args, "CADDYFILE" stands for the
// file's path.
func Command(t testing.TB, cfg Config, args ...string) (text string, ok bool) {
	t.Helper()
	dir := t.TempDir()
	file, err := cfg.write(dir, reservePorts(t))
	if err != nil {
		t.Fatal(err)
	}
	for i, arg := range args {
		if arg == "CADDYFILE" {
			args[i] = file
		}
	}
	ctx, cancel := context.WithTimeout(t.Context(), startTimeout)
	defer cancel()
	cmd := command(ctx, dir, args...)
	cmd.Env = append(cmd.Env, cfg.Env...)
	stdin, err := cmd.StdinPipe()
	if err != nil {
		t.Fatal(err)
	}
	out := new(output)
	cmd.Stdout, cmd.Stderr = out, out
	err = cmd.Run()
	_ = stdin.Close()
	if ctx.Err() != nil {
		t.Fatalf("running caddy %s: no end after %v\n%s", strings.Join(args, " "), startTimeout, out)
	}
	return out.String(), err == nil
}

// command is this test binary as Caddy, with home and data folders in dir.
func command(ctx context.Context, dir string, args ...string) *exec.Cmd {
	cmd := exec.CommandContext(ctx, os.Args[0], args...)
	cmd.Dir = dir
	cmd.Env = append(os.Environ(),
		childVariable+"=1",
		"HOME="+dir,
		"XDG_DATA_HOME="+filepath.Join(dir, "data"),
		"XDG_CONFIG_HOME="+filepath.Join(dir, "config"),
	)
	return cmd
}

// reservePorts are those for HTTP, HTTPS and the admin API. Caddy lets another Caddy
// listen on its ports beside it, so no two may ever be given the same.
func reservePorts(t testing.TB) []string {
	t.Helper()
	return []string{freeport.Reserve(t), freeport.Reserve(t), freeport.Reserve(t)}
}

func loopback(port string) string { return net.JoinHostPort("127.0.0.1", port) }

// output is a buffer that a process writes while a test reads.
type output struct {
	mu  sync.Mutex
	buf bytes.Buffer
}

func (o *output) Write(p []byte) (int, error) {
	o.mu.Lock()
	defer o.mu.Unlock()
	return o.buf.Write(p)
}

func (o *output) String() string {
	o.mu.Lock()
	defer o.mu.Unlock()
	return o.buf.String()
}

// PID is the process's number.
func (c *Caddy) PID() int { return c.cmd.Process.Pid }

package main

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"os"
	"os/exec"
	"os/signal"
	"path/filepath"
	"runtime/pprof"
	"strconv"
	"strings"
	"syscall"
	"time"
)

// process is one that is measured, or the upstream.
type process struct {
	cmd   *exec.Cmd
	stdin io.Closer
	log   *os.File
}

const startTimeout = 2 * time.Minute // machines that run everything else at once

func (p *process) start(at place) (err error) {
	if p.stdin, err = p.cmd.StdinPipe(); err != nil {
		return err
	}
	if at == nil {
		return p.cmd.Start()
	}
	return at(p.cmd.Start)
}

// stop ends the process and returns when it is gone.
func (p *process) stop() {
	if p == nil || p.cmd.Process == nil {
		return
	}
	_ = p.cmd.Process.Signal(syscall.SIGTERM)
	ended := make(chan struct{})
	go func() { _ = p.cmd.Wait(); close(ended) }()
	select {
	case <-ended:
	case <-time.After(5 * time.Second):
		_ = p.cmd.Process.Kill()
		<-ended
	}
	_ = p.stdin.Close()
	if p.log != nil {
		_ = p.log.Close()
	}
}

// self is this program in another role.
func self(ctx context.Context, role string, args ...string) (*exec.Cmd, error) {
	path, err := os.Executable()
	if err != nil {
		return nil, err
	}
	cmd := exec.CommandContext(ctx, path, args...)
	cmd.Env = append(os.Environ(), roleVariable+"="+role)
	return cmd, nil
}

func startUpstream(ctx context.Context) (*process, string, error) {
	cmd, err := self(ctx, "upstream")
	if err != nil {
		return nil, "", err
	}
	p := &process{cmd: cmd}
	out, err := cmd.StdoutPipe()
	if err != nil {
		return nil, "", err
	}
	if err := p.start(nil); err != nil {
		return nil, "", err
	}
	address, err := bufio.NewReader(out).ReadString('\n')
	if err != nil {
		p.stop()
		return nil, "", fmt.Errorf("starting the upstream: %w", err)
	}
	return p, strings.TrimSpace(address), nil
}

// startCaddy runs this program as Caddy with a Caddyfile in dir and what the
// environment has besides.
func startCaddy(ctx context.Context, at place, dir, text, address string, environment ...string) (*process, error) {
	file := filepath.Join(dir, "Caddyfile")
	if err := os.WriteFile(file, []byte(text), 0o600); err != nil {
		return nil, err
	}
	cmd, err := self(ctx, "caddy", "run", "--config", file, "--adapter", "caddyfile")
	if err != nil {
		return nil, err
	}
	cmd.Dir = dir
	cmd.Env = append(append(cmd.Env, environment...),
		"HOME="+dir, "XDG_DATA_HOME="+filepath.Join(dir, "data"), "XDG_CONFIG_HOME="+filepath.Join(dir, "config"))
	return launch(at, cmd, dir, address)
}

// startNginx runs nginx as one process, so that its clock is the whole of it.
func startNginx(ctx context.Context, at place, path, dir, text, address string) (*process, error) {
	file := filepath.Join(dir, "nginx.conf")
	if err := os.WriteFile(file, []byte(text), 0o600); err != nil {
		return nil, err
	}
	return launch(at, exec.CommandContext(ctx, path, "-p", dir, "-c", file, "-e", filepath.Join(dir, "error.log")), dir, address)
}

func launch(at place, cmd *exec.Cmd, dir, address string) (*process, error) {
	log, err := os.Create(filepath.Join(dir, "log"))
	if err != nil {
		return nil, err
	}
	cmd.Stdout, cmd.Stderr = log, log
	p := &process{cmd: cmd, log: log}
	if err := p.start(at); err != nil {
		return nil, err
	}
	for deadline := time.Now().Add(startTimeout); time.Now().Before(deadline); {
		conn, err := net.DialTimeout("tcp", address, time.Second)
		if err == nil {
			_ = conn.Close()
			return p, nil
		}
		if p.cmd.Process.Signal(syscall.Signal(0)) != nil || ended(p.cmd.Process.Pid) {
			break
		}
		time.Sleep(20 * time.Millisecond)
	}
	p.stop()
	said, _ := os.ReadFile(log.Name())
	return nil, fmt.Errorf("it does not serve at %s:\n%s", address, said)
}

// ended reports whether a child has ended and waits to be asked for.
func ended(pid int) bool {
	stat, err := os.ReadFile(fmt.Sprintf("/proc/%d/stat", pid))
	if err != nil {
		return true
	}
	_, after, ok := strings.Cut(string(stat), ") ")
	return ok && strings.HasPrefix(after, "Z")
}

// resident is the memory of a process in MiB, as it is now.
func resident(pid int) (float64, error) {
	status, err := os.ReadFile(fmt.Sprintf("/proc/%d/status", pid))
	if err != nil {
		return 0, err
	}
	for line := range strings.SplitSeq(string(status), "\n") {
		if rest, ok := strings.CutPrefix(line, "VmRSS:"); ok {
			kib, err := strconv.ParseFloat(strings.TrimSuffix(strings.TrimSpace(rest), " kB"), 64)
			return kib / 1024, err
		}
	}
	return 0, errors.New("no VmRSS in /proc/PID/status")
}

// freeAddress is one that nobody listens on at this moment.
func freeAddress() (string, error) {
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		return "", err
	}
	defer l.Close()
	return l.Addr().String(), nil
}

// profileVariable names the file of a process that is profiled. The profile runs
// from the first SIGUSR2 to the second.
const profileVariable = "API_GUARD_BENCH_PROFILE"

func profileOnSignal(path string) {
	signals := make(chan os.Signal, 1)
	signal.Notify(signals, syscall.SIGUSR2)
	<-signals
	f, err := os.Create(path)
	if err != nil {
		return
	}
	if pprof.StartCPUProfile(f) != nil {
		return
	}
	<-signals
	pprof.StopCPUProfile()
	_ = f.Close()
	_ = os.Rename(path, path+".done")
}

// Package faultproxy is what tests put between a program and a server that it depends
// on, to take the network away: it stands still, refuses, is slow, or says something
// else than was sent.
package faultproxy

import (
	"bytes"
	"io"
	"net"
	"sync"
	"testing"
	"time"
)

// Proxy passes connections on to a server.
type Proxy struct {
	Addr string // where it listens: host:port on loopback
	to   string

	mu    sync.Mutex
	state state
	conns map[net.Conn]bool
}

// state is what happens to what passes.
type state struct {
	silent, refuse bool
	delay          time.Duration
	from, to       []byte
}

// New stands before the server at an address until the test ends.
func New(t testing.TB, to string) *Proxy {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	p := &Proxy{Addr: l.Addr().String(), to: to, conns: map[net.Conn]bool{}}
	t.Cleanup(func() {
		_ = l.Close()
		p.Refuse()
	})
	go func() {
		for {
			c, err := l.Accept()
			if err != nil {
				return
			}
			go p.serve(c)
		}
	}()
	return p
}

// Pass is no fault. Connections of before it end: what they have lost does not come
// again.
func (p *Proxy) Pass() { p.set(state{}, true) }

// Silence swallows all in both directions, on connections that stay open and on new
// ones: a peer that is gone without a word.
func (p *Proxy) Silence() { p.set(state{silent: true}, false) }

// Refuse ends all connections, and new ones as they come.
func (p *Proxy) Refuse() { p.set(state{refuse: true}, true) }

// Delay holds back each piece of what the server answers.
func (p *Proxy) Delay(d time.Duration) { p.set(state{delay: d}, false) }

// Rewrite replaces a text in what the client sends by another one of the same length.
func (p *Proxy) Rewrite(from, to string) {
	if len(from) != len(to) {
		panic("faultproxy: the lengths differ")
	}
	p.set(state{from: []byte(from), to: []byte(to)}, false)
}

func (p *Proxy) set(s state, end bool) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.state = s
	if end {
		for c := range p.conns {
			_ = c.Close()
		}
	}
}

func (p *Proxy) now() state {
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.state
}

func (p *Proxy) serve(c net.Conn) {
	defer c.Close()
	server, err := net.Dial("tcp", p.to)
	if err != nil {
		return
	}
	defer server.Close()
	p.mu.Lock()
	refuse := p.state.refuse // at one time: what comes later ends these
	if !refuse {
		p.conns[c], p.conns[server] = true, true
	}
	p.mu.Unlock()
	if refuse {
		return
	}
	defer func() {
		p.mu.Lock()
		delete(p.conns, c)
		delete(p.conns, server)
		p.mu.Unlock()
	}()
	go func() {
		p.copy(server, c, true)
		_ = server.Close()
	}()
	p.copy(c, server, false)
}

func (p *Proxy) copy(to io.Writer, from io.Reader, request bool) {
	buffer := make([]byte, 64<<10)
	var held []byte // may be the beginning of what is replaced
	for {
		n, err := from.Read(buffer)
		s, data := p.now(), append(held, buffer[:n]...)
		held = nil
		if request && len(s.from) > 0 {
			data = bytes.ReplaceAll(data, s.from, s.to)
			held = bytes.Clone(data[len(data)-begun(data, s.from):])
			data = data[:len(data)-len(held)]
		}
		if !request && s.delay > 0 {
			time.Sleep(s.delay)
		}
		if !s.silent && len(data) > 0 {
			if _, err := to.Write(data); err != nil {
				return
			}
		}
		if err != nil {
			return
		}
	}
}

// begun is how much of the end of data is the beginning of a text.
func begun(data, text []byte) int {
	for n := min(len(data), len(text)-1); n > 0; n-- {
		if bytes.HasPrefix(text, data[len(data)-n:]) {
			return n
		}
	}
	return 0
}

// Package freeport keeps ports for servers that tests start in processes of their own:
// such a server listens some time after its port was chosen, and again on the same one
// when it was stopped, while other tests, of other packages too, choose theirs.
package freeport

import (
	"errors"
	"fmt"
	"math/rand/v2"
	"net"
	"strconv"
	"testing"
)

// Ports lie below those that the connections of others begin at, 32,768 on Linux.
// What keeps one of them is a UDP socket as far above it as the second range is, in
// which nobody listens but a server that has a second port there for TCP, as the nodes
// of a Redis Cluster do.
const (
	first  = 12_000
	number = 10_000

	// Second is how far above a port its second one lies.
	Second = number
)

// tries are how many ports are looked at.
const tries = 1000

// Reserve chooses a port of 127.0.0.1 that nobody listens on, over TCP or UDP, and whose
// second one is free over TCP. No other test gets it before this one has ended.
func Reserve(t testing.TB) string {
	t.Helper()
	var err error
	for range tries {
		port := first + rand.IntN(number)
		var kept net.PacketConn
		if kept, err = net.ListenPacket("udp", address(port+Second)); err != nil {
			continue
		}
		if err = free(port); err != nil {
			_ = kept.Close()
			continue
		}
		t.Cleanup(func() { _ = kept.Close() })
		return strconv.Itoa(port)
	}
	t.Fatalf("looking for a free port: %v", err)
	return ""
}

// Listen listens on a reserved port, where nobody else does when it was closed: a server
// that is gone is none that another test has started meanwhile.
func Listen(t testing.TB) net.Listener {
	t.Helper()
	l, err := net.Listen("tcp", net.JoinHostPort("127.0.0.1", Reserve(t)))
	if err != nil {
		t.Fatal(err)
	}
	return l
}

// free says why a port is not.
func free(port int) error {
	datagrams, err := net.ListenPacket("udp", address(port))
	if err != nil {
		return err
	}
	errs := []error{datagrams.Close()}
	for _, p := range []int{port, port + Second} {
		l, err := net.Listen("tcp", address(p))
		if err != nil {
			return err
		}
		errs = append(errs, l.Close())
	}
	return errors.Join(errs...)
}

func address(port int) string { return fmt.Sprintf("127.0.0.1:%d", port) }

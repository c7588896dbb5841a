package freeport

import (
	"net"
	"strconv"
	"testing"
)

func TestAPortIsNobodyElsesUntilItsTestEnds(t *testing.T) {
	var mine string
	t.Run("a test", func(t *testing.T) {
		seen := map[string]bool{}
		for range 200 {
			port := Reserve(t)
			if seen[port] {
				t.Fatalf("%s was given out twice", port)
			}
			seen[port] = true
			mine = port
		}
		// Its owner may listen, stop and listen again, over TCP and UDP, and above it.
		n, _ := strconv.Atoi(mine)
		for range 2 {
			for _, p := range []int{n, n + Second} {
				l, err := net.Listen("tcp", address(p))
				if err != nil {
					t.Fatal(err)
				}
				defer l.Close()
				_ = l.Close()
			}
			c, err := net.ListenPacket("udp", address(n))
			if err != nil {
				t.Fatal(err)
			}
			_ = c.Close()
		}
		if _, err := net.ListenPacket("udp", address(n+Second)); err == nil {
			t.Error("nothing keeps it")
		}
	})
	n, _ := strconv.Atoi(mine)
	c, err := net.ListenPacket("udp", address(n+Second))
	if err != nil {
		t.Fatalf("it is kept after its test: %v", err)
	}
	_ = c.Close()
}

func TestAPortThatSomebodyListensOnIsNotFree(t *testing.T) {
	port, err := strconv.Atoi(Reserve(t))
	if err != nil {
		t.Fatal(err)
	}
	for name, listen := range map[string]func() (interface{ Close() error }, error){
		"TCP":       func() (interface{ Close() error }, error) { return net.Listen("tcp", address(port)) },
		"UDP":       func() (interface{ Close() error }, error) { return net.ListenPacket("udp", address(port)) },
		"above TCP": func() (interface{ Close() error }, error) { return net.Listen("tcp", address(port+Second)) },
	} {
		l, err := listen()
		if err != nil {
			t.Fatalf("%s: %v", name, err)
		}
		if free(port) == nil {
			t.Errorf("%s: it is free, and somebody listens", name)
		}
		_ = l.Close()
		if err := free(port); err != nil {
			t.Errorf("%s: nobody listens any more: %v", name, err)
		}
	}
}

package apiguard

import (
	"encoding/base64"
	"encoding/binary"
	"net/http"
	"strings"
	"testing"

	"pgregory.net/rapid"
)

func TestTrailersReadTheSameHoweverTheyAreCut(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		code := rapid.SampledFrom([]string{"0", "7", "12", "16", "17", "x"}).Draw(t, "code")
		fields := strings.Repeat("a: b\r\n", rapid.SampledFrom([]int{0, 1, 50, 5000}).Draw(t, "before")) + "gRPC-Status:" + code + "\r\n"
		body := string(binary.BigEndian.AppendUint32([]byte{trailerFrame}, uint32(len(fields)))) + fields
		c := call{open: true, text: rapid.Bool().Draw(t, "text")}
		if c.text {
			body = base64.StdEncoding.EncodeToString([]byte(body))
		}
		for rest := body; rest != ""; {
			n := rapid.IntRange(1, len(rest)).Draw(t, "piece")
			status, known := c.read([]byte(rest[:n]))
			rest = rest[n:]
			switch {
			case known && len(rest) > 3: // a group of base64 may end before its padding does
				t.Fatalf("known with %q to come", rest)
			case known && status != statusOfCode(code), !known && rest == "":
				t.Fatalf("%d %v, want what %s means", status, known, code)
			case known:
				return
			}
		}
	})
}

func TestAFrameOfTrailersThatDoesNotEndSaysNothing(t *testing.T) {
	c := call{open: true}
	for range 100 {
		if status, known := c.read([]byte("\xff" + strings.Repeat("grpc-status:0\n", 1000))); known {
			t.Fatalf("a frame of 4 GiB says %d", status)
		}
	}
}

func TestEachStatusOfGRPCHasOneOfHTTP(t *testing.T) {
	for code, want := range map[string]int{
		"0": 200, "5": 404, "7": 403, "12": 404, "16": 401, "17": 500, "-1": 500, "": 500, "256": 500, "016": 401,
	} {
		if got := statusOfCode(code); got != want {
			t.Errorf("%q is %d, want %d", code, got, want)
		}
	}
	for code, status := range statusesOfCodes {
		if status != statusClientClosed && http.StatusText(status) == "" {
			t.Errorf("%d is %d", code, status)
		}
	}
}

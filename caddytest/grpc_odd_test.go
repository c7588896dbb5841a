package caddytest

import (
	"fmt"
	"strings"
	"testing"

	"github.com/apiguard/caddy-api-guard/caddytest/internal/harness"
)

// Whatever stands in place of a call's answer, a wrong guess is one, and nothing stays on
// its way: a status of HTTP that its grpc-status denies, a proxy's page, two statuses of
// which one is bad, trailers that are long, an upstream that breaks off.
func TestOddAnswersToCallsOfGRPCHideNoWrongGuess(t *testing.T) {
	t.Parallel()
	up := harness.NewUpstream(t)
	caddy := harness.Start(t, harness.Config{
		Guard: strings.ReplaceAll(strings.ReplaceAll(callsGuard, "<unknown>", "enforce"), "response enforce", "response off"),
		Sites: sites, Upstream: up, Files: map[string]string{"codes.json": callsDocument},
	})
	frame := func(fields string) string {
		n := len(fields)
		return string([]byte{0x80, byte(n >> 24), byte(n >> 16), byte(n >> 8), byte(n)}) + fields
	}
	answer := func(line, head, body string) string {
		return fmt.Sprintf("HTTP/1.1 %s\r\nContent-Type: application/grpc-web\r\n%sContent-Length: %d\r\n\r\n%s", line, head, len(body), body)
	}
	const filler = "x-a: 0123456789012345678901234567890123456789\r\n"
	for name, row := range map[string]struct {
		answer string
		status int // 0: broken off
		used   int
	}{
		"well":                                  {answer("200 OK", "Grpc-Status: 0\r\n", ""), 200, 0},
		"HTTP's 401 with a good status":         {answer("401 Unauthorized", "Grpc-Status: 0\r\n", ""), 401, 1},
		"HTTP's 403 with a message":             {answer("403 Forbidden", "", "\x00\x00\x00\x00\x02ok"), 403, 1},
		"a proxy's page":                        {"HTTP/1.1 503 Service Unavailable\r\nContent-Type: text/html\r\nContent-Length: 6\r\n\r\n<html>", 503, 0},
		"a proxy's page that asks who it is":    {"HTTP/1.1 401 Unauthorized\r\nContent-Type: text/html\r\nContent-Length: 6\r\n\r\n<html>", 401, 1},
		"two in the header, the first well":     {answer("200 OK", "Grpc-Status: 0\r\nGrpc-Status: 16\r\n", ""), 200, 1},
		"two in the header, the last well":      {answer("200 OK", "Grpc-Status: 16\r\nGrpc-Status: 0\r\n", ""), 200, 1},
		"two in the header, both well":          {answer("200 OK", "Grpc-Status: 0\r\nGrpc-Status: 0\r\n", ""), 200, 0},
		"two in the last frame, the first well": {answer("200 OK", "", frame("grpc-status: 0\r\ngrpc-status: 16\r\n")), 200, 1},
		"two in the last frame, the last well":  {answer("200 OK", "", frame("grpc-status: 16\r\ngrpc-status: 0\r\n")), 200, 1},
		"two in the last frame, both well":      {answer("200 OK", "", frame("grpc-status: 0\r\ngrpc-status: 0\r\n")), 200, 0},
		"long trailers":                         {answer("200 OK", "", frame(strings.Repeat(filler, 100)+"grpc-status: 0\r\n")), 200, 0},
		"very long trailers, and well":          {answer("200 OK", "", frame(strings.Repeat(filler, 2000)+"grpc-status: 0\r\n")), 200, 0},
		"very long trailers, and not":           {answer("200 OK", "", frame(strings.Repeat(filler, 2000)+"grpc-status: 16\r\n")), 200, 1},
		"very long trailers, not and well":      {answer("200 OK", "", frame("grpc-status: 16\r\n"+strings.Repeat(filler, 2000)+"grpc-status: 0\r\n")), 200, 1},
		"a very long trailer, and well":         {answer("200 OK", "", frame("x-a: "+strings.Repeat("0", 100_000)+"\r\ngrpc-status: 0\r\n")), 200, 0},
		"a very long status":                    {answer("200 OK", "", frame("grpc-status: "+strings.Repeat("0", 100)+"16\r\n")), 200, 1},
		"broken off before a message":           {"HTTP/1.1 200 OK\r\nContent-Type: application/grpc-web\r\nTransfer-Encoding: chunked\r\n\r\n2\r\n\x80\x00\r\n" + harness.HangUp, 0, 1},
	} {
		up.Answer(func(harness.Recorded) string { return row.answer })
		call, client := as(send("POST", "api.example.com", "/codes.Codes/Check", "application/grpc-web+proto", "\x00\x00\x00\x00\x02ok"))
		if row.status == 0 {
			_ = over(t, caddy, "", string(call.Wire()))
		} else if got := caddy.Do1(t, call); got.Status != row.status {
			t.Errorf("%s: got %v, want %d", name, got, row.status)
		}
		wantNothingPending(t, caddy, client)
		if b := counted(t, caddy, "guesses", client); b.Used != row.used {
			t.Errorf("%s: the bucket is %+v, want %d used", name, b, row.used)
		}
	}
}

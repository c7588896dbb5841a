package caddytest

import (
	"encoding/base64"
	"fmt"
	"io"
	"strings"
	"testing"

	"google.golang.org/grpc"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"

	"github.com/apiguard/caddy-api-guard/caddytest/internal/harness"
)

func TestACallOfGRPCFailedIfItsStatusSaysSo(t *testing.T) {
	t.Parallel()
	caddy, server, conns := startCalls(t, "enforce")
	for door, conn := range conns {
		for _, row := range []struct {
			message string
			code    codes.Code
			used    int
		}{
			{"OK", codes.OK, 0},
			{"header OK", codes.OK, 0},
			{"UNAUTHENTICATED", codes.Unauthenticated, 1},
			{"header UNAUTHENTICATED", codes.Unauthenticated, 1},
			{"PERMISSION_DENIED", codes.PermissionDenied, 1},
			{"header PERMISSION_DENIED", codes.PermissionDenied, 1},
			{"INVALID_ARGUMENT", codes.InvalidArgument, 0},
			{"NOT_FOUND", codes.NotFound, 0},
			{"header INTERNAL", codes.Internal, 0},
			{"message UNAUTHENTICATED", codes.Unauthenticated, 0}, // what was let pass, and ended later
		} {
			client := harness.NewClient()
			ctx, cancel := from(t, client)
			err := invoke(ctx, conn, "/codes.Codes/Check", row.message)
			cancel()
			if got := status.Code(err); got != row.code {
				t.Errorf("%s: %q: %v, want %v", door, row.message, err, row.code)
			}
			b := counted(t, caddy, "guesses", client)
			if b.Used != row.used {
				t.Errorf("%s: %q: the bucket is %+v, want %d used", door, row.message, b, row.used)
			}
			wantNothingPending(t, caddy, client)
		}

		client, before := harness.NewClient(), server.calls.Load()
		var got []codes.Code
		for range 5 {
			ctx, cancel := from(t, client)
			got = append(got, status.Code(invoke(ctx, conn, "/codes.Codes/Check", "header UNAUTHENTICATED")))
			cancel()
		}
		// A client of gRPC reads 429 as UNAVAILABLE.
		want := []codes.Code{codes.Unauthenticated, codes.Unauthenticated, codes.Unauthenticated, codes.Unavailable, codes.Unavailable}
		if fmt.Sprint(got) != fmt.Sprint(want) || server.calls.Load()-before != 3 {
			t.Errorf("%s: five wrong guesses: %v, %d of them upstream", door, got, server.calls.Load()-before)
		}
	}
}

// wantNothingPending waits until nothing of a client is on its way: the client may have
// its answer before the exchange has ended.
func wantNothingPending(t *testing.T, caddy *harness.Caddy, client string) {
	t.Helper()
	harness.Await(t, "the calls of "+client+" to end", func() (string, bool) {
		b := counted(t, caddy, "guesses", client)
		return fmt.Sprintf("%+v", b), b.Pending == 0 && *b.Concurrent == 0
	})
}

func TestAStreamOfGRPCGoesBothWaysWhileItIsOpen(t *testing.T) {
	t.Parallel()
	caddy, server, conns := startCalls(t, "enforce")
	for door, conn := range conns {
		client := harness.NewClient()
		ctx, cancel := from(t, client)
		defer cancel()
		stream, err := conn.NewStream(ctx, &grpc.StreamDesc{ServerStreams: true, ClientStreams: true}, "/codes.Codes/Chat")
		if err != nil {
			t.Fatalf("%s: %v", door, err)
		}
		for i := range 20 {
			out, in := fmt.Appendf(nil, "echo %d", i), []byte(nil)
			if err := stream.SendMsg(&out); err != nil {
				t.Fatalf("%s: message %d: %v", door, i, err)
			}
			if err := stream.RecvMsg(&in); err != nil || string(in) != string(out) {
				t.Fatalf("%s: message %d came back as %q, %v", door, i, in, err)
			}
		}
		// It has been let pass: it is on its way, and no guess.
		if b := counted(t, caddy, "guesses", client); b.Used != 0 || b.Pending != 0 || *b.Concurrent != 1 {
			t.Errorf("%s: while it is open the bucket is %+v", door, b)
		}
		if door == "TLS" { // ended in order, or reset
			if err := stream.CloseSend(); err != nil {
				t.Fatal(err)
			}
			var in []byte
			if err := stream.RecvMsg(&in); err != io.EOF {
				t.Errorf("%s: the end is %v", door, err)
			}
		}
		cancel()
		wantNothingPending(t, caddy, client)
		if b := counted(t, caddy, "guesses", client); b.Used != 0 {
			t.Errorf("%s: after its end the bucket is %+v", door, b)
		}
	}
	harness.Await(t, "the server's streams to end", func() (string, bool) {
		return fmt.Sprint(server.ended.Load(), " of ", server.calls.Load()), server.ended.Load() == server.calls.Load()
	})
}

func TestACallOfGRPCThatIsGivenUpBeforeItsStatusIsAFailure(t *testing.T) {
	t.Parallel()
	caddy, server, conns := startCalls(t, "enforce")
	for door, conn := range conns {
		for message, want := range map[string]struct{ pending, used int }{
			"hang x": {1, 1}, "begin x": {1, 1}, // before and after the header
			"start x": {0, 0}, // after a message
		} {
			client, before := harness.NewClient(), server.calls.Load()
			ctx, cancel := from(t, client)
			stream, err := conn.NewStream(ctx, &grpc.StreamDesc{ServerStreams: true, ClientStreams: true}, "/codes.Codes/Chat")
			if err != nil {
				t.Fatal(err)
			}
			out, in := []byte(message), []byte(nil)
			if err := stream.SendMsg(&out); err != nil {
				t.Fatal(err)
			}
			harness.Await(t, "the call to reach the server", func() (string, bool) {
				return "", server.calls.Load() > before
			})
			switch message {
			case "begin x":
				if head, err := stream.Header(); err != nil || len(head["x-first"]) != 1 {
					t.Errorf("%s: the header is %v, %v", door, head, err)
				}
			case "start x":
				if err := stream.RecvMsg(&in); err != nil {
					t.Errorf("%s: the message: %v", door, err)
				}
			}
			if b := counted(t, caddy, "guesses", client); b.Pending != want.pending || *b.Concurrent != 1 {
				t.Errorf("%s %q: on its way the bucket is %+v", door, message, b)
			}
			cancel()
			wantNothingPending(t, caddy, client)
			if b := counted(t, caddy, "guesses", client); b.Used != want.used {
				t.Errorf("%s %q: the bucket is %+v", door, message, b)
			}
		}
	}
	harness.Await(t, "the server to hear of it", func() (string, bool) {
		return fmt.Sprint(server.ended.Load(), " of ", server.calls.Load()), server.ended.Load() == server.calls.Load()
	})
}

func TestAMethodOfGRPCThatNobodyHasIsAScanAndNotAShadow(t *testing.T) {
	t.Parallel()
	for unknown, want := range map[string]struct {
		codes    []codes.Code
		upstream int64
		evidence string
		status   string
	}{
		// A client reads 404 as UNIMPLEMENTED, so that both look alike to it.
		"enforce": {[]codes.Code{codes.Unimplemented, codes.Unimplemented, codes.Unavailable}, 0, "refused", "4xx"},
		"monitor": {[]codes.Code{codes.Unimplemented, codes.Unimplemented, codes.Unimplemented}, 3, "scan", "4xx"},
	} {
		t.Run(unknown, func(t *testing.T) {
			t.Parallel()
			caddy, server, conns := startCalls(t, unknown)
			for door, conn := range conns {
				client, before := harness.NewClient(), server.calls.Load()
				var got []codes.Code
				for range 3 {
					ctx, cancel := from(t, client)
					got = append(got, status.Code(invoke(ctx, conn, "/codes.Codes/Hidden"+door, "x")))
					cancel()
				}
				if fmt.Sprint(got) != fmt.Sprint(want.codes) || server.calls.Load()-before != want.upstream {
					t.Errorf("%s: %v, %d upstream; want %v", door, got, server.calls.Load()-before, want)
				}
				r := awaitRoute(t, caddy, "/api_guard/routes?host=api.example.com", "api.example.com", "POST", "/codes.Codes/Hidden"+door)
				if r.Evidence != want.evidence || r.Statuses[want.status] == 0 {
					t.Errorf("%s: the inventory has %+v, want %v", door, r, want)
				}
			}
		})
	}
}

func TestTheInventoryTellsWhatTheStatusOfACallMeans(t *testing.T) {
	t.Parallel()
	caddy, _, conns := startCalls(t, "enforce")
	for i, message := range []string{"UNAUTHENTICATED", "header PERMISSION_DENIED", "OK", "message INTERNAL"} {
		ctx, cancel := from(t, fmt.Sprintf("198.51.100.%d", i+1))
		_ = invoke(ctx, conns["TLS"], "/codes.Codes/Check", message)
		cancel()
	}
	harness.Await(t, "four calls in the inventory", func() (string, bool) {
		r := awaitRoute(t, caddy, "/api_guard/routes?host=api.example.com", "api.example.com", "POST", "/codes.Codes/Check")
		return fmt.Sprint(r), r.Count == 4 && r.Statuses["4xx"] == 2 && r.Statuses["2xx"] == 2
	})
}

// A call that ends before upstream has said anything of it proves nothing:
// neither that there is something, nor that it lets in who has no credentials.
func TestACallOfGRPCWithoutAStatusIsEvidenceOfNothing(t *testing.T) {
	t.Parallel()
	up := harness.NewUpstream(t)
	caddy := harness.Start(t, harness.Config{
		Guard: strings.ReplaceAll(callsGuard, "<unknown>", "monitor"), Sites: sites, Upstream: up, Files: map[string]string{"codes.json": callsDocument},
	})
	for name, row := range map[string]struct{ head, body, evidence string }{
		"Nothing":    {"Content-Length: 0\r\n", "", "scan"},
		"Message":    {"Content-Length: 7\r\n", "\x00\x00\x00\x00\x02ok", "confirmed"},
		"Status":     {"Content-Length: 0\r\nGrpc-Status: 0\r\n", "", "confirmed"},
		"Unreadable": {"Content-Length: 3\r\nContent-Encoding: gzip\r\n", "\x1f\x8bx", "confirmed"},
	} {
		up.Answer(func(harness.Recorded) string {
			return "HTTP/1.1 200 OK\r\nContent-Type: application/grpc-web\r\n" + row.head + "\r\n" + row.body
		})
		call, _ := as(send("POST", "api.example.com", "/codes.Codes/Hidden"+name, "application/grpc-web+proto", "x").With("Accept-Encoding", "gzip"))
		caddy.Do1(t, call)
		r := awaitRoute(t, caddy, "/api_guard/routes?host=api.example.com", "api.example.com", "POST", "/codes.Codes/Hidden"+name)
		if r.Evidence != row.evidence {
			t.Errorf("%s: the inventory has %+v, want %s", name, r, row.evidence)
		}
	}
}

func TestACallOfGRPCWebFailedIfItsLastFrameSaysSo(t *testing.T) {
	t.Parallel()
	up := harness.NewUpstream(t)
	caddy := harness.Start(t, harness.Config{
		Guard: strings.ReplaceAll(callsGuard, "<unknown>", "enforce"), Sites: sites, Upstream: up, Files: map[string]string{"codes.json": callsDocument},
	})
	const (
		message = "\x00\x00\x00\x00\x02ok"
		good    = "\x80\x00\x00\x00\x0fgrpc-status:0\r\n"
		bad     = "\x80\x00\x00\x00\x10Grpc-Status: 16\n"
		late    = "\x80\x00\x00\x00\x26grpc-message:x\r\ngrpc-status:7\r\nx-a:b\r\n"
		lost    = "\x80\x00\x00\x00\x10grpc-st"
	)
	text := func(parts ...string) (coded []string) {
		for _, part := range parts {
			coded = append(coded, base64.StdEncoding.EncodeToString([]byte(part)))
		}
		return coded
	}
	for name, row := range map[string]struct {
		mediaType, head string
		pieces          []string
		used            int
	}{
		"a message, and well":              {"application/grpc-web+proto", "", []string{message, good}, 0},
		"a message, and then not":          {"application/grpc-web+proto", "", []string{message, bad}, 0},
		"no message, and well":             {"application/grpc-web+proto", "", []string{good}, 0},
		"no message, and not":              {"application/grpc-web+proto", "", []string{bad}, 1},
		"among other trailers":             {"application/grpc-web", "", []string{late}, 1},
		"in pieces":                        {"application/grpc-web", "", strings.Split(bad, ""), 1},
		"in pieces, and well":              {"application/grpc-web", "", strings.Split(good, ""), 0},
		"cut off":                          {"application/grpc-web", "", []string{lost}, 1},
		"in the header":                    {"application/grpc-web", "Grpc-Status: 16\r\n", nil, 1},
		"in the header, and well":          {"application/grpc-web", "Grpc-Status: 0\r\n", nil, 0},
		"nothing":                          {"application/grpc-web", "", nil, 1},
		"in text":                          {"application/grpc-web-text", "", text(bad), 1},
		"in text, and well":                {"application/grpc-web-text", "", text(good), 0},
		"in text with padding of each":     {"application/grpc-web-text", "", text(late[:7], late[7:20], late[20:]), 1},
		"in text, a message":               {"application/grpc-web-text+proto", "", text(message, bad), 0},
		"in other letters":                 {"Application/gRPC-Web", "", []string{bad}, 1},
		"in other letters, and well":       {"APPLICATION/GRPC-WEB-TEXT", "", text(good), 0},
		"a compressed frame of trailers":   {"application/grpc-web", "", []string{"\x81\x00\x00\x00\x02zz"}, 1},
		"coded on the way":                 {"application/grpc-web", "Content-Encoding: gzip\r\n", []string{"\x1f\x8bxxxxxxxxxxxxxx"}, 1},
		"a status that is none":            {"application/grpc-web", "Grpc-Status: no\r\n", nil, 0},
		"JSON, whatever its bytes look as": {"application/json", "", []string{"\x80\x00\x00\x00\x10Grpc-Status: 16\n"}, 0},
	} {
		up.Answer(func(harness.Recorded) string {
			answer := "HTTP/1.1 200 OK\r\nContent-Type: " + row.mediaType + "\r\n" + row.head + "Transfer-Encoding: chunked\r\n\r\n"
			for _, piece := range row.pieces {
				answer += fmt.Sprintf("%x\r\n%s\r\n", len(piece), piece)
			}
			return answer + "0\r\n\r\n"
		})
		call, client := as(send("POST", "api.example.com", "/codes.Codes/Check", "application/grpc-web+proto", message).With("Accept-Encoding", "gzip"))
		got := caddy.Do1(t, call)
		want := strings.Join(row.pieces, "")
		if row.mediaType == "application/json" { // which the document does not have
			refused(t, got, 502, "response-invalid")
		} else if got.Status != 200 || string(got.Body) != want {
			t.Errorf("%s: got %v, want %q", name, got, want)
		}
		wantNothingPending(t, caddy, client)
		if b := counted(t, caddy, "guesses", client); b.Used != row.used {
			t.Errorf("%s: the bucket is %+v, want %d used", name, b, row.used)
		}
	}
}

package caddytest

import (
	"context"
	"crypto/tls"
	"io"
	"net"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"google.golang.org/grpc"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/credentials"
	"google.golang.org/grpc/credentials/insecure"
	"google.golang.org/grpc/metadata"
	"google.golang.org/grpc/status"

	"github.com/apiguard/caddy-api-guard/caddytest/internal/harness"
)

// callsDocument documents a gRPC service as far as OpenAPI can.
const callsDocument = `{"openapi":"3.1.0","info":{"title":"codes","version":"1"},"paths":{
"/codes.Codes/Check":{"post":{"operationId":"check","requestBody":{"content":{"application/grpc":{},"application/grpc-web":{},"application/grpc-web-text":{}}},"responses":{"200":{"description":"ok","content":{"application/grpc":{},"application/grpc-web":{},"application/grpc-web-text":{}}}}}},
"/codes.Codes/Chat":{"post":{"operationId":"chat","requestBody":{"content":{"application/grpc":{}}},"responses":{"200":{"description":"ok","content":{"application/grpc":{}}}}}}}}`

const callsGuard = `
policy {
	unknown_route <unknown>
	response enforce
	limit guesses {
		operations check chat
		rate 3/1h
		count failures
		concurrency 20
		headers off
	}
	limit strangers {
		rate 2/1h
		count unknown
		mode <unknown>
	}
}
api codes {
	owner a
	version v1 {
		hosts api.example.com
		spec codes.json
	}
}
`

// plain hands messages on as the bytes that they are.
type plain struct{}

func (plain) Name() string                  { return "proto" }
func (plain) Marshal(v any) ([]byte, error) { return *v.(*[]byte), nil }
func (plain) Unmarshal(data []byte, v any) error {
	*v.(*[]byte) = append([]byte(nil), data...)
	return nil
}

// callServer is a gRPC server that does with a call what its message says.
type callServer struct {
	calls atomic.Int64
	ended atomic.Int64
}

// serve answers the first message with the status that it names, after the header or a
// message if it says so. "echo" goes on, and others wait until the client is gone.
func (s *callServer) serve(_ any, stream grpc.ServerStream) error {
	s.calls.Add(1)
	defer s.ended.Add(1)
	for {
		var message []byte
		err := stream.RecvMsg(&message)
		if err == io.EOF {
			return nil
		}
		if err != nil {
			return err
		}
		how, code, ok := strings.Cut(string(message), " ")
		if !ok {
			how, code = "", how
		}
		switch how {
		case "header", "begin":
			if err := stream.SendHeader(metadata.Pairs("x-first", "yes")); err != nil {
				return err
			}
		case "message", "echo", "start":
			if err := stream.SendMsg(&message); err != nil {
				return err
			}
		}
		switch how {
		case "echo":
			continue
		case "hang", "begin", "start":
			<-stream.Context().Done()
			return stream.Context().Err()
		}
		var c codes.Code
		if err := c.UnmarshalJSON([]byte(`"` + code + `"`)); err != nil {
			return err
		}
		if c == codes.OK {
			return stream.SendMsg(&message)
		}
		return status.Error(c, "as you wish")
	}
}

// startCalls runs a gRPC server behind a guard, and gives a connection to it over TLS
// and one over cleartext HTTP/2.
func startCalls(t *testing.T, unknown string) (*harness.Caddy, *callServer, map[string]*grpc.ClientConn) {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	calls := new(callServer)
	server := grpc.NewServer(grpc.ForceServerCodec(plain{}), grpc.UnknownServiceHandler(func(any, grpc.ServerStream) error {
		calls.calls.Add(1)
		return status.Error(codes.Unimplemented, "no such method")
	}))
	server.RegisterService(&grpc.ServiceDesc{ServiceName: "codes.Codes", HandlerType: (*any)(nil), Streams: []grpc.StreamDesc{
		{StreamName: "Check", Handler: calls.serve, ServerStreams: true, ClientStreams: true},
		{StreamName: "Chat", Handler: calls.serve, ServerStreams: true, ClientStreams: true},
	}}, nil)
	go func() { _ = server.Serve(l) }()
	t.Cleanup(server.Stop)

	caddy := harness.Start(t, harness.Config{
		Guard:   strings.ReplaceAll(callsGuard, "<unknown>", unknown),
		Globals: strings.Replace(trusted, "servers {", "servers {\nprotocols h1 h2 h2c", 1), Untrusted: true,
		Sites: strings.ReplaceAll(sites, "import guarded", "log\napi_guard\nreverse_proxy h2c://"+l.Addr().String()),
		Files: map[string]string{"codes.json": callsDocument},
	})
	dial := func(address string, security credentials.TransportCredentials) *grpc.ClientConn {
		conn, err := grpc.NewClient("passthrough:///"+address, grpc.WithTransportCredentials(security), grpc.WithAuthority("api.example.com"),
			grpc.WithDefaultCallOptions(grpc.ForceCodec(plain{}), grpc.WaitForReady(true)), grpc.WithDisableRetry())
		if err != nil {
			t.Fatal(err)
		}
		t.Cleanup(func() { _ = conn.Close() })
		return conn
	}
	return caddy, calls, map[string]*grpc.ClientConn{
		"TLS":       dial(caddy.HTTPS, credentials.NewTLS(&tls.Config{ServerName: "api.example.com", InsecureSkipVerify: true})),
		"cleartext": dial(caddy.HTTP, insecure.NewCredentials()),
	}
}

// trusted is the harness's own option, for those who add to it.
const trusted = `
	servers {
		trusted_proxies static 127.0.0.1/32
		trusted_proxies_strict
	}
`

// from is a context of calls of that client.
func from(t *testing.T, client string) (context.Context, context.CancelFunc) {
	ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
	return metadata.AppendToOutgoingContext(ctx, "x-forwarded-for", client, "x-trace", client), cancel
}

// invoke sends one message and returns what came of the call.
func invoke(ctx context.Context, conn *grpc.ClientConn, method, message string) error {
	in, out := []byte(message), []byte(nil)
	return conn.Invoke(ctx, method, &in, &out, grpc.CallContentSubtype("proto")) // as in application/grpc+proto
}

package harness

import (
	"bytes"
	"context"
	"crypto/tls"
	"fmt"
	"io"
	"net/http"
	"net/http/httptrace"
	"net/textproto"
	"net/url"
	"testing"

	"github.com/quic-go/quic-go"
	"github.com/quic-go/quic-go/http3"
)

// Sends3 reports whether Do3 can send the call's target as it stands: the
// client's library rewrites what is no valid URL, a raw fragment for example, so
// that another target than the one meant would be judged.
func Sends3(call Call) bool {
	target, err := url.ParseRequestURI(call.Target)
	return err == nil && target.RequestURI() == call.Target
}

// Do3 sends the call over HTTP/3 on a connection of its own. The target must be
// one that net/url can read, since the client's library writes it.
func (c *Caddy) Do3(t testing.TB, call Call) Answer {
	t.Helper()
	target, err := url.ParseRequestURI(call.Target)
	if err != nil {
		t.Fatalf("%v: reading the target: %v", call, err)
	}
	target.Scheme, target.Host = "https", call.Host
	var interim []int
	ctx := httptrace.WithClientTrace(context.Background(), &httptrace.ClientTrace{Got1xxResponse: func(code int, _ textproto.MIMEHeader) error {
		interim = append(interim, code)
		return nil
	}})
	ctx, cancel := context.WithTimeout(ctx, exchangeTimeout)
	defer cancel()
	req := (&http.Request{
		Method: call.method(), URL: target, Host: call.Host, Header: make(http.Header), Proto: "HTTP/3",
	}).WithContext(ctx)
	for _, f := range call.Fields {
		req.Header.Add(f.Name, f.Value)
	}
	if call.Body != nil {
		req.Body, req.ContentLength = io.NopCloser(bytes.NewReader(call.Body)), int64(len(call.Body))
		if call.Chunked {
			req.ContentLength = -1
		}
	}
	transport := &http3.Transport{
		TLSClientConfig: &tls.Config{ServerName: c.ServerName, InsecureSkipVerify: true}, // made up by Caddy just now
		Dial: func(ctx context.Context, _ string, config *tls.Config, q *quic.Config) (*quic.Conn, error) {
			config.ServerName = c.ServerName
			var conn *quic.Conn
			Await(t, "a QUIC handshake for "+c.ServerName, func() (string, bool) { // as in Dial2
				var err error
				conn, err = quic.DialAddr(ctx, c.HTTPS, config, q)
				return fmt.Sprint(err), err == nil
			})
			return conn, nil
		},
	}
	defer func() { _ = transport.Close() }()
	resp, err := transport.RoundTrip(req)
	if err != nil {
		t.Errorf("%v over HTTP/3: %v", call, err)
		return Answer{}
	}
	defer resp.Body.Close()
	body, err := io.ReadAll(resp.Body)
	if err != nil {
		t.Errorf("%v over HTTP/3: %v", call, err)
	}
	return Answer{Interim: interim, Status: resp.StatusCode, Header: resp.Header, Body: body, Trailer: carried(resp.Trailer)}
}

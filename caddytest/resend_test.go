package caddytest

import (
	"io"
	"net"
	"net/http"
	"net/http/httptrace"
	"sync/atomic"
	"time"
)

// visitor sends requests as load balancers and proxies do (proxy_next_upstream,
// retry-on): one whose method may be sent twice (RFC 9110, section 9.2.2) goes out
// again, on another connection, when its own broke before a byte of an answer had
// come. What breaks later, or three times, is a failure.
type visitor struct {
	client http.Client
	sent   atomic.Int64 // requests
	cut    atomic.Int64 // connections that broke before an answer
	failed atomic.Int64 // requests without a whole answer
}

const visitorTries = 3

func newVisitor() *visitor {
	return &visitor{client: http.Client{Transport: &http.Transport{DialContext: (&net.Dialer{}).DialContext}, Timeout: time.Minute}}
}

func (v *visitor) close() { v.client.CloseIdleConnections() }

// get asks for a URL of a host and gives the answer's status and body; ok is false
// when there is none.
func (v *visitor) get(url, host string, header http.Header) (status int, body string, ok bool) {
	v.sent.Add(1)
	for range visitorTries {
		answered := false
		request, err := http.NewRequest("GET", url, nil)
		if err != nil {
			break
		}
		request = request.WithContext(httptrace.WithClientTrace(request.Context(), &httptrace.ClientTrace{GotFirstResponseByte: func() { answered = true }}))
		request.Host = host
		for name, values := range header {
			request.Header[name] = values
		}
		resp, err := v.client.Do(request)
		if err != nil {
			v.cut.Add(1)
			if answered {
				break
			}
			continue
		}
		text, err := io.ReadAll(resp.Body)
		_ = resp.Body.Close()
		if err != nil {
			break
		}
		return resp.StatusCode, string(text), true
	}
	v.failed.Add(1)
	return 0, "", false
}

package apiguard

import (
	"crypto/rand"
	"encoding/hex"
	"net/http"
	"strconv"

	"github.com/caddyserver/caddy/v2/modules/caddyhttp"

	"github.com/apiguard/caddy-api-guard/policy"
)

// sendProblem sends the document of a refusal whose other fields h has already.
func (x *exchange) sendProblem(h http.Header) error {
	v := &x.verdict
	body := v.AppendProblem(x.problem[:0], x.app.typeBase(), x.instance())
	x.problem = body
	h["Content-Type"] = x.values.list(policy.MediaTypeProblem)
	var length [20]byte
	h["Content-Length"] = x.values.list(x.values.text(strconv.AppendInt(length[:0], int64(len(body)), 10)))
	x.w.WriteHeader(v.Status)
	// An answer that the client no longer reads is no error of ours.
	_, _ = x.w.Write(body)
	return nil
}

// unexpect ends the connection of a client that waits for leave to send its body (RFC
// 9110, section 10.1.1) and is refused. With Caddy's reader around that body, net/http
// does not see it and would wait for the body before it lets the answer go, that of an
// error route as well. HTTP/2 and 3 end the stream alone, by themselves.
func (x *exchange) unexpect(h http.Header) {
	if x.r.ProtoMajor == 1 && x.kept == nil && len(x.r.Header["Expect"]) > 0 {
		h["Connection"] = x.values.list("close")
	}
}

const requestUUID = "http.request.uuid"

// instance is Caddy's {http.request.uuid}. Where somebody has asked for it before,
// and where there is an access log that is to have it, Caddy makes it; else it is
// made here for a tenth of the price, and set, so that it is the same for whoever
// asks later.
func (x *exchange) instance() string {
	if x.logged || caddyhttp.GetVar(x.r.Context(), "uuid") != nil {
		id, _ := x.replacer.GetString(requestUUID)
		return id
	}
	var text [36]byte
	id := x.values.text(x.ids.append(text[:0]))
	x.replacer.Set(requestUUID, id)
	return id
}

// instances are random UUIDs (RFC 9562, version 4). It asks for the randomness of
// many at once.
type instances struct {
	random [32 * 16]byte
	left   int // bytes at the end of random that are not used
}

func (n *instances) append(dst []byte) []byte {
	if n.left == 0 {
		rand.Read(n.random[:]) // it never fails: Go ends the process first
		n.left = len(n.random)
	}
	id := n.random[len(n.random)-n.left:][:16]
	n.left -= 16
	id[6] = id[6]&0x0f | 0x40
	id[8] = id[8]&0x3f | 0x80
	for i, size := range [...]int{4, 2, 2, 2, 6} {
		if i > 0 {
			dst = append(dst, '-')
		}
		dst = hex.AppendEncode(dst, id[:size])
		id = id[size:]
	}
	return dst
}

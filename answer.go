package apiguard

import (
	"crypto/rand"
	"encoding/hex"
	"net/http"
	"strconv"

	"github.com/apiguard/caddy-api-guard/policy"
)

// sendProblem sends the document of a refusal whose other fields h has already.
func (x *exchange) sendProblem(h http.Header) error {
	v := &x.verdict
	body := x.problem.Of(v, x.app.typeBase(), x.instance())
	h["Content-Type"] = x.values.List(policy.MediaTypeProblem)
	if len(body) != x.length {
		x.length, x.lengthField = len(body), strconv.Itoa(len(body))
	}
	h["Content-Length"] = x.values.List(x.lengthField)
	v.Answers()
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
		h["Connection"] = x.values.List("close")
	}
}

const requestUUID = "http.request.uuid"

// instance is Caddy's {http.request.uuid}. Where somebody has asked for it before,
// and where there is an access log that is to have it, Caddy makes it; else it is
// made here for a tenth of the price, and set where somebody may ask later, so that it
// is the same for him.
func (x *exchange) instance() string {
	if x.logged || x.vars["uuid"] != nil {
		id, _ := x.replacer.GetString(requestUUID)
		return id
	}
	var text [36]byte
	id := x.values.Text(x.ids.append(text[:0]))
	if x.before.identifies || x.others.identifies && x.passed.method != "" || x.app.Refusals == refusalsHandleErrors {
		x.replacer.Set(requestUUID, id)
	}
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

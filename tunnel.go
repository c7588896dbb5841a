package apiguard

import (
	"net/http"
	"strings"
)

// tunnelProtocol is the protocol of an extended CONNECT (RFC 8441, section 4, and
// RFC 9220), or "". Go's HTTP/2 has it as a field with the name of the
// pseudo-field, quic-go's HTTP/3 in place of the version.
//
// What follows is the tunnel and no body.
func tunnelProtocol(r *http.Request) string {
	if r.Method != http.MethodConnect {
		return ""
	}
	if protocol := r.Header[":protocol"]; len(protocol) > 0 {
		return strings.Join(protocol, ",")
	}
	if r.ProtoMajor == 3 && !strings.HasPrefix(r.Proto, "HTTP/") {
		return r.Proto
	}
	return ""
}

// webSocket is the protocol of which reverse_proxy makes a GET with Upgrade, in these very
// letters, so that it is judged as the GET that upstream gets. Of any other upstream gets
// the CONNECT.
const webSocket = "websocket"

// said is the status that an answer counts as. The 200 of a tunnel stands for the 101
// that HTTP/1.1 has (RFC 8441, section 5).
func (x *exchange) said(status int) int {
	if x.request.Tunnel != "" && status == http.StatusOK {
		return http.StatusSwitchingProtocols
	}
	return status
}

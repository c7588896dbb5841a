package apiguard

import (
	"net/http"
	"strings"
)

// tunnelProtocol is the protocol of an extended CONNECT (RFC 8441, section 4, and
// RFC 9220), or "". Go's HTTP/2 has it as a field with the name of the
// pseudo-field, quic-go's HTTP/3 in place of the version.
//
// reverse_proxy makes a GET with Upgrade of one for a WebSocket, so that it is
// judged as the GET that upstream gets. What follows is the tunnel and no body.
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

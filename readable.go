package apiguard

import (
	"strings"

	"github.com/apiguard/caddy-api-guard/policy/conformance"
)

// askReadable leaves out of a request what lets upstream answer in a way that
// cannot be judged: codings that are not decoded here, and, where the document has
// JSON alone, a range of it. A client that could ask for them would choose itself
// whether the rule response holds. Both are for a server to ignore (RFC 9110,
// sections 12.5.3 and 14.2).
func (x *exchange) askReadable() {
	h := x.r.Header
	if lines := h["Accept-Encoding"]; len(lines) > 0 {
		if readable, changed := readableCodings(lines); changed {
			h["Accept-Encoding"] = []string{readable}
		}
	}
	if len(h["Range"]) > 0 && x.verdict.AnswersWhole() {
		delete(h, "Range")
		delete(h, "If-Range")
	}
}

// readableCodings are the members of Accept-Encoding that are decoded here.
func readableCodings(lines []string) (text string, changed bool) {
	var kept []string
	for _, line := range lines {
		for member := range strings.SplitSeq(line, ",") {
			coding, _, _ := strings.Cut(member, ";")
			if coding = strings.TrimSpace(coding); coding == "" {
				continue
			}
			if conformance.Decodes(coding) {
				kept = append(kept, strings.TrimSpace(member))
			} else {
				changed = true
			}
		}
	}
	if len(kept) == 0 {
		return "identity", changed
	}
	return strings.Join(kept, ", "), changed
}

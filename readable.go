package apiguard

import (
	"strings"

	"github.com/apiguard/caddy-api-guard/policy/conformance"
)

// askReadable leaves out of a request what lets upstream answer in a way that
// cannot be judged: codings that are not decoded here, and, where the document has
// JSON alone, a range of it. A client that could ask for them would choose itself
// whether the rule response holds. Both are for a server to ignore (RFC 9110,
// sections 12.5.3 and 14.2). A range of items stays where the document has the answer
// to it, a page, which is judged.
func (x *exchange) askReadable() {
	h := x.r.Header
	if lines := h["Accept-Encoding"]; len(lines) > 0 {
		if readable, changed := readableCodings(lines); changed {
			h["Accept-Encoding"] = []string{readable}
		}
	}
	if ranges := h["Range"]; len(ranges) > 0 && x.verdict.AnswersWhole() && !(x.verdict.AnswersPages() && !ofBytes(ranges)) {
		delete(h, "Range")
		delete(h, "If-Range")
	}
}

// ofBytes reports whether a range is one of bytes, for some server at least.
func ofBytes(ranges []string) bool {
	const unit = "bytes"
	for _, value := range ranges {
		if value = strings.TrimSpace(value); len(value) >= len(unit) && strings.EqualFold(value[:len(unit)], unit) {
			return true
		}
	}
	return false
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

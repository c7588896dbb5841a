package policy

import (
	"net/http"
	"strconv"
	"strings"
	"testing"
)

// What was handed out belongs to a header for good: neither a later value nor what
// a handler does to another header may change it.
func TestValuesOfFieldsStayAsTheyWereHandedOut(t *testing.T) {
	var f FieldValues
	var headers []http.Header
	for i := range 500 {
		h := make(http.Header)
		f.Add(h, "Ratelimit", f.Text([]byte(strconv.Itoa(i))))
		headers = append(headers, h)
		if i%3 == 1 { // as Caddy's `header` does, and upstreams with a value of their own
			h["Ratelimit"][0] = "replaced"
			f.Add(h, "Ratelimit", "second")
		}
	}
	for i, h := range headers {
		want := strconv.Itoa(i)
		if i%3 == 1 {
			want = "replaced,second"
		}
		if got := strings.Join(h["Ratelimit"], ","); got != want {
			t.Fatalf("header %d has %q, want %q", i, got, want)
		}
	}
	if long := strings.Repeat("x", 3*valueText); f.Text([]byte(long)) != long {
		t.Error("a value longer than the room")
	}
}

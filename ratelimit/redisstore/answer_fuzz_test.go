package redisstore

import (
	"strconv"
	"strings"
	"testing"
)

// What the script of another version, or another server on the port, answers is read
// or told off.
func FuzzAnswer(f *testing.F) {
	for _, s := range []string{"", "1 2 3 4 5 6 '7", "1 2 3 4 5 6 '7 'i '1 'c '2 'h1 '3 'p '4 't '5", "1 2 3 4 5 6 7", "1 2 3 'x 5 6 '7", "1 2 3 4 5 6 '7 nil nil", "-1 -2 -3 -4 -9223372036854775808 6 '-7 'c 'x"} {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, text string) {
		var result []any
		for field := range strings.FieldsSeq(text) {
			if n, err := strconv.ParseInt(field, 10, 64); err == nil {
				result = append(result, n)
			} else if value, ok := strings.CutPrefix(field, "'"); ok {
				result = append(result, value)
			} else {
				result = append(result, nil)
			}
		}
		var a answer
		err := a.read(result)
		if err != nil {
			if a.granted != 0 || a.floor != nil {
				t.Errorf("%q: told off (%v) and half taken: %+v", text, err, a)
			}
			return
		}
		if n, ok := result[0].(int64); !ok || a.granted != n || len(a.floor)%2 != 0 {
			t.Errorf("%q is read as %+v", text, a)
		}
	})
}

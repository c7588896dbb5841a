package inventory

import (
	"reflect"
	"slices"
	"strings"
	"testing"
	"time"
	"unicode"
	"unicode/utf8"

	"pgregory.net/rapid"
)

func TestCellsStandUnderTheirColumns(t *testing.T) {
	e := RouteEntry{
		ID: "abc", Reasons: []string{"a", "b"}, Statuses: map[string]uint64{"4xx": 2, "2xx": 1}, Count: 3, Documented: true,
		FirstSeen: Time{time.Date(2026, 1, 2, 3, 4, 5, 0, time.UTC)}, Auth: Auth{Seen: []string{"bearer"}}, ReviewNote: "=1+1",
	}
	columns, cells := Columns[RouteEntry](), Cells(e)
	if len(columns) != len(cells) {
		t.Fatalf("%d columns, %d cells", len(columns), len(cells))
	}
	for column, want := range map[string]string{
		"id": "abc", "reasons": "a b", "statuses": "2xx=1 4xx=2", "count": "3", "documented": "true", "first_seen": "2026-01-02T03:04:05Z",
		"last_seen": "", "auth.seen": "bearer", "auth.documented": "false", "review_note": "'=1+1", "data_classes": "",
	} {
		if i := slices.Index(columns, column); i < 0 || cells[i] != want {
			t.Errorf("column %s is at %d, cells %q; want %q", column, i, cells, want)
		}
	}
	for _, columns := range [][]string{Columns[HostEntry](), Columns[ConsumerEntry](), Columns[FindingEntry]()} {
		if slices.Contains(columns, "") || len(columns) < 5 {
			t.Errorf("columns %q", columns)
		}
	}
	// An item of every kind with everything set must not fail, whatever fields come.
	for _, item := range []any{RouteEntry{}, HostEntry{Scans: []ScanHour{{Refused: 1}}}, ConsumerEntry{}, FindingEntry{}} {
		if n := len(cellsOf(reflect.ValueOf(item), nil)); n != len(columnsOf(reflect.TypeOf(item), "")) {
			t.Errorf("%T has %d cells", item, n)
		}
	}
}

func TestHarmless(t *testing.T) {
	for text, want := range map[string]string{
		"/v2/orders": "/v2/orders", "": "", "a=b": "a=b", "grün": "grün",
		"=cmd|' /C calc'!A0": "'=cmd|' /C calc'!A0", "+1": "'+1", "-1": "'-1", "@SUM(A1)": "'@SUM(A1)", "  =1": "'  =1", "\t=1": `\x09=1`,
		"\uff1d1+1": "'\uff1d1+1", "a\x1b[31mb": `a\x1b[31mb`, "a\r\nb": `a\x0d\x0ab`, "a\u202eb": `a\u202eb`, "a\x9bb": `a\x9bb`, "\u009b": `\u009b`,
		"\x7f": `\x7f`, "\u2028": `\u2028`, "\U000e0041": `\U000e0041`, "\xff\xfe": `\xff\xfe`,
	} {
		if got := Harmless(text); got != want {
			t.Errorf("%q is %q, want %q", text, got, want)
		}
	}
	rapid.Check(t, func(t *rapid.T) {
		s := Harmless(string(rapid.SliceOf(rapid.Byte()).Draw(t, "bytes")))
		if !utf8.ValidString(s) || strings.ContainsFunc(s, func(r rune) bool { return !unicode.IsPrint(r) }) || strings.IndexAny(strings.TrimLeft(s, " "), "=+-@|%") == 0 {
			t.Fatalf("%q", s)
		}
	})
}

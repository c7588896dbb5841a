package apiguard

import (
	"encoding/json"
	"testing"
	"time"
)

func TestRatesAreACountAndADuration(t *testing.T) {
	for text, want := range map[string]struct {
		n      int
		window time.Duration
	}{
		"5/1m": {5, time.Minute}, "600/m": {600, time.Minute}, "1/30s": {1, 30 * time.Second},
		"10/2h": {10, 2 * time.Hour}, "3/1d": {3, 24 * time.Hour}, "1/366d": {1, 366 * 24 * time.Hour}, "1/31622400s": {1, 366 * 24 * time.Hour},
	} {
		n, window, err := parseRate(text)
		if err != nil || n != want.n || window != want.window {
			t.Errorf("%q: %d %s %v", text, n, window, err)
		}
	}
	for _, text := range []string{"", "5", "5/", "/1m", "0/1m", "-1/1m", "+5/1m", "5/0m", "5/1w", "5/1", "5/-1m", "5/1m/2", "5 / 1m", "1.5/1m", "5/400d", "99999999999999999999/1m", "5/99999999999999999999s", "5/367d", "5/31622401s", "5/106752d", "5/213504d"} {
		if n, window, err := parseRate(text); err == nil {
			t.Errorf("%q is read as %d in %s", text, n, window)
		}
	}
}

func TestDatesAreDaysOrTimes(t *testing.T) {
	for text, want := range map[string]string{
		"2027-03-31":                "2027-03-31T00:00:00Z",
		"2027-03-31T14:00Z":         "2027-03-31T14:00:00Z",
		"2027-03-31T14:00+02:00":    "2027-03-31T12:00:00Z",
		"2027-03-31T14:00:30Z":      "2027-03-31T14:00:30Z",
		"2027-03-31T14:00:30-05:00": "2027-03-31T19:00:30Z",
		"1970-01-01":                "1970-01-01T00:00:00Z",
		"9999-12-31":                "9999-12-31T00:00:00Z",
		"9999-12-31T23:00:00-09:00": "9999-12-31T23:59:59Z",
	} {
		got, err := parseDate(text)
		if err != nil || got.Format(time.RFC3339) != want {
			t.Errorf("%q: %s %v", text, got, err)
		}
	}
	for _, text := range []string{"", "tomorrow", "2027-02-30", "2027-3-1", "31.03.2027", "2027-03-31T14:00", "2027-03-31 14:00Z", "1735689600", "0001-01-01", "0226-03-31", "1969-12-31"} {
		if got, err := parseDate(text); err == nil {
			t.Errorf("%q is read as %s", text, got)
		}
	}
}

func TestADayEndsWithItsYearAtTheLatest(t *testing.T) {
	for text, want := range map[string]string{
		"2027-12-31": "2028-01-01T00:00:00Z", "2028-02-28": "2028-02-29T00:00:00Z", "9999-12-31": "9999-12-31T23:59:59Z",
		"2027-12-31T10:00Z": "2027-12-31T10:00:00Z",
	} {
		if got, err := parseUntil(text); err != nil || got.Format(time.RFC3339) != want {
			t.Errorf("%q: %s %v", text, got, err)
		}
	}
}

func TestSizesAreNumbersOrText(t *testing.T) {
	for text, want := range map[string]Size{`1024`: 1024, `"1MiB"`: 1 << 20, `"512KiB"`: 512 << 10, `"2MB"`: 2_000_000, `"7"`: 7, `1099511627776`: 1 << 40} {
		var s Size
		if err := json.Unmarshal([]byte(text), &s); err != nil || s != want {
			t.Errorf("%s: %d %v", text, s, err)
		}
	}
	for _, text := range []string{`"0"`, `"-1"`, `"much"`, `"9EiB"`, `{}`, `1.5`, `1099511627777`, `9223372036854775807`} {
		var s Size
		if err := json.Unmarshal([]byte(text), &s); err == nil {
			t.Errorf("%s is read as %d", text, s)
		}
	}
}

func TestRequestRuleIsAnObjectOrAMode(t *testing.T) {
	var r RequestRule
	if err := json.Unmarshal([]byte(`"monitor"`), &r); err != nil || r.Mode != "monitor" {
		t.Errorf("%+v %v", r, err)
	}
	if err := json.Unmarshal([]byte(`{"mode":"off","max_body":"2KiB","status":422}`), &r); err != nil || r.MaxBody != 2048 || r.Status != 422 {
		t.Errorf("%+v %v", r, err)
	}
	if err := json.Unmarshal([]byte(`{"modus":"off"}`), &r); err == nil {
		t.Error("an unknown field is taken")
	}
}

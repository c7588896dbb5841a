package apiguard

import (
	"encoding/json"
	"errors"
	"fmt"
	"net/url"
	"strconv"
	"strings"
	"time"

	"github.com/dustin/go-humanize"

	"github.com/apiguard/caddy-api-guard/ratelimit"
)

// Size is a number of bytes, at most 1 TiB. JSON takes a number, or a string such as "1MiB".
type Size int64

// UnmarshalJSON takes both forms.
func (s *Size) UnmarshalJSON(data []byte) error {
	var text string
	if json.Unmarshal(data, &text) != nil {
		err := json.Unmarshal(data, (*int64)(s))
		if err == nil && *s > maxSize { // so that nothing that is added to it overflows
			_, err = parseSize(string(data))
		}
		return err
	}
	parsed, err := parseSize(text)
	*s = parsed
	return err
}

// noDuration is the error about a text that should be a duration.
type noDuration string

func (e noDuration) Error() string {
	return fmt.Sprintf("%q is no duration: write a number and a unit, such as 10s, 5m or 90d", string(e))
}

const maxSize = 1 << 40

func parseSize(s string) (Size, error) {
	n, err := humanize.ParseBytes(s)
	if err != nil || n == 0 || n > maxSize {
		return 0, fmt.Errorf("reading size %q: write a positive number of bytes such as 65536, 512KiB or 1MiB, 1TiB at most", s)
	}
	return Size(n), nil
}

// isPage reports whether a URL may become a link: one with http or https and a host,
// without what would end it within a Link field (RFC 8288 section 3). Other schemes,
// javascript above all, do something to whoever follows them.
func isPage(s string) bool {
	u, err := url.Parse(s)
	return err == nil && (u.Scheme == "http" || u.Scheme == "https") && u.Hostname() != "" && !strings.ContainsAny(s, "<>\" ")
}

// parseDate reads a day, which begins at 00:00 UTC, or a time by RFC 3339 whose
// seconds may be left out.
func parseDate(s string) (time.Time, error) {
	for _, layout := range []string{time.DateOnly, time.RFC3339, "2006-01-02T15:04Z07:00"} {
		t, err := time.Parse(layout, s)
		if err != nil {
			continue
		}
		if t.UTC().Year() < 1970 {
			return time.Time{}, fmt.Errorf("reading date %q: its year is before 1970: write a day such as 2027-03-31", s)
		}
		return noLater(t.UTC()), nil
	}
	return time.Time{}, fmt.Errorf("reading date %q: write a day such as 2027-03-31, or a time such as 2027-03-31T14:00Z", s)
}

// noLater is t, or the last second that RFC 3339 can spell: "9999-12-31" is what many
// write for never, and a day has an end.
func noLater(t time.Time) time.Time {
	if last := time.Date(9999, 12, 31, 23, 59, 59, 0, time.UTC); t.After(last) {
		return last
	}
	return t
}

// parseRate reads "N/W": a count and a duration with s, m, h or d. The count of
// units may be left out ("5/m").
func parseRate(s string) (n int, window time.Duration, err error) {
	bad := fmt.Errorf("reading rate %q: write a count and a duration such as 5/1m, with s, m, h or d", s)
	count, span, ok := strings.Cut(s, "/")
	if !ok || span == "" {
		return 0, 0, bad
	}
	if n, err = strconv.Atoi(count); err != nil || n < 1 || count[0] == '+' {
		return 0, 0, bad
	}
	units := map[byte]time.Duration{'s': time.Second, 'm': time.Minute, 'h': time.Hour, 'd': 24 * time.Hour}
	unit, ok := units[span[len(span)-1]]
	if !ok {
		return 0, 0, bad
	}
	times := 1
	if digits := span[:len(span)-1]; digits != "" {
		times, err = strconv.Atoi(digits)
		if (err != nil && !errors.Is(err, strconv.ErrRange)) || times < 1 || digits[0] == '+' {
			return 0, 0, bad
		}
	}
	if times > int(366*24*time.Hour/unit) { // before they are multiplied, which may overflow
		return 0, 0, fmt.Errorf("reading rate %q: the longest window is 366d", s)
	}
	return n, time.Duration(times) * unit, nil
}

// parseQuota reads "N/day" or "N/month".
func parseQuota(s string) (n int, period ratelimit.Period, err error) {
	count, span, _ := strings.Cut(s, "/")
	for _, p := range [...]ratelimit.Period{ratelimit.Day, ratelimit.Month} {
		if span == p.String() {
			period = p
		}
	}
	n, err = strconv.Atoi(count)
	if err != nil || n < 1 || n > ratelimit.MaxRate || count[0] == '+' || period == 0 {
		return 0, 0, fmt.Errorf("reading quota %q: write a number from 1 to %d and a period, such as 1000/day or 20000/month", s, ratelimit.MaxRate)
	}
	return n, period, nil
}

// parsePenalty reads a duration with s, m, h or d.
func parsePenalty(s string) (time.Duration, error) {
	_, d, err := parseRate("1/" + s)
	if err != nil {
		return 0, fmt.Errorf("reading penalty %q: write a duration such as 15m, with s, m, h or d", s)
	}
	return d, nil
}

package apiguard

import (
	"bytes"
	"errors"
	"net"
	"net/http"
	"strconv"
	"strings"
	"time"

	"github.com/go-json-experiment/json"
	"github.com/go-json-experiment/json/jsontext"
)

// logged is a request as an access log tells it.
type logged struct {
	time   time.Time
	method string
	host   string
	uri    string
	proto  string
	client string // an address
	user   string
	tls    bool
	header http.Header // nil: the log does not tell
	status int
	answer http.Header
	size   int64 // of the answer's body, -1: not told
}

// Errors of lines that are no request.
var (
	errNotAccess = errors.New("it is no access log entry")
	errNoHost    = errors.New("the log does not tell the host: say --host")
)

// accessEntry is a line of Caddy's JSON access log.
type accessEntry struct {
	TS      jsontext.Value `json:"ts"`
	Request *struct {
		RemoteIP string              `json:"remote_ip"`
		ClientIP string              `json:"client_ip"`
		Proto    string              `json:"proto"`
		Method   string              `json:"method"`
		Host     string              `json:"host"`
		URI      string              `json:"uri"`
		Headers  map[string][]string `json:"headers"`
		TLS      *struct{}           `json:"tls"`
	} `json:"request"`
	UserID  string              `json:"user_id"`
	Size    *int64              `json:"size"`
	Status  *int                `json:"status"`
	Headers map[string][]string `json:"resp_headers"`
}

// parseLogged reads a line: Caddy's JSON, or the combined format (with or without a
// virtual host before it, as Apache's vhost_combined has). host stands for what
// the line does not tell.
func parseLogged(line []byte, host string) (logged, error) {
	var l logged
	var err error
	if line = bytes.TrimSpace(line); len(line) > 0 && line[0] == '{' {
		l, err = parseJSONLine(line)
	} else {
		l, err = parseCombined(string(line))
	}
	switch {
	case err != nil:
		return l, err
	case l.method == "" || l.uri == "":
		return l, errNotAccess
	case l.time.Year() < 1970 || l.time.Year() > 2200: // what nanoseconds since 1970 can tell
		return l, errors.New("its time is not between 1970 and 2200")
	}
	if l.host == "" {
		l.host = host
	}
	if l.host == "" {
		return l, errNoHost
	}
	return l, nil
}

func parseJSONLine(line []byte) (logged, error) {
	var e accessEntry
	if err := json.Unmarshal(line, &e, jsontext.AllowDuplicateNames(true), jsontext.AllowInvalidUTF8(true)); err != nil {
		return logged{}, err
	}
	if e.Request == nil || e.Status == nil || e.Request.Method == "" {
		return logged{}, errNotAccess
	}
	r := e.Request
	l := logged{
		method: r.Method, host: r.Host, uri: r.URI, proto: r.Proto, client: r.ClientIP, user: e.UserID, tls: r.TLS != nil,
		header: r.Headers, status: *e.Status, answer: e.Headers, size: -1,
	}
	if l.client == "" {
		l.client = r.RemoteIP
	}
	if l.header == nil {
		l.header = http.Header{}
	}
	if e.Size != nil {
		l.size = *e.Size
	}
	var err error
	l.time, err = parseLogTime(string(e.TS))
	return l, err
}

// parseLogTime reads what Caddy's encoders write: Unix seconds, milliseconds or
// nanoseconds as a number, or a text in one of its layouts.
func parseLogTime(text string) (time.Time, error) {
	if unquoted, err := strconv.Unquote(text); err == nil {
		for _, layout := range []string{time.RFC3339Nano, "2006-01-02T15:04:05.000Z0700", "2006/01/02 15:04:05.000", "2006/01/02 15:04:05", "02/Jan/2006:15:04:05 -0700"} {
			if t, err := time.Parse(layout, unquoted); err == nil {
				return t.UTC(), nil
			}
		}
		return time.Time{}, errors.New("its ts is no time: " + text)
	}
	number, err := strconv.ParseFloat(text, 64)
	switch {
	case err != nil || number <= 0:
		return time.Time{}, errors.New("it has no ts")
	case number < 1e11: // seconds until the year 5138
		return time.Unix(0, int64(number*1e9)).UTC(), nil
	case number < 1e14:
		return time.Unix(0, int64(number*1e6)).UTC(), nil
	default:
		return time.Unix(0, int64(number)).UTC(), nil
	}
}

// parseCombined reads
//
//	[host[:port] ]client - user [02/Jan/2006:15:04:05 -0700] "GET /a HTTP/1.1" 200 2326 "referer" "agent"
func parseCombined(line string) (logged, error) {
	l := logged{size: -1}
	head, rest, ok := strings.Cut(line, " [")
	if !ok {
		return l, errNotAccess
	}
	parts := strings.Fields(head)
	switch len(parts) {
	case 3:
	case 4:
		l.host, parts = parts[0], parts[1:]
		if name, _, err := net.SplitHostPort(l.host); err == nil {
			l.host = name
		}
	default:
		return l, errNotAccess
	}
	l.client = parts[0]
	if parts[2] != "-" {
		l.user = parts[2]
	}
	stamp, rest, ok := strings.Cut(rest, "] ")
	if !ok {
		return l, errNotAccess
	}
	var err error
	if l.time, err = time.Parse("02/Jan/2006:15:04:05 -0700", stamp); err != nil {
		return l, errors.New("its time is not written as in 02/Jan/2006:15:04:05 -0700")
	}
	l.time = l.time.UTC()
	request, rest, ok := cutQuoted(rest)
	if !ok {
		return l, errNotAccess
	}
	if l.method, l.uri, ok = strings.Cut(request, " "); !ok {
		return l, errNotAccess
	}
	if i := strings.LastIndexByte(l.uri, ' '); i >= 0 {
		l.uri, l.proto = l.uri[:i], l.uri[i+1:]
	}
	numbers := strings.Fields(rest)
	if len(numbers) < 1 {
		return l, errNotAccess
	}
	if l.status, err = strconv.Atoi(numbers[0]); err != nil {
		return l, errNotAccess
	}
	if len(numbers) > 1 {
		if size, err := strconv.ParseInt(numbers[1], 10, 64); err == nil {
			l.size = size
		}
	}
	return l, nil
}

// cutQuoted takes a text in quotes off the front, with the escapes that Apache and
// nginx write: \" and \xHH.
func cutQuoted(s string) (text, rest string, ok bool) {
	if s == "" || s[0] != '"' {
		return "", s, false
	}
	var b strings.Builder
	for i := 1; i < len(s); i++ {
		switch {
		case s[i] == '"':
			return b.String(), s[i+1:], true
		case s[i] == '\\' && i+3 < len(s) && s[i+1] == 'x':
			if n, err := strconv.ParseUint(s[i+2:i+4], 16, 8); err == nil {
				b.WriteByte(byte(n))
				i += 3
				continue
			}
			b.WriteByte('\\')
		case s[i] == '\\' && i+1 < len(s):
			i++
			b.WriteByte(s[i])
		default:
			b.WriteByte(s[i])
		}
	}
	return "", s, false
}

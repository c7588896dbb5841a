package apiguard

import (
	"bytes"
	"io"
	"net/http"
	"strings"
	"testing"
	"time"

	"bufio"

	"github.com/google/go-cmp/cmp"
)

func TestLinesOfAccessLogsAreRead(t *testing.T) {
	at := time.Date(2026, 10, 10, 13, 55, 36, 0, time.UTC)
	for _, c := range []struct {
		name, line, host string
		want             logged
	}{
		{
			"Caddy's JSON",
			`{"level":"info","ts":1791640536.5,"logger":"http.log.access","msg":"handled request","request":{"remote_ip":"10.0.0.1","remote_port":"1","client_ip":"198.51.100.7","proto":"HTTP/2.0","method":"GET","host":"api.example.com:8443","uri":"/v2/orders?limit=1","headers":{"Accept":["*/*"]},"tls":{"version":772}},"user_id":"alice","size":12,"status":200,"resp_headers":{"Content-Type":["application/json"]}}`, "",
			logged{time: at.Add(500 * time.Millisecond), method: "GET", host: "api.example.com:8443", uri: "/v2/orders?limit=1", proto: "HTTP/2.0", client: "198.51.100.7", user: "alice", tls: true,
				header: http.Header{"Accept": {"*/*"}}, status: 200, answer: http.Header{"Content-Type": {"application/json"}}, size: 12},
		},
		{
			"JSON of an older Caddy, without a client address and headers",
			`{"ts":"2026/10/10 13:55:36","request":{"remote_ip":"10.0.0.1","method":"GET","host":"a.example","uri":"/"},"status":0}`, "",
			logged{time: at, method: "GET", host: "a.example", uri: "/", client: "10.0.0.1", header: http.Header{}, size: -1},
		},
		{"JSON in milliseconds", `{"ts":1791640536000,"request":{"client_ip":"::1","method":"GET","host":"a","uri":"/"},"status":200}`, "", logged{time: at, method: "GET", host: "a", uri: "/", client: "::1", header: http.Header{}, status: 200, size: -1}},
		{"JSON in nanoseconds", `{"ts":1791640536000000000,"request":{"client_ip":"::1","method":"GET","host":"a","uri":"/"},"status":200}`, "", logged{time: at, method: "GET", host: "a", uri: "/", client: "::1", header: http.Header{}, status: 200, size: -1}},
		{
			"combined", `198.51.100.7 - alice [10/Oct/2026:15:55:36 +0200] "GET /v2/orders?q=a\"b\x20c HTTP/1.1" 200 2326 "-" "curl \"8\""`, "api.example.com",
			logged{time: at, method: "GET", host: "api.example.com", uri: `/v2/orders?q=a"b c`, proto: "HTTP/1.1", client: "198.51.100.7", user: "alice", status: 200, size: 2326},
		},
		{
			"common, without a size", `198.51.100.7 - - [10/Oct/2026:13:55:36 +0000] "POST / HTTP/1.0" 304 -`, "a",
			logged{time: at, method: "POST", host: "a", uri: "/", proto: "HTTP/1.0", client: "198.51.100.7", status: 304, size: -1},
		},
		{
			"combined with a virtual host", `api.example.com:443 198.51.100.7 - - [10/Oct/2026:13:55:36 +0000] "GET / HTTP/1.1" 200 1 "-" "-"`, "other.example",
			logged{time: at, method: "GET", host: "api.example.com", uri: "/", proto: "HTTP/1.1", client: "198.51.100.7", status: 200, size: 1},
		},
	} {
		got, err := parseLogged([]byte(c.line), c.host)
		if err != nil {
			t.Errorf("%s: %v", c.name, err)
		} else if diff := cmp.Diff(c.want, got, cmp.AllowUnexported(logged{})); diff != "" {
			t.Errorf("%s: %s", c.name, diff)
		}
	}
}

func TestLinesThatAreNoRequestSayWhy(t *testing.T) {
	for line, want := range map[string]string{
		`{"level":"info","ts":1.5,"msg":"serving"}`:                                       "no access log entry",
		`{"ts":1791640536,"request":{"method":"GET","uri":"/"},"status":200}`:             "--host",
		`{"request":{"method":"GET","uri":"/","host":"a"},"status":200}`:                  "no ts",
		`{"ts":"yesterday","request":{"method":"GET","uri":"/","host":"a"},"status":200}`: "no time",
		`a.example 198.51.100.7 - - [10/Oct/2026:13:55:36 +0000] " / HTTP/1.1" 200 1`:     "no access log entry",
		`a.example 198.51.100.7 - - [10/Oct/0026:13:55:36 +0000] "GET / HTTP/1.1" 200 1`:  "between 1970 and 2200",
		`{"ts":1`: "EOF",
		`-`:       "no access log entry",
		`198.51.100.7 - - [10/Oct/2026:13:55:36 +0000] "GET / HTTP/1.1" 200 1`:                             "--host",
		`198.51.100.7 - - [yesterday] "GET / HTTP/1.1" 200 1`:                                              "its time",
		`a.example 198.51.100.7 - - [10/Oct/2026:13:55:36 +0000] "GET / HTTP/1.1`:                          "no access log entry",
		`a.example 198.51.100.7 - - [10/Oct/2026:13:55:36 +0000] "\x16\x03\x01" 400 1`:                     "no access log entry",
		`a.example 198.51.100.7 - - [10/Oct/2026:13:55:36 +0000] "GET / HTTP/1.1" two 1`:                   "no access log entry",
		`{"ts":1791640536,"request":{"method":"GET","uri":"/","host":"a","headers":{"A":1}},"status":200}`: "headers",
	} {
		if _, err := parseLogged([]byte(line), ""); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%s: %v, want one that says %q", line, err, want)
		}
	}
}

func TestLongLinesAreUnreadableAndTheNextIsNot(t *testing.T) {
	long := strings.Repeat("x", 3*longestLine)
	var lines []string
	err := readLines(strings.NewReader("a\n\n"+long+"\nb"), func(b *batch) {
		for _, l := range b.lines {
			lines = append(lines, string(l[:min(len(l), 3)]))
		}
	})
	if want := []string{"a\n", "xxx", "b"}; err != nil || !cmp.Equal(lines, want) {
		t.Errorf("got %q, %v; want %q", lines, err, want)
	}
	r := bufio.NewReaderSize(strings.NewReader(long), 1<<16)
	if line, err := readLine(r); len(line) > longestLine+1<<16 || err != io.EOF {
		t.Errorf("%d bytes of a long line were held, %v", len(line), err)
	}
}

// Whatever a log holds, reading and playing it neither fails nor holds on.
func FuzzAccessLog(f *testing.F) {
	f.Add([]byte(`{"ts":1791640536.5,"request":{"remote_ip":"10.0.0.1","client_ip":"198.51.100.7","proto":"HTTP/2.0","method":"GET","host":"api.example.com","uri":"/v2/orders?limit=1","headers":{"Accept":["*/*"]}},"size":12,"status":200}`))
	f.Add([]byte(`a.example 198.51.100.7 - - [10/Oct/2026:13:55:36 +0000] "GET /%zz HTTP/1.1" 200 1 "-" "-"`))
	f.Add([]byte(`0 0 0 0 [10/Oct/0000:00:00:00 +0000] " "0`))
	f.Add([]byte(`{"ts":1e300,"request":{"client_ip":"x","method":"CONNECT","host":"[::1","uri":"*"},"status":-1}`))
	p, err := newPlayer([]byte(`{"apps":{"api_guard":{"api":[{"name":"orders","version":[{"name":"v2","hosts":["api.example.com"]}]}]}}}`))
	if err != nil {
		f.Fatal(err)
	}
	f.Fuzz(func(t *testing.T, line []byte) {
		if bytes.ContainsRune(line, '\n') {
			return
		}
		l, err := parseLogged(line, "")
		if err != nil {
			return
		}
		if l.method == "" || l.host == "" {
			t.Fatalf("a request without method or host: %+v", l)
		}
		before := p.judged
		p.play(&l)
		if p.judged != before+1 {
			t.Error("it was not judged")
		}
		p.app.shared.inventory.CatchUp()
	})
}

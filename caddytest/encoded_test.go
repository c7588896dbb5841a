package caddytest

import (
	"bytes"
	"compress/gzip"
	"fmt"
	"io"
	"net/http"
	"strings"
	"testing"

	"github.com/klauspost/compress/zstd"

	"github.com/apiguard/caddy-api-guard/caddytest/internal/harness"
)

// encodedModes and encodedPlaces name the hosts of startEncoded: MODE-PLACE.example.com.
var (
	encodedModes  = []string{"bare", "monitor", "enforce"}
	encodedPlaces = []string{"plain", "inner", "outer"} // where encode stands: nowhere, behind the guard, before it
)

// startEncoded is one Caddy with a host for each mode of the rule response, "bare" for no
// guard at all, and each place of encode.
func startEncoded(t *testing.T) (*harness.Caddy, *harness.Upstream) {
	t.Helper()
	guard, site := "policy {\nresponse monitor\n}\n", ""
	for _, mode := range encodedModes {
		for _, place := range encodedPlaces {
			name := mode + "-" + place
			directive := map[string]string{"bare": ""}
			if mode != "bare" {
				directive[mode] = "api_guard"
				guard += fmt.Sprintf("api %s {\nversion v1 {\nhosts %[1]s.example.com\nspec accounts.yaml\nresponse %s\n}\n}\n", name, mode)
			}
			steps := map[string]string{
				"plain": directive[mode], "inner": directive[mode] + "\nencode zstd gzip", "outer": "encode zstd gzip\n" + directive[mode],
			}[place]
			site += fmt.Sprintf("(%s) {\nlog\nroute {\n%s\nreverse_proxy 127.0.0.1:<upstream>\n}\nhandle_errors {\nrespond \"no answer\"\n}\n}\nhttp://%[1]s.example.com:<http> {\nimport %[1]s\n}\nhttps://%[1]s.example.com:<https> {\ntls internal\nimport %[1]s\n}\n", name, steps)
		}
	}
	up := harness.NewUpstream(t)
	document := strings.Replace(accounts, `        "204": {description: none}`, `        "204": {description: none}`+"\n"+`        "205": {description: again}`, 1)
	return harness.Start(t, harness.Config{Guard: guard, Sites: site, Upstream: up, Files: map[string]string{"accounts.yaml": document}}), up
}

// decoded is the content of an answer, without its content coding.
func decoded(t *testing.T, got harness.Answer) string {
	t.Helper()
	var from io.Reader = bytes.NewReader(got.Body)
	var err error
	switch got.Header.Get("Content-Encoding") {
	case "gzip":
		from, err = gzip.NewReader(from)
	case "zstd":
		from, err = zstd.NewReader(from)
	}
	if err != nil {
		t.Fatalf("%v: %v", got, err)
	}
	text, err := io.ReadAll(from)
	if err != nil {
		t.Errorf("%v: %v", got, err)
	}
	return string(text)
}

// words is JSON of about n bytes that compresses to a third, as what APIs say does.
func words(id string, n int) string {
	var note strings.Builder
	for i := 0; note.Len() < n; i++ {
		fmt.Fprintf(&note, "%d-word ", i*7919)
	}
	return `{"id":` + id + `,"note":"` + note.String() + `"}`
}

// inChunksWith is an answer in chunks with trailers, announced or not.
func inChunksWith(fields, body, trailers string) string {
	return fmt.Sprintf("HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nEtag: \"a\"\r\n%sTransfer-Encoding: chunked\r\n\r\n%x\r\n%s\r\n0\r\n%s\r\n", fields, len(body), body, trailers)
}

// An answer that is compressed before or behind the guard arrives whole and decodes to
// what upstream said, or is a problem that says so itself; in monitor it is the bytes,
// and over HTTP/2 and 3 the length, that it has without the guard.
func TestCompressedAnswersAreThoseWithoutTheGuardOrProblems(t *testing.T) {
	t.Parallel()
	caddy, up := startEncoded(t)
	answers := map[string]string{}
	right := map[string]string{}
	for _, size := range []int{10, 600, 3500, 9000, 60000} {
		name := fmt.Sprint(size)
		right[name] = words("1", size)
		answers[name] = jsonAnswer(right[name], `Etag: "a"`)
		answers[name+" wrong"] = jsonAnswer(words(`"`+needle+`"`, size), `Etag: "a"`)
		right[name+" coded"] = right[name]
		answers[name+" coded"] = jsonAnswer(zipped(right[name]), "Content-Encoding: gzip", `Etag: "a"`)
		answers[name+" coded and wrong"] = jsonAnswer(zipped(words(`"`+needle+`"`, size)), "Content-Encoding: gzip", `Etag: "a"`)
	}
	up.Answer(func(r harness.Recorded) string { return answers[r.Values("X-Answer")[0]] })
	for protocol, do := range protocols(caddy) {
		for name := range answers {
			for _, place := range encodedPlaces {
				for _, coding := range []string{"gzip", "zstd"} {
					what := fmt.Sprintf("%s, %s, encode %s, %s", protocol, name, place, coding)
					var got map[string]harness.Answer
					// How a coder cuts its blocks depends on when the bytes arrive, so that both
					// are asked for until they met the same.
					harness.Await(t, what, func() (string, bool) {
						got = map[string]harness.Answer{}
						for _, mode := range encodedModes {
							caddy.ServerName = mode + "-" + place + ".example.com"
							call, _ := as(get(caddy.ServerName, "/account").With("X-Answer", name).With("Accept-Encoding", coding))
							answer := do(t, call)
							answer.Header.Del("Date")
							answer.Header.Del("Alt-Svc") // names the port
							got[mode] = answer
						}
						with := fmt.Sprintf("%v %q", got["monitor"].Header, got["monitor"].Body)
						without := fmt.Sprintf("%v %q", got["bare"].Header, got["bare"].Body)
						return fmt.Sprintf("in monitor %.300s, without the guard %.300s", with, without), with == without
					})
					enforced := got["enforce"]
					if text, ok := right[name]; ok {
						if enforced.Status != 200 || decoded(t, enforced) != text || enforced.Header.Get("Etag") != got["bare"].Header.Get("Etag") ||
							fmt.Sprint(enforced.Header["Vary"]) != fmt.Sprint(got["bare"].Header["Vary"]) {
							t.Errorf("%s: enforced %v, without the guard %v", what, enforced, got["bare"])
						}
						continue
					}
					refused(t, harness.Answer{Status: enforced.Status, Header: enforced.Header, Body: []byte(decoded(t, enforced))}, 502, "response-invalid")
					if enforced.Header.Get("Etag") != "" || enforced.Header.Get("Content-Length") != fmt.Sprint(len(enforced.Body)) || strings.Contains(fmt.Sprint(enforced), needle) {
						t.Errorf("%s: %v", what, enforced)
					}
				}
			}
		}
	}
}

// What comes behind a body is passed on with it, and keeps no body from being judged:
// clients ask for trailers by TE.
func TestTrailersPassBehindAnswersThatAreJudged(t *testing.T) {
	t.Parallel()
	caddy, up := startEncoded(t)
	wrong := words(`"`+needle+`"`, 100)
	answers := map[string]string{}
	for _, size := range []int{10, 9000} {
		answers[fmt.Sprint("announced ", size)] = inChunksWith("Trailer: X-Sum\r\n", words("1", size), "X-Sum: 9\r\n")
		answers[fmt.Sprint("unannounced ", size)] = inChunksWith("", words("1", size), "X-Sum: 9\r\n")
	}
	answers["none came"] = inChunksWith("Trailer: X-Sum\r\n", words("1", 10), "")
	answers["a field too"] = inChunksWith("Trailer: X-Sum\r\nX-Sum: 5\r\n", words("1", 10), "X-Sum: 9\r\n")
	answers["others came"] = inChunksWith("Trailer: X-Sum, x-more\r\n", words("1", 10), "X-More: 1\r\nX-More: 2\r\nX-Last: 3\r\n")
	answers["of framing"] = inChunksWith("", words("1", 10), "Content-Length: 5\r\nConnection: X-Sum\r\nX-Sum: 9\r\n")
	answers["wrong, announced"] = inChunksWith("Trailer: X-Sum\r\n", wrong, "X-Sum: "+needle+"\r\n")
	answers["wrong, unannounced"] = inChunksWith("", wrong, "X-Sum: "+needle+"\r\n")
	up.Answer(func(r harness.Recorded) string { return answers[r.Values("X-Answer")[0]] })
	for protocol, do := range protocols(caddy) {
		for name := range answers {
			for _, place := range encodedPlaces {
				got := map[string]harness.Answer{}
				for _, mode := range encodedModes {
					caddy.ServerName = mode + "-" + place + ".example.com"
					call, _ := as(get(caddy.ServerName, "/account").With("X-Answer", name).With("TE", "trailers").With("Accept-Encoding", "gzip"))
					got[mode] = do(t, call)
				}
				what := fmt.Sprintf("%s, %s, encode %s", protocol, name, place)
				same := func(mode string) {
					if a, b := got[mode], got["bare"]; a.Status != 200 || fmt.Sprint(a.Trailer) != fmt.Sprint(b.Trailer) || fmt.Sprint(a.Header["X-Sum"]) != fmt.Sprint(b.Header["X-Sum"]) || decoded(t, a) != decoded(t, b) {
						t.Errorf("%s: in %s %v, without the guard %v", what, mode, a, b)
					}
				}
				same("monitor")
				if !strings.HasPrefix(name, "wrong") {
					same("enforce")
					continue
				}
				refused(t, got["enforce"], 502, "response-invalid")
				if strings.Contains(fmt.Sprint(got["enforce"]), needle) || len(got["enforce"].Trailer) > 0 {
					t.Errorf("%s: the refusal shows what was refused: %v", what, got["enforce"])
				}
			}
		}
	}
}

// Upstreams that break off, say more or less than they announced, or give content to a
// status that has none.
func TestAnswersOfWrongUpstreams(t *testing.T) {
	t.Parallel()
	caddy, up := startEncoded(t)
	const head = "HTTP/1.1 200 OK\r\nContent-Type: application/json\r\n"
	good := words("1", 10)
	rows := map[string]struct {
		answer  string
		status  int // that is enforced; 0: the bare one's
		interim int
		refused bool
	}{
		"shorter than announced":     {answer: head + "Content-Length: 20000\r\n\r\n" + good + harness.HangUp, status: 502},
		"chunks without an end":      {answer: head + "Transfer-Encoding: chunked\r\n\r\n5\r\n{\"id\"\r\n" + harness.HangUp, status: 502},
		"longer than announced":      {answer: jsonAnswer(good) + needle + harness.HangUp},
		"until the connection ends":  {answer: head + "\r\n" + good + harness.HangUp},
		"wrong, until the end":       {answer: head + "\r\n[]" + harness.HangUp, status: 502, refused: true},
		"of HTTP/1.0":                {answer: strings.Replace(head, "1.1", "1.0", 1) + "\r\n" + good + harness.HangUp},
		"length and chunks":          {answer: head + "Content-Length: 1\r\nTransfer-Encoding: chunked\r\n\r\n8\r\n{\"id\":1}\r\n0\r\n\r\n"},
		"two lengths":                {answer: head + "Content-Length: 1\r\nContent-Length: 8\r\n\r\n{\"id\":1}" + harness.HangUp, status: 502},
		"204 with content":           {answer: "HTTP/1.1 204 No Content\r\nContent-Length: 11\r\n\r\n" + needle + harness.HangUp},
		"304 with content":           {answer: "HTTP/1.1 304 Not Modified\r\nEtag: \"a\"\r\nContent-Length: 11\r\n\r\n" + needle + harness.HangUp},
		"205":                        {answer: "HTTP/1.1 205 Reset Content\r\nContent-Length: 0\r\n\r\n"},
		"205 with content":           {answer: "HTTP/1.1 205 Reset Content\r\nContent-Length: 11\r\n\r\n" + needle, status: 502, refused: true},
		"205 with chunks":            {answer: "HTTP/1.1 205 Reset Content\r\nTransfer-Encoding: chunked\r\n\r\nb\r\n" + needle + "\r\n0\r\n\r\n", status: 502, refused: true},
		"hints":                      {answer: "HTTP/1.1 103 Early Hints\r\nLink: </a>\r\n\r\n" + jsonAnswer(good), interim: 1},
		"hints and a wrong answer":   {answer: "HTTP/1.1 102 Processing\r\n\r\nHTTP/1.1 103 Early Hints\r\nLink: </a>\r\n\r\n" + jsonAnswer(`[]`), interim: 2, status: 502, refused: true},
		"Connection: close":          {answer: jsonAnswer(good, "Connection: close") + harness.HangUp},
		"a part where none is asked": {answer: "HTTP/1.1 206 Partial Content\r\nContent-Type: application/json\r\nContent-Range: bytes 0-3/9\r\nContent-Length: 4\r\n\r\n" + good[:4]},
	}
	up.Answer(func(r harness.Recorded) string { return rows[r.Values("X-Answer")[0]].answer })
	for name, row := range rows {
		for _, protocol := range []string{"HTTP/1.1", "HTTP/2"} {
			for _, mode := range []string{"bare", "enforce"} {
				caddy.ServerName = mode + "-plain.example.com"
				call, trace := as(get(caddy.ServerName, "/account").With("X-Answer", name))
				if mode == "bare" && row.status != 0 {
					continue
				}
				got := protocols(caddy)[protocol](t, call)
				switch {
				case len(got.Interim) != row.interim:
					t.Errorf("%s, %s, %s: interim answers %v", mode, protocol, name, got.Interim)
				case row.refused:
					refused(t, got, 502, "response-invalid")
				case row.status == 502 && (got.Status != 502 || string(got.Body) != "no answer" || got.Header.Get("X-From") != ""):
					t.Errorf("%s, %s, %s: %v", mode, protocol, name, got)
				case row.status == 0 && (got.Status == 502 || got.Status == http.StatusOK && !strings.HasPrefix(string(got.Body), `{"id":1`) || strings.Contains(string(got.Body), needle)):
					t.Errorf("%s, %s, %s: %v", mode, protocol, name, got)
				}
				if cut := strings.HasPrefix(name, "shorter") || strings.HasPrefix(name, "chunks without"); cut {
					if entry := caddy.Logged(t, "X-Trace", trace); entry["unchecked_response"] != "response-incomplete" || entry["verdict"] != "allow" {
						t.Errorf("%s, %s: the access log says %v", protocol, name, entry)
					}
				}
			}
		}
	}
}

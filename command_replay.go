package apiguard

import (
	"bufio"
	"bytes"
	"errors"
	"fmt"
	"io"
	"runtime"
	"strconv"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"github.com/apiguard/caddy-api-guard/inventory"
)

func replayCommand() *cobra.Command {
	cmd := command("replay --config <path> <file>… [--at <time>] [--host <name>]", "Runs access logs through the policy, and says what it would refuse", `
Runs access logs through the policy and the inventory of a configuration, without a
running Caddy, and says what would be refused, what is shadow and who still calls
what. Files are Caddy's JSON access logs or logs in the combined format (of nginx
or Apache), as they are or compressed with gzip or zstd, as Caddy rolls them, in the
order of their time; "-" is standard input.

    caddy api-guard replay --config Caddyfile /var/log/caddy/access.log

Requests are judged at the time that they have in the log, so that limits count as
they would have. --at moves the first of them to a time, for example to a day after
a sunset. Logs have no bodies, and Caddy's have no credentials: these are not
judged. Logs in the combined format have no header at all and mostly no host, which
--host gives.`, runReplay)
	cmd.Args = atLeast("an access log, or - for standard input")
	asksNobody(cmd)
	withConfig(cmd, "Configuration file whose policy is meant")
	cmd.Flags().String("at", "", "Time that the first request is moved to: 2026-01-31 or 2026-01-31T09:00:00Z")
	cmd.Flags().String("host", "", "Host of requests that the log does not tell it of")
	cmd.Flags().Int("limit", 20, "Show at most so many of each list")
	withStrict(cmd, "Exit with 1 when anything would be refused or is shadow and answers")
	return cmd
}

// replayReport is what came of it.
type replayReport struct {
	Lines      uint64                 `json:"lines"`
	Requests   uint64                 `json:"requests"`
	Unreadable []unreadable           `json:"unreadable"`
	From       inventory.Time         `json:"from"`
	To         inventory.Time         `json:"to"`
	Refused    uint64                 `json:"would_refuse"` // requests
	Refusals   []refusalEntry         `json:"refusals"`
	Shadow     []inventory.RouteEntry `json:"shadow"`
	Hosts      []inventory.HostEntry  `json:"undeclared_hosts"`
	Versions   []inventory.APIEntry   `json:"apis"`
	Old        []oldCallerEntry       `json:"callers_of_old_versions"`
	Gaps       []inventory.Gap        `json:"gaps"`
}

// unreadable counts lines that are no request, by the reason.
type unreadable struct {
	Why   string `json:"why"`
	Count uint64 `json:"count"`
	First string `json:"first"` // where the first is, "file:line"
}

func runReplay(in *invocation, files []string) error {
	if in.text("config") == "" {
		return errNoConfig
	}
	limit, _ := in.cmd.Flags().GetInt("limit")
	if limit < 1 || limit > mostPerPage {
		return fmt.Errorf("--limit %d: write a number from 1 to %d", limit, mostPerPage)
	}
	var at time.Time
	if text := in.text("at"); text != "" {
		var err error
		if at, err = parseMoment(text); err != nil {
			return fmt.Errorf("--at: %w", err)
		}
	}
	config, err := in.config()
	if err != nil {
		return err
	}
	p, err := newPlayer(config)
	if err != nil {
		return err
	}
	defer p.app.close()
	report := replayReport{}
	bar := newProgress(in.cmd.ErrOrStderr(), files)
	for _, file := range files {
		if err := replayFile(p, &report, file, in.text("host"), at, bar); err != nil {
			bar.end()
			return err
		}
	}
	bar.end()
	p.app.shared.inventory.CatchUp()
	if report.Requests == 0 {
		why := "there is no line"
		if len(report.Unreadable) > 0 {
			why = fmt.Sprintf("%s: %s", report.Unreadable[0].First, report.Unreadable[0].Why)
		}
		return fmt.Errorf("no request in %s: %s", strings.Join(files, ", "), why)
	}
	if err := report.fill(p, limit); err != nil {
		return err
	}
	found := report.Refused > 0 || len(report.Shadow) > 0
	if in.flag("json") {
		return in.strictly(in.writeJSON(report), found)
	}
	return in.strictly(in.showReplay(&report, limit), found)
}

// parseMoment reads a day or a time.
func parseMoment(text string) (time.Time, error) {
	for _, layout := range []string{time.RFC3339, "2006-01-02T15:04Z07:00", time.DateOnly} {
		if t, err := time.Parse(layout, text); err == nil {
			return t, nil
		}
	}
	return time.Time{}, fmt.Errorf("%q is no time: write 2026-01-31 or 2026-01-31T09:00:00Z", text)
}

// batch is a part of a file: its lines, and what they say once done is closed.
type batch struct {
	first uint64 // number of the first line
	lines [][]byte
	done  chan struct{}

	logged []logged
	errs   []error
}

const (
	batchLines = 256
	// longestLine is the longest that is read; a longer one is unreadable. It has
	// room for a request's whole header, as far as Caddy takes one.
	longestLine = 2 << 20
	// settleEvery is how many requests the inventory is given before it must record
	// them: less than its queues hold.
	settleEvery = 256
)

// replayFile reads lines and parses them on all processors, and plays them in order.
func replayFile(p *player, report *replayReport, name, host string, at time.Time, bar *progress) error {
	source, err := openLog(name, bar)
	if err != nil {
		return err
	}
	defer source.Close()

	parse := make(chan *batch, 8)
	ordered := make(chan *batch, 8)
	readErr := make(chan error, 1)
	for range runtime.GOMAXPROCS(0) {
		go func() {
			for b := range parse {
				for _, line := range b.lines {
					l, err := parseLogged(line, host)
					b.logged, b.errs = append(b.logged, l), append(b.errs, err)
				}
				close(b.done)
			}
		}()
	}
	go func() {
		defer close(ordered)
		defer close(parse)
		readErr <- readLines(source, func(b *batch) { parse <- b; ordered <- b })
	}()
	for b := range ordered {
		<-b.done
		for i := range b.logged {
			report.Lines++
			if err := b.errs[i]; err != nil {
				report.unread(err, name, b.first+uint64(i))
				continue
			}
			l := &b.logged[i]
			if report.Requests == 0 && !at.IsZero() {
				p.shift = at.Sub(l.time)
			}
			report.Requests++
			moment := inventory.Time{Time: l.time}
			if report.From.IsZero() || moment.Before(report.From.Time) {
				report.From = moment
			}
			if moment.After(report.To.Time) {
				report.To = moment
			}
			p.play(l)
			if report.Requests%settleEvery == 0 {
				p.app.shared.inventory.CatchUp()
			}
		}
		bar.lines(report.Lines)
	}
	if err := <-readErr; err != nil {
		return logError(name, err)
	}
	return nil
}

// readLines cuts a log into batches.
func readLines(r io.Reader, give func(*batch)) error {
	buffered := bufio.NewReaderSize(r, 1<<20)
	b := &batch{first: 1, done: make(chan struct{})}
	var number uint64
	for {
		line, err := readLine(buffered)
		if len(line) > 0 {
			number++
			if len(bytes.TrimSpace(line)) > 0 {
				b.lines = append(b.lines, line)
			}
			if len(b.lines) == batchLines {
				give(b)
				b = &batch{first: number + 1, done: make(chan struct{})}
			}
		}
		if err != nil {
			if len(b.lines) > 0 {
				give(b)
			}
			if errors.Is(err, io.EOF) {
				return nil
			}
			return err
		}
	}
}

// readLine reads a line with its end. Of one that is too long the rest is skipped,
// so that it is unreadable and the next is not.
func readLine(r *bufio.Reader) ([]byte, error) {
	var line []byte
	for {
		part, err := r.ReadSlice('\n')
		if len(line) <= longestLine {
			line = append(line, part...)
		}
		if !errors.Is(err, bufio.ErrBufferFull) {
			return line, err
		}
	}
}

// mostReasons is how many reasons why lines are unreadable are told apart.
const mostReasons = 10

func (r *replayReport) unread(err error, file string, line uint64) {
	why := printable(err.Error())
	if i := strings.Index(why, " within "); i > 0 {
		why = why[:i] // where in the line: each would be another reason
	}
	for i := range r.Unreadable {
		if r.Unreadable[i].Why == why || i == mostReasons-1 {
			r.Unreadable[i].Count++
			return
		}
	}
	r.Unreadable = append(r.Unreadable, unreadable{Why: why, Count: 1, First: file + ":" + strconv.FormatUint(line, 10)})
}

// fill asks the inventory.
func (r *replayReport) fill(p *player, limit int) error {
	inv := p.app.shared.inventory
	r.Refused, r.Refusals = p.refused, p.entries()
	if r.Unreadable == nil {
		r.Unreadable = []unreadable{}
	}
	shadow, err := inv.Routes(inventory.RouteQuery{
		State: []inventory.State{inventory.StateShadow}, Evidence: []inventory.Evidence{inventory.EvidenceConfirmed, inventory.EvidenceUnproven}, Sort: "-" + inventory.SortCount, Limit: limit,
	})
	if err != nil {
		return err
	}
	hosts, err := inv.Hosts(inventory.HostQuery{Declared: []bool{false}, Limit: limit})
	if err != nil {
		return err
	}
	apis := inv.APIs()
	r.Shadow, r.Hosts, r.Versions, r.Gaps = shadow.Items, hosts.Items, apis.Items, apis.Gaps
	r.Old = p.oldCallers(limit)
	return nil
}

func (in *invocation) showReplay(r *replayReport, limit int) error {
	var text strings.Builder
	fmt.Fprintf(&text, "%d requests in %d lines, %s to %s\n", r.Requests, r.Lines, when(r.From), when(r.To))
	for _, u := range r.Unreadable {
		fmt.Fprintf(&text, "Lines not read: %d, the first at %s: %s\n", u.Count, u.First, u.Why)
	}
	fmt.Fprintf(&text, "%d would be refused (%.2f %%)\n", r.Refused, 100*float64(r.Refused)/float64(r.Requests))
	if _, err := io.WriteString(in.out, text.String()); err != nil {
		return err
	}
	var rows [][]string
	for _, e := range r.Refusals[:min(limit, len(r.Refusals))] {
		rows = append(rows, []string{strings.TrimSpace(e.Rule + " " + e.Limit), e.Reason, strings.TrimSpace(e.API + " " + e.Version), strings.TrimSpace(e.Method + " " + e.Path), number(e.Count), strconv.Itoa(e.Clients)})
	}
	if err := in.section("Would be refused", columns("RULE", "REASON", "VERSION?", "OPERATION~", "REQUESTS", "CLIENTS?"), rows); err != nil {
		return err
	}
	rows = nil
	for _, e := range r.Shadow {
		rows = append(rows, []string{e.Method, e.Host, e.Path, strings.TrimSpace(e.API + " " + e.Version), number(e.Count), number(e.Consumers)})
	}
	if err := in.section("Shadow: answers, and no document has it", columns("METHOD", "HOST~", "PATH~", "VERSION?", "REQUESTS", "CONSUMERS?"), rows); err != nil {
		return err
	}
	rows = nil
	for _, e := range r.Hosts {
		rows = append(rows, []string{e.Host, string(e.Evidence), number(e.Count)})
	}
	if err := in.section("Hosts that nobody declared", columns("HOST~", "EVIDENCE", "REQUESTS"), rows); err != nil {
		return err
	}
	rows = nil
	for _, api := range r.Versions {
		for _, v := range api.Versions {
			rows = append(rows, []string{api.API, v.Version, v.State, number(v.Requests), when(v.LastSeen)})
		}
	}
	if err := in.section("Versions", columns("API", "VERSION", "STATE", "REQUESTS", "LAST SEEN?"), rows); err != nil {
		return err
	}
	rows = nil
	for _, e := range r.Old {
		rows = append(rows, []string{strings.TrimSpace(e.API + " " + e.Version), e.Caller, number(e.Count), when(e.LastSeen)})
	}
	if err := in.section("Who still calls old versions", columns("VERSION", "CALLER~", "REQUESTS", "LAST SEEN?"), rows); err != nil {
		return err
	}
	in.missing("", 0, r.Gaps)
	return nil
}

// section writes a table under a headline, or nothing where there is none.
func (in *invocation) section(headline string, head []column, rows [][]string) error {
	if len(rows) == 0 {
		return nil
	}
	if _, err := fmt.Fprintf(in.out, "\n%s\n", headline); err != nil {
		return err
	}
	return in.table(head, rows)
}

package apiguard

import (
	"fmt"
	"io"
	"maps"
	"net/url"
	"slices"
	"strconv"
	"strings"

	"github.com/spf13/cobra"

	"github.com/apiguard/caddy-api-guard/inventory"
)

// listFilter is a flag that becomes a query parameter of the same name.
type listFilter struct{ name, about string }

// withFilters adds the filters of a list, and the flags that say how much of it to
// show.
func withFilters(cmd *cobra.Command, filters ...listFilter) *cobra.Command {
	for _, f := range filters {
		cmd.Flags().StringArray(f.name, nil, f.about)
	}
	cmd.Flags().Int("limit", 100, "Show at most so many")
	cmd.Flags().Bool("all", false, "Show all, however many")
	return cmd
}

// mostPerPage is the longest page that the admin API gives.
const mostPerPage = 1000

// askList asks for a list with the filters that are given, as many pages as it
// takes.
func askList[T any](in *invocation, route string, filters []listFilter) (inventory.List[T], error) {
	query := url.Values{}
	for _, f := range filters {
		values, _ := in.cmd.Flags().GetStringArray(f.name)
		for _, value := range values {
			query.Add(f.name, value)
		}
	}
	limit, _ := in.cmd.Flags().GetInt("limit")
	if limit < 1 {
		return inventory.List[T]{}, fmt.Errorf("--limit %d: write a number from 1 on, or --all", limit)
	}
	all := in.flag("all")
	var whole inventory.List[T]
	asked := map[string]bool{} // cursors
	for {
		page := mostPerPage
		if !all {
			page = min(page, limit-len(whole.Items))
		}
		query.Set("limit", strconv.Itoa(page))
		var list inventory.List[T]
		if err := in.ask("GET", route, query, nil, &list); err != nil {
			return whole, err
		}
		empty := len(list.Items) == 0
		list.Items = append(whole.Items, list.Items...)
		whole = list
		switch next := whole.Next; {
		case next == "" && len(whole.Items) == 0:
			return whole, in.unknownName(query)
		case next == "":
			return whole, nil
		case empty || asked[next]:
			return whole, fmt.Errorf("reading %s: after %d of them a page says that there is more and does not go on (cursor %q), so that the list would never end: is what answers there the admin API of this Caddy, with nothing between that keeps its answers?", route, len(whole.Items), next)
		case !all && len(whole.Items) >= limit:
			return whole, nil
		default:
			asked[next] = true
			query.Set("cursor", next)
		}
	}
}

// showList writes a list as JSON, or as a table with what is missing below it.
func showList[T any](in *invocation, list inventory.List[T], head []column, row func(T) []string) error {
	if in.flag("json") {
		return in.writeJSON(list)
	}
	rows := make([][]string, 0, len(list.Items))
	for _, item := range list.Items {
		rows = append(rows, row(item))
	}
	if err := in.table(head, rows); err != nil {
		return err
	}
	if len(list.Items) == 0 {
		in.note("There is none.")
	}
	in.missing(list.Next, len(list.Items), list.Gaps)
	return nil
}

// missing notes what a list does not show.
func (in *invocation) missing(next string, shown int, gaps []inventory.Gap) {
	if next != "" {
		in.note(fmt.Sprintf("These are the first %d. For more: --limit or --all.", shown))
	}
	for _, gap := range gaps {
		in.note(fmt.Sprintf("Missing, %s (%d): %s", gap.Kind, gap.Count, printable(gap.Detail)))
	}
}

// note writes to standard error, so that tables can be piped.
func (in *invocation) note(text string) { fmt.Fprintln(in.cmd.ErrOrStderr(), text) }

var (
	byAPI     = listFilter{"api", "Only of this API; given twice: of either, as with all filters"}
	byVersion = listFilter{"version", "Only of this version"}
)

var routeFilters = []listFilter{
	{"state", "Only in this state: shadow, retired, deprecated, orphan or active"},
	{"evidence", "Only with this evidence: confirmed, unproven, probable, refused or scan"},
	{"reason", "Only with this reason, such as answered-2xx"},
	{"lifecycle", "Only in this lifecycle: beta, active, deprecated or retired"},
	byAPI, byVersion,
	{"host", "Only on this host"},
	{"method", "Only with this method"},
	{"path", "Only below this path"},
	{"since", "Only seen since this time: 2026-01-31 or 2026-01-31T09:00:00Z"},
	{"sort", "Order: host,path or path or first_seen or last_seen or count, with - before it for descending"},
}

func routesCommand() *cobra.Command {
	cmd := command("routes [--state shadow] [--host <name>] …", "Lists what is documented and what answers", `
Lists the inventory: every route that a document has or that was seen, with its
state, its evidence and its traffic.

    caddy api-guard routes --state shadow --evidence confirmed
    caddy api-guard routes --api orders --sort -count --limit 20

With --strict it exits with 1 when shadow routes that answered are among them.`, func(in *invocation, _ []string) error {
		list, err := askList[inventory.RouteEntry](in, "routes", routeFilters)
		if err != nil {
			return err
		}
		found := false
		err = showList(in, list, columns("ID", "STATE", "EVIDENCE?", "METHOD", "HOST~", "PATH~", "VERSION?", "COUNT", "LAST SEEN?"), func(r inventory.RouteEntry) []string {
			found = found || shadowAnswered(&r)
			return []string{r.ID, string(r.State), string(r.Evidence), r.Method, r.Host, r.Path, strings.TrimSpace(r.API + " " + r.Version), number(r.Count), when(r.LastSeen)}
		})
		if in.flag("json") {
			for _, r := range list.Items {
				found = found || shadowAnswered(&r)
			}
		}
		return in.strictly(err, found)
	})
	withStrict(cmd, "Exit with 1 when shadow routes that answered are among them")
	return withFilters(cmd, routeFilters...)
}

// shadowAnswered reports whether a route is in no document and answered, whoever asked.
func shadowAnswered(r *inventory.RouteEntry) bool {
	return r.State == inventory.StateShadow && answered(r.Evidence)
}

func answered(e inventory.Evidence) bool {
	return e == inventory.EvidenceConfirmed || e == inventory.EvidenceUnproven
}

var findingFilters = []listFilter{
	{"kind", "Only of this kind, such as shadow-answers"},
	{"severity", "Only of this severity: high, medium or low"},
	{"open", "true: what holds; false: what does not hold any more"},
}

func findingsCommand() *cobra.Command {
	cmd := command("findings [--severity high] [--open true] [--kind <kind>]", "Lists what is wrong, with evidence and advice", `
Lists what is wrong, the severe first. With --strict it exits with 1 when any of
them is open, so that a pipeline can ask:

    caddy api-guard findings --severity high --open true --strict`, func(in *invocation, _ []string) error {
		list, err := askList[inventory.FindingEntry](in, "findings", findingFilters)
		if err != nil {
			return err
		}
		found := false
		for _, f := range list.Items {
			found = found || f.Open
		}
		if in.flag("json") {
			return in.strictly(in.writeJSON(list), found)
		}
		if err := in.writeFindings(list.Items); err != nil {
			return err
		}
		if len(list.Items) == 0 {
			in.note("There is none.")
		}
		in.missing(list.Next, len(list.Items), list.Gaps)
		return in.strictly(nil, found)
	})
	withStrict(cmd, "Exit with 1 when any of them is open")
	return withFilters(cmd, findingFilters...)
}

// writeFindings writes each finding as a line, and below it what was seen and what
// to do.
func (in *invocation) writeFindings(findings []inventory.FindingEntry) error {
	bound := terminalWidth(in.out)
	if bound == 0 {
		bound = 100
	}
	const indent = "        "
	var text strings.Builder
	for _, f := range findings {
		head := fmt.Sprintf("%-6s  %s  %s", f.Severity, f.Kind, subject(f.Subject))
		if !f.Open {
			head += " (closed)"
		}
		for _, line := range wrap(printable(head+", since "+when(f.FirstSeen)), bound) {
			text.WriteString(line + "\n")
		}
		for _, part := range []string{f.Evidence, f.Advice} {
			for _, line := range wrap(printable(part), max(narrowest, bound-len(indent))) {
				text.WriteString(indent + line + "\n")
			}
		}
	}
	_, err := io.WriteString(in.out, text.String())
	return err
}

func subject(s inventory.Subject) string {
	parts := []string{s.API, s.Version, s.Method, s.Host + s.Path}
	return strings.Join(strings.Fields(strings.Join(parts, " ")), " ")
}

func consumersCommand() *cobra.Command {
	filters := []listFilter{byAPI, byVersion, {"rule", "Only whom this rule refused, or would have in monitor mode"}}
	return withFilters(command("consumers [--api <name>] [--version <name>] [--rule <name>]", "Lists who still calls what", `
Lists who called which version. Before a version is retired, and before a rule in
monitor mode is enforced:

    caddy api-guard consumers --api orders --version v1
    caddy api-guard consumers --rule request`, func(in *invocation, _ []string) error {
		list, err := askList[inventory.ConsumerEntry](in, "consumers", filters)
		if err != nil {
			return err
		}
		refusals, last := "?", ""
		if in.cmd.Flags().Changed("rule") { // that is what was asked for
			refusals, last = last, refusals
		}
		head := columns("CONSUMER", "NAME~", "API", "VERSION", "COUNT", "REFUSED~"+refusals, "WOULD REFUSE~"+refusals, "FIRST SEEN?", "LAST SEEN"+last)
		return showList(in, list, head, func(c inventory.ConsumerEntry) []string {
			return []string{c.Consumer, c.Name, c.API, c.Version, number(c.Count), byName(c.Refused), byName(c.WouldRefuse), when(c.FirstSeen), when(c.LastSeen)}
		})
	}), filters...)
}

func flowsCommand() *cobra.Command {
	filters := []listFilter{
		byAPI, byVersion,
		{"integration", "Only of this declared third party"},
		{"data_class", "Only of this class of data, such as email"},
		{"declared", "true or false: only what the configuration declares, or does not"},
	}
	cmd := command("flows [--integration <name>] [--declared false]", "Lists who gets or sends which class of data", `
Lists which consumer or declared third party gets or sends which class of data, as
samples of requests and answers showed. With --strict it exits with 1 when a
declared third party has a flow that is not declared:

    caddy api-guard flows --declared false --strict`, func(in *invocation, _ []string) error {
		list, err := askList[inventory.FlowEntry](in, "flows", filters)
		if err != nil {
			return err
		}
		found := false
		for _, f := range list.Items {
			found = found || f.Integration != "" && !f.Declared
		}
		return in.strictly(showList(in, list, columns("WHO", "DATA", "DIRECTION", "DECLARED", "API", "PURPOSE~?", "SAMPLES", "LAST SEEN?"), func(f inventory.FlowEntry) []string {
			return []string{strings.TrimSpace(f.Integration + " " + f.Consumer), f.DataClass, gets(f.Direction), strconv.FormatBool(f.Declared), strings.TrimSpace(f.API + " " + f.Version), f.Purpose, number(f.Count), when(f.LastSeen)}
		}), found)
	})
	withStrict(cmd, "Exit with 1 when a declared third party has a flow that is not declared")
	return withFilters(cmd, filters...)
}

// gets is a flow's direction as the page says it.
func gets(direction string) string {
	if direction == "to" {
		return "gets"
	}
	return "sends"
}

func hostsCommand() *cobra.Command {
	filters := []listFilter{{"host", "Only this host"}, {"declared", "true: hosts of versions; false: hosts that nobody declared"}}
	cmd := command("hosts [--declared false]", "Lists the hosts that are declared or were asked for", `
Lists every host that a version declares or that was asked for.

    caddy api-guard hosts --declared false

With --strict it exits with 1 when hosts that nobody declared and that answered are
among them. Those that were refused are not meant: anybody can ask for any host.`, func(in *invocation, _ []string) error {
		list, err := askList[inventory.HostEntry](in, "hosts", filters)
		if err != nil {
			return err
		}
		found := slices.ContainsFunc(list.Items, func(h inventory.HostEntry) bool { return !h.Declared && answered(h.Evidence) })
		err = showList(in, list, columns("HOST~", "DECLARED", "APIS~", "EVIDENCE", "COUNT", "FIRST SEEN?", "LAST SEEN?"), func(h inventory.HostEntry) []string {
			return []string{h.Host, strconv.FormatBool(h.Declared), strings.Join(h.APIs, " "), string(h.Evidence), number(h.Count), when(h.FirstSeen), when(h.LastSeen)}
		})
		return in.strictly(err, found)
	})
	withStrict(cmd, "Exit with 1 when hosts that nobody declared and that answered are among them")
	return withFilters(cmd, filters...)
}

// strictly is err, or with --strict that something was found.
func (in *invocation) strictly(err error, found bool) error {
	if err == nil && found && in.flag("strict") {
		return errFound
	}
	return err
}

// byName are counts as one cell: "limit=3 request=1".
func byName(counts map[string]uint64) string {
	var pairs []string
	for _, name := range slices.Sorted(maps.Keys(counts)) {
		pairs = append(pairs, name+"="+number(counts[name]))
	}
	return strings.Join(pairs, " ")
}

func number(n uint64) string { return strconv.FormatUint(n, 10) }

// when is a time to the minute; --json has the rest.
func when(t inventory.Time) string {
	if t.IsZero() {
		return ""
	}
	return t.UTC().Format("2006-01-02T15:04Z")
}

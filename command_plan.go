package apiguard

import (
	"fmt"
	"net/url"
	"strconv"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"github.com/apiguard/caddy-api-guard/inventory"
	"github.com/apiguard/caddy-api-guard/inventory/catalogue"
	"github.com/apiguard/caddy-api-guard/policy"
)

func planCommand() *cobra.Command {
	cmd := command("plan [--at <time>] [--strict]", "Says how each version stands at a time, and whom that would stop", `
Says of each version how it stands at a time, past or to come, and which of those
who called within the latest 30 days would be refused then.

    caddy api-guard plan --at 2027-03-31

With --strict it exits with 1 when somebody would be: a line for the pipeline that
brings a sunset nearer.`, runPlan)
	cmd.Flags().String("at", "", "The time: a day such as 2027-03-31 (00:00 UTC), or a time by RFC 3339 (default now)")
	return withStrict(cmd, "Exit with 1 when somebody who called within 30 days would be refused")
}

func runPlan(in *invocation, _ []string) error {
	query := url.Values{}
	if at := in.text("at"); at != "" {
		query.Set("at", at)
	}
	var plan inventory.Plan
	if err := in.ask("GET", "plan", query, nil, &plan); err != nil {
		return err
	}
	refused := 0
	for i := range plan.Items {
		refused += plan.Items[i].WouldRefuse.Consumers
	}
	if in.flag("json") {
		if err := in.writeJSON(plan); err != nil {
			return err
		}
	} else if err := in.showPlan(&plan); err != nil {
		return err
	}
	if refused > 0 && in.flag("strict") {
		return errFound
	}
	return nil
}

func (in *invocation) showPlan(plan *inventory.Plan) error {
	fmt.Fprintf(in.out, "At %s, by the traffic of the latest %d days (counted since %s):\n\n",
		plan.At.Format(time.RFC3339), plan.WindowDays, dayText(plan.ObservedSince))
	var rows [][]string
	for i := range plan.Items {
		e := &plan.Items[i]
		state := e.State
		if e.Brownout {
			state += ", brownout"
		}
		next := ""
		if e.Then != "" {
			next = e.Then + " " + e.Next.Format(time.RFC3339)
		}
		rows = append(rows, []string{
			e.API, e.Version, state, next, strconv.FormatUint(e.Requests, 10), strconv.Itoa(e.Readiness.Callers), e.Readiness.Trend,
			dayText(e.Readiness.LastSeen), dayText(e.Readiness.QuietSince),
			lossText(e),
		})
	}
	if err := in.table(columns("API", "VERSION", "STATE", "NEXT?", "REQUESTS", "CALLERS", "TREND?", "LAST SEEN?", "QUIET SINCE?", "WOULD REFUSE"), rows); err != nil {
		return err
	}
	for i := range plan.Items {
		if err := in.showLoss(&plan.Items[i]); err != nil {
			return err
		}
	}
	for _, gap := range plan.Gaps {
		fmt.Fprintf(in.out, "\nNote: %s\n", printable(gap.Detail))
	}
	return nil
}

// lossText is what a version would refuse, for people.
func lossText(e *inventory.PlanEntry) string {
	if l := e.WouldRefuse; l.Requests > 0 || l.Consumers > 0 {
		return fmt.Sprintf("%s of %s", counted(l.Requests, "request"), counted(l.Consumers, "caller"))
	}
	if e.Mode != policy.Enforce.String() && (e.Brownout || e.State == catalogue.StateRetired.String() || e.State == catalogue.StateDesign.String()) {
		return "none: lifecycle " + e.Mode
	}
	return "none"
}

// showLoss lists who would be refused, and who is excepted.
func (in *invocation) showLoss(e *inventory.PlanEntry) error {
	if e.WouldRefuse.Consumers == 0 && len(e.Operations) == 0 {
		return nil
	}
	fmt.Fprintf(in.out, "\n%s %s:\n", printable(e.API), printable(e.Version))
	var rows [][]string
	for _, c := range e.Callers {
		what := "refused"
		if !c.Refused {
			what = "excepted by " + c.Exception
		}
		rows = append(rows, []string{"  " + strings.TrimSpace(c.Consumer+" "+c.Name), strconv.FormatUint(c.Requests, 10), dayText(c.LastSeen), what})
	}
	for _, o := range e.Operations {
		rows = append(rows, []string{"  " + o.Method + " " + o.Host + o.Path, strconv.FormatUint(o.Count, 10), dayText(o.LastSeen), "ended " + dayText(o.Sunset)})
	}
	return in.table(columns("  WHO~", "REQUESTS", "LAST SEEN?", "THEN"), rows)
}

func dayText(t inventory.Time) string {
	if t.IsZero() {
		return "-"
	}
	return t.Format(time.DateOnly)
}

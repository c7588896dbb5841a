package inventory

import (
	"fmt"
	"net/http"
	"path/filepath"
	"testing"

	"github.com/apiguard/caddy-api-guard/inventory/dataclass"
)

// Two nodes see half of what a third party gets each; both tell all of it, and open
// the findings about it, also after one of them has crashed.
func TestAFleetTellsWhatItsNodesCarry(t *testing.T) {
	board := newTable()
	a := join(t, board, "a", filepath.Join(t.TempDir(), "inventory.db"), orders())
	b := join(t, board, "b", filepath.Join(t.TempDir(), "inventory.db"), orders())
	for _, m := range []*member{a, b} {
		m.rec.DeclareParties([]Party{{Name: "acme", Data: dataclass.Of(dataclass.Phone)}})
	}
	opened := http.Header{"Access-Control-Allow-Origin": {"*"}, "Access-Control-Allow-Credentials": {"true"}, "Server": {"nginx/1.25.3"}}
	for i := range 3 {
		a.sampled(orderRoute, exchanged{integration: "acme", answer: `{"email":"ada@example.org"}`, answerFields: opened})
		if i < 2 {
			b.sampled(orderRoute, exchanged{integration: "acme", answer: `{"email":"ada@example.org","phone":"+4915112345678"}`})
			b.sampled(orderRoute, exchanged{query: "x=' or 1=1", withoutCredential: true, answer: `{"iban":"DE89370400440532013000"}`})
		}
	}
	emails := uint64(5)
	check := func(m *member) (string, bool) {
		list, err := m.Flows(FlowQuery{Integration: []string{"acme"}})
		if err != nil {
			t.Fatal(err)
		}
		flows := map[string]uint64{}
		for _, f := range list.Items {
			flows[fmt.Sprint(f.DataClass, " ", f.Declared)] += f.Count
		}
		counts := map[string]uint64{}
		e := m.orderEntry()
		for _, d := range e.Data {
			counts[d.Class] += d.Count
		}
		m.mu.Lock()
		m.sweepFindings(m.clock.now())
		m.mu.Unlock()
		open := m.openByKind()
		kinds := 0
		for _, kind := range []string{"undeclared-flow", "sensitive-unauthenticated", "cors-any-origin"} {
			if open[kind].Open {
				kinds++
			}
		}
		return fmt.Sprint(flows, counts, e.AttackSigns, kinds), fmt.Sprint(flows) == fmt.Sprintf("map[email false:%d phone true:2]", emails) &&
			counts["email"] == emails && counts["phone"] == 2 && counts["iban"] == 2 && len(e.AttackSigns) == 1 && kinds == 3
	}
	for range 2 {
		eventually(t, "the first tells", func() (string, bool) { return check(a) })
		eventually(t, "the second tells", func() (string, bool) { return check(b) })
		a.sampled(orderRoute, exchanged{integration: "acme", answer: `{"email":"ada@example.org"}`, answerFields: opened})
		emails++
		eventually(t, "the second tells of one more", func() (string, bool) { return check(b) })
		b = b.crash(t, orders())
		b.rec.DeclareParties([]Party{{Name: "acme", Data: dataclass.Of(dataclass.Phone)}})
	}
	a.CloseStore()
	b.CloseStore()
}

package inventory

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"math/rand/v2"
	"net/netip"
	"path/filepath"
	"slices"
	"strconv"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/apiguard/caddy-api-guard/inventory/catalogue"
)

// table is a board in memory, which can lose all.
type table struct {
	mu      sync.Mutex
	nodes   map[string]FleetNode
	fields  map[string]map[string]tableField
	changes []FleetChange
}

type tableField struct {
	value   []byte
	version uint64
}

func newTable() *table {
	return &table{nodes: map[string]FleetNode{}, fields: map[string]map[string]tableField{}}
}

func (b *table) flush() {
	b.mu.Lock()
	defer b.mu.Unlock()
	clear(b.nodes)
	clear(b.fields)
	b.changes = nil
}

// seat is a node's way to the table, which can be cut.
type seat struct {
	*table
	cut atomic.Bool
}

var errCut = errors.New("the board cannot be reached")

func (s *seat) reach() error {
	if s.cut.Load() {
		return errCut
	}
	return nil
}

func (s *seat) Publish(_ context.Context, n FleetNode, whole bool, fields map[string][]byte) (uint64, error) {
	if err := s.reach(); err != nil {
		return 0, err
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	n.Version = s.nodes[n.ID].Version + 1
	s.nodes[n.ID] = n
	if whole || s.fields[n.ID] == nil {
		s.fields[n.ID] = map[string]tableField{}
	}
	for name, value := range fields {
		s.fields[n.ID][name] = tableField{value, n.Version}
	}
	return n.Version, s.reach() // the answer can be lost, too
}

func (s *seat) Nodes(context.Context) ([]FleetNode, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	return slices.Collect(maps.Values(s.nodes)), s.reach()
}

func (s *seat) Since(_ context.Context, id string, version uint64) (map[string][]byte, uint64, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	fields := map[string][]byte{}
	for name, f := range s.fields[id] {
		if f.version > version {
			fields[name] = f.value
		}
	}
	return fields, s.nodes[id].Version, s.reach()
}

func (s *seat) Tell(_ context.Context, id string, changes [][]byte) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	for _, c := range changes {
		s.changes = append(s.changes, FleetChange{id, c})
	}
	return s.reach()
}

func (s *seat) Told(_ context.Context, id, after string) ([]FleetChange, string, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	n, _ := strconv.Atoi(after)
	var list []FleetChange
	for _, c := range s.changes[min(n, len(s.changes)):] {
		if c.Node != id {
			list = append(list, c)
		}
	}
	return list, strconv.Itoa(len(s.changes)), s.reach()
}

// member is a node of a fleet under test.
type member struct {
	*scene
	file string
	seat *seat
}

func join(t *testing.T, b *table, name, file string, apis ...*catalogue.API) *member {
	t.Helper()
	m := &member{scene: newScene(t, Options{}, apis...), file: file, seat: &seat{table: b}}
	m.JoinFleet(FleetOptions{Board: m.seat, Name: name, Key: []byte("the fleet's"), Every: 5 * time.Millisecond})
	m.OpenStore(StoreOptions{File: file})
	return m
}

// crash ends a node as SIGKILL would, and starts it again with what is on its disk.
func (m *member) crash(t *testing.T, apis ...*catalogue.API) *member {
	t.Helper()
	m.seat.cut.Store(true)
	m.AwaitStore(context.Background(), time.Minute) // before that there may be no file
	left := m.leave(m.file)
	m.CloseStore()
	return join(t, m.seat.table, m.fleet.options.Name, left, apis...)
}

func (m *member) own() (n uint64) {
	m.mu.RLock()
	defer m.mu.RUnlock()
	for _, e := range m.routes {
		n += e.seen.count()
		if e.hits != nil {
			n += e.hits.count()
		}
	}
	return n
}

func (m *member) merged() (n uint64) {
	for _, e := range m.list(RouteQuery{Limit: 1000}).Items {
		n += e.Count
	}
	return n
}

func eventually(t *testing.T, what string, holds func() (string, bool)) {
	t.Helper()
	for deadline := time.Now().Add(time.Minute); ; time.Sleep(2 * time.Millisecond) {
		got, ok := holds()
		if ok {
			return
		}
		if time.Now().After(deadline) {
			t.Fatalf("%s: %s", what, got)
		}
	}
}

// Three nodes that crash and are cut off at random, and a board that loses all now
// and then. In the end each of them tells the sum of what all have, and none has
// less than it told before a crash.
func TestAFleetTellsTheSumOfWhatItsNodesCounted(t *testing.T) {
	random := rand.New(rand.NewPCG(7, 9))
	board := newTable()
	var nodes []*member
	for i := range 3 {
		nodes = append(nodes, join(t, board, fmt.Sprint("node", i), filepath.Join(t.TempDir(), "inventory.db"), orders()))
	}
	acknowledged := make([]uint64, 3)
	crashes, cuts, flushes := 0, 0, 0
	for step := range 300 {
		i := random.IntN(3)
		m := nodes[i]
		switch what := random.IntN(20); {
		case what < 10:
			for range random.IntN(20) {
				m.hit("api.example.com", "GET", "/v2/orders", answered(200))
			}
			o := answered(200)
			o.BodyLength = int64(step)
			o.Caller = &Caller{Addr: netip.AddrFrom4([4]byte{192, 0, 2, byte(step % 9)})}
			m.miss(catalogue.NoRoute, "v2", "api.example.com", "GET", "/v2/"+word(step%40), o)
			m.settle()
		case what < 14:
			own := m.own()
			m.Settle(context.Background())
			acknowledged[i] = own
		case what < 16:
			m.seat.cut.Store(!m.seat.cut.Load())
			cuts++
		case what < 18:
			crashes++
			nodes[i] = m.crash(t, orders())
			if own := nodes[i].own(); own < acknowledged[i] {
				t.Fatalf("node %d acknowledged %d and has %d", i, acknowledged[i], own)
			}
		case what < 19:
			flushes++
			board.flush()
		default:
			time.Sleep(5 * time.Millisecond)
		}
	}
	for _, m := range nodes {
		m.seat.cut.Store(false)
	}
	for i, m := range nodes {
		eventually(t, fmt.Sprintf("what node %d tells", i), func() (string, bool) {
			var sum uint64
			for _, m := range nodes {
				sum += m.own()
			}
			got := m.merged()
			return fmt.Sprintf("%d, and all have %d", got, sum), got == sum
		})
	}
	want := nodes[0].list(RouteQuery{Limit: 1000}).Items
	for i, m := range nodes {
		if got := m.list(RouteQuery{Limit: 1000}); len(got.Items) != len(want) {
			t.Errorf("node %d has %d entries, node 0 %d", i, len(got.Items), len(want))
		}
		// Sums that are right may have come before these, in an exchange before the last.
		eventually(t, fmt.Sprintf("the consumers that node %d tells", i), func() (string, bool) {
			consumers, _ := m.Consumers(ConsumerQuery{Limit: 1000})
			first, _ := nodes[0].Consumers(ConsumerQuery{Limit: 1000})
			return fmt.Sprintf("%+v", consumers.Items), len(consumers.Items) == len(first.Items) && len(first.Items) == 9 && consumers.Items[0].Consumer == first.Items[0].Consumer
		})
		eventually(t, fmt.Sprintf("what node %d says of the cluster", i), func() (string, bool) {
			c := m.Health().Cluster
			return fmt.Sprintf("%+v", c), c.Status == ClusterOK && len(c.Nodes) == 2 && c.Nodes[0].Live && !c.Nodes[0].Heard.IsZero()
		})
	}
	t.Logf("%d crashes, %d cuts, %d losses of all; %d requests", crashes, cuts, flushes, nodes[0].merged())
	for _, m := range nodes {
		m.CloseStore()
	}
}

// What a board loses is put there again by nodes that run on: one that comes later
// learns all of it.
func TestABoardThatLosesAllIsFilledAgain(t *testing.T) {
	board := newTable()
	a := join(t, board, "a", "", orders())
	defer a.CloseStore()
	for range 7 {
		a.hit("api.example.com", "GET", "/v2/orders", answered(200))
	}
	a.settle()
	b := join(t, board, "b", "", orders())
	defer b.CloseStore()
	tells := func(m *member) {
		t.Helper()
		eventually(t, "what a node tells", func() (string, bool) {
			n := m.merged()
			return fmt.Sprint(n), n == 7
		})
	}
	tells(b)
	board.flush()
	late := join(t, board, "late", "", orders())
	defer late.CloseStore()
	tells(late)
}

func TestAFleetSharesReviewsFindingsAndItsFeed(t *testing.T) {
	board := newTable()
	a := join(t, board, "a", "", orders())
	b := join(t, board, "b", filepath.Join(t.TempDir(), "inventory.db"), orders())
	defer b.CloseStore()
	defer a.CloseStore()
	a.miss(catalogue.NoRoute, "v2", "api.example.com", "GET", "/v2/extra", answered(200))
	a.miss(catalogue.NoRoute, "v2", "api.example.com", "GET", "/v2/.env", answered(404))
	a.miss(catalogue.UnknownHost, "", "shadow.example.net", "GET", "/", answered(200))
	a.settle()
	find := func(m *member, path string) []RouteEntry { return m.list(RouteQuery{Path: []string{path}}).Items }
	eventually(t, "a route that only the other node saw", func() (string, bool) {
		e := find(b, "/v2/extra")
		return fmt.Sprint(e), len(e) == 1 && e[0].Count == 1 && e[0].Evidence == EvidenceConfirmed && e[0].State == StateShadow
	})
	if e := find(b, "/v2/.env"); len(e) != 0 {
		t.Errorf("a scanned route left its node: %+v", e)
	}
	open := func(m *member) map[string]bool {
		list, err := m.Findings(FindingQuery{Open: []bool{true}})
		if err != nil {
			t.Fatal(err)
		}
		kinds := map[string]bool{}
		for _, f := range list.Items {
			kinds[f.Kind+" "+f.Subject.Path+f.Subject.Host] = true
		}
		return kinds
	}
	eventually(t, "what is wrong there", func() (string, bool) {
		kinds := open(b)
		return fmt.Sprint(kinds), kinds["shadow-answers /v2/extraapi.example.com"] && kinds["undeclared-host-answers shadow.example.net"]
	})
	if _, err := b.Review(find(b, "/v2/extra")[0].ID, Review{ReviewAccepted, "CHG-7"}); err != nil {
		t.Fatal(err)
	}
	eventually(t, "a review of the other node", func() (string, bool) {
		e := find(a, "/v2/extra")[0]
		return fmt.Sprint(e.Review, e.ReviewNote), e.Review == ReviewAccepted && e.ReviewNote == "CHG-7" && !open(a)["shadow-answers /v2/extraapi.example.com"]
	})
	a.clock.advance(time.Minute)
	if _, err := a.Review(find(a, "/v2/extra")[0].ID, Review{ReviewOpen, ""}); err != nil {
		t.Fatal(err)
	}
	eventually(t, "a review that was taken back", func() (string, bool) {
		e := find(b, "/v2/extra")[0]
		return e.Review, e.Review == ReviewOpen
	})
	eventually(t, "the feed of the other node", func() (string, bool) {
		list, _, _, _ := b.Changes(0, 100)
		i := slices.IndexFunc(list, func(c Logged) bool { return c.Path == "/v2/extra" && c.Node == "a" })
		return fmt.Sprint(list), i >= 0
	})
	t.Run("alone it goes on, and says so", func(t *testing.T) {
		b.seat.cut.Store(true)
		eventually(t, "health", func() (string, bool) {
			c := b.Health().Cluster
			return fmt.Sprint(c), c.Status == ClusterDown
		})
		list := b.list(RouteQuery{Path: []string{"/v2/extra"}})
		if len(list.Items) != 1 || list.Complete || gap(list.Gaps, GapCluster) == 0 {
			t.Errorf("the list is %+v", list)
		}
	})
}

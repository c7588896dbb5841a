package apiguard

import (
	"encoding/binary"
	"encoding/hex"
	"flag"
	"math"
	"net/http"
	"net/netip"
	"runtime"
	rt "runtime/metrics"
	"testing"
	"time"

	"github.com/caddyserver/caddy/v2/modules/caddyhttp"
)

var distinctClients = flag.Int("clients", 120_000, "how many clients of one request each TestSoManyClientsNeedNoMoreMemoryPausesOrSeries sends; 10000000 is the full measure, and asserts the longest pause too")

// A flood in which nobody comes twice, by address and by two header fields, finds
// the memory that was there before it: no heap, no series, no pause.
func TestSoManyClientsNeedNoMoreMemoryPausesOrSeries(t *testing.T) {
	app := limitedApp(t,
		&Limit{Name: "address", Rate: "5/1h"},
		&Limit{Name: "tenant", Rate: "5/1h", Key: []string{"{http.request.header.X-Tenant}"}, Algorithm: "bucket"},
		&Limit{Name: "write", Rate: "5/1h", Key: []string{"{client_ip}", "{http.request.header.X-Tenant}"}, Protect: true, Penalty: "1h", Operations: []string{"putThing"}},
		&Limit{Name: "daily", Quota: "9/day"},
	)
	next := caddyhttp.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) error { w.WriteHeader(200); return nil })
	r, w := get("/v1/things/7"), &forgetful{header: make(http.Header)}
	tenant := []string{""}
	r.Header["X-Tenant"] = tenant
	send := func(i int) {
		var id [8]byte
		binary.BigEndian.PutUint64(id[:], uint64(i)*0x9e3779b97f4a7c15)
		addr := netip.AddrFrom16([16]byte{0x20, 0x01, id[0], id[1], id[2], id[3], id[4], id[5]}) // a /64 each
		tenant[0] = hex.EncodeToString(id[:])
		r.RemoteAddr = netip.AddrPortFrom(addr, 1234).String()
		r.Method = []string{"GET", "PUT"}[i&1] // the latter without its body: 400
		clear(w.header)
		w.status = 0
		if err := serve(app, w, r, next); err != nil || w.status != 200 && w.status != 400 && w.status != 429 {
			t.Fatalf("client %d: %d %v", i, w.status, err)
		}
	}
	// The twin: as many requests, all of one client. A machine that others use makes
	// pauses of its own.
	paused := pauses()
	for range *distinctClients {
		send(-2)
	}
	send(-1)
	alone := pauses().longestSince(paused)
	before, series, paused := liveHeap(), len(gathered(t, app)), pauses()
	began := time.Now()
	for i := range *distinctClients {
		send(i)
	}
	took := time.Since(began)
	longest := pauses().longestSince(paused)
	after, more := liveHeap(), len(gathered(t, app))-series
	st := app.shared.table.Stats()
	t.Logf("%d clients: heap %+.1f MiB, table %.1f MiB, %d series more, longest pause of the collector %s (%s with one client), %.2f µs a request; %d cells in %d slots, %d evicted that owed %d, %d shared",
		*distinctClients, (float64(after)-float64(before))/(1<<20), float64(app.shared.table.Bytes())/(1<<20), more, longest, alone,
		float64(took.Microseconds())/float64(*distinctClients), st.Occupied, st.Slots, st.Evicted, st.EvictedDebt, st.Shared)
	if after > before+32<<20 {
		t.Errorf("the heap grew from %d to %d bytes", before, after)
	}
	if more > 1 {
		t.Errorf("%d series more", more)
	}
	if *distinctClients >= 10_000_000 && longest > time.Millisecond && longest > 2*alone {
		t.Errorf("a pause of %s, with one client %s", longest, alone)
	}
	if *distinctClients >= 100_000 && (st.Evicted == 0 || st.Shared == 0) {
		t.Errorf("that was no flood: %+v", st)
	}
}

// forgetful is a client that keeps nothing of the answer but its status.
type forgetful struct {
	header http.Header
	status int
}

func (w *forgetful) Header() http.Header         { return w.header }
func (w *forgetful) Write(p []byte) (int, error) { return len(p), nil }
func (w *forgetful) WriteHeader(status int)      { w.status = status }

func liveHeap() uint64 {
	runtime.GC()
	runtime.GC() // what the first one found to be finished is gone
	sample := []rt.Sample{{Name: "/memory/classes/heap/objects:bytes"}}
	rt.Read(sample)
	return sample[0].Value.Uint64()
}

// pauseCounts are how many pauses for the collector there were of each length.
type pauseCounts struct{ counts, buckets []float64 }

func pauses() pauseCounts {
	sample := []rt.Sample{{Name: "/sched/pauses/total/gc:seconds"}}
	rt.Read(sample)
	h := sample[0].Value.Float64Histogram()
	p := pauseCounts{buckets: h.Buckets}
	for _, n := range h.Counts {
		p.counts = append(p.counts, float64(n))
	}
	return p
}

// longestSince is the upper end of the bucket that the longest pause since then is
// in, its lower end where that is infinite.
func (p pauseCounts) longestSince(before pauseCounts) (longest time.Duration) {
	for i, n := range p.counts {
		if n == before.counts[i] {
			continue
		}
		end := p.buckets[i+1]
		if math.IsInf(end, 1) {
			end = p.buckets[i]
		}
		longest = time.Duration(end * float64(time.Second))
	}
	return longest
}

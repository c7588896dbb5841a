// Package browser looks at the inventory page with a real browser: Debian's
// chromium, headless, on loopback. It is a module of its own so that nobody who
// builds the plugin gets the browser's driver.
package browser

import (
	"context"
	"fmt"
	"hash/crc32"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/chromedp/cdproto/log"
	"github.com/chromedp/cdproto/page"
	"github.com/chromedp/cdproto/runtime"
	"github.com/chromedp/chromedp"

	_ "github.com/apiguard/caddy-api-guard"
	"github.com/apiguard/caddy-api-guard/caddytest/internal/harness"
	"github.com/apiguard/caddy-api-guard/internal/needs"
	_ "github.com/caddyserver/caddy/v2/modules/standard"
)

func TestMain(m *testing.M) { harness.Main(m) }

// viewer is a browser that looks at a page with an inventory behind it.
type viewer struct {
	t     *testing.T
	ctx   context.Context
	caddy *harness.Caddy
	base  string

	mu         sync.Mutex
	complaints []string
}

func look(t *testing.T) *viewer { return lookAt(t, guard(), (*viewer).traffic) }

// lookAt opens a browser on the page of a guard that has seen some traffic.
func lookAt(t *testing.T, guard string, traffic func(*viewer)) *viewer {
	t.Helper()
	chromium := needs.Tool(t, "chromium")
	up := harness.NewUpstream(t)
	// Answers differ, since a host that answers everything alike tells nothing.
	up.Answer(func(r harness.Recorded) string {
		body := fmt.Sprintf("%*d", 1+crc32.ChecksumIEEE([]byte(r.Target()))%2000, len(r.Target()))
		return fmt.Sprintf("HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nContent-Length: %d\r\n\r\n%s", len(body), body)
	})
	v := &viewer{t: t, caddy: harness.Start(t, harness.Config{
		Guard: guard, Sites: sites, Upstream: up, Untrusted: true, Files: map[string]string{"orders.yaml": document},
	})}
	_, port, _ := strings.Cut(v.caddy.HTTP, ":")
	v.base = "http://page.localhost:" + port + "/inventory/"
	traffic(v)

	// Some of the browser's processes outlive it by a moment, and write.
	profile, err := os.MkdirTemp("", "chromium")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		harness.Await(t, "the browser to leave its folder", func() (string, bool) {
			err := os.RemoveAll(profile)
			return fmt.Sprint(err), err == nil
		})
	})

	options := append(chromedp.DefaultExecAllocatorOptions[:],
		chromedp.ExecPath(chromium), chromedp.NoSandbox, chromedp.DisableGPU,
		chromedp.Flag("disable-quic", true), chromedp.Flag("disable-component-update", true),
		chromedp.Flag("host-resolver-rules", "MAP *.localhost 127.0.0.1"),
		chromedp.UserDataDir(profile), chromedp.WSURLReadTimeout(2*time.Minute),
	)
	allocator, cancel := chromedp.NewExecAllocator(context.Background(), options...)
	t.Cleanup(cancel)
	ctx, cancel := chromedp.NewContext(allocator)
	t.Cleanup(cancel)
	v.ctx = ctx
	v.do() // starts the browser, which lives as long as this call's context
	v.ctx, cancel = context.WithTimeout(ctx, 8*time.Minute)
	t.Cleanup(cancel)
	if err := chromedp.Listen(ctx, func(event any) {
		switch e := event.(type) {
		case *runtime.EventExceptionThrown:
			v.complain(fmt.Sprintf("exception: %+v", e.ExceptionDetails))
		case *runtime.EventConsoleAPICalled:
			v.complain(fmt.Sprintf("console.%s: %+v", e.Type, e.Args))
		case *log.EventEntryAdded:
			v.complain(fmt.Sprintf("%s %s: %s %s", e.Entry.Source, e.Entry.Level, e.Entry.Text, e.Entry.URL))
		case *page.EventJavascriptDialogOpening:
			v.complain("dialog: " + e.Message)
		}
	}); err != nil {
		t.Fatal(err)
	}
	v.do(chromedp.EmulateViewport(1280, 900))
	return v
}

func (v *viewer) complain(text string) {
	v.mu.Lock()
	defer v.mu.Unlock()
	v.complaints = append(v.complaints, text)
}

// quiet fails the test when the browser had anything to say, or was harmed.
func (v *viewer) quiet(where string) {
	v.t.Helper()
	if is[bool](v, "'harmed' in window") {
		v.t.Errorf("%s: text was run as script", where)
	}
	v.mu.Lock()
	defer v.mu.Unlock()
	for _, c := range v.complaints {
		v.t.Errorf("%s: the browser says: %s", where, c)
	}
	v.complaints = nil
}

// do runs the actions.
func (v *viewer) do(actions ...chromedp.Action[chromedp.Void]) {
	v.t.Helper()
	if err := chromedp.Do(v.ctx, actions...); err != nil {
		v.t.Fatal(err)
	}
}

func (v *viewer) open(name string) {
	v.t.Helper()
	v.do(chromedp.Navigate(v.base+name), chromedp.WaitReady(chromedp.CSS("footer")))
}

// call asks for a route so many times.
func (v *viewer) call(times int, host, target string) {
	v.t.Helper()
	for range times {
		v.caddy.Do1(v.t, harness.Call{Host: host, Target: target})
	}
}

// settle waits until so many shadow routes below a path are in the inventory.
func (v *viewer) settle(path string, routes int) {
	v.t.Helper()
	harness.Await(v.t, "the traffic is in the inventory", func() (string, bool) {
		var list struct{ Items []struct{ Path string } }
		v.caddy.Query(v.t, "/api_guard/routes?state=shadow&evidence=confirmed&limit=1000&path="+path, &list)
		return fmt.Sprint(list.Items), len(list.Items) >= routes
	})
}

// is what an expression gives.
func is[T any](v *viewer, expression string) T {
	v.t.Helper()
	got, err := chromedp.Run(v.ctx, chromedp.Evaluate[T](expression))
	if err != nil {
		v.t.Fatalf("%s: %v", expression, err)
	}
	return got
}

// until waits until an expression holds, over navigations.
func (v *viewer) until(expression string) {
	v.t.Helper()
	harness.Await(v.t, expression, func() (string, bool) {
		holds, err := chromedp.Run(v.ctx, chromedp.Evaluate[bool]("document.readyState === 'complete' && Boolean("+expression+")"))
		return fmt.Sprint(holds, err), err == nil && holds
	})
}

// click clicks and waits until something holds of what comes then.
func (v *viewer) click(selector, then string) {
	v.t.Helper()
	v.do(chromedp.Click(chromedp.CSS(selector)))
	v.until(then)
}

// shoot keeps a picture of what is seen: see go test -artifacts.
func (v *viewer) shoot(name string) {
	v.t.Helper()
	picture, err := chromedp.Run(v.ctx, chromedp.CaptureScreenshot())
	if err != nil {
		v.t.Fatal(err)
	}
	if err := os.WriteFile(filepath.Join(v.t.ArtifactDir(), name+".png"), picture, 0o600); err != nil {
		v.t.Fatal(err)
	}
}

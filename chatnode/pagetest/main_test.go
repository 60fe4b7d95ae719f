// Package pagetest tests the chat page in a real browser: headless Chromium, on real
// nodes and Redis, behind a real HAProxy where it is about reconnects.
package pagetest

import (
	"context"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"testing"
	"time"

	"github.com/chromedp/chromedp"
	"go.uber.org/goleak"

	"wsrig/haproxy"
	"wsrig/testbed"
)

// patience bounds every wait of a test; nothing that works comes near it, on a
// machine that is busy with something else either.
const patience = 60 * time.Second

// wsrigBinary is the real command: nodes are processes of their own here, so that they
// can be killed.
var wsrigBinary string

func TestMain(m *testing.M) {
	// haproxy is in sbin, which a user's PATH may lack.
	os.Setenv("PATH", testbed.WithSystemPrograms(os.Getenv("PATH"))) // never fails for this name
	dir, err := os.MkdirTemp("", "wsrig-page-")
	if err != nil {
		fmt.Fprintln(os.Stderr, "build wsrig for the tests:", err)
		os.Exit(1)
	}
	wsrigBinary = filepath.Join(dir, "wsrig")
	build := exec.Command("go", "build", "-o", wsrigBinary, "wsrig/cmd/wsrig")
	build.Stdout, build.Stderr = os.Stderr, os.Stderr
	code := 1
	if err := build.Run(); err != nil {
		fmt.Fprintln(os.Stderr, "build wsrig for the tests:", err)
	} else {
		code = m.Run()
	}
	if err := goleak.Find(); code == 0 && err != nil {
		fmt.Fprintln(os.Stderr, err)
		code = 1
	}
	os.RemoveAll(dir)
	os.Exit(code)
}

// browserNames are Chromium's and Chrome's programs, the first one found is taken.
var browserNames = []string{"chromium", "chromium-browser", "google-chrome", "headless-shell"}

// need skips the test without a browser and these programs; in CI that is a failure.
func need(t *testing.T, programs ...string) (browser string) {
	t.Helper()
	missing := "chromium"
	for _, name := range browserNames {
		if path, err := exec.LookPath(name); err == nil {
			browser, missing = path, ""
			break
		}
	}
	for _, p := range programs {
		if _, err := exec.LookPath(p); err != nil {
			missing += " " + p
		}
	}
	if missing != "" {
		if os.Getenv("CI") != "" {
			t.Fatalf("not installed: %s; in CI this must not be skipped", missing)
		}
		t.Skipf("not installed: %s", missing)
	}
	return browser
}

// startBrowser starts a headless browser that ends with the test.
func startBrowser(t *testing.T, path string) context.Context {
	t.Helper()
	options := append(chromedp.DefaultExecAllocatorOptions[:],
		chromedp.ExecPath(path),
		chromedp.NoSandbox, // Chromium refuses to run as root with it
		chromedp.Flag("disable-dev-shm-usage", true),
		chromedp.UserDataDir(t.TempDir()),
		chromedp.WSURLReadTimeout(patience),
	)
	ctx, cancel := context.WithTimeout(context.Background(), 2*patience)
	ctx, stop := chromedp.NewExecAllocator(ctx, options...)
	ctx, closeBrowser := chromedp.NewContext(ctx)
	t.Cleanup(func() {
		if err := chromedp.Cancel(ctx); err != nil && ctx.Err() == nil {
			t.Errorf("end the browser: %v", err)
		}
		closeBrowser()
		stop()
		cancel()
	})
	if err := chromedp.Run(ctx); err != nil {
		t.Fatalf("start %s: %v", path, err)
	}
	return ctx
}

// startTestbed starts nodes with these options, behind HAProxy, until the test ends.
func startTestbed(t *testing.T, nodes int, nodeArgs ...string) *testbed.Testbed {
	t.Helper()
	rt, err := testbed.NewProcessRuntime(wsrigBinary, t.TempDir())
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := rt.Close(context.Background()); err != nil {
			t.Error(err)
		}
	})
	source, err := haproxy.Driver{}.Load("round-robin")
	if err != nil {
		t.Fatal(err)
	}
	tb, err := testbed.Up(context.Background(), rt, testbed.Spec{
		Bus: testbed.BusRedis, Nodes: nodes, NodeArgs: nodeArgs,
		Proxy: haproxy.Driver{}, Source: source, Clients: 100,
	})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := tb.Close(context.Background()); err != nil {
			t.Error(err)
		}
	})
	return tb
}

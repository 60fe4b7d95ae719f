package report

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"net/url"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"sync"
	"testing"
	"time"

	"github.com/chromedp/cdproto/emulation"
	"github.com/chromedp/cdproto/log"
	"github.com/chromedp/cdproto/network"
	"github.com/chromedp/cdproto/runtime"
	"github.com/chromedp/chromedp"

	"wsrig/internal/result"
)

// screenshots is the folder into which the browser test puts a picture of every page
// that it looked at, or empty.
var screenshots = os.Getenv("WSRIG_SCREENSHOTS")

// pageDeadline bounds one look at one page; a loaded machine may need long to start
// the browser.
const pageDeadline = 2 * time.Minute

// browser starts Chromium, which ends with the test.
func browser(t *testing.T) context.Context {
	t.Helper()
	path := ""
	for _, name := range []string{"chromium", "chromium-browser", "google-chrome"} {
		if found, err := exec.LookPath(name); err == nil {
			path = found
			break
		}
	}
	if path == "" {
		if os.Getenv("CI") != "" {
			t.Fatal("chromium is not installed; install the package chromium")
		}
		t.Skip("chromium is not installed; install the package chromium")
	}
	options := append(slices.Clone(chromedp.DefaultExecAllocatorOptions[:]), chromedp.ExecPath(path), chromedp.WSURLReadTimeout(pageDeadline))
	if os.Getuid() == 0 {
		options = append(options, chromedp.NoSandbox) // Chromium refuses to have one as root
	}
	allocator, stop := chromedp.NewExecAllocator(context.Background(), options...)
	ctx, cancel := chromedp.NewContext(allocator)
	t.Cleanup(func() {
		if err := chromedp.Cancel(ctx); err != nil {
			t.Errorf("end the browser: %v", err)
		}
		cancel()
		stop()
	})
	must(t, chromedp.Run(ctx))
	return ctx
}

// complaints are what a browser says about a page, and what the page asks for beside
// itself.
type complaints struct {
	sync.Mutex
	list []string
}

func (c *complaints) add(format string, args ...any) {
	c.Lock()
	defer c.Unlock()
	c.list = append(c.list, fmt.Sprintf(format, args...))
}

// listen collects the complaints about whatever page ctx shows.
func (c *complaints) listen(ctx context.Context, page string) {
	chromedp.ListenTarget(ctx, func(event any) {
		switch e := event.(type) {
		case *runtime.EventConsoleAPICalled:
			c.add("console: %s", e.Type)
		case *runtime.EventExceptionThrown:
			c.add("exception: %s", e.ExceptionDetails.Text)
		case *log.EventEntryAdded:
			c.add("log: %s", e.Entry.Text)
		case *network.EventRequestWillBeSent:
			if e.Request.URL != page {
				c.add("fetches %s", e.Request.URL)
			}
		}
	})
}

// lookScript measures a page as it is shown. It returns what is amiss.
const lookScript = `(() => {
  const amiss = [];
  const root = document.documentElement;
  if (root.scrollWidth > window.innerWidth) amiss.push("the page is " + root.scrollWidth + " wide in a window of " + window.innerWidth);
  for (const e of document.querySelectorAll("body *")) {
    const s = getComputedStyle(e);
    if (e.scrollWidth > e.clientWidth && (s.overflowX === "auto" || s.overflowX === "scroll") && (e.tabIndex !== 0 || !(e.getAttribute("aria-label") || e.getAttribute("aria-labelledby"))))
      amiss.push("a <" + e.tagName + "> scrolls and cannot be reached with the keyboard");
  }
  for (const e of document.querySelectorAll("section, h1, h2, h3, table, figure svg")) {
    if (e.closest("details:not([open])")) continue;
    const r = e.getBoundingClientRect();
    if (r.width < 1 || r.height < 1) amiss.push("<" + e.tagName + "> " + e.textContent.slice(0, 30) + " is not to be seen");
  }
  // Contrast by WCAG 2.1, 1.4.3, of every text with the ground behind it.
  const rgb = c => { const m = c.match(/[\d.]+/g).map(Number); return { v: m.slice(0, 3), a: m.length > 3 ? m[3] : 1 }; };
  const luminance = v => { const [r, g, b] = v.map(x => { x /= 255; return x <= 0.04045 ? x / 12.92 : ((x + 0.055) / 1.055) ** 2.4; }); return 0.2126 * r + 0.7152 * g + 0.0722 * b; };
  const contrast = (a, b) => { const [x, y] = [luminance(a), luminance(b)].sort((p, q) => q - p); return (x + 0.05) / (y + 0.05); };
  const ground = e => { for (; e; e = e.parentElement) { const c = rgb(getComputedStyle(e).backgroundColor); if (c.a > 0) return c.v; } return [255, 255, 255]; };
  const poor = new Set();
  const walk = document.createTreeWalker(document.body, NodeFilter.SHOW_TEXT);
  for (let t; (t = walk.nextNode());) {
    if (!t.textContent.trim()) continue;
    const e = t.parentElement, s = getComputedStyle(e);
    const drawn = e.tagName === "text";
    if (drawn && !e.getAttribute("style").includes("var(")) continue; // on a square of its own colour
    const k = contrast(rgb(drawn ? s.fill : s.color).v, ground(e));
    if (k < 4.5) poor.add(k.toFixed(2) + " to 1: " + e.tagName + " " + t.textContent.trim().slice(0, 30));
  }
  amiss.push(...poor);
  return JSON.stringify(amiss);
})()`

// TestPagesInABrowser looks at every page as people do: wide and narrow, light and
// dark, and printed.
func TestPagesInABrowser(t *testing.T) {
	ctx := browser(t)
	root := t.TempDir()
	pages := map[string]string{}
	for name, run := range pageFixtures(t) {
		dir := filepath.Join(root, name, "run")
		must(t, os.MkdirAll(dir, 0o755))
		must(t, result.Write(dir, run))
		must(t, os.WriteFile(filepath.Join(dir, HTMLFile), pageOf(t, run), 0o644))
		pages[name] = filepath.Join(dir, HTMLFile)
	}
	base, head := load(t, "idle-timeout"), load(t, "idle-timeout")
	changeFixture(head)
	var comparison bytes.Buffer
	must(t, HTMLComparison(&comparison, compared(t, base, head, CompareOptions{})))
	pages["comparison"] = filepath.Join(root, "compare.html")
	must(t, os.WriteFile(pages["comparison"], comparison.Bytes(), 0o644))
	must(t, WriteIndex(root))
	pages["index"] = filepath.Join(root, IndexFile)
	for name, path := range pages {
		t.Run(name, func(t *testing.T) { lookAt(t, ctx, name, (&url.URL{Scheme: "file", Path: path}).String()) })
	}
}

func lookAt(t *testing.T, browser context.Context, name, page string) {
	tab, closeTab := chromedp.NewContext(browser)
	defer closeTab()
	ctx, cancel := context.WithTimeout(tab, pageDeadline)
	defer cancel()
	var heard complaints
	heard.listen(tab, page)
	must(t, chromedp.Run(ctx, log.Enable(), network.Enable(), chromedp.Navigate(page)))
	for _, width := range []int64{390, 1440} {
		for _, scheme := range []string{"light", "dark"} {
			var answer string
			must(t, chromedp.Run(ctx,
				emulation.SetDeviceMetricsOverride(width, 900, 1, false),
				emulation.SetEmulatedMedia().WithFeatures([]*emulation.MediaFeature{{Name: "prefers-color-scheme", Value: scheme}}),
				chromedp.Evaluate(lookScript, &answer)))
			var amiss []string
			must(t, json.Unmarshal([]byte(answer), &amiss))
			for _, text := range amiss {
				t.Errorf("%d pixels, %s: %s", width, scheme, text)
			}
			keepScreenshot(t, ctx, fmt.Sprintf("%s-%d-%s.png", name, width, scheme))
		}
	}
	var hidden int
	must(t, chromedp.Run(ctx,
		emulation.SetEmulatedMedia().WithMedia("print").WithFeatures([]*emulation.MediaFeature{{Name: "prefers-color-scheme", Value: "dark"}}),
		chromedp.Evaluate(`[...document.querySelectorAll("details > pre, details table")].filter(e => e.getBoundingClientRect().height < 1 || !e.checkVisibility({contentVisibilityAuto: true})).length
			+ (getComputedStyle(document.documentElement).backgroundColor === "rgb(255, 255, 255)" ? 0 : 1000)`, &hidden)))
	if hidden > 0 {
		t.Errorf("printed: %d texts are folded away (1000: on a dark ground)", hidden)
	}
	keepScreenshot(t, ctx, name+"-print.png")
	heard.Lock()
	defer heard.Unlock()
	for _, text := range heard.list {
		t.Error(text)
	}
}

func keepScreenshot(t *testing.T, ctx context.Context, file string) {
	t.Helper()
	if screenshots == "" {
		return
	}
	var picture []byte
	must(t, chromedp.Run(ctx, chromedp.FullScreenshot(&picture, 100)))
	must(t, os.MkdirAll(screenshots, 0o755))
	must(t, os.WriteFile(filepath.Join(screenshots, file), picture, 0o644))
}

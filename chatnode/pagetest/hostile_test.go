package pagetest

import (
	"fmt"
	"net/url"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/chromedp/cdproto/emulation"
	"github.com/chromedp/chromedp"
	"github.com/chromedp/chromedp/kb"
	"github.com/gorilla/websocket"
)

// messageLimit lets a megabyte through, which nodes do not by default.
const messageLimit = 2 << 20

// attacker is a client that is no page.
func attacker(t *testing.T, addr, name string) *websocket.Conn {
	t.Helper()
	ws, _, err := websocket.DefaultDialer.Dial("ws://"+addr+"/ws?"+url.Values{"room": {"lobby"}, "name": {name}}.Encode(), nil)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { ws.Close() })
	return ws
}

func send(t *testing.T, ws *websocket.Conn, text string) {
	t.Helper()
	if err := ws.WriteMessage(websocket.TextMessage, []byte(text)); err != nil {
		t.Fatal(err)
	}
}

// hostilePage is a page in the room of an attacker, whose name is markup too.
func hostilePage(t *testing.T) (*tab, *websocket.Conn) {
	t.Helper()
	browser := startBrowser(t, need(t, "haproxy", "redis-server"))
	tb := startTestbed(t, 1, "--message-limit", fmt.Sprint(messageLimit), "--send-queue", "20000")
	page := openTab(t, browser, tb.Targets()[0])
	page.join("ann", "lobby")
	return page, attacker(t, tb.Targets()[0], "<b onclick=alert(1)>\u202Eevil")
}

func TestMarkupAndDirectionsStayText(t *testing.T) {
	page, evil := hostilePage(t)
	texts := []string{
		`<script>document.title = "owned"</script>`,
		`<img src=x onerror="document.title = 'owned'">`,
		"\u202E right to left, never ended \u2066\u2067",
		`{"id":"` + strings.Repeat("0", 32) + `","text":"<i>"}`,
		`{"id":"short","text":"not of a page"}`,
		`{"hello":{"node":"evil","limit":1}}`,
		"null",
	}
	for _, s := range texts {
		send(t, evil, s)
	}
	want := slices.Clone(texts)
	want[3] = "<i>"
	page.awaitBodies(want...)
	if n := eval[int](page, `document.querySelectorAll("#log script, #log img, #log i, #log b").length`); n != 0 {
		t.Errorf("%d elements came out of messages", n)
	}
	if title := eval[string](page, `document.title`); !strings.HasPrefix(title, "n1") {
		t.Errorf("the title is %q", title)
	}
	// The attacker's override must not turn what stands beside it: each part is on its own.
	isolated := eval[bool](page, `Array.from(document.querySelectorAll("#log bdi")).every((e) => getComputedStyle(e).unicodeBidi.startsWith("isolate"))`)
	if !isolated {
		t.Error("not every part of the log is isolated from the direction of its neighbours")
	}
	inOrder := eval[bool](page, `Array.from(document.querySelectorAll("#log li:has(.body)")).every((li) => {
		const x = (c) => li.querySelector(c).getClientRects()[0].left;
		return x(".from") < x(".node") && x(".node") < x(".body");
	})`)
	if !inOrder {
		t.Error("an attacker's direction moved the parts of a line")
	}
}

func TestALongMessageIsCutAndShownOnDemand(t *testing.T) {
	page, evil := hostilePage(t)
	megabyte := strings.Repeat("m", 1<<20)
	rows := strings.Repeat("r\n", 10000)
	pairs := "x" + strings.Repeat("\U0001F600", 5000) // the cut falls into a surrogate pair
	for _, s := range []string{megabyte, rows, pairs, "short"} {
		send(t, evil, s)
	}
	page.await("all are there", func() bool { return len(page.bodies()) == 4 })
	got := page.bodies()
	if len(got[0]) != 2000 || strings.Count(got[1], "\n") != 19 || strings.ContainsRune(got[2], '\uFFFD') || got[3] != "short" {
		t.Errorf("shown are %d characters, %d rows, broken character %v, %q", len(got[0]), strings.Count(got[1], "\n")+1, strings.ContainsRune(got[2], '\uFFFD'), got[3])
	}
	const first = `document.querySelector("#log button.more")`
	if text := eval[string](page, first+`.textContent`); text != "Show all (1,048,576 characters)" {
		t.Errorf("the button says %q", text)
	}
	page.run(chromedp.Evaluate(first+`.focus()`, nil), chromedp.KeyEvent(kb.Enter))
	if n := eval[int](page, `document.querySelector("#log .body").textContent.length`); n != 1<<20 {
		t.Errorf("the button shows %d characters, want all", n)
	}
	page.run(chromedp.KeyEvent(kb.Enter))
	if n := eval[int](page, `document.querySelector("#log .body").textContent.length`); n != 2000 {
		t.Errorf("pressed again it shows %d characters, want the first", n)
	}
	page.say("still here")
	page.await("it takes a line", func() bool { return slices.Contains(page.bodies(), "still here") })
}

func TestAFloodLeavesThePageUsable(t *testing.T) {
	page, evil := hostilePage(t)
	// The longest time in which nothing else could run, as measured within the page.
	page.run(chromedp.Evaluate(`window.longest = 0; { let last = performance.now();
		setInterval(() => { const now = performance.now(); window.longest = Math.max(window.longest, now - last); last = now; }, 10); }`, nil))
	const lines = 10000
	for i := range lines {
		send(t, evil, fmt.Sprint("line ", i))
	}
	page.say("in between")
	page.await("the flood is over, and the own line is in the room", func() bool { return page.waiting() == 0 })
	if n := eval[int](page, `document.querySelectorAll("#log li").length`); n > 1000 {
		t.Errorf("%d lines are in the page, want at most 1000", n)
	}
	if longest := time.Duration(eval[float64](page, `window.longest`) * 1e6); longest > 10*time.Second {
		t.Errorf("the page stood still for %s", longest)
	}
	// Ten megabytes in long lines: fewer stay.
	for range 10 {
		send(t, evil, strings.Repeat("z", 1<<20))
	}
	send(t, evil, "the end")
	page.await("the end has come", func() bool { return slices.Contains(page.bodies(), "the end") })
	if n := eval[int](page, `document.querySelectorAll("#log button.more").length`); n > 4 {
		t.Errorf("%d lines of a megabyte are kept, want at most 4", n)
	}
}

// TestALineOverTheLimitIsNotSent: the node would close the connection with 1009, and
// the page would come back and send it again, for ever.
func TestALineOverTheLimitIsNotSent(t *testing.T) {
	browser := startBrowser(t, need(t, "haproxy", "redis-server"))
	tb := startTestbed(t, 1)
	page := openTab(t, browser, tb.Targets()[0])
	page.join("ann", "lobby")
	page.say(strings.Repeat("é", 40<<10)) // 80 KiB
	page.await("the page says why", func() bool {
		return slices.ContainsFunc(page.notices(), func(n string) bool {
			return strings.HasPrefix(n, "Not sent: it takes ") && strings.HasSuffix(n, "and the node allows 65536.")
		})
	})
	if n := page.waiting(); n != 0 {
		t.Errorf("%d lines wait", n)
	}
	if n := eval[int](page, `document.getElementById("text").value.length`); n != 40<<10 {
		t.Errorf("%d characters are left to edit, want all", n)
	}
	page.say("short")
	page.awaitBodies("short")
	if !strings.Contains(page.status(), "n1") {
		t.Errorf("status %q: the connection should not have ended", page.status())
	}
}

// TestThePageFitsANarrowScreenInLightAndDark: nothing is wider than 390 px, all has
// enough contrast (WCAG 2.2, 1.4.3: 4.5 to 1), and nothing comes from elsewhere.
func TestThePageFitsANarrowScreenInLightAndDark(t *testing.T) {
	page, evil := hostilePage(t)
	send(t, evil, strings.Repeat("wide", 2000))
	page.await("the line is there", func() bool { return len(page.bodies()) == 1 })
	page.run(chromedp.EmulateViewport(390, 700))
	if w := eval[int](page, `document.documentElement.scrollWidth`); w > 390 {
		t.Errorf("the page is %d px wide, want at most 390", w)
	}
	for _, scheme := range []string{"light", "dark"} {
		page.run(emulation.SetEmulatedMedia().WithFeatures([]*emulation.MediaFeature{{Name: "prefers-color-scheme", Value: scheme}}))
		for _, c := range eval[[]contrast](page, contrasts) {
			if c.Ratio < 4.5 {
				t.Errorf("%s: contrast of %s is %.2f, want at least 4.5", scheme, c.Of, c.Ratio)
			}
		}
	}
	origins := eval[[]string](page, `[...new Set(performance.getEntriesByType("resource").map((e) => new URL(e.name).origin))]`)
	own := eval[string](page, `location.origin`)
	for _, o := range origins {
		if o != own {
			t.Errorf("the page loads from %s", o)
		}
	}
	if len(origins) == 0 {
		t.Error("the page is said to have loaded nothing, so this test sees nothing")
	}
	blocked := eval[bool](page, `new Promise((done) => {
		document.addEventListener("securitypolicyviolation", () => done(true));
		const s = document.createElement("script"); s.textContent = "1"; document.head.append(s);
		setTimeout(() => done(false), 3000);
	})`)
	if !blocked {
		t.Error("an inline script is not refused by the policy")
	}
}

type contrast struct {
	Of    string
	Ratio float64
}

// contrasts computes the contrast of texts with what is behind them.
const contrasts = `(() => {
	const channels = (color) => color.match(/[\d.]+/g).map(Number);
	const luminance = (color) => {
		const [r, g, b] = channels(color).map((v) => { v /= 255; return v <= 0.04045 ? v / 12.92 : ((v + 0.055) / 1.055) ** 2.4; });
		return 0.2126 * r + 0.7152 * g + 0.0722 * b;
	};
	const behind = (e) => {
		for (; e; e = e.parentElement) {
			const c = getComputedStyle(e).backgroundColor;
			if ((channels(c)[3] ?? 1) > 0) return c;
		}
		return "rgb(255, 255, 255)";
	};
	return ["h1", "#status", "label", "#name", "#toggle", "#log .from", "#log .node", "#log .body", "#log .notice", "#log .more"].map((of) => {
		const e = document.querySelector(of);
		const a = luminance(getComputedStyle(e).color), b = luminance(behind(e));
		return { Of: of, Ratio: (Math.max(a, b) + 0.05) / (Math.min(a, b) + 0.05) };
	});
})()`

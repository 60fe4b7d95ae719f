package pagetest

import (
	"context"
	"encoding/json"
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/chromedp/cdproto/runtime"
	"github.com/chromedp/chromedp"
	"github.com/chromedp/chromedp/kb"
)

// tab is one window with the chat page.
type tab struct {
	t   *testing.T
	ctx context.Context
	end context.CancelFunc
}

// openTab opens the page at addr, and reports whatever the page complains about.
func openTab(t *testing.T, browser context.Context, addr string) *tab {
	t.Helper()
	ctx, cancel := chromedp.NewContext(browser)
	tb := &tab{t, ctx, cancel}
	t.Cleanup(cancel)
	// A tab lives as long as the context of its first Run, so that one has no timeout
	// of its own; the browser's bounds it.
	if err := chromedp.Run(ctx); err != nil {
		t.Fatalf("open a tab: %v", err)
	}
	tb.run(chromedp.Navigate("http://"+addr+"/"), chromedp.WaitVisible("#join"))
	return tb
}

func (tb *tab) run(actions ...chromedp.Action) {
	tb.t.Helper()
	ctx, cancel := context.WithTimeout(tb.ctx, patience)
	defer cancel()
	if err := chromedp.Run(ctx, actions...); err != nil {
		tb.t.Fatal(err)
	}
}

// eval returns the value of a JavaScript expression, or of the promise that it is.
func eval[T any](tb *tab, expression string) T {
	tb.t.Helper()
	var v T
	tb.run(chromedp.Evaluate(expression, &v, awaitPromise))
	return v
}

func awaitPromise(p *runtime.EvaluateParams) *runtime.EvaluateParams { return p.WithAwaitPromise(true) }

// join fills the form with the keyboard alone, and returns the node that serves the tab.
func (tb *tab) join(name, room string) string {
	tb.t.Helper()
	tb.run(chromedp.Focus("#name"), chromedp.KeyEvent(name+kb.Tab), chromedp.SetValue("#room", room), chromedp.KeyEvent(kb.Enter))
	return tb.awaitNode("")
}

// awaitNode waits until a node other than this serves the tab, and returns it.
func (tb *tab) awaitNode(other string) string {
	tb.t.Helper()
	var node string
	tb.await("a node serves the page", func() bool {
		_, node, _ = strings.Cut(tb.status(), "served by node ")
		return node != "" && node != other
	})
	return node
}

func (tb *tab) status() string {
	return eval[string](tb, `document.getElementById("status").textContent`)
}

// say types a line into the focused page and sends it with Enter.
func (tb *tab) say(text string) {
	tb.t.Helper()
	tb.run(chromedp.SetValue("#text", text), chromedp.Focus("#text"), chromedp.KeyEvent(kb.Enter))
}

// bodies are the texts of the log's messages.
func (tb *tab) bodies() []string {
	tb.t.Helper()
	return eval[[]string](tb, `Array.from(document.querySelectorAll("#log .body"), (e) => e.textContent)`)
}

// notices are the page's own lines of the log.
func (tb *tab) notices() []string {
	tb.t.Helper()
	return eval[[]string](tb, `Array.from(document.querySelectorAll("#log .notice"), (e) => e.textContent)`)
}

// waiting is how many lines the page keeps to send.
func (tb *tab) waiting() int {
	return eval[int](tb, `document.querySelectorAll("#waiting li").length`)
}

// awaitBodies waits until the log has exactly these texts.
func (tb *tab) awaitBodies(want ...string) {
	tb.t.Helper()
	w, _ := json.Marshal(want) // strings always can
	var got []byte
	deadline := time.Now().Add(patience)
	for {
		got, _ = json.Marshal(tb.bodies())
		if string(got) == string(w) {
			return
		}
		if time.Now().After(deadline) {
			tb.t.Fatalf("the log has\n %s, want\n %s\nnotices %q, status %q", got, w, tb.notices(), tb.status())
		}
		time.Sleep(50 * time.Millisecond)
	}
}

// await polls until ok.
func (tb *tab) await(what string, ok func() bool) {
	tb.t.Helper()
	for deadline := time.Now().Add(patience); !ok(); time.Sleep(50 * time.Millisecond) {
		if time.Now().After(deadline) {
			tb.t.Fatalf("still not true after %s: %s; status %q, notices %q", patience, what, tb.status(), tb.notices())
		}
	}
}

// twoTabs opens tabs until two are served by different nodes. Every file of the page
// takes its turn at the proxy too, so the node of the next socket is nobody's to tell.
func twoTabs(t *testing.T, browser context.Context, addr string) (a, b *tab, nodeA, nodeB string) {
	t.Helper()
	a = openTab(t, browser, addr)
	nodeA = a.join("ann", "lobby")
	for i := range 10 {
		b = openTab(t, browser, addr)
		if nodeB = b.join(fmt.Sprint("bob", i), "lobby"); nodeB != nodeA {
			return a, b, nodeA, nodeB
		}
		b.end()
	}
	t.Fatalf("ten windows in a row were all served by %s", nodeA)
	return nil, nil, "", ""
}

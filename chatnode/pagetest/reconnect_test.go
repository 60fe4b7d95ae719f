package pagetest

import (
	"context"
	"fmt"
	"slices"
	"strings"
	"testing"

	"wsrig/testbed"
)

func TestTwoWindowsOnTwoNodesAreOneChat(t *testing.T) {
	browser := startBrowser(t, need(t, "haproxy", "redis-server"))
	tb := startTestbed(t, 2)
	a, b, nodeA, nodeB := twoTabs(t, browser, tb.Targets()[0])
	a.say("from " + nodeA)
	a.awaitBodies("from " + nodeA)
	b.say("from " + nodeB)
	for _, w := range []*tab{a, b} {
		w.awaitBodies("from "+nodeA, "from "+nodeB)
		via := eval[[]string](w, `Array.from(document.querySelectorAll("#log .node"), (e) => e.textContent)`)
		if want := []string{"(via " + nodeA + ")", "(via " + nodeB + ")"}; !slices.Equal(via, want) {
			t.Errorf("the log names the nodes %q, want %q", via, want)
		}
		if n := w.waiting(); n != 0 {
			t.Errorf("%d lines still wait", n)
		}
	}
}

// TestAKilledNodeLosesAndDoublesNoLine is the promise at the top of page.js, with a
// node that keeps history: lines that were said by oneself and by others, before,
// while and after the page was away, are in its log once, in the room's order.
func TestAKilledNodeLosesAndDoublesNoLine(t *testing.T) {
	browser := startBrowser(t, need(t, "haproxy", "redis-server"))
	tb := startTestbed(t, 2, "--history", "100")
	a, b, nodeA, nodeB := twoTabs(t, browser, tb.Targets()[0])
	a.say("before, mine")
	a.awaitBodies("before, mine")
	b.say("before, yours")
	a.awaitBodies("before, mine", "before, yours")

	kill(t, tb, nodeA)
	a.await("the page notices", func() bool { return slices.Contains(a.notices(), "Connection lost.") })
	a.say("meanwhile, mine") // kept by the page, or it is back already: both must do
	b.say("meanwhile, yours")
	if node := a.awaitNode(nodeA); node != nodeB {
		t.Errorf("the page is served by %s, want the node that is left, %s", node, nodeB)
	}
	a.await("nothing waits", func() bool { return a.waiting() == 0 })
	b.await("it has come to the other", func() bool { return slices.Contains(b.bodies(), "meanwhile, mine") })
	a.say("after, mine")
	b.await("it has come to the other", func() bool { return slices.Contains(b.bodies(), "after, mine") })
	b.say("after, yours")
	b.await("it has come back", func() bool { return slices.Contains(b.bodies(), "after, yours") })
	room := b.bodies() // that page never was away
	a.awaitBodies(room...)
	if got, want := sorted(room), sorted([]string{"before, mine", "before, yours", "meanwhile, mine", "meanwhile, yours", "after, mine", "after, yours"}); !slices.Equal(got, want) {
		t.Errorf("the room has %q, want %q", got, want)
	}
	for _, n := range a.notices() {
		if strings.Contains(n, "missing") || strings.Contains(n, "not shown") {
			t.Errorf("the page says %q though nothing is missing", n)
		}
	}
}

// TestWithoutHistoryThePageSaysWhatItLacks: its own lines come through all the same,
// and the gap in what others said is marked in the log.
func TestWithoutHistoryThePageSaysWhatItLacks(t *testing.T) {
	browser := startBrowser(t, need(t, "haproxy", "redis-server"))
	tb := startTestbed(t, 1)
	a := openTab(t, browser, tb.Targets()[0])
	a.join("ann", "lobby")
	a.say("before")
	a.awaitBodies("before")
	kill(t, tb, "n1")
	a.await("the page notices", func() bool { return slices.Contains(a.notices(), "Connection lost.") })
	const lines = 20
	want := []string{"before"}
	for i := range lines {
		text := fmt.Sprint("kept ", i)
		a.say(text)
		want = append(want, text)
	}
	if n := a.waiting(); n != lines {
		t.Errorf("%d lines wait, want %d", n, lines)
	}
	if err := tb.Restart(context.Background(), "n1"); err != nil {
		t.Fatal(err)
	}
	a.awaitNode("")
	a.awaitBodies(want...)
	if n := a.waiting(); n != 0 {
		t.Errorf("%d lines wait, want none", n)
	}
	if !slices.ContainsFunc(a.notices(), func(n string) bool { return strings.Contains(n, "keeps no history") }) {
		t.Errorf("nothing marks the gap: %q", a.notices())
	}
}

// TestALineTheNodeCouldNotPublishIsSaidAgain takes Redis away and brings it back.
func TestALineTheNodeCouldNotPublishIsSaidAgain(t *testing.T) {
	browser := startBrowser(t, need(t, "haproxy", "redis-server"))
	tb := startTestbed(t, 1)
	a := openTab(t, browser, tb.Targets()[0])
	node := a.join("ann", "lobby")
	kill(t, tb, "redis")
	a.say("into the void")
	if n := a.waiting(); n != 1 {
		t.Errorf("%d lines wait, want 1", n)
	}
	if got := a.status(); !strings.Contains(got, node) {
		t.Errorf("status %q: the node keeps its clients without Redis", got)
	}
	if err := tb.Restart(context.Background(), "redis"); err != nil {
		t.Fatal(err)
	}
	a.awaitBodies("into the void")
	a.await("nothing waits", func() bool { return a.waiting() == 0 })
}

func kill(t *testing.T, tb *testbed.Testbed, unit string) {
	t.Helper()
	if err := tb.Kill(context.Background(), unit); err != nil {
		t.Fatal(err)
	}
}

func sorted(s []string) []string {
	s = slices.Clone(s)
	slices.Sort(s)
	return s
}

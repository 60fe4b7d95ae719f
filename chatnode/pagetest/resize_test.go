package pagetest

import (
	"fmt"
	"testing"

	"github.com/chromedp/chromedp"
)

// TestTheEndStaysInViewWhenTheWindowChanges: as when a phone is turned or its keyboard
// opens. Who reads earlier lines is left where they are.
func TestTheEndStaysInViewWhenTheWindowChanges(t *testing.T) {
	page, other := hostilePage(t)
	page.run(chromedp.EmulateViewport(1200, 800))
	said := 0
	say := func() {
		t.Helper()
		said++
		send(t, other, fmt.Sprintf("line %d: %s", said, "some words that wrap on a narrow screen, and go on"))
		page.await("the line is there", func() bool { return len(page.bodies()) == said })
	}
	for range 60 {
		say()
	}
	below := func() int {
		return eval[int](page, `(() => { const l = document.getElementById("log"); return Math.round(l.scrollHeight - l.scrollTop - l.clientHeight); })()`)
	}
	for _, size := range [][2]int64{{390, 800}, {390, 400}, {1200, 800}} {
		page.run(chromedp.EmulateViewport(size[0], size[1]))
		page.await(fmt.Sprintf("the end is in view at %d by %d", size[0], size[1]), func() bool { return below() < 40 })
	}
	page.run(chromedp.EmulateViewport(390, 400))
	say()
	page.await("the next line is in view", func() bool { return below() < 40 })

	// The page hears of it with its next frame, long before a person has turned the phone.
	eval[bool](page, `new Promise((done) => {
		const l = document.getElementById("log");
		l.addEventListener("scroll", () => requestAnimationFrame(() => done(true)), { once: true });
		l.scrollTop = 0;
	})`)
	page.run(chromedp.EmulateViewport(390, 800))
	say()
	if below() < 400 {
		t.Error("a reader of the first lines was taken to the end")
	}
}

package report

import (
	"bytes"
	"strings"
	"testing"

	"golang.org/x/net/html"
)

// The page of a run with two sides says what its comparison says.
func TestPageOfARunWithSidesHasWhatDiffers(t *testing.T) {
	run := sidedRun(t)
	var page bytes.Buffer
	must(t, HTML(&page, run))
	isSound(t, page.Bytes())
	doc, err := html.Parse(&page)
	must(t, err)
	shown := squeezed(text(doc))
	for _, want := range append([]string{"✗ FAIL", "Base is main (commit 1), head is working tree (commit 2).", "declared.idle_timeout", "head has handshakes that ended with HTTP 503"}, run.Verdict.Reasons...) {
		if !strings.Contains(shown, squeezed(want)) {
			t.Errorf("the page lacks %q", want)
		}
	}
}

func TestComparisonPageHasEveryFactAndFigure(t *testing.T) {
	base, head := load(t, "idle-timeout"), load(t, "idle-timeout")
	changeFixture(head)
	c := compared(t, base, head, CompareOptions{})
	c.Notes = append(c.Notes, "<script>alert(1)</script>")
	var page bytes.Buffer
	must(t, HTMLComparison(&page, c))
	isSound(t, page.Bytes())
	if page.Len() > maxPage {
		t.Errorf("the page has %d bytes, more than %d", page.Len(), maxPage)
	}
	doc, err := html.Parse(&page)
	must(t, err)
	shown := squeezed(text(doc))
	failed := 0
	elements(doc, func(n *html.Node) {
		if strings.Contains(attr(n, "class"), "fail") && n.Data == "td" {
			failed++
		}
	})
	if failed == 0 || !strings.Contains(shown, "✗ FAIL") {
		t.Errorf("%d cells are marked as worse in a comparison that failed", failed)
	}
	for _, table := range c.Tables(true) {
		for _, row := range table.Rows {
			for _, want := range row {
				if !strings.Contains(shown, squeezed(want)) {
					t.Errorf("%s: the page lacks %q", table.Title, want)
				}
			}
		}
	}
}

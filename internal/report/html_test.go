package report

import (
	"bytes"
	"slices"
	"strings"
	"testing"

	"golang.org/x/net/html"
)

// void are the elements without an end tag.
var void = []string{"meta"}

// isBalanced holds that every element is closed where it was opened, so that no parser
// has to guess.
func isBalanced(t *testing.T, page []byte) {
	t.Helper()
	var open []string
	for z := html.NewTokenizer(bytes.NewReader(page)); ; {
		switch z.Next() {
		case html.ErrorToken:
			if len(open) > 0 {
				t.Errorf("never closed: %q", open)
			}
			return
		case html.StartTagToken:
			if name, _ := z.TagName(); !slices.Contains(void, string(name)) {
				open = append(open, string(name))
			}
		case html.EndTagToken:
			name, _ := z.TagName()
			if len(open) == 0 || open[len(open)-1] != string(name) {
				t.Fatalf("</%s> ends %q", name, open)
			}
			open = open[:len(open)-1]
		}
	}
}

// maxPage is the most that a page may weigh, in bytes.
const maxPage = 2 << 20

func TestPagesAreWholeAndSafe(t *testing.T) {
	for name, run := range pageFixtures(t) {
		t.Run(name, func(t *testing.T) {
			page := pageOf(t, run)
			if len(page) > maxPage {
				t.Errorf("the page has %d bytes, more than %d", len(page), maxPage)
			}
			if !bytes.Equal(page, pageOf(t, run)) {
				t.Error("two pages of one run differ")
			}
			isSound(t, page)
		})
	}
}

// isSound holds what must be true of every page.
func isSound(t *testing.T, page []byte) {
	t.Helper()
	isBalanced(t, page)
	if bytes.ContainsAny(page, "\u202e\u2066\x1b\a") {
		t.Error("a character that changes the direction of writing, or a control character, came through")
	}
	doc, err := html.Parse(bytes.NewReader(page))
	must(t, err)
	ids := map[string]bool{}
	level, captions, tables := 0, 0, 0
	elements(doc, func(n *html.Node) {
		if id := attr(n, "id"); id != "" {
			if ids[id] {
				t.Errorf("the id %q is there twice", id)
			}
			ids[id] = true
		}
		switch n.Data {
		case "script", "img", "iframe", "object", "embed", "link", "base", "form", "image", "use":
			t.Errorf("there is a <%s>", n.Data)
		case "h1", "h2", "h3", "h4":
			if at := int(n.Data[1] - '0'); at > level+1 {
				t.Errorf("heading %q skips a level", text(n))
			} else {
				level = at
			}
		case "table":
			tables++
		case "caption":
			captions++
		case "th":
			if attr(n, "scope") == "" {
				t.Errorf("<th> %q has no scope", text(n))
			}
		case "svg":
			if attr(n, "aria-hidden") == "" && (attr(n, "role") != "img" || attr(n, "aria-label") == "") {
				t.Error("a drawing says nothing to a screen reader")
			}
		case "html":
			if attr(n, "lang") == "" {
				t.Error("the page has no language")
			}
		}
		isHarmless(t, n)
	})
	if tables != captions {
		t.Errorf("%d tables have %d captions", tables, captions)
	}
	elements(doc, func(n *html.Node) {
		for _, key := range []string{"href", "aria-labelledby"} {
			if to, ok := strings.CutPrefix(attr(n, key), "#"); (ok || key != "href") && to != "" && !ids[to] {
				t.Errorf("%s leads to %q, which is nowhere", key, to)
			}
		}
	})
}

// isHarmless holds that an element runs nothing and fetches nothing.
func isHarmless(t *testing.T, n *html.Node) {
	t.Helper()
	for _, a := range n.Attr {
		switch {
		case strings.HasPrefix(a.Key, "on"), a.Key == "src", a.Key == "srcset", a.Key == "ping", strings.Contains(a.Val, "url("):
			t.Errorf("<%s %s=%q>", n.Data, a.Key, a.Val)
		case a.Key == "href" && !strings.HasPrefix(a.Val, "#") && !strings.HasPrefix(a.Val, "./"):
			t.Errorf("a link leads out of the results: %q", a.Val)
		}
	}
	if css := text(n); n.Data == "style" && (strings.Contains(css, "url(") || strings.Contains(css, "@import")) {
		t.Error("the style sheet fetches something")
	}
}

func TestPageHasWhatTheTextReportHas(t *testing.T) {
	for name := range fixtures {
		run := load(t, name)
		doc, err := html.Parse(bytes.NewReader(pageOf(t, run)))
		must(t, err)
		page := squeezed(text(doc))
		for _, want := range append(setting(run), run.Verdict.Reasons...) {
			if !strings.Contains(page, squeezed(want)) {
				t.Errorf("%s: the page lacks %q", name, want)
			}
		}
		for _, table := range Tables(run) {
			for _, want := range slices.Concat([]string{table.Title}, table.Notes, slices.Concat(table.Rows...)) {
				if !strings.Contains(page, squeezed(want)) {
					t.Errorf("%s: %s: the page lacks %q", name, table.Title, want)
				}
			}
		}
		for plot, figures := range plots {
			list, err := figures(run)
			must(t, err)
			for _, f := range list {
				if !strings.Contains(page, squeezed(f.title)) {
					t.Errorf("%s: the page lacks the plot %s", name, plot)
				}
			}
		}
	}
}

func TestPageHasEverySection(t *testing.T) {
	doc, err := html.Parse(bytes.NewReader(pageOf(t, configuredFixture(t))))
	must(t, err)
	var ids []string
	elements(doc, func(n *html.Node) {
		if n.Data == "h2" {
			ids = append(ids, attr(n, "id"))
		}
	})
	want := []string{"results", "plots", "timelines", "closes", "checks", "configurations", "environment", "repeat"}
	if !slices.Equal(ids, want) {
		t.Errorf("sections %q, want %q", ids, want)
	}
}

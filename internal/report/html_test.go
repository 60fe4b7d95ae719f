package report

import (
	"bytes"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"golang.org/x/net/html"

	"wsrig/internal/result"
)

// pageOf is the page of a run.
func pageOf(t *testing.T, run *result.Run) []byte {
	t.Helper()
	var b bytes.Buffer
	must(t, HTML(&b, run))
	return b.Bytes()
}

// hostileFixture is a run in which every text that may come from somebody's file is
// markup, turns the direction of writing, or is 10 kB long.
func hostileFixture(t *testing.T) *result.Run {
	run := restartFixture(t)
	const markup = `</title></style></svg><script>alert(1)</script><img src="https://evil.example/x" onerror=alert(1)>"'&`
	long := strings.Repeat("long name ", 500) + strings.Repeat("x", 5000)
	names := map[string]string{}
	for i := range run.Cells {
		c := &run.Cells[i]
		id := fmt.Sprintf("haproxy:%d\u202e%s%s", i, markup, long)
		names[c.ID] = id
		c.ID, c.Proxy = id, id
		c.Params = map[string]string{markup: long, "\u2066b": markup}
		c.Declared = &result.Declared{IdleTimeout: 2, Directive: markup, Where: markup, Why: long}
		c.Config = []result.ConfigFile{{Name: markup, SHA256: markup, Text: markup + "\n" + long + "\n", Original: fmt.Sprintf("%s\n%d\n\u202e\n", markup, i)}}
		tr := &c.Trials[0]
		tr.Handshakes[markup] = 3
		tr.Losses[0].Mark = markup
		for j := range tr.Intervals {
			tr.Intervals[j].ByNode = map[string]int{markup: 3, long: 4}
		}
		tr.Closes = []result.CloseGroup{{By: markup, Kind: markup, Cause: long, Flags: "\u202e", Count: 2}}
		tr.Failed = []string{markup + long}
		result.Set(tr.Metrics, "idle.clients", 3, 3)
		result.Set(tr.Metrics, "idle.survived", 1, 3)
		result.Aggregate(c)
	}
	for i := range run.Marks {
		run.Marks[i].Cell, run.Marks[i].Text = names[run.Marks[i].Cell], markup+long
	}
	run.Scenario = markup + long
	run.Environment.Command = []string{"wsrig", "run", markup, "\x1b]0;y\a", long}
	run.Environment.CPU, run.Environment.Versions = markup, map[string]string{markup: long}
	run.Plan = []byte(`{"a": "</script><script>alert(1)</script>"}`)
	must(t, Check(run, []string{"delivery.lost == 0"}))
	run.Verdict = Verdict(run)
	return run
}

// pageFixtures are the runs of testdata, and those that pages alone are made of.
func pageFixtures(t *testing.T) map[string]*result.Run {
	runs := map[string]*result.Run{"hostile": hostileFixture(t), "empty": newFixture("empty", nil, nil), "configured": configuredFixture(t)}
	for name := range fixtures {
		runs[name] = load(t, name)
	}
	runs["empty"].Verdict = Verdict(runs["empty"])
	return runs
}

// configuredFixture has two configurations of one driver and one of another, and an
// event and closes beside them.
func configuredFixture(t *testing.T) *result.Run {
	run := restartFixture(t)
	h, lo, hi := record(40, func() float64 { return 2000 })
	after := pack(t, h, "ms", lo, hi)
	for _, v := range []struct{ proxy, name, timeout string }{
		{"haproxy:short", "short.cfg", "    timeout tunnel 2s\n"}, {"haproxy:long", "long.cfg", "    timeout tunnel 1h\n    timeout client 30s\n"}, {"nginx:short", "short.conf", "proxy_read_timeout 2s;\n"},
	} {
		c := run.Cells[1]
		c.ID, c.Proxy = v.proxy, v.proxy
		c.Trials = slices.Clone(c.Trials[:1])
		c.Trials[0].Closes = []result.CloseGroup{
			{By: "proxy", Kind: "FIN", Cause: "idle timeout", Flags: "cD--", Count: 40, After: &after, Silent: &after},
			{By: "client", Kind: "close frame", Code: 1000, Cause: "asked", Count: 60},
		}
		text := "defaults\n    mode http\n" + v.timeout + "frontend www\n    bind {{.Listen}}\n"
		c.Config = []result.ConfigFile{{Name: v.name, SHA256: "0f1e", Original: text, Text: strings.ReplaceAll(text, "{{.Listen}}", "127.0.0.1:8080")}}
		run.Cells = append(run.Cells, c)
	}
	run.Scenario = "configured"
	return run
}

// elements visits every element below n.
func elements(n *html.Node, visit func(*html.Node)) {
	for c := range n.Descendants() {
		if c.Type == html.ElementNode {
			visit(c)
		}
	}
}

func attr(n *html.Node, key string) string {
	for _, a := range n.Attr {
		if a.Key == key {
			return a.Val
		}
	}
	return ""
}

// text is all text below n.
func text(n *html.Node) string {
	var b strings.Builder
	for c := range n.Descendants() {
		if c.Type == html.TextNode {
			b.WriteString(c.Data)
		}
	}
	return b.String()
}

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

// Rows that share a cell must come out as wide as their head, or figures stand under
// the wrong words.
func TestRowsFillTheirTables(t *testing.T) {
	for name, run := range pageFixtures(t) {
		for i, table := range Tables(run) {
			v := viewTable(table, i)
			rows := 0
			for _, group := range v.Groups {
				taken := make([]int, len(group)+1) // cells that rows above reach into this one
				for i, row := range group {
					for _, cell := range row {
						for j := i + 1; j < i+cell.RowSpan; j++ {
							taken[j]++
						}
					}
					if n := len(row) + taken[i]; n != len(table.Columns) {
						t.Errorf("%s: %s: row %d has %d cells under %d columns", name, table.Title, rows, n, len(table.Columns))
					}
					rows++
				}
			}
			if rows != len(table.Rows) {
				t.Errorf("%s: %s: %d rows of %d", name, table.Title, rows, len(table.Rows))
			}
		}
	}
}

func TestConfigurationsAreComparedWithinADriver(t *testing.T) {
	run := configuredFixture(t)
	configs, more := viewConfigs(run)
	diffs := compareConfigs(configs)
	if len(configs) != 3 || more != 0 || len(diffs) != 1 {
		t.Fatalf("%d configurations (%d more), %d diffs; want 3 and 1: nginx has nothing to be compared with", len(configs), more, len(diffs))
	}
	d := diffs[0]
	if d.From != "haproxy:short (short.cfg)" || d.To != "haproxy:long (long.cfg)" || d.Summary() != "2 lines added, 1 removed" {
		t.Errorf("%s -> %s: %s", d.From, d.To, d.Summary())
	}
	var lines []string
	for _, l := range d.Lines {
		if l.Kind == "add" || l.Kind == "del" {
			lines = append(lines, l.Text)
		}
	}
	if want := []string{"-    timeout tunnel 2s", "+    timeout tunnel 1h", "+    timeout client 30s"}; !slices.Equal(lines, want) {
		t.Errorf("got %q\nwant %q", lines, want)
	}
	if got := configs[0].Rewrite.Summary(); got != "1 line added, 1 removed" {
		t.Errorf("the rewrite has %s, want the one line with the address", got)
	}
}

func TestClosesSayHowConnectionsEnded(t *testing.T) {
	table, ok := closesTable.of(configuredFixture(t))
	if !ok || len(table.Rows) != 6 {
		t.Fatalf("%d rows, want two for each of three cells", len(table.Rows))
	}
	if got, want := strings.Join(table.Rows[1], "|"), "haproxy:short|FIN by proxy (idle timeout, cD--)|40|2 s|2 s"; got != want {
		t.Errorf("got  %s\nwant %s", got, want)
	}
}

func TestEnvironmentIsShownWhole(t *testing.T) {
	env := newFixture("x", nil, nil).Environment
	fields, err := environmentFields(env)
	must(t, err)
	for _, want := range []field{{"haproxy", "2.6.12"}, {"memory", "24 GiB"}, {"cores", "2"}, {"limit descriptors", "20000"}, {"started", "2026-03-04 12:00:00 UTC"}} {
		if !slices.Contains(fields, want) {
			t.Errorf("no %q in %q", want, fields)
		}
	}
	// Figures that the environment does not have yet are shown by the unit of their key.
	nested := map[string]any{"echo": map[string]any{"p50_s": 0.000618, "rate_per_s": 500.0, "n": 1000.0}, "doubts": []any{"late"}}
	got := appendFields(nil, "self noise", "self_noise", nested)
	want := []field{{"self noise doubts", "late"}, {"self noise echo n", "1,000"}, {"self noise echo p50", "618 µs"}, {"self noise echo rate", "500/s"}}
	if !slices.Equal(got, want) {
		t.Errorf("got  %q\nwant %q", got, want)
	}
}

func TestCommandLineCanBePasted(t *testing.T) {
	got := commandLine([]string{"wsrig", "run", "a b", "--set", "x=1", "it's", "", "$HOME"})
	if want := `wsrig run 'a b' --set x=1 'it'\''s' '' '$HOME'`; got != want {
		t.Errorf("got %s, want %s", got, want)
	}
}

// A drawing that gets into a page is nothing but lines and text, in colours that the
// style sheet has for light and for dark.
func TestDrawingsUseTheStyleSheet(t *testing.T) {
	css, err := pageStyleSheet()
	must(t, err)
	for colour, name := range inks {
		if n := strings.Count(string(css), "--"+name+": #"); n != 3 {
			t.Errorf("the style sheet has %d values of --%s, want one each for light, dark and print", n, name)
		}
		if want := fmt.Sprintf("--%s: #%02x%02x%02x", name, colour.R, colour.G, colour.B); strings.Count(string(css), want) != 2 {
			t.Errorf("the style sheet does not have %s for light and for print, as the plots have it", want)
		}
	}
	for _, bad := range []string{
		`<svg viewBox="0 0 1 1"><script>alert(1)</script></svg>`,
		`<svg viewBox="0 0 1 1"><path d="M0,0&quot;"/></svg>`,
		`<svg viewBox="0 0 1 1"><path d="M0,0" style="fill:url(#x)"/></svg>`,
		`<svg viewBox="0 0 1 1"><path d="M0,0" style="behavior:x"/></svg>`,
		`<svg viewBox="0 0 1 1"><path`,
	} {
		if out, err := inlineSVG([]byte(bad), "x"); err == nil {
			t.Errorf("%s came through as %s", bad, out)
		}
	}
	got, err := inlineSVG([]byte(`<svg viewBox="0 0 320 215"><path d="M0.123,-0.01L99.98,1e-05" style="fill:none;stroke:#0072B2"/><text x="1" y="2" style="font-family:X;font-size:9px">&lt;b&gt;</text></svg>`), `"l"`)
	must(t, err)
	if want := `<svg role="img" aria-label="&#34;l&#34;" viewBox="0 0 320 215"><path d="M0.1,0L100,0" style="fill:none;stroke:var(--haproxy)"></path><text x="1" y="2" style="font-size:9px;fill:var(--black)">&lt;b&gt;</text></svg>`; string(got) != want {
		t.Errorf("got  %s\nwant %s", got, want)
	}
}

// A run with more to draw than a page may hold says what it left out.
func TestDrawingsKeepBelowTheLimit(t *testing.T) {
	run := load(t, "nodes")
	for i := range 300 {
		c := run.Cells[i%3]
		c.ID, c.Proxy = fmt.Sprintf("haproxy:v%d", i), fmt.Sprintf("haproxy:v%d", i)
		run.Cells = append(run.Cells, c)
	}
	v, err := viewPlots(run)
	must(t, err)
	if v.bytes > maxDrawings || len(v.LeftOut) == 0 || !strings.Contains(v.LeftOut[0], "left out") {
		t.Errorf("%d bytes of drawings, left out: %q", v.bytes, v.LeftOut)
	}
}

func TestIndexListsRunsTheNewestFirst(t *testing.T) {
	root := t.TempDir()
	save := func(dir string, run *result.Run) {
		t.Helper()
		dir = filepath.Join(root, dir)
		must(t, os.MkdirAll(dir, 0o755))
		must(t, result.Write(dir, run))
		must(t, WriteAll(run, dir))
	}
	save("smoke/20260304T120000Z-aaaaaa", load(t, "smoke"))
	later := load(t, "idle-timeout")
	later.Environment.Started = later.Environment.Started.AddDate(0, 0, 1)
	save("idle-timeout/20260305T120000Z-bbbbbb", later)
	save(`<b>#?%"'/20260303T120000Z-cccccc`, hostileFixture(t))
	must(t, os.MkdirAll(filepath.Join(root, "broken", "20260101T000000Z-dddddd"), 0o755))
	must(t, os.WriteFile(filepath.Join(root, "broken", "20260101T000000Z-dddddd", result.FileName), []byte(`{"schema": 1`), 0o644))
	must(t, os.Symlink("20260304T120000Z-aaaaaa", filepath.Join(root, "smoke", "latest")))

	must(t, WriteIndex(root))
	page, err := os.ReadFile(filepath.Join(root, IndexFile))
	must(t, err)
	isSound(t, page)
	doc, err := html.Parse(bytes.NewReader(page))
	must(t, err)
	var links, rows []string
	elements(doc, func(n *html.Node) {
		switch {
		case n.Data == "a" && attr(n, "class") == "":
			links = append(links, attr(n, "href"))
		case n.Data == "tr":
			rows = append(rows, squeezed(text(n)))
		}
	})
	want := []string{"./idle-timeout/20260305T120000Z-bbbbbb/report.html", "./smoke/20260304T120000Z-aaaaaa/report.html"}
	if len(links) != 3 || !slices.Contains(links, want[0]) || !slices.Contains(links, want[1]) || len(rows) != 5 {
		t.Fatalf("links %q in %d rows", links, len(rows))
	}
	if !strings.HasPrefix(rows[1], "idle-timeout 2026-03-05 12:00:00 UTC ✗ FAIL") || !strings.Contains(rows[1], "closed after, p50") {
		t.Errorf("the first row is %q", rows[1])
	}
	if last := rows[4]; !strings.Contains(last, "UNREADABLE") || !strings.Contains(last, "broken") || strings.Contains(last, root) {
		t.Errorf("the last row is %q", last)
	}
	left, err := filepath.Glob(filepath.Join(root, ".index*"))
	if err != nil || len(left) > 0 {
		t.Errorf("left behind: %q %v", left, err)
	}
}

func TestIndexLeavesOtherPagesAlone(t *testing.T) {
	root := t.TempDir()
	path := filepath.Join(root, IndexFile)
	dir := filepath.Join(root, "smoke", "x")
	must(t, os.MkdirAll(dir, 0o755))
	must(t, result.Write(dir, load(t, "smoke")))

	must(t, RefreshIndex(dir))
	if _, err := os.Stat(path); err == nil {
		t.Error("a report made an index where there was none")
	}
	must(t, os.WriteFile(path, []byte("<h1>mine</h1>"), 0o644))
	if err := WriteIndex(root); err == nil || !strings.Contains(err.Error(), path) {
		t.Errorf("somebody's page: error %v, want one that names %s", err, path)
	}
	must(t, RefreshIndex(dir))
	if data, err := os.ReadFile(path); err != nil || string(data) != "<h1>mine</h1>" {
		t.Errorf("somebody's page became %q, %v", data, err)
	}
	must(t, os.Remove(path))
	must(t, WriteIndex(root))
	must(t, os.RemoveAll(filepath.Join(root, "smoke", "x", result.FileName)))
	must(t, result.Write(dir, load(t, "restart")))
	must(t, RefreshIndex(dir))
	if data, err := os.ReadFile(path); err != nil || !bytes.Contains(data, []byte("restart")) {
		t.Errorf("the index was not renewed: %v", err)
	}
	if err := WriteIndex(filepath.Join(root, "nowhere")); err == nil {
		t.Error("a results directory that does not exist has an index")
	}
}

// A proxy has one colour everywhere, its parameters or not.
func TestCellsHaveTheColourOfTheirProxy(t *testing.T) {
	for name, want := range map[string]string{
		"direct": "direct", "direct keepalive=none": "direct", "haproxy:x keepalive=a:b": "haproxy", "nginx:./my file.conf": "nginx", "envoy:x": "green",
	} {
		if got := inkOf(driverColour(name)); got != want {
			t.Errorf("%s is drawn in %q, want %q", name, got, want)
		}
	}
}

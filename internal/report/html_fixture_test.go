package report

import (
	"bytes"
	"fmt"
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
		id := fmt.Sprintf("haproxy:%d\u202e%s%s", i, markup, long[:800]) // Read takes no longer ones
		names[c.ID] = id
		c.ID, c.Proxy = id, id
		c.Params = map[string]string{markup: long, "\u2066b": markup}
		c.Declared = &result.Declared{IdleTimeout: 2, Directive: markup, Where: markup, Why: long}
		c.Config = []result.ConfigFile{{Name: strings.ReplaceAll(markup, "/", "\\"), SHA256: markup, Text: markup + "\n" + long + "\n", Original: fmt.Sprintf("%s\n%d\n\u202e\n", markup, i)}}
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
	runs := map[string]*result.Run{"hostile": hostileFixture(t), "empty": newFixture("empty", nil, nil), "configured": configuredFixture(t), "sides": sidedRun(t)}
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

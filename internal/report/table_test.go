package report

import (
	"bytes"
	"strings"
	"testing"

	"wsrig/internal/result"
)

func TestTextKeepsToTheWidth(t *testing.T) {
	for name := range fixtures {
		run := load(t, name)
		var b bytes.Buffer
		must(t, Text(&b, run, 0))
		for _, line := range strings.Split(b.String(), "\n") {
			if n := length(line); n > DefaultWidth {
				t.Errorf("%s: line of %d characters: %s", name, n, line)
			}
		}
	}
}

func TestTableWrapsOnlyWhereItMay(t *testing.T) {
	table := Table{
		Title:   "T",
		Columns: []Column{{Header: "key"}, {Header: "n", Right: true}, {Header: "prose", Wrap: true}},
		Rows:    [][]string{{"a b c", "1,000", "one two three four five six"}, {"d", "7", missing}},
		Notes:   []string{"a note that is too long for the line"},
	}
	var b bytes.Buffer
	must(t, table.writeText(&b, 28))
	want := `T
key        n  prose
-----  -----  --------------
a b c  1,000  one two three
              four five six
d          7  –
  a note that is too long
    for the line
`
	if b.String() != want {
		t.Errorf("got\n%s\nwant\n%s", b.String(), want)
	}
}

func TestHostileNamesDoNotReachTheTerminalOrBreakMarkdown(t *testing.T) {
	cell := result.Cell{ID: "x", Proxy: "haproxy:\x1b[31m|a_b|\n<img>", Trials: lossTrials(0)}
	result.Set(cell.Trials[0].Metrics, "delivery.sent", 1, 1)
	result.Aggregate(&cell)
	run := newFixture("x\x1b]0;y\a", []result.Cell{cell}, nil)
	run.Verdict = Verdict(run)
	var text, md bytes.Buffer
	must(t, Text(&text, run, 80))
	must(t, Markdown(&md, run))
	if strings.ContainsAny(text.String()+md.String(), "\x1b\a") {
		t.Errorf("control characters came through:\n%q\n%q", text.String(), md.String())
	}
	if want := `| haproxy:` + "�" + `\[31m\|a\_b\|` + "�" + `&lt;img&gt; | 1 |`; !strings.Contains(md.String(), want) {
		t.Errorf("no row %q in\n%s", want, md.String())
	}
}

func TestMissingFiguresSayWhy(t *testing.T) {
	trials := lossTrials(0, 0)
	for i := range trials {
		result.Set(trials[i].Metrics, "delivery.sent", 3, 3)
	}
	result.Set(trials[0].Metrics, "delivery.latency.p50", 0.001, 640)
	result.Set(trials[1].Metrics, "delivery.latency.p50", 0.001, 480)
	result.Set(trials[0].Metrics, "rate.achieved", 49, 3)
	run := checked(t, trials)
	var b bytes.Buffer
	must(t, Text(&b, run, 0))
	for _, want := range []string{
		"No p99 of delivery.latency where a trial has fewer than 1,000 samples; the fullest of those had 640.",
		"direct: rate.achieved has data in 1 of 2 trials, so it has no median.",
	} {
		if !strings.Contains(b.String(), want) {
			t.Errorf("no note %q in\n%s", want, b.String())
		}
	}
}

func TestIdleRowShowsTheSpreadOfUnlikeTrials(t *testing.T) {
	var trials []result.Trial
	for i, p50 := range []float64{2.0, 2.4} {
		m := map[string]result.Metric{}
		result.Set(m, "idle.clients", 1000, 1000)
		result.Set(m, "idle.survived", 0.9999-float64(i), 1000)
		for stat, v := range map[string]float64{"p50": p50, "min": p50 - 0.1, "max": p50 + 0.1} {
			result.Set(m, "idle.closed_after."+stat, v, 1000)
		}
		trials = append(trials, result.Trial{Index: i + 1, Metrics: m, Closes: []result.CloseGroup{
			{By: "proxy", Kind: "FIN", Cause: "idle timeout", Flags: "cD--", Count: 3},
			{By: "node", Kind: "close frame", Code: 1012, Cause: "drain", Count: 7 * i},
			{By: "client", Kind: "close frame", Code: 1000, Cause: "asked", Count: 90},
		}})
	}
	cell := result.Cell{ID: "direct", Proxy: "direct", Trials: trials}
	result.Aggregate(&cell)
	got := Tables(newFixture("x", []result.Cell{cell}, nil))[0].Rows[0]
	want := []string{"direct", "2.2 s (2..2.4 s)", "1.9..2.5 s", "1,000/2,000 (50 %)", "7 close frame 1012 by node (drain); 6 FIN by proxy (idle timeout, cD--)"}
	if strings.Join(got, "|") != strings.Join(want, "|") {
		t.Errorf("got  %q\nwant %q", got, want)
	}
}

package report

import (
	"bytes"
	"fmt"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
	"unicode/utf8"

	"wsrig/internal/result"
)

func readSummary(t *testing.T, run *result.Run, files map[string][]byte) {
	data := files["summary.md"]
	if len(data) > SummaryLimit {
		t.Errorf("%d bytes are more than GitHub takes", len(data))
	}
	var md bytes.Buffer
	must(t, Markdown(&md, run))
	if md.Len() <= SummaryLimit && !bytes.Equal(data, md.Bytes()) {
		t.Error("a report that fits is not taken as it is")
	}
	for _, limit := range []int{leastSummary, md.Len() / 2, md.Len() - 1} {
		if limit < leastSummary || limit >= md.Len() {
			continue
		}
		cut, err := summary(run, limit)
		must(t, err)
		if len(cut) > limit || !utf8.Valid(cut) {
			t.Errorf("a summary of at most %d bytes has %d, or is no UTF-8", limit, len(cut))
		}
		if text := string(cut); !strings.Contains(text, strings.ToUpper(run.Verdict.Status)) || !strings.Contains(text, "Left out, because GitHub takes at most 1048576 bytes") {
			t.Errorf("a summary cut to %d bytes lacks the verdict or does not say that it is cut:\n%s", limit, text)
		}
	}
}

// hugeRun has more cells than a summary holds.
func hugeRun(t *testing.T) *result.Run {
	run := load(t, "smoke")
	cell := run.Cells[0]
	for i := range 700 {
		cell.ID = fmt.Sprintf("copy %d %s", i, strings.Repeat("x", 400))
		cell.Proxy = cell.ID
		run.Cells = append(run.Cells, cell)
	}
	return run
}

func TestSummaryOfAHugeRunIsCutByWholeRows(t *testing.T) {
	run := hugeRun(t)
	var md bytes.Buffer
	must(t, Markdown(&md, run))
	if md.Len() <= SummaryLimit {
		t.Fatalf("the report has %d bytes only", md.Len())
	}
	data := exported(t, "summary", run)["summary.md"]
	if len(data) > SummaryLimit || len(data) < SummaryLimit/2 {
		t.Errorf("the summary has %d of %d bytes", len(data), SummaryLimit)
	}
	whole := map[string]bool{}
	for line := range strings.Lines(md.String()) {
		whole[line] = true
	}
	body, rest, ok := strings.Cut(string(data), "\n**Left out")
	if !ok || !regexp.MustCompile(`[0-9]+ of [0-9]+ rows of the table "`).MatchString(rest) || !strings.Contains(rest, `the table "Use of the machine"`) || !strings.Contains(rest, "report.md") {
		t.Errorf("the note on what is left out is %q", rest)
	}
	for line := range strings.Lines(body) {
		if !whole[line] {
			t.Fatalf("a line of the summary is in no report: %q", line)
		}
	}
}

func TestAppendSummaryKeepsTheWholeFileWithinTheLimit(t *testing.T) {
	run := hugeRun(t)
	path := filepath.Join(t.TempDir(), "summary")
	before := strings.Repeat("before\n", 100_000)
	must(t, os.WriteFile(path, []byte(before), 0o644))
	must(t, AppendSummary(run, path))
	data, err := os.ReadFile(path)
	must(t, err)
	if !strings.HasPrefix(string(data), before+"\n## smoke") || len(data) > SummaryLimit {
		t.Errorf("the file has %d bytes and begins its second part with %.40q", len(data), data[len(before):])
	}
	if err := AppendSummary(run, path); err == nil || !strings.Contains(err.Error(), path) || !strings.Contains(err.Error(), "in a step of its own") {
		t.Errorf("a full file: %v", err)
	}
	if again, err := os.ReadFile(path); err != nil || !bytes.Equal(again, data) {
		t.Errorf("a full file was changed (%v)", err)
	}
	if err := AppendSummary(run, filepath.Join(t.TempDir(), "absent", "summary")); err == nil {
		t.Error("a file in no folder was written")
	}
	fresh := filepath.Join(t.TempDir(), "fresh")
	must(t, AppendSummary(load(t, "smoke"), fresh))
	if data, err := os.ReadFile(fresh); err != nil || !strings.HasPrefix(string(data), "## smoke") {
		t.Errorf("a new file begins with %.40q (%v)", data, err)
	}
}

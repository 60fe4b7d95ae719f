package report

import (
	"bytes"
	"fmt"
	"os"
	"strings"

	"wsrig/internal/result"
)

// SummaryLimit is the most that GitHub takes as the summary of one step, in bytes. A
// larger one is dropped as a whole (GitHub Docs, "Workflow commands for GitHub
// Actions", step isolation and limits).
const SummaryLimit = 1 << 20

// leastSummary is the least room in bytes that a summary needs: the verdict, and what
// had to be left out.
const leastSummary = 4096

// restRoom is kept free in a cut summary for its last paragraph, in bytes.
const restRoom = 2048

func summaryFile(run *result.Run) ([]File, error) {
	data, err := summary(run, SummaryLimit)
	return []File{{"summary.md", data}}, err
}

// AppendSummary appends the summary of run to the file that GitHub shows as that of
// the step, and keeps the whole file below GitHub's limit.
func AppendSummary(run *result.Run, path string) error {
	f, err := os.OpenFile(path, os.O_APPEND|os.O_CREATE|os.O_WRONLY, 0o644)
	if err != nil {
		return fmt.Errorf("append the step summary: %w", err)
	}
	defer f.Close()
	info, err := f.Stat()
	if err != nil {
		return fmt.Errorf("append the step summary: %w", err)
	}
	before := ""
	if info.Size() > 0 {
		before = "\n" // so that a heading begins a line of its own
	}
	room := SummaryLimit - info.Size() - int64(len(before))
	if room < leastSummary {
		return fmt.Errorf("append the step summary: %s has %d of %d bytes already; append in a step of its own", path, info.Size(), SummaryLimit)
	}
	data, err := summary(run, int(room))
	if err != nil {
		return fmt.Errorf("append the step summary: %w", err)
	}
	if _, err := f.WriteString(before + string(data)); err != nil {
		return fmt.Errorf("append the step summary: %w", err)
	}
	if err := f.Close(); err != nil {
		return fmt.Errorf("append the step summary: %w", err)
	}
	return nil
}

// summary is report.md in at most limit bytes, which are at least leastSummary. What
// does not fit is left out by whole lines, and named at the end.
func summary(run *result.Run, limit int) ([]byte, error) {
	var whole bytes.Buffer
	if err := Markdown(&whole, run); err != nil {
		return nil, err
	}
	if whole.Len() <= limit {
		return whole.Bytes(), nil
	}
	b := bounded{limit: limit - restRoom}
	b.add(clip(fmt.Sprintf("## %s: %s", markdown(run.Scenario), strings.ToUpper(run.Verdict.Status)), 512) + "\n\n")
	b.addLines(run.Verdict.Reasons, "- ", "reasons")
	b.add("\n")
	b.addLines(setting(run), "", "lines on where it ran")
	for _, t := range Tables(run) {
		b.addTable(t)
	}
	rest := fmt.Sprintf("\n**Left out, because GitHub takes at most %d bytes a step:** %s. All of it is in report.md.\n", SummaryLimit, strings.Join(b.left, "; "))
	return append([]byte(b.text.String()), clip(rest, restRoom)...), nil
}

// bounded is a text of at most limit bytes that keeps account of what is left out.
type bounded struct {
	text  strings.Builder
	limit int
	left  []string
}

// add appends s if it fits.
func (b *bounded) add(s string) bool {
	if b.text.Len()+len(s) > b.limit {
		return false
	}
	b.text.WriteString(s)
	return true
}

// addLines appends as many lines as fit, each cut to a readable length.
func (b *bounded) addLines(lines []string, bullet, what string) {
	const most = 500
	left := 0
	for _, line := range lines {
		if left > 0 || !b.add(bullet+markdown(clip(line, most))+"\n") {
			left++
		}
	}
	if left > 0 {
		b.left = append(b.left, fmt.Sprintf("%d %s", left, what))
	}
}

// addTable appends t, or as many of its rows as fit, without its notes then.
func (b *bounded) addTable(t Table) {
	var whole strings.Builder
	if err := t.writeMarkdown(&whole); err == nil && b.add("\n"+whole.String()) { // a builder does not fail
		return
	}
	head := "\n" + t.markdownHead()
	rows := 0
	for i, row := range t.Rows {
		line := markdownRow(row)
		if i == 0 {
			line = head + line
		}
		if !b.add(line) {
			break
		}
		rows++
	}
	if rows == 0 {
		b.left = append(b.left, fmt.Sprintf("the table %q", t.Title))
		return
	}
	left := "the notes"
	if more := len(t.Rows) - rows; more > 0 {
		left = fmt.Sprintf("%d of %d rows", more, len(t.Rows))
	}
	b.left = append(b.left, fmt.Sprintf("%s of the table %q", left, t.Title))
}

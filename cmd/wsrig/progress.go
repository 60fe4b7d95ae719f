package main

import (
	"fmt"
	"io"
	"os"
	"sync"
	"time"

	"github.com/vbauerster/mpb/v8"
	"github.com/vbauerster/mpb/v8/decor"
	"golang.org/x/term"

	"wsrig/internal/report"
	"wsrig/internal/scenario"
	"wsrig/loadgen"
)

// terminal tells whether w is one, and how wide.
func terminal(w io.Writer) (width int, ok bool) {
	f, isFile := w.(*os.File)
	if !isFile || !term.IsTerminal(int(f.Fd())) {
		return 0, false
	}
	width, _, err := term.GetSize(int(f.Fd()))
	return width, err == nil && width > 0
}

func terminalWidth(w io.Writer) int {
	if width, ok := terminal(w); ok {
		return max(width, 80)
	}
	return report.DefaultWidth
}

// progress shows steps: as bars on a terminal, as a line each elsewhere.
type progress interface {
	scenario.ProgressReporter
	// Close ends the display; what is printed after it stands below it.
	Close()
}

func newProgress(w io.Writer, trials int) progress {
	if _, ok := terminal(w); ok && os.Getenv("TERM") != "dumb" {
		return &bars{mpb: mpb.New(mpb.WithOutput(w), mpb.WithRefreshRate(120*time.Millisecond)), trials: trials}
	}
	return &lines{w: w, trials: trials, start: time.Now()}
}

// label names a trial of a cell; the trial only where there are several.
func label(cell string, trial, trials int) string {
	if trials > 1 {
		return fmt.Sprintf("%s [%d/%d]", cell, trial, trials)
	}
	return cell
}

// bars are mpb progress bars.
type bars struct {
	mpb    *mpb.Progress
	trials int
}

// Step implements scenario.ProgressReporter.
func (b *bars) Step(cell string, trial int, text string) scenario.ProgressBar {
	one := &bar{}
	one.bar = b.mpb.AddBar(0,
		mpb.BarRemoveOnComplete(),
		mpb.PrependDecorators(
			decor.Name(label(cell, trial, b.trials), decor.WC{W: 52, C: decor.DindentRight}),
			decor.Name(text, decor.WC{W: 36, C: decor.DindentRight}),
		),
		mpb.AppendDecorators(decor.Percentage(decor.WC{W: 5}), decor.Any(func(decor.Statistics) string { return one.open() })),
	)
	return one
}

// Close implements progress.
func (b *bars) Close() { b.mpb.Shutdown() }

type bar struct {
	bar *mpb.Bar
	mu  sync.Mutex
	now loadgen.Progress
}

func (b *bar) open() string {
	b.mu.Lock()
	defer b.mu.Unlock()
	if b.now.Open == 0 {
		return ""
	}
	return fmt.Sprintf("  %d open", b.now.Open)
}

// Set implements scenario.ProgressBar.
func (b *bar) Set(p loadgen.Progress) {
	b.mu.Lock()
	b.now = p
	b.mu.Unlock()
	b.bar.SetTotal(int64(p.Total), false)
	b.bar.SetCurrent(int64(p.Done))
}

// End implements scenario.ProgressBar.
func (b *bar) End(error) { b.bar.Abort(true) }

// lines are for logs: one when a step ends.
type lines struct {
	mu     sync.Mutex
	w      io.Writer
	trials int
	start  time.Time
}

// Step implements scenario.ProgressReporter.
func (l *lines) Step(cell string, trial int, text string) scenario.ProgressBar {
	return &line{lines: l, text: label(cell, trial, l.trials) + ": " + text, began: time.Now()}
}

// Close implements progress.
func (l *lines) Close() {}

type line struct {
	lines *lines
	text  string
	began time.Time
	mu    sync.Mutex
	now   loadgen.Progress
}

// Set implements scenario.ProgressBar.
func (l *line) Set(p loadgen.Progress) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.now = p
}

// End implements scenario.ProgressBar.
func (l *line) End(err error) {
	l.mu.Lock()
	open := l.now.Open
	l.mu.Unlock()
	l.lines.mu.Lock()
	defer l.lines.mu.Unlock()
	end := fmt.Sprintf("%.1f s", time.Since(l.began).Seconds())
	if open > 0 {
		end += fmt.Sprintf(", %d open", open)
	}
	if err != nil {
		end = "failed: " + err.Error()
	}
	fmt.Fprintf(l.lines.w, "[%5.1fs] %s: %s\n", time.Since(l.lines.start).Seconds(), l.text, end)
}

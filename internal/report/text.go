package report

import (
	"fmt"
	"io"
	"maps"
	"slices"
	"strings"

	"wsrig/internal/result"
)

// DefaultWidth is the width of text reports, in characters, where no terminal says
// otherwise.
const DefaultWidth = 140

// document is what a report for people consists of, whatever it is about.
type document struct {
	title, heading string   // first line of the text, and of the Markdown
	reasons        []string // of the verdict
	setting        []string // a line each
	tables         []Table
}

// Text writes run for people as plain text: the verdict with its reasons first,
// then one table for each kind of measurement that has data. Lines keep to width
// characters where the figures allow it; 0 stands for DefaultWidth.
func Text(w io.Writer, run *result.Run, width int) error { return documentOf(run).text(w, width) }

// Markdown writes the same as Text in GitHub Flavored Markdown.
func Markdown(w io.Writer, run *result.Run) error { return documentOf(run).markdown(w) }

func documentOf(run *result.Run) document {
	status := strings.ToUpper(run.Verdict.Status)
	return document{
		title:   status + ": " + printable(run.Scenario),
		heading: markdown(run.Scenario) + ": " + status,
		reasons: run.Verdict.Reasons, setting: setting(run), tables: Tables(run),
	}
}

func (d document) text(w io.Writer, width int) error {
	if width <= 0 {
		width = DefaultWidth
	}
	var b strings.Builder
	b.WriteString(d.title + "\n")
	for _, reason := range d.reasons {
		writeWrapped(&b, "  - "+printable(reason), "    ", width)
	}
	b.WriteString("\n")
	for _, line := range d.setting {
		writeWrapped(&b, printable(line), "  ", width)
	}
	return d.write(w, b.String(), func(t Table) error { return t.writeText(w, width) })
}

func (d document) markdown(w io.Writer) error {
	var b strings.Builder
	fmt.Fprintf(&b, "## %s\n\n", d.heading)
	for _, reason := range d.reasons {
		fmt.Fprintf(&b, "- %s\n", markdown(reason))
	}
	if len(d.reasons) > 0 {
		b.WriteString("\n")
	}
	for _, line := range d.setting {
		b.WriteString(markdown(line) + "\n")
	}
	return d.write(w, b.String(), func(t Table) error { return t.writeMarkdown(w) })
}

// write writes what goes before the tables, and each of them behind a blank line.
func (d document) write(w io.Writer, head string, table func(Table) error) error {
	if _, err := io.WriteString(w, head); err != nil {
		return err
	}
	for _, t := range d.tables {
		if _, err := io.WriteString(w, "\n"); err != nil {
			return err
		}
		if err := table(t); err != nil {
			return err
		}
	}
	return nil
}

// setting says what was run, where, and how fine its latencies can be, a line each.
func setting(run *result.Run) []string {
	env := run.Environment
	what := fmt.Sprintf("%s, %s, %s.", plural(len(run.Cells), "cell", "cells"), trialCount(run), judged(run.Checks))
	var where []string
	if env.Runtime != "" {
		where = append(where, env.Runtime+" runtime")
	}
	if env.Bus != "" {
		where = append(where, env.Bus+" bus")
	}
	for _, name := range slices.Sorted(maps.Keys(env.Versions)) {
		where = append(where, name+" "+env.Versions[name])
	}
	if env.Kernel != "" {
		where = append(where, strings.TrimSpace(env.OS+" "+env.Kernel))
	}
	if env.Cores > 0 {
		where = append(where, plural(env.Cores, "core", "cores"))
	}
	if env.Memory > 0 {
		where = append(where, result.Format(float64(env.Memory), "bytes"))
	}
	lines := []string{what}
	if base, head := env.Sides[result.SideBase], env.Sides[result.SideHead]; base != "" && head != "" {
		lines = append(lines, fmt.Sprintf("Base is %s, head is %s. The verdict is that of their comparison.", base, head))
	}
	if len(where) > 0 {
		lines = append(lines, "On: "+strings.Join(where, ", ")+".")
	}
	if n := env.SelfNoise; n != nil {
		lines = append(lines, fmt.Sprintf("Self-noise: a WebSocket echo through the load generator took %s, %s more than a bare TCP round trip (p50, n=%d at %s).",
			result.Format(n.Echo.P50, "s"), result.Format(n.AddedP50, "s"), n.Echo.N, result.Format(n.Echo.Rate, "/s")))
	}
	return append(lines, otherNodes(run)...)
}

// otherNodes says which cells had nodes of another make, and what is not known of them.
func otherNodes(run *result.Run) []string {
	var commands []string
	cells := map[string]int{}
	for _, c := range run.Cells {
		if command := strings.Join(c.NodeCmd, " "); command != "" {
			if cells[command]++; cells[command] == 1 {
				commands = append(commands, command)
			}
		}
	}
	var lines []string
	for _, command := range commands {
		lines = append(lines, fmt.Sprintf("Nodes of %d of %s: %s. Such nodes do not tell how many clients they hold, when they passed a message on, or why a connection ended: that is left out.",
			cells[command], plural(len(run.Cells), "cell", "cells"), command))
	}
	return lines
}

func trialCount(run *result.Run) string {
	lo, hi := 0, 0
	for i, c := range run.Cells {
		if i == 0 {
			lo = len(c.Trials)
		}
		lo, hi = min(lo, len(c.Trials)), max(hi, len(c.Trials))
	}
	if lo == hi {
		return plural(hi, "trial each", "trials each")
	}
	return fmt.Sprintf("%d to %d trials each", lo, hi)
}

func judged(checks []result.Check) string {
	var ok, failed, open, nowhere int
	for _, c := range checks {
		switch {
		case c.Got == appliesNowhere:
			nowhere++
		case c.OK == nil:
			open++
		case *c.OK:
			ok++
		default:
			failed++
		}
	}
	text := fmt.Sprintf("%s: %d hold, %d failed, %d could not be judged", plural(len(checks), "check", "checks"), ok, failed, open)
	if nowhere > 0 {
		text += fmt.Sprintf(", %d applied to no cell", nowhere)
	}
	return text
}

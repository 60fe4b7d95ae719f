package report

import (
	"fmt"
	"io"
	"maps"
	"slices"
	"strconv"
	"strings"
	"unicode"

	"wsrig/internal/result"
)

// benchUnits are the units of metrics in the words of the Go benchmark format, which
// benchstat scales: sec, and B for bytes (golang.org/x/perf/benchunit).
var benchUnits = map[string]string{
	"s":      "-sec",
	"count":  "-count",
	"ratio":  "-ratio",
	"bytes":  "-B",
	"/s":     "/s",
	"cores":  "-cores",
	"B/conn": "-B/conn",
}

// benchLine is the longest line that is written, in bytes. The format's reader stops
// at lines of 64 KiB.
const benchLine = 32 << 10

// writeGoBench writes a run in the Go benchmark data format (Go proposal 14313): a line
// for each conclusive trial of each cell, all lines of a cell with one name, so that
// benchstat takes the trials for the samples they are. Inconclusive trials prove
// nothing and are left out; a line that is no result says so.
func writeGoBench(w io.Writer, run *result.Run) error {
	var b strings.Builder
	for _, line := range benchConfig(run) {
		b.WriteString(line + "\n")
	}
	units := benchMetricUnits(run)
	for _, metric := range slices.Sorted(maps.Keys(units)) {
		if u := units[metric]; u.better == "lower" || u.better == "higher" {
			fmt.Fprintf(&b, "Unit %s better=%s\n", u.name, u.better)
		}
	}
	names := distinct{}
	for i := range run.Cells {
		c := &run.Cells[i]
		name := names.name(benchName(run.Scenario, c))
		for _, t := range c.Trials {
			if len(t.Inconclusive) > 0 {
				why := clip(printable(strings.Join(t.Inconclusive, "; ")), 500)
				fmt.Fprintf(&b, "# %s: trial %d is left out, it is inconclusive: %s\n", printable(c.ID), t.Index, why)
				continue
			}
			for _, line := range benchLines(fmt.Sprintf("%s-%d", name, max(1, run.Environment.Cores)), &t, units) {
				b.WriteString(line + "\n")
			}
		}
	}
	_, err := io.WriteString(w, b.String())
	return err
}

// benchConfig are the lines of configuration: benchstat shows results side by side
// only where they are the same. The version of wsrig is not among them, since two
// versions of it are what a comparison may be about.
func benchConfig(run *result.Run) []string {
	env := run.Environment
	lines := []string{"pkg: wsrig/" + clip(benchWord(run.Scenario), 200)}
	add := func(key, value string) {
		if value = strings.TrimSpace(clip(printable(value), 500)); value != "" {
			lines = append(lines, key+": "+value)
		}
	}
	add("os", env.OS)
	add("kernel", env.Kernel)
	add("cpu", env.CPU)
	add("runtime", env.Runtime)
	add("bus", env.Bus)
	keys := distinct{}
	for _, program := range slices.Sorted(maps.Keys(env.Versions)) {
		key := strings.ReplaceAll(strings.ToLower(benchWord(clip(program, 100))), ":", "_")
		add(keys.name("version-"+key), env.Versions[program])
	}
	return lines
}

// benchUnit is a metric as a unit of the format.
type benchUnit struct{ name, better string }

// benchMetricUnits names every metric of a run. A name stands for one unit and one
// direction, as the format wants it.
func benchMetricUnits(run *result.Run) map[string]benchUnit {
	metrics := map[string]result.Metric{}
	for _, c := range run.Cells {
		for _, t := range c.Trials {
			for name, m := range t.Metrics {
				if _, ok := metrics[name]; !ok {
					metrics[name] = m
				}
			}
		}
	}
	units, names := map[string]benchUnit{}, distinct{}
	for _, name := range slices.Sorted(maps.Keys(metrics)) {
		m := metrics[name]
		suffix, ok := benchUnits[m.Unit]
		if !ok {
			suffix = "-" + benchWord(clip(m.Unit, 20))
		}
		units[name] = benchUnit{names.name(benchWord(clip(name, 200)) + suffix), m.Better}
	}
	return units
}

// benchLines is a trial as one line, or as several of the same name where one would
// be too long for a reader.
func benchLines(name string, t *result.Trial, units map[string]benchUnit) []string {
	var lines []string
	line := ""
	for _, metric := range slices.Sorted(maps.Keys(t.Metrics)) {
		if line == "" {
			line = name + "\t1"
		}
		line += "\t" + strconv.FormatFloat(t.Metrics[metric].Value, 'g', -1, 64) + " " + units[metric].name
		if len(line) > benchLine {
			lines, line = append(lines, line), ""
		}
	}
	if line != "" {
		lines = append(lines, line)
	}
	return lines
}

// benchName is the name of a cell by the rules of Go benchmarks: "Benchmark" and what
// does not begin with a lower-case letter, then parts of the form /key=value. A number
// at the end would be taken for the processors; the caller adds those, so there is
// none.
func benchName(scenario string, c *result.Cell) string {
	base := ""
	for word := range strings.FieldsFuncSeq(scenario, func(r rune) bool { return !unicode.IsLetter(r) && !unicode.IsDigit(r) }) {
		first, rest := []rune(word)[0], []rune(word)[1:]
		base += string(unicode.ToUpper(first)) + string(rest)
	}
	if base == "" || unicode.IsLower([]rune(base)[0]) { // some letters have no upper case
		base = "_" + base
	}
	name := "Benchmark" + clip(base, 200) + "/proxy=" + benchWord(c.Proxy)
	for _, param := range slices.Sorted(maps.Keys(c.Params)) {
		name += "/" + strings.ReplaceAll(benchWord(param), "=", "_") + "=" + benchWord(c.Params[param])
	}
	return clip(name, 2000)
}

// benchWord replaces what may not stand in a word of the format: space, which ends it,
// a slash, which begins the next part of a name, and what cannot be printed.
func benchWord(s string) string {
	word := strings.Map(func(r rune) rune {
		if unicode.IsSpace(r) || r == '/' || !unicode.IsPrint(r) {
			return '_'
		}
		return r
	}, s)
	if word == "" {
		return "_"
	}
	return word
}

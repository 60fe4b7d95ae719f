package report

import (
	"bytes"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"slices"
	"strings"

	"wsrig/internal/result"
)

// Format is one form that a run can be written in.
type Format struct {
	Name  string
	Files string // what it writes, for people
	Doc   string
	// Default formats are written with every result.
	Default bool
	// render makes the files. It neither changes the run nor asks the machine.
	render func(*result.Run) ([]File, error)
}

// File is one file of a format.
type File struct {
	Name string // below the folder that it is written to
	Data []byte
}

// Formats is every format, in the order in which they are listed. Names of files are
// fixed here or in the table of plots, never taken from a run.
var Formats = []Format{
	{"text", "report.txt", "tables for people, as printed", true, writerFile("report.txt", func(w io.Writer, run *result.Run) error { return Text(w, run, DefaultWidth) })},
	{"md", "report.md", "the same tables in GitHub Flavored Markdown", true, writerFile("report.md", Markdown)},
	{"html", HTMLFile, "a page that holds all of it: tables, plots, timelines, configurations, environment", true, writerFile(HTMLFile, HTML)},
	{"plots", "plots/*.svg, plots/*.png", "the plots that the run has data for", true, plotFiles},
	{"comparison", comparisonFile + ".html, " + comparisonFile + ".txt, " + comparisonFile + ".md, " + comparisonFile + ".json", "base against head, of a run of wsrig regress", true, comparisonFiles},
	{"junit", "junit.xml", "JUnit XML: a suite a cell, a test case a check and a trial", false, writerFile("junit.xml", writeJUnit)},
	{"summary", "summary.md", "report.md, cut to what a GitHub step summary takes (1 MiB)", false, summaryFile},
	{"go-bench", "bench.txt", "Go benchmark format, for benchstat: a line a cell and trial", false, writerFile("bench.txt", writeGoBench)},
	{"action", "benchmark-bigger.json, benchmark-smaller.json", "github-action-benchmark: customBiggerIsBetter and customSmallerIsBetter", false, actionFiles},
	{"bmf", "bmf.json", "Bencher Metric Format", false, writerFile("bmf.json", writeBMF)},
	{"csv", "intervals.csv", "a row a second of each trial: rates, clients, deliveries, latency (RFC 4180)", false, writerFile("intervals.csv", writeCSV)},
	{"hlog", "histograms.hlog", "HdrHistogram log 1.3: a tagged histogram a cell, trial and metric", false, writerFile("histograms.hlog", writeHistogramLog)},
}

// writerFile is a format of one file, from a function that writes it.
func writerFile(name string, write func(io.Writer, *result.Run) error) func(*result.Run) ([]File, error) {
	return func(run *result.Run) ([]File, error) {
		var b bytes.Buffer
		if err := write(&b, run); err != nil {
			return nil, err
		}
		return []File{{name, b.Bytes()}}, nil
	}
}

// DefaultFormats are those that are written with every result.
func DefaultFormats() []Format {
	return slices.DeleteFunc(slices.Clone(Formats), func(f Format) bool { return !f.Default })
}

// FindFormats looks formats up by name, each once. The error of an unknown one lists
// them all.
func FindFormats(names []string) ([]Format, error) {
	all := make([]string, len(Formats))
	for i, f := range Formats {
		all[i] = f.Name
	}
	var found []Format
	for _, name := range names {
		i := slices.Index(all, name)
		if i < 0 {
			return nil, fmt.Errorf("unknown format %q%s (one of %s)", name, result.DidYouMean(name, all), strings.Join(all, ", "))
		}
		if !slices.ContainsFunc(found, func(f Format) bool { return f.Name == name }) {
			found = append(found, Formats[i])
		}
	}
	if len(found) == 0 {
		return nil, fmt.Errorf("no format is named; name one or more of %s", strings.Join(all, ", "))
	}
	return found, nil
}

// WriteFormats writes run into dir, which is made if need be, in each of the formats,
// and returns the paths of the files, in order. Plots of an earlier report that the
// run has no data for are removed.
func WriteFormats(run *result.Run, dir string, formats []Format) ([]string, error) {
	var paths []string
	for _, f := range formats {
		files, err := f.render(run)
		if err != nil {
			return paths, fmt.Errorf("write report: %s: %w", f.Name, err)
		}
		if f.Name == "plots" {
			if err := removePlots(dir); err != nil {
				return paths, err
			}
		}
		written, err := writeFiles(dir, files)
		paths = append(paths, written...)
		if err != nil {
			return paths, fmt.Errorf("write report: %s: %w", f.Name, err)
		}
	}
	return paths, nil
}

// WriteTo writes run to w in a format. One that has several files is an error, before
// anything is written.
func (f Format) WriteTo(w io.Writer, run *result.Run) error {
	files, err := f.render(run)
	if err != nil {
		return fmt.Errorf("write %s: %w", f.Name, err)
	}
	if len(files) != 1 {
		return fmt.Errorf("write %s: it has %d files (%s), which are no one stream; write them to a folder", f.Name, len(files), f.Files)
	}
	if _, err := w.Write(files[0].Data); err != nil {
		return fmt.Errorf("write %s: %w", f.Name, err)
	}
	return nil
}

// writeFiles writes files below dir and returns their paths.
func writeFiles(dir string, files []File) ([]string, error) {
	paths := make([]string, 0, len(files))
	for _, f := range files {
		path := filepath.Join(dir, f.Name)
		if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil {
			return paths, err
		}
		if err := os.WriteFile(path, f.Data, 0o644); err != nil {
			return paths, err
		}
		paths = append(paths, path)
	}
	return paths, nil
}

// distinct makes names different from each other the way Go's testing package does:
// the second "a" is "a#01". Names of a run are, but formats take fewer characters.
type distinct map[string]bool

func (d distinct) name(s string) string {
	name := s
	for n := 1; d[name]; n++ {
		name = fmt.Sprintf("%s#%02d", s, n)
	}
	d[name] = true
	return name
}

// clip cuts s to at most n bytes, at a character's end.
func clip(s string, n int) string {
	if len(s) <= n {
		return s
	}
	const dots = "..."
	return strings.ToValidUTF8(s[:max(0, n-len(dots))], "") + dots
}

// extremes are the least and the greatest value of a metric over trials. ok is false
// where none has it.
func extremes(trials []*result.Trial, metric string) (least, greatest float64, ok bool) {
	for _, t := range trials {
		m, has := t.Metrics[metric]
		if !has {
			continue
		}
		if !ok {
			least, greatest, ok = m.Value, m.Value, true
		}
		least, greatest = min(least, m.Value), max(greatest, m.Value)
	}
	return least, greatest, ok
}

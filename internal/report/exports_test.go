package report

import (
	"bytes"
	"encoding/json"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"wsrig/internal/result"
)

// readers check the files of each export with a reader of that format: whatever the
// run, they can be read, and hold what the run holds.
var readers = map[string]func(t *testing.T, run *result.Run, files map[string][]byte){
	"comparison": readComparison,

	"junit":    readJUnit,
	"summary":  readSummary,
	"go-bench": readGoBench,
	"action":   readAction,
	"bmf":      readBMF,
	"csv":      readCSV,
	"hlog":     readHistogramLog,
}

// hostile has what each format takes for its own: quotes, tags, separators, ends of
// lines, escape sequences, and numbers where a format adds one.
const hostile = "\"q\" 'a', <b>|&amp;]]>\r\nBenchmarkFake 1 2 sec/op\nUnit x better=lower\u2028\x00\x1b[31m\t=1+1 %2C #01 ü a/b ../../../up -5"

// hostileRun has hostile names everywhere.
func hostileRun(t *testing.T) *result.Run {
	t.Helper()
	run := load(t, "smoke")
	clone(t, run)
	run.Scenario = hostile
	run.Environment.CPU, run.Environment.Versions = hostile, map[string]string{hostile: hostile, hostile + "\n": "1"}
	for i := range run.Cells {
		c := &run.Cells[i]
		id := c.ID + hostile
		for j := range run.Checks {
			if run.Checks[j].Cell == c.ID {
				run.Checks[j].Cell, run.Checks[j].Expr, run.Checks[j].Got = id, hostile, hostile
			}
		}
		c.ID, c.Proxy, c.Params = id, hostile, map[string]string{hostile: hostile, hostile + "/": ""}
		for j := range c.Trials {
			tr := &c.Trials[j]
			tr.Metrics[hostile] = result.Metric{Value: 1e300, Unit: hostile, Better: "lower", N: 1}
			tr.Metrics[hostile+" "] = result.Metric{Value: -1e-300, Unit: "", Better: "higher", N: 1}
			tr.Histograms[hostile] = tr.Histograms["delivery.latency"]
		}
		result.Aggregate(c)
	}
	// Cells that are the same in formats that take fewer characters.
	twin := run.Cells[0]
	twin.ID = strings.Replace(twin.ID, "\x1b", "\x1a", 1)
	run.Cells = append(run.Cells, twin)
	return run
}

// clone makes run its own by way of its file.
func clone(t *testing.T, run *result.Run) {
	t.Helper()
	dir := t.TempDir()
	must(t, result.Write(dir, run))
	again, err := result.Read(dir)
	must(t, err)
	*run = *again
}

// exportRuns are runs of every kind.
func exportRuns(t *testing.T) map[string]*result.Run {
	runs := map[string]*result.Run{"hostile": hostileRun(t)}
	for name := range fixtures {
		runs[name] = load(t, name)
	}
	empty := &result.Run{Schema: result.Schema, Scenario: "x"}
	empty.Verdict = Verdict(empty)
	bare := newFixture("bare", []result.Cell{{ID: "a", Proxy: "direct"}, {ID: "b", Proxy: "direct", Trials: []result.Trial{{Index: 1}}}}, nil)
	bare.Verdict = Verdict(bare)
	down := newFixture("down", nil, nil)
	down.Verdict = result.Verdict{Status: result.Error, Reasons: []string{"redis-server ended with exit status 1"}}
	open := load(t, "smoke")
	clone(t, open)
	for i := range open.Cells {
		inconclusive(open.Cells[i].Trials, 1, 2, 3)
		result.Aggregate(&open.Cells[i])
	}
	must(t, Check(open, []string{"delivery.lost == 0"}))
	open.Verdict = Verdict(open)
	ancient := newFixture("ancient", []result.Cell{{ID: "a", Trials: []result.Trial{{Index: 1, Duration: 1, Histograms: open.Cells[0].Trials[0].Histograms}}}}, nil)
	ancient.Environment.Started = time.Date(1, 1, 1, 0, 0, 0, 0, time.UTC)
	ancient.Verdict = Verdict(ancient)
	runs["sides"] = sidedRun(t)
	for name, run := range map[string]*result.Run{"empty": empty, "bare": bare, "down": down, "inconclusive": open, "ancient": ancient} {
		clone(t, run)
		runs[name] = run
	}
	return runs
}

// exported renders one format, by file name.
func exported(t *testing.T, format string, run *result.Run) map[string][]byte {
	t.Helper()
	files, err := formatOf(t, format).render(run)
	must(t, err)
	out := map[string][]byte{}
	for _, f := range files {
		out[f.Name] = f.Data
	}
	return out
}

func formatOf(t *testing.T, name string) Format {
	t.Helper()
	found, err := FindFormats([]string{name})
	must(t, err)
	return found[0]
}

func TestExportsAreReadBack(t *testing.T) {
	for _, f := range Formats {
		if !f.Default && readers[f.Name] == nil {
			t.Errorf("the format %s has no reader here", f.Name)
		}
	}
	for name, run := range exportRuns(t) {
		before, err := json.Marshal(run)
		must(t, err)
		for format, read := range readers {
			t.Run(name+"/"+format, func(t *testing.T) { read(t, run, exported(t, format, run)) })
		}
		if after, err := json.Marshal(run); err != nil || !bytes.Equal(before, after) {
			t.Errorf("%s: an export changed the run (%v)", name, err)
		}
	}
}

func TestFormatsWriteTheFilesTheyName(t *testing.T) {
	run := hostileRun(t) // names of cells do not lead out of the folder
	sides := sidedRun(t)
	top := t.TempDir()
	dir := filepath.Join(top, "made", "on the way")
	for _, f := range Formats {
		of := run
		if f.Name == "comparison" {
			of = sides // others have none
		}
		paths, err := WriteFormats(of, dir, []Format{f})
		must(t, err)
		if len(paths) == 0 {
			t.Errorf("%s wrote nothing", f.Name)
		}
		for _, path := range paths {
			rel, err := filepath.Rel(dir, path)
			must(t, err)
			named := slices.ContainsFunc(strings.Split(f.Files, ", "), func(pattern string) bool {
				ok, err := filepath.Match(pattern, rel)
				must(t, err)
				return ok
			})
			if info, err := os.Stat(path); !named || err != nil || info.Size() == 0 {
				t.Errorf("%s wrote %s (%v), which is empty or none of %s", f.Name, rel, err, f.Files)
			}
		}
	}
	for path := range files(t, top) {
		if rel, err := filepath.Rel(filepath.Join("made", "on the way"), path); err != nil || !filepath.IsLocal(rel) {
			t.Errorf("%s is outside of the folder asked for", path)
		}
	}
}

func TestFindFormats(t *testing.T) {
	found, err := FindFormats([]string{"csv", "junit", "csv"})
	if err != nil || len(found) != 2 || found[0].Name != "csv" || found[1].Name != "junit" {
		t.Errorf("found %+v, %v", found, err)
	}
	for name, want := range map[string]string{"junti": `unknown format "junti"; did you mean "junit"? (one of text, md, html, plots, comparison, junit,`, "": `unknown format ""`} {
		if _, err := FindFormats([]string{name}); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("format %q: error %v, want one with %s", name, err, want)
		}
	}
	if _, err := FindFormats(nil); err == nil || !strings.Contains(err.Error(), "no format is named") {
		t.Errorf("no format: %v", err)
	}
}

func TestOnlyOneFileGoesToAStream(t *testing.T) {
	run := sidedRun(t)
	for _, f := range Formats {
		var b bytes.Buffer
		err := f.WriteTo(&b, run)
		several := strings.Contains(f.Files, ",")
		if several != (err != nil) || several != (b.Len() == 0) {
			t.Errorf("%s: %d bytes, %v", f.Name, b.Len(), err)
		}
	}
}

func TestClipCutsAtCharacters(t *testing.T) {
	for _, row := range []struct {
		s    string
		n    int
		want string
	}{{"abc", 3, "abc"}, {"abcd", 3, "..."}, {"abcdef", 5, "ab..."}, {"üüü", 5, "ü..."}, {"üüüü", 6, "ü..."}} {
		if got := clip(row.s, row.n); got != row.want {
			t.Errorf("clip(%q, %d) = %q, want %q", row.s, row.n, got, row.want)
		}
	}
}

package report

import (
	"errors"
	"io"
	"math"
	"os"
	"path/filepath"
	"testing"

	"wsrig/internal/result"
)

func TestNoDataNoPlotNoError(t *testing.T) {
	dir := t.TempDir()
	for name, run := range map[string]*result.Run{
		"no cells":  newFixture("x", nil, nil),
		"no trials": newFixture("x", []result.Cell{{ID: "direct", Proxy: "direct"}}, nil),
		"no clients": newFixture("x", []result.Cell{{ID: "direct", Proxy: "direct", Trials: []result.Trial{{
			Index: 1, Metrics: map[string]result.Metric{"idle.clients": {Unit: "count"}}, Intervals: []result.Interval{{}},
		}}}}, nil),
	} {
		paths, err := Plot(run, dir)
		if err != nil || len(paths) != 0 {
			t.Errorf("%s: wrote %q, error %v", name, paths, err)
		}
	}
	if _, err := os.Stat(filepath.Join(dir, PlotDir)); !errors.Is(err, os.ErrNotExist) {
		t.Errorf("a folder without plots was made: %v", err)
	}
}

func TestSurvivalCurveCountsEveryCloseAndTheWatch(t *testing.T) {
	run := load(t, "idle-timeout")
	for _, row := range []struct {
		id         string
		n          int64
		left, last float64 // share at the end, and when that is
	}{
		{"haproxy:short-tunnel keepalive=none", 400, 0, idleWatch},
		{"direct keepalive=none", 400, 1, idleWatch},
	} {
		for i := range run.Cells {
			if run.Cells[i].ID != row.id {
				continue
			}
			s, err := survivalOf(run, &run.Cells[i])
			must(t, err)
			end := s.points[len(s.points)-1]
			if s.n != row.n || end.Y != row.left || end.X != row.last {
				t.Errorf("%s: n %d, ends at %v; want n %d, share %g at %g s", row.id, s.n, end, row.n, row.left, row.last)
			}
		}
	}
}

func TestPercentileCurveEndsWhereSamplesEnd(t *testing.T) {
	h := result.NewHDR()
	for v := int64(1); v <= 1000; v++ {
		must(t, h.RecordValue(v*1000))
	}
	points := percentilePoints(h, 1e-9)
	end := points[len(points)-1]
	if quantile := 1 - math.Pow(10, -end.X); quantile > 0.9901 || quantile < 0.98 {
		t.Errorf("the curve of 1,000 samples ends at %g, want just below 0.99", quantile)
	}
	for i := 1; i < len(points); i++ {
		if points[i].X <= points[i-1].X || points[i].Y < points[i-1].Y {
			t.Fatalf("point %d %v does not follow %v", i, points[i], points[i-1])
		}
	}
}

func TestAxesLabelRoundValues(t *testing.T) {
	for _, row := range []struct {
		sentence string
		lo, hi   float64
		want     string
	}{
		{"a range from 0 starts at 0, not -0", 0, 8, "0 2 4 6 8 "},
		{"a range below 0 keeps its sign", -3, 2, "-3 -2 -1 0 1 2 "},
		{"small ranges", 0, 0.25, "0 0.05 0.1 0.15 0.2 0.25 "},
		{"an empty range has no ticks", 5, 5, ""},
	} {
		got := ""
		for _, tick := range (roundTicks{}).Ticks(row.lo, row.hi) {
			got += tick.Label + " "
		}
		if got != row.want {
			t.Errorf("%s: ticks %q, want %q", row.sentence, got, row.want)
		}
	}
	got := ""
	for _, tick := range (durationTicks{}).Ticks(200e-6, 2e-3) {
		got += tick.Label + " "
	}
	if want := "200 µs 500 µs 1 ms 2 ms "; got != want {
		t.Errorf("ticks of durations %q, want %q", got, want)
	}
	for _, r := range [][2]float64{{1e-3, 1e-3}, {3e-4, 7e-4}, {least, least}} {
		if lo, hi := decade(r[0], r[1]); !(0 < lo && lo <= r[0]*(1+1e-9) && r[1] <= hi*(1+1e-9) && lo < hi) {
			t.Errorf("decade(%g, %g) = %g, %g", r[0], r[1], lo, hi)
		}
	}
}

func TestCrowdedPlotsBecomeSeveralFigures(t *testing.T) {
	run := load(t, "smoke")
	for i := 0; len(run.Cells) < 14; i++ {
		c := run.Cells[0]
		c.ID += " copy " + string(rune('a'+i))
		run.Cells = append(run.Cells, c)
	}
	figures, err := connectionFigures(run)
	must(t, err)
	if len(figures) != 2 || len(figures[0].panels) != maxPanels || len(figures[1].panels) != 2 {
		t.Fatalf("14 cells came out as %d figures", len(figures))
	}
}

// smallRun is the run.json of one cell that is in every table and every plot. The
// fixtures are too large for a fuzzer to get anywhere.
func smallRun(f *testing.F) []byte {
	h := result.NewHDR()
	if err := h.RecordValues(2000, 40); err != nil {
		f.Fatal(err)
	}
	packed, err := result.Encode(h, "ms", 2000, 2000)
	if err != nil {
		f.Fatal(err)
	}
	trial := result.Trial{
		Index: 1, Metrics: map[string]result.Metric{}, Histograms: map[string]result.Histogram{"delivery.latency": packed},
		Intervals: []result.Interval{{Start: 0, Latency: &packed, ByNode: map[string]int{"n1": 2}}},
		Closes:    []result.CloseGroup{{By: "proxy", Kind: "FIN", Count: 40, After: &packed}},
		Losses:    []result.Loss{{Lost: 1}},
		Views:     []result.View{{At: "connect", Client: 2, Node: map[string]int{"n1": 1}}},
	}
	for _, name := range []string{"idle.clients", "idle.survived", "idle.closed_after.p50", "delivery.sent", "delivery.latency.p50", "handshake.ok", "usage.cpu_nodes"} {
		result.Set(trial.Metrics, name, 40, 40)
	}
	cell := result.Cell{ID: "a", Proxy: "haproxy:a", Params: map[string]string{"k": "v"}, Declared: &result.Declared{IdleTimeout: 2}, Trials: []result.Trial{trial}}
	result.Aggregate(&cell)
	mark := result.Mark{Cell: "a", Trial: 1, Kind: "kill", Text: "kill n1", Start: 0.2, End: 0.4}
	run := newFixture("small", []result.Cell{cell}, []result.Mark{mark})
	run.Verdict = Verdict(run)
	dir := f.TempDir()
	if err := result.Write(dir, run); err != nil {
		f.Fatal(err)
	}
	data, err := os.ReadFile(filepath.Join(dir, result.FileName))
	if err != nil {
		f.Fatal(err)
	}
	return data
}

// FuzzReport holds that whatever Read takes can be reported, and that every export of
// it can be read.
func FuzzReport(f *testing.F) {
	f.Add(smallRun(f))
	f.Fuzz(func(t *testing.T, data []byte) {
		dir := t.TempDir()
		must(t, os.WriteFile(filepath.Join(dir, result.FileName), data, 0o644))
		run, err := result.Read(dir)
		if err != nil {
			return
		}
		Verdict(run)
		must(t, Text(io.Discard, run, 0))
		must(t, Markdown(io.Discard, run))
		for format, read := range readers {
			read(t, run, exported(t, format, run))
		}
		for name, figuresOf := range plots {
			figures, err := figuresOf(run)
			must(t, err)
			for _, fig := range figures {
				if _, err := fig.SVG(); err != nil {
					t.Errorf("%s: %v", name, err)
				}
			}
		}
		must(t, HTML(io.Discard, run))
	})
}

package report

import (
	"bytes"
	"fmt"
	"strings"
	"testing"
	"unicode"

	"golang.org/x/perf/benchfmt"
	"golang.org/x/perf/benchunit"

	"wsrig/internal/result"
)

// readGoBench reads the file as benchstat does.
func readGoBench(t *testing.T, run *result.Run, files map[string][]byte) {
	reader := benchfmt.NewReader(bytes.NewReader(files["bench.txt"]), "bench.txt")
	figures, better := map[string]int{}, map[string]string{} // by name of the benchmark; by unit
	for reader.Scan() {
		switch rec := reader.Result().(type) {
		case *benchfmt.SyntaxError:
			t.Fatal(rec)
		case *benchfmt.UnitMetadata:
			better[rec.Unit] = rec.Value
		case *benchfmt.Result:
			base, parts := rec.Name.Parts()
			if r := []rune(string(base))[0]; unicode.IsLower(r) || len(parts) < 2 || !bytes.HasPrefix(parts[0], []byte("/proxy=")) {
				t.Errorf("name %q", rec.Name)
			}
			if last := string(parts[len(parts)-1]); last != fmt.Sprintf("-%d", max(1, run.Environment.Cores)) {
				t.Errorf("name %q ends with %q and not with the cores", rec.Name, last)
			}
			figures[string(rec.Name)] += len(rec.Values)
			if rec.Iters != 1 || !strings.HasPrefix(rec.GetConfig("pkg"), "wsrig/") {
				t.Errorf("%q has %d iterations and the package %q", rec.Name, rec.Iters, rec.GetConfig("pkg"))
			}
		}
	}
	must(t, reader.Err())
	want, cells := 0, 0
	for i := range run.Cells {
		n := 0
		for _, tr := range run.Cells[i].Trials {
			if len(tr.Inconclusive) == 0 {
				n += len(tr.Metrics)
			}
		}
		want += n
		if n > 0 {
			cells++
		}
	}
	got := 0
	for _, n := range figures {
		got += n
	}
	if got != want || len(figures) != cells {
		t.Errorf("%d figures of %d benchmarks, want %d of %d cells", got, len(figures), want, cells)
	}
	for unit, direction := range better {
		if direction != "lower" && direction != "higher" {
			t.Errorf("%s is better %s", unit, direction)
		}
	}
}

func TestGoBenchHasTheTrialsAsSamplesOfTheCell(t *testing.T) {
	run := load(t, "idle-timeout")
	reader := benchfmt.NewReader(bytes.NewReader(exported(t, "go-bench", run)["bench.txt"]), "bench.txt")
	samples := map[string][]float64{}
	for reader.Scan() {
		if r, ok := reader.Result().(*benchfmt.Result); ok {
			if v, ok := r.Value("idle.closed_after.p50-sec"); ok {
				samples[string(r.Name)] = append(samples[string(r.Name)], v)
			}
			if r.GetConfig("version-haproxy") != "2.6.12" || r.GetConfig("bus") != "redis" {
				t.Errorf("configuration %+v", r.Config)
			}
		}
	}
	must(t, reader.Err())
	const name = "IdleTimeout/proxy=haproxy:short-tunnel/keepalive=client-ping_4s-2"
	var want []float64
	for _, tr := range cellOf(t, run, "haproxy:short-tunnel keepalive=client-ping 4s").Trials {
		want = append(want, tr.Metrics["idle.closed_after.p50"].Value)
	}
	if got := samples[name]; fmt.Sprint(got) != fmt.Sprint(want) {
		t.Errorf("%s has %v, want %v; there are %v", name, got, want, samples)
	}
}

func cellOf(t *testing.T, run *result.Run, id string) *result.Cell {
	t.Helper()
	for i := range run.Cells {
		if run.Cells[i].ID == id {
			return &run.Cells[i]
		}
	}
	t.Fatalf("there is no cell %q", id)
	return nil
}

func TestGoBenchLeavesInconclusiveTrialsOutAndSaysSo(t *testing.T) {
	text := string(exported(t, "go-bench", load(t, "restart"))["bench.txt"])
	if n := strings.Count(text, "BenchmarkRestart/proxy=haproxy:leastconn-2\t1\t"); n != 1 {
		t.Errorf("%d lines of the cell with one conclusive trial", n)
	}
	if !strings.Contains(text, "# haproxy:leastconn: trial 2 is left out, it is inconclusive: the generator was saturated") {
		t.Error("nothing says that a trial is left out")
	}
}

// Every metric has a unit that benchstat leaves as it is, and of the right class:
// multiples of 1024 for bytes, of 1000 for all else.
func TestGoBenchUnitsAreBaseUnits(t *testing.T) {
	for _, name := range result.MetricNames() {
		d, err := result.Lookup(name)
		must(t, err)
		suffix, ok := benchUnits[d.Unit]
		if !ok {
			t.Errorf("%s: the unit %s has no name in the format", name, d.Unit)
		}
		unit := benchWord(name) + suffix
		if v, tidy := benchunit.Tidy(1, unit); v != 1 || tidy != unit {
			t.Errorf("%s is taken for %g %s", unit, v, tidy)
		}
		if want := map[bool]benchunit.Class{true: benchunit.Binary, false: benchunit.Decimal}[strings.HasPrefix(d.Unit, "B") || d.Unit == "bytes"]; benchunit.ClassOf(unit) != want {
			t.Errorf("%s is of class %v", unit, benchunit.ClassOf(unit))
		}
	}
}

func TestGoBenchNames(t *testing.T) {
	for _, row := range []struct{ scenario, proxy, want string }{
		{"idle-timeout", "direct", "BenchmarkIdleTimeout/proxy=direct"},
		{"3x", "/etc/haproxy/haproxy.cfg", "Benchmark3x/proxy=_etc_haproxy_haproxy.cfg"},
		{"", "", "Benchmark_/proxy=_"},
		{"ßx", "a b", "Benchmark_ßx/proxy=a_b"},
		{"<b>|\n", "nginx:x\x1b", "BenchmarkB/proxy=nginx:x_"},
	} {
		if got := benchName(row.scenario, &result.Cell{Proxy: row.proxy}); got != row.want {
			t.Errorf("scenario %q, proxy %q: %s, want %s", row.scenario, row.proxy, got, row.want)
		}
	}
}

// Lines stay far below what a reader takes, however many metrics a file claims.
func TestGoBenchLinesAreBounded(t *testing.T) {
	run := load(t, "smoke")
	clone(t, run)
	for i := range 5000 {
		run.Cells[0].Trials[0].Metrics[fmt.Sprintf("made.up.metric.%d", i)] = result.Metric{Value: float64(i), Unit: "s", Better: "lower"}
	}
	readGoBench(t, run, exported(t, "go-bench", run))
}

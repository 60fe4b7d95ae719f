package report

import (
	"bytes"
	"encoding/csv"
	"math"
	"net/url"
	"slices"
	"strconv"
	"strings"
	"testing"

	"github.com/HdrHistogram/hdrhistogram-go"

	"wsrig/internal/result"
)

func readCSV(t *testing.T, run *result.Run, files map[string][]byte) {
	data := files["intervals.csv"]
	if n := bytes.Count(data, []byte("\r\n")); n != bytes.Count(data, []byte("\n")) || !bytes.HasSuffix(data, []byte("\r\n")) {
		t.Error("a line does not end as RFC 4180 wants it")
	}
	rows, err := csv.NewReader(bytes.NewReader(data)).ReadAll()
	must(t, err)
	if !slices.Equal(rows[0], csvHeader) {
		t.Errorf("the header is %q", rows[0])
	}
	at := 1
	for _, c := range run.Cells {
		for _, tr := range c.Trials {
			for _, iv := range tr.Intervals {
				if at >= len(rows) {
					t.Fatalf("there are %d rows only", len(rows))
				}
				row := rows[at]
				at++
				want := []string{printable(run.Scenario), printable(c.ID), printable(c.Proxy), strconv.Itoa(tr.Index), strconv.FormatBool(len(tr.Inconclusive) == 0)}
				if !slices.Equal(row[:5], want) {
					t.Errorf("row %d begins with %q, want %q", at, row[:5], want)
				}
				for i, want := range []float64{iv.Start, float64(iv.Intended), float64(iv.Sent), float64(iv.Dropped), float64(iv.Open), float64(iv.Deliveries)} {
					if got, err := strconv.ParseFloat(row[5+i], 64); err != nil || math.Abs(got-want) > 1e-9 {
						t.Errorf("row %d: %s is %q, want %g", at, csvHeader[5+i], row[5+i], want)
					}
				}
			}
		}
	}
	if at != len(rows) {
		t.Errorf("there are %d rows, want %d", len(rows), at)
	}
}

func TestCSVHasThePercentilesOfEachSecond(t *testing.T) {
	run := load(t, "smoke")
	rows, err := csv.NewReader(bytes.NewReader(exported(t, "csv", run)["intervals.csv"])).ReadAll()
	must(t, err)
	h, err := run.Cells[0].Trials[0].Intervals[0].Latency.Decode()
	must(t, err)
	if h.TotalCount() < 1000 {
		t.Fatalf("the fixture has %d deliveries in a second", h.TotalCount())
	}
	for i, percent := range []float64{50, 99} {
		got, err := strconv.ParseFloat(rows[1][11+i], 64)
		if want := float64(h.ValueAtQuantile(percent)) / 1e9; err != nil || math.Abs(got-want) > 1e-9 {
			t.Errorf("%s is %s, want %g (%v)", csvHeader[11+i], rows[1][11+i], want, err)
		}
	}
	below := result.NewHDR()
	must(t, below.RecordValues(1500, 999))
	few := pack(t, below, "ns", 1500, 1500)
	if p50, p99, err := csvLatency(&few); p50 == "" || p99 != "" || err != nil {
		t.Errorf("999 samples have the p50 %q and the p99 %q (%v); a p99 needs 1000", p50, p99, err)
	}
	if p50, p99, err := csvLatency(nil); p50+p99 != "" || err != nil {
		t.Errorf("no samples: %q, %q, %v", p50, p99, err)
	}
}

func readHistogramLog(t *testing.T, run *result.Run, files map[string][]byte) {
	data := files["histograms.hlog"]
	if !bytes.HasPrefix(data, []byte("#[Histogram log format version 1.3]\n")) {
		t.Errorf("it begins with %.60q", data)
	}
	reader := hdrhistogram.NewHistogramLogReader(bytes.NewReader(data))
	got := map[string]*hdrhistogram.Histogram{}
	for {
		h, err := reader.NextIntervalHistogram()
		must(t, err)
		if h == nil {
			break
		}
		if got[h.Tag()] != nil {
			t.Errorf("the tag %q is there twice", h.Tag())
		}
		got[h.Tag()] = h
	}
	want := 0
	for _, c := range run.Cells {
		for _, tr := range c.Trials {
			for metric, packed := range tr.Histograms {
				want++
				tag := url.PathEscape(c.ID) + "/" + strconv.Itoa(tr.Index) + "/" + url.PathEscape(metric)
				h := got[tag]
				if h == nil {
					t.Errorf("there is no histogram tagged %q", tag)
					continue
				}
				if h.TotalCount() != packed.Count {
					t.Errorf("%s has %d values, want %d", tag, h.TotalCount(), packed.Count)
				}
				if ms := float64(h.EndTimeMs() - h.StartTimeMs()); math.Abs(ms-1000*max(0, tr.Duration)) > 2 {
					t.Errorf("%s took %g ms, want %g s", tag, ms, tr.Duration)
				}
			}
		}
	}
	if len(got) != want {
		t.Errorf("there are %d histograms, want %d", len(got), want)
	}
}

func TestHistogramLogIsInNanosecondsSinceTheStart(t *testing.T) {
	h := result.NewHDR()
	must(t, h.RecordValues(2000, 10))
	must(t, h.RecordValues(result.HistMax, 1))
	tr := result.Trial{Index: 1, Started: fixtureStart.Add(1500 * 1e6), Duration: 2.25, Histograms: map[string]result.Histogram{
		"idle.silence": pack(t, h, "ms", 2000, result.HistMax), "delivery.latency n1>n2, x": pack(t, h, "ns", 2000, result.HistMax),
	}}
	run := newFixture("x", []result.Cell{{ID: "haproxy:a keepalive=none", Proxy: "haproxy:a", Trials: []result.Trial{tr}}}, nil)
	data := exported(t, "hlog", run)["histograms.hlog"]
	var lines []string
	for line := range strings.Lines(string(data)) {
		if strings.HasPrefix(line, "Tag=") {
			lines = append(lines, line)
		}
	}
	if len(lines) != 2 || !strings.HasPrefix(lines[0], "Tag=haproxy:a%20keepalive=none/1/delivery.latency%20n1%3En2%2C%20x,1.500000,2.250000,") {
		t.Fatalf("lines are %q", lines)
	}
	reader := hdrhistogram.NewHistogramLogReader(bytes.NewReader(data))
	for _, scale := range []float64{1, 1e6} {
		got, err := reader.NextIntervalHistogram()
		must(t, err)
		for _, percent := range []float64{50, 100} {
			want := scale * float64(h.ValueAtQuantile(percent))
			if v := float64(got.ValueAtQuantile(percent)); math.Abs(v/want-1) > 0.001 {
				t.Errorf("%s: percentile %g is %g ns, want %g within 0.1 %%", got.Tag(), percent, v, want)
			}
		}
	}
	tr.Histograms["idle.silence"] = pack(t, h, "furlongs", 1, 1)
	if _, err := formatOf(t, "hlog").render(run); err == nil || !strings.Contains(err.Error(), `"furlongs"`) {
		t.Errorf("an unknown unit: %v", err)
	}
}

package result

import (
	"math"
	"slices"
	"strings"
	"testing"
)

func TestLookup(t *testing.T) {
	for _, row := range []struct {
		name string
		unit string // "" for an error
		want string // part of the error
	}{
		{"delivery.lost", "count", ""},
		{"delivery.latency.p99.9", "s", ""},
		{"delivery.latency", "", "is a distribution: say which figure, as in delivery.latency.p50"},
		{"delivery.lsot", "", `did you mean "delivery.lost"`},
		{"delivery.lost.p50", "", "unknown metric"},
		{"", "", "unknown metric"},
	} {
		d, err := Lookup(row.name)
		switch {
		case row.unit != "" && (err != nil || d.Unit != row.unit):
			t.Errorf("Lookup(%q) = %+v, %v; want unit %s", row.name, d, err, row.unit)
		case row.unit == "" && (err == nil || !strings.Contains(err.Error(), row.want)):
			t.Errorf("Lookup(%q): error %v, want one with %q", row.name, err, row.want)
		}
	}
}

func TestMetricTableIsSound(t *testing.T) {
	seen := map[string]bool{}
	for _, name := range MetricNames() {
		if seen[name] {
			t.Errorf("%s is in the table twice", name)
		}
		seen[name] = true
		d, err := Lookup(name)
		if err != nil || d.Doc == "" || d.Unit == "" || !slices.Contains([]string{"lower", "higher", "neither"}, d.Better) {
			t.Errorf("%s: row %+v is not complete (%v)", name, d, err)
		}
	}
}

func TestSetDistLeavesOutPercentilesWithoutSamples(t *testing.T) {
	for _, row := range []struct {
		n    int
		want []string
	}{
		{0, nil},
		{1, []string{"max", "mean", "min", "p50"}},
		{100, []string{"max", "mean", "min", "p50", "p90"}},
		{999, []string{"max", "mean", "min", "p50", "p90"}},
		{1000, []string{"max", "mean", "min", "p50", "p90", "p99"}},
		{10000, []string{"max", "mean", "min", "p50", "p90", "p99", "p99.9"}},
	} {
		h := NewHDR()
		for range row.n {
			if err := h.RecordValue(1_500_000); err != nil {
				t.Fatal(err)
			}
		}
		m := map[string]Metric{}
		SetDist(m, "delivery.latency", h, 1_500_000, 1_500_000, 1e-9)
		var got []string
		for name, v := range m {
			got = append(got, strings.TrimPrefix(name, "delivery.latency."))
			if math.Abs(v.Value-0.0015) > 0.0015/1000 || v.N != int64(row.n) || v.Unit != "s" {
				t.Errorf("%d samples of 1.5 ms: %s = %+v", row.n, name, v)
			}
		}
		slices.Sort(got)
		if !slices.Equal(got, row.want) {
			t.Errorf("%d samples: figures %q, want %q", row.n, got, row.want)
		}
	}
}

func TestHistogramsMergeExactly(t *testing.T) {
	whole := NewHDR()
	var parts []*Histogram
	for p := range 3 {
		h := NewHDR()
		for i := range 500 {
			v := int64((p*500 + i) * 997)
			if err := h.RecordValue(v); err != nil {
				t.Fatal(err)
			}
			if err := whole.RecordValue(v); err != nil {
				t.Fatal(err)
			}
		}
		packed, err := Encode(h, "ns", h.Min(), h.Max())
		if err != nil {
			t.Fatal(err)
		}
		parts = append(parts, &packed, nil)
	}
	sum, err := Merge(parts...)
	if err != nil {
		t.Fatal(err)
	}
	if !sum.Equals(whole) {
		t.Errorf("merged: p50 %d of %d; recorded at once: p50 %d of %d", sum.ValueAtQuantile(50), sum.TotalCount(), whole.ValueAtQuantile(50), whole.TotalCount())
	}
	other := *parts[0]
	other.Unit = "ms"
	if _, err := Merge(parts[0], &other); err == nil {
		t.Error("nanoseconds and milliseconds were merged")
	}
	if none, err := Merge(nil); none != nil || err != nil {
		t.Errorf("Merge of nothing = %v, %v", none, err)
	}
}

func TestAggregate(t *testing.T) {
	trial := func(index int, values map[string]float64) Trial {
		m := map[string]Metric{}
		for name, v := range values {
			Set(m, name, v, 10)
		}
		return Trial{Index: index, Metrics: m}
	}
	doubtful := func(tr Trial) Trial {
		tr.Inconclusive = []string{"saturated"}
		return tr
	}
	p50 := func(v float64) map[string]float64 { return map[string]float64{"idle.closed_after.p50": v} }
	for _, row := range []struct {
		sentence string
		trials   []Trial
		want     float64 // NaN: no figure
		n        int64
	}{
		{"the median of three", []Trial{trial(1, p50(3)), trial(2, p50(1)), trial(3, p50(2))}, 2, 30},
		{"the mean of the middle two of four", []Trial{trial(1, p50(9)), trial(2, p50(1)), trial(3, p50(2)), trial(4, p50(4))}, 3, 40},
		{"an inconclusive trial does not count", []Trial{trial(1, p50(3)), doubtful(trial(2, p50(99)))}, 3, 10},
		{"only inconclusive trials are shown all the same", []Trial{doubtful(trial(1, p50(3))), doubtful(trial(2, p50(5)))}, 4, 20},
		{"a trial without data leaves no figure", []Trial{trial(1, p50(3)), trial(2, nil)}, math.NaN(), 0},
		{"whichever trial it is", []Trial{trial(1, nil), trial(2, p50(3))}, math.NaN(), 0},
		{"an inconclusive trial without data takes nothing away", []Trial{trial(1, p50(3)), doubtful(trial(2, nil))}, 3, 10},
		{"no trial", nil, math.NaN(), 0},
	} {
		c := Cell{Trials: row.trials, Metrics: map[string]Metric{"rate.asked": {Value: 1}}}
		Aggregate(&c)
		got, ok := c.Metrics["idle.closed_after.p50"]
		if ok == math.IsNaN(row.want) || ok && (got.Value != row.want || got.N != row.n || got.Unit != "s") {
			t.Errorf("%s: %+v (%v), want %g of %d", row.sentence, got, ok, row.want, row.n)
		}
		if _, ok := c.Metrics["rate.asked"]; ok {
			t.Errorf("%s: a figure of before is left", row.sentence)
		}
	}
}

func TestWithoutHistogramsLeavesTheRunAlone(t *testing.T) {
	run := sample(t)
	slim := WithoutHistograms(run)
	before, after := &run.Cells[0].Trials[0], &slim.Cells[0].Trials[0]
	if after.Histograms != nil || after.Intervals[0].Latency != nil || after.Closes[0].After != nil || after.Closes[0].Silent != nil {
		t.Errorf("histograms are left in %+v", after)
	}
	if before.Histograms == nil || before.Intervals[0].Latency == nil || before.Closes[0].After == nil || before.Closes[0].Silent == nil {
		t.Errorf("the run itself has lost histograms: %+v", before)
	}
	if after.Closes[0].Count != 4 || len(after.Metrics) != 1 || len(after.Views) != 1 {
		t.Errorf("figures are missing in %+v", after)
	}
}

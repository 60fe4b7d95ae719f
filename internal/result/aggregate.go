package result

import (
	"maps"
	"slices"
)

// Conclusive returns the trials of c that prove something. When there is none, it
// returns all of them and false: their figures may be shown, not judged.
func (c *Cell) Conclusive() (trials []*Trial, ok bool) {
	var all []*Trial
	for i := range c.Trials {
		t := &c.Trials[i]
		all = append(all, t)
		if len(t.Inconclusive) == 0 {
			trials = append(trials, t)
		}
	}
	if len(trials) == 0 {
		return all, false
	}
	return trials, true
}

// Aggregate sets c.Metrics to the median of every metric over the trials of c, with
// the samples behind it added up. Inconclusive trials are left out where others are
// conclusive.
//
// A metric that any of those trials lacks has no figure for the cell: the median of
// the trials that happen to have data would hide the one that has none (the p50 of
// the closes, when in one trial nobody was closed). A check of it then cannot be
// judged, which is never a pass.
//
// Of an even number of trials the median is the mean of the middle two. Medians
// hide what went wrong in a minority of the trials; checks therefore look at counts
// and shares trial by trial, see report.Check.
func Aggregate(c *Cell) {
	c.Metrics = map[string]Metric{}
	trials, _ := c.Conclusive()
	if len(trials) == 0 {
		return
	}
	for name, first := range trials[0].Metrics {
		values, n := make([]float64, 0, len(trials)), int64(0)
		for _, t := range trials {
			if m, ok := t.Metrics[name]; ok {
				values = append(values, m.Value)
				n += m.N
			}
		}
		if len(values) == len(trials) {
			c.Metrics[name] = Metric{Value: Median(values), Unit: first.Unit, Better: first.Better, N: n}
		}
	}
}

// Median returns the middle value, or the mean of the middle two. values must not
// be empty; their order is kept.
func Median(values []float64) float64 {
	s := slices.Sorted(slices.Values(values))
	mid := len(s) / 2
	if len(s)%2 == 1 {
		return s[mid]
	}
	return s[mid-1] + (s[mid]-s[mid-1])/2
}

// WithoutHistograms returns a copy of r for `wsrig run --json`: all figures, no raw
// histograms. r stays as it is.
func WithoutHistograms(r *Run) *Run {
	c := *r
	c.Cells = slices.Clone(r.Cells)
	for i := range c.Cells {
		cell := &c.Cells[i]
		cell.Metrics = maps.Clone(cell.Metrics)
		cell.Trials = slices.Clone(cell.Trials)
		for j := range cell.Trials {
			t := &cell.Trials[j]
			t.Histograms = nil
			t.Intervals = slices.Clone(t.Intervals)
			for k := range t.Intervals {
				t.Intervals[k].Latency = nil
			}
			t.Closes = slices.Clone(t.Closes)
			for k := range t.Closes {
				t.Closes[k].After, t.Closes[k].Silent = nil, nil
			}
		}
	}
	return &c
}

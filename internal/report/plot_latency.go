package report

import (
	"fmt"
	"math"

	"github.com/HdrHistogram/hdrhistogram-go"
	"gonum.org/v1/plot"
	"gonum.org/v1/plot/plotter"

	"wsrig/internal/result"
)

// spectrum is the percentiles of one distribution of one cell.
type spectrum struct {
	cell   *result.Cell
	n      int64
	points plotter.XYs // place on the tail axis, seconds
}

// latencyFigures draw delivery latency by percentile: one panel each for all, same-node
// and cross-node deliveries, one line a cell.
func latencyFigures(run *result.Run) ([]*Figure, error) {
	var groups [][]*spectrum
	var titles []string
	lo, hi, tail := math.Inf(1), 0.0, 0.0
	for _, key := range []string{"all", "same node", "cross-node"} {
		group, err := spectraOf(run, latencyMetrics[key])
		if err != nil {
			return nil, err
		}
		if len(group) == 0 {
			continue
		}
		groups, titles = append(groups, group), append(titles, key)
		for _, s := range group {
			lo, hi = min(lo, s.points[0].Y), max(hi, s.points[len(s.points)-1].Y)
			tail = max(tail, s.points[len(s.points)-1].X)
		}
	}
	if len(groups) == 0 {
		return nil, nil
	}
	lo, hi = decade(lo, hi)
	var panels []*plot.Plot
	for i, group := range groups {
		p := newPanel(fmt.Sprintf("%s (%s)", titles[i], samplesText(group)), plotTitleColour)
		p.X.Label.Text, p.Y.Label.Text = "percentile", "delivery latency"
		p.X.Min, p.X.Max, p.X.Tick.Marker = 0, tail, tailTicks()
		logLatency(&p.Y, lo, hi)
		p.Add(gridLines())
		for _, s := range group {
			p.Add(curve{points: s.points, style: cellStyle(run, s.cell)})
		}
		panels = append(panels, p)
	}
	subtitle := "Intended publish time to receipt, per receiver; all conclusive trials together. A line ends where fewer than ten deliveries lie beyond it."
	return inFigures("Delivery latency by percentile", subtitle, cellLegend(run, groups[0]), panels), nil
}

// spectraOf are the cells' distributions of a metric; trials keep them under its name.
func spectraOf(run *result.Run, metric string) ([]*spectrum, error) {
	var group []*spectrum
	for i := range run.Cells {
		c := &run.Cells[i]
		trials, _ := c.Conclusive()
		var hs []*result.Histogram
		for _, t := range trials {
			if h, ok := t.Histograms[metric]; ok {
				hs = append(hs, &h)
			}
		}
		sum, err := result.Merge(hs...)
		if err != nil {
			return nil, fmt.Errorf("%s: %s: %w", c.ID, metric, err)
		}
		if sum == nil || sum.TotalCount() == 0 {
			continue
		}
		scale, err := seconds(hs[0])
		if err != nil {
			return nil, fmt.Errorf("%s: %s: %w", c.ID, metric, err)
		}
		if points := percentilePoints(sum, scale); len(points) > 1 {
			group = append(group, &spectrum{c, sum.TotalCount(), points})
		}
	}
	return group, nil
}

// beyond is how many samples must lie beyond a percentile before it is drawn, as
// result.MinSamples asks for those that are printed.
const beyond = 10

// percentilePoints are the points of a percentile curve, at most one for each
// hundredth of a nine.
func percentilePoints(h *hdrhistogram.Histogram, scale float64) plotter.XYs {
	var points plotter.XYs
	n, sum := h.TotalCount(), int64(0)
	for _, bar := range h.Distribution() {
		if bar.Count == 0 {
			continue
		}
		if len(points) == 0 {
			points = append(points, plotter.XY{X: 0, Y: max(least, float64(bar.To)*scale)})
		}
		sum += bar.Count
		if n-sum < beyond {
			break
		}
		x := tailPosition(float64(sum) / float64(n))
		if x-points[len(points)-1].X >= 0.01 {
			points = append(points, plotter.XY{X: x, Y: max(least, float64(bar.To)*scale)})
		}
	}
	return points
}

func samplesText(group []*spectrum) string {
	lo, hi := group[0].n, group[0].n
	for _, s := range group {
		lo, hi = min(lo, s.n), max(hi, s.n)
	}
	if lo == hi {
		return "n = " + result.Format(float64(lo), "count")
	}
	return fmt.Sprintf("n = %s to %s", result.Format(float64(lo), "count"), result.Format(float64(hi), "count"))
}

// logLatency makes a a logarithmic axis of seconds.
func logLatency(a *plot.Axis, lo, hi float64) {
	a.Min, a.Max, a.Scale, a.Tick.Marker = lo, hi, plot.LogScale{}, durationTicks{}
}

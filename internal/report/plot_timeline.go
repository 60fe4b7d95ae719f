package report

import (
	"fmt"
	"maps"
	"math"
	"slices"

	"gonum.org/v1/plot"
	"gonum.org/v1/plot/plotter"
	"gonum.org/v1/plot/vg/draw"

	"wsrig/internal/result"
)

// timeline is what one trial of a cell did second by second.
type timeline struct {
	cell  *result.Cell
	trial *result.Trial
	marks []result.Mark // faults only
}

// scripted are the mark kinds of steps that load the system. All other marks are
// something that was done to it, and are drawn.
var scripted = []string{"connect", "idle", "publish", "wait", "disconnect", "search"}

// isEvent tells whether a mark is something that was done to the testbed.
func isEvent(m result.Mark) bool { return !slices.Contains(scripted, m.Kind) }

// timelines are the first conclusive trial of each cell that has intervals which
// fit. Trials are not averaged: a dip lasts as long as it lasted.
func timelines(run *result.Run, fits func(result.Interval) bool) []timeline {
	var out []timeline
	for i := range run.Cells {
		c := &run.Cells[i]
		trials, _ := c.Conclusive()
		at := slices.IndexFunc(trials, func(t *result.Trial) bool { return slices.ContainsFunc(t.Intervals, fits) })
		if at < 0 {
			continue
		}
		l := timeline{cell: c, trial: trials[at]}
		for _, m := range run.Marks {
			if m.Cell == c.ID && m.Trial == l.trial.Index && isEvent(m) {
				l.marks = append(l.marks, m)
			}
		}
		out = append(out, l)
	}
	return out
}

// panel is an empty panel of the timeline, its marks drawn. All panels end at end.
func (l timeline) panel(end float64) *plot.Plot {
	title := l.cell.ID
	if len(l.cell.Trials) > 1 {
		title = fmt.Sprintf("%s, trial %d", l.cell.ID, l.trial.Index)
	}
	p := newPanel(title, driverColour(l.cell.Proxy))
	p.X.Label.Text = "seconds since the start of the trial"
	p.X.Min, p.X.Max, p.X.Tick.Marker = 0, end, roundTicks{}
	for _, m := range l.marks {
		p.Add(band{m})
	}
	p.Add(gridLines())
	return p
}

func endOf(lines []timeline) float64 {
	end := 1.0
	for _, l := range lines {
		for _, iv := range l.trial.Intervals {
			end = max(end, iv.Start+1)
		}
	}
	return end
}

// latencyOverTimeFigures draw the percentiles of delivery latency second by second.
func latencyOverTimeFigures(run *result.Run) ([]*Figure, error) {
	lines := timelines(run, func(iv result.Interval) bool { return iv.Latency != nil && iv.Latency.Count > 0 })
	if len(lines) == 0 {
		return nil, nil
	}
	tail := tailStat(lines)
	lo, hi := math.Inf(1), 0.0
	var middles, tails []plotter.XYs
	for _, l := range lines {
		middle, err := l.percentile("p50", 50)
		if err != nil {
			return nil, err
		}
		far, err := l.percentile(tail.name, tail.at)
		if err != nil {
			return nil, err
		}
		middles, tails = append(middles, middle), append(tails, far)
		for _, pt := range slices.Concat(middle, far) {
			lo, hi = min(lo, pt.Y), max(hi, pt.Y)
		}
	}
	lo, hi = decade(lo, hi)
	var panels []*plot.Plot
	for i, l := range lines {
		p := l.panel(endOf(lines))
		p.Y.Label.Text = "delivery latency"
		logLatency(&p.Y, lo, hi)
		colour := driverColour(l.cell.Proxy)
		p.Add(curve{points: middles[i], style: lineOf(colour, nil)}, curve{points: tails[i], style: lineOf(colour, seriesDashes[1])})
		panels = append(panels, p)
	}
	percentiles := legend{entries: []legendEntry{{"p50", lineOf(plotTitleColour, nil)}, {tail.name, lineOf(plotTitleColour, seriesDashes[1])}}}
	subtitle := "One point a second, by intended publish time. Shaded: what was done to the testbed. " + tail.name + " only in seconds with enough deliveries."
	return inFigures("Delivery latency over time", subtitle, percentiles, panels), nil
}

// stat is a percentile by name and number.
type stat struct {
	name string
	at   float64
}

// tailStat is the furthest percentile that any second has enough deliveries for.
func tailStat(lines []timeline) stat {
	var most int64
	for _, l := range lines {
		for _, iv := range l.trial.Intervals {
			if iv.Latency != nil {
				most = max(most, iv.Latency.Count)
			}
		}
	}
	if most >= result.MinSamples("p99") {
		return stat{"p99", 99}
	}
	return stat{"p90", 90}
}

// percentile is a figure of every second that has the samples for it, at the
// middle of the second.
func (l timeline) percentile(name string, at float64) (plotter.XYs, error) {
	var points plotter.XYs
	for _, iv := range l.trial.Intervals {
		if iv.Latency == nil || iv.Latency.Count < result.MinSamples(name) {
			continue
		}
		h, err := iv.Latency.Decode()
		if err != nil {
			return nil, fmt.Errorf("%s: second %g: %w", l.cell.ID, iv.Start, err)
		}
		scale, err := seconds(iv.Latency)
		if err != nil {
			return nil, fmt.Errorf("%s: second %g: %w", l.cell.ID, iv.Start, err)
		}
		points = append(points, plotter.XY{X: iv.Start + 0.5, Y: max(least, float64(h.ValueAtQuantile(at))*scale)})
	}
	return points, nil
}

// connectionFigures draw the clients connected to each node second by second.
func connectionFigures(run *result.Run) ([]*Figure, error) {
	lines := timelines(run, func(iv result.Interval) bool { return len(iv.ByNode) > 0 })
	if len(lines) == 0 {
		return nil, nil
	}
	nodes, most := nodesOf(lines)
	styles := map[string]draw.LineStyle{}
	var perNode legend
	for i, name := range nodes {
		styles[name] = seriesStyle(i)
		perNode.entries = append(perNode.entries, legendEntry{name, styles[name]})
	}
	var panels []*plot.Plot
	for _, l := range lines {
		p := l.panel(endOf(lines))
		p.Y.Label.Text = "clients connected"
		p.Y.Max, p.Y.Tick.Marker = max(1, float64(most)*1.1), roundTicks{}
		p.Y.Min = -p.Y.Max * min(0.15, 0.012*float64(len(nodes))) // room for lines at 0 that are set apart
		for i, name := range nodes {
			var points plotter.XYs
			for _, iv := range l.trial.Intervals {
				points = append(points, plotter.XY{X: iv.Start + 1, Y: float64(iv.ByNode[name])})
			}
			p.Add(curve{points, styles[name], false, spread(i, len(nodes))})
		}
		panels = append(panels, p)
	}
	subtitle := "At the end of each second, as the clients count. Shaded: what was done to the testbed. Lines are set a little apart so that none hides another."
	return inFigures("Clients connected to each node", subtitle, perNode, panels), nil
}

func nodesOf(lines []timeline) (names []string, most int) {
	set := map[string]bool{}
	for _, l := range lines {
		for _, iv := range l.trial.Intervals {
			for name, n := range iv.ByNode {
				set[name] = true
				most = max(most, n)
			}
		}
	}
	return slices.Sorted(maps.Keys(set)), most
}

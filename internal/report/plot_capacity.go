package report

import (
	"cmp"
	"image/color"
	"math"
	"slices"

	"gonum.org/v1/plot"
	"gonum.org/v1/plot/plotter"
	"gonum.org/v1/plot/vg/draw"

	"wsrig/internal/result"
)

// boundColour is that of the bound of an objective.
var boundColour = color.RGBA{0x00, 0x9e, 0x73, 0xff}

// probeFigures draw every probe of every search: its p99 over its rate, a panel a
// cell, and the generator's CPU in a panel of its own. Filled points held, hollow ones
// did not.
func probeFigures(run *result.Run) ([]*Figure, error) {
	var cells []*result.Cell
	lo, hi, end, bound := math.Inf(1), 0.0, 0.0, 0.0
	for i := range run.Cells {
		c := &run.Cells[i]
		for _, p := range probesOf(c) {
			lo, hi = min(lo, max(p.P99, least)), max(hi, p.P99, p.Bound)
			end, bound = max(end, p.Asked), max(bound, p.Bound)
			if !slices.Contains(cells, c) {
				cells = append(cells, c)
			}
		}
	}
	if len(cells) == 0 {
		return nil, nil
	}
	bottom, top := decade(lo, hi)
	var panels []*plot.Plot
	for _, c := range cells {
		p := newPanel(c.ID, driverColour(c.Proxy))
		p.X.Label.Text, p.Y.Label.Text = "messages a second, asked for", "p99"
		p.X.Min, p.X.Max, p.X.Tick.Marker = 0, end*1.05, roundTicks{}
		logLatency(&p.Y, bottom, top)
		p.Add(gridLines())
		if bound > 0 {
			p.Add(curve{points: plotter.XYs{{X: 0, Y: bound}, {X: end * 1.05, Y: bound}}, style: lineOf(boundColour, seriesDashes[1])})
		}
		p.Add(kneeOf(c, func(p result.Probe) float64 { return p.P99 }))
		panels = append(panels, p)
	}
	panels = append(panels, generatorPanel(cells, end))
	l := legend{entries: []legendEntry{{"bound of the objective", lineOf(boundColour, seriesDashes[1])}}}
	subtitle := "One point a probe, conclusive trials together. A hollow one did not keep the objective, or its generator was saturated. The last panel has the generator's own CPU in all of them."
	return inFigures("Delivery latency (p99) over the rate of publishing, probe by probe", subtitle, l, panels), nil
}

// probesOf are the probes of a cell's trials that can be drawn, by rate.
func probesOf(c *result.Cell) []result.Probe {
	var probes []result.Probe
	trials, _ := c.Conclusive()
	for _, t := range trials {
		for _, p := range t.Probes {
			if p.P99 > 0 && p.Asked > 0 && p.Asked < maxDrawn {
				probes = append(probes, p)
			}
		}
	}
	slices.SortStableFunc(probes, func(a, b result.Probe) int { return cmp.Compare(a.Asked, b.Asked) })
	return probes
}

// generatorPanel is the CPU of the generator over the rate, in all cells.
func generatorPanel(cells []*result.Cell, end float64) *plot.Plot {
	panel := newPanel("generator's CPU, share of its cores", plotTitleColour)
	panel.X.Label.Text, panel.X.Min, panel.X.Max, panel.X.Tick.Marker = "messages a second, asked for", 0, end*1.05, roundTicks{}
	panel.Y.Min, panel.Y.Max, panel.Y.Tick.Marker = 0, 1.05, percentTicks
	panel.Add(gridLines())
	for _, c := range cells {
		panel.Add(kneeOf(c, func(p result.Probe) float64 { return min(max(p.CPU, 0), 1) }))
	}
	return panel
}

// kneeOf is a figure of a cell's probes over their rates.
func kneeOf(c *result.Cell, figure func(result.Probe) float64) knee {
	k := knee{style: lineOf(driverColour(c.Proxy), nil)}
	for _, p := range probesOf(c) {
		k.points = append(k.points, plotter.XY{X: p.Asked, Y: figure(p)})
		k.sound = append(k.sound, p.Verdict == result.ProbeOK)
	}
	return k
}

// scalabilityFigures draw capacity over nodes with the law's curve.
func scalabilityFigures(run *result.Run) ([]*Figure, error) {
	all := growthOf(run)
	all = slices.DeleteFunc(all, func(g *growth) bool { return len(g.points)+len(g.open) < 2 })
	if len(all) == 0 {
		return nil, nil
	}
	const title = "Capacity by nodes"
	panel := newPanel("capacity, messages a second", plotTitleColour)
	panel.X.Label.Text = "nodes"
	panel.X.Min, panel.X.Tick.Marker, panel.Y.Min, panel.Y.Tick.Marker = 0, roundTicks{}, 0, roundTicks{}
	panel.Add(gridLines())
	var l legend
	most, high := 0.0, 0.0
	for _, g := range all {
		for _, p := range slices.Concat(g.points, g.open) {
			most, high = max(most, p.nodes), max(high, p.rate)
		}
	}
	for i, g := range all {
		style := lineOf(driverColour(g.proxy), seriesDashes[sameDriver(all[:i], g)%len(seriesDashes)])
		l.entries = append(l.entries, legendEntry{g.id, style})
		if fit, ok := fitScaling(g.points); ok {
			panel.Add(curve{points: lawPoints(fit, most), style: style})
		}
		panel.Add(capacityMarks{g, style})
	}
	panel.X.Max, panel.Y.Max = most*1.1, high*1.15
	subtitle := "Points are measured; hollow ones are lower bounds of searches that found no capacity, and are not fitted. Lines are the Universal Scalability Law where three numbers of nodes have a capacity: three points leave it no degree of freedom, so that it describes them and proves nothing."
	return inFigures(title, subtitle, l, []*plot.Plot{panel}), nil
}

func sameDriver(before []*growth, g *growth) int {
	n := 0
	for _, b := range before {
		if driverColour(b.proxy) == driverColour(g.proxy) {
			n++
		}
	}
	return n
}

// lawPoints are the law's curve from one node to most.
func lawPoints(fit scaling, most float64) plotter.XYs {
	const steps = 60
	var points plotter.XYs
	for i := range steps + 1 {
		n := 1 + (most-1)*float64(i)/steps
		points = append(points, plotter.XY{X: n, Y: fit.at(n)})
	}
	return points
}

// capacityMarks are the measured points of a line.
type capacityMarks struct {
	growth *growth
	style  draw.LineStyle
}

// Plot draws the points, hollow where they are lower bounds.
func (m capacityMarks) Plot(c draw.Canvas, p *plot.Plot) {
	for _, kind := range []struct {
		points []capacityAt
		sound  bool
	}{{m.growth.points, true}, {m.growth.open, false}} {
		k := knee{style: m.style}
		for _, pt := range kind.points {
			k.points, k.sound = append(k.points, plotter.XY{X: pt.nodes, Y: pt.rate}), append(k.sound, kind.sound)
		}
		k.marks(c, p)
	}
}

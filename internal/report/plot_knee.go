package report

import (
	"cmp"
	"math"
	"slices"

	"gonum.org/v1/plot"
	"gonum.org/v1/plot/plotter"
	"gonum.org/v1/plot/vg"
	"gonum.org/v1/plot/vg/draw"

	"wsrig/internal/result"
)

// kneeParam is the parameter over which a knee is drawn.
const kneeParam = "publish_rate"

// kneePanels are the figures of a cell that are drawn over its rate.
var kneePanels = []struct {
	title, metric string
	latency       bool
}{
	{"delivery latency, p99", "delivery.latency.p99", true},
	{"last receiver, p50", "delivery.last_receiver.p50", true},
	{"deliveries a second", "delivery.rate", false},
}

// rateLine is the cells that differ in their rate alone, by rate.
type rateLine struct {
	id    string // what they have in common
	cells []*result.Cell
}

// rateLines sorts the cells of a run into lines; cells of one rate make none.
func rateLines(run *result.Run) []*rateLine {
	var lines []*rateLine
	for i := range run.Cells {
		c := &run.Cells[i]
		if _, ok := c.Metrics["rate.asked"]; !ok || c.Params[kneeParam] == "" {
			continue
		}
		id := lineID(c, kneeParam)
		at := slices.IndexFunc(lines, func(l *rateLine) bool { return l.id == id })
		if at < 0 {
			at = len(lines)
			lines = append(lines, &rateLine{id: id})
		}
		lines[at].cells = append(lines[at].cells, c)
	}
	lines = slices.DeleteFunc(lines, func(l *rateLine) bool { return len(l.cells) < 2 })
	for _, l := range lines {
		slices.SortStableFunc(l.cells, func(a, b *result.Cell) int {
			return cmp.Compare(a.Metrics["rate.asked"].Value, b.Metrics["rate.asked"].Value)
		})
	}
	return lines
}

// kneeFigures draw latency and throughput over the rate of publishing: where
// latency leaves its plateau, something is full.
func kneeFigures(run *result.Run) ([]*Figure, error) {
	lines := rateLines(run)
	if len(lines) == 0 {
		return nil, nil
	}
	var l legend
	styles := make([]draw.LineStyle, len(lines))
	for i, line := range lines {
		styles[i] = lineStyle(lines, i)
		l.entries = append(l.entries, legendEntry{line.id, styles[i]})
	}
	var panels []*plot.Plot
	for _, def := range kneePanels {
		p := newPanel(def.title, plotTitleColour)
		p.X.Label.Text = "messages a second, asked for"
		p.X.Tick.Marker, p.X.Min, p.Y.Min, p.Y.Tick.Marker = roundTicks{}, 0, 0, roundTicks{}
		p.Add(gridLines())
		lo, hi, end := math.Inf(1), 0.0, 0.0
		for i, line := range lines {
			k := knee{style: styles[i]}
			if !def.latency { // as long as all is delivered, the lines lie on each other
				k.shift = spread(i, len(lines))
			}
			for _, c := range line.cells {
				m, ok := c.Metrics[def.metric]
				if !ok {
					continue
				}
				at := plotter.XY{X: c.Metrics["rate.asked"].Value, Y: m.Value}
				_, sound := c.Conclusive()
				k.points, k.sound = append(k.points, at), append(k.sound, sound)
				lo, hi, end = min(lo, max(at.Y, least)), max(hi, at.Y), max(end, at.X)
			}
			p.Add(k)
		}
		if hi == 0 {
			continue // no cell has the figure
		}
		p.X.Max, p.Y.Max = end*1.05, hi*1.05
		if def.latency {
			bottom, top := decade(lo, hi)
			logLatency(&p.Y, bottom, top)
		}
		panels = append(panels, p)
	}
	subtitle := "One point a cell: the median of its trials. A hollow point is of trials that proved nothing, such as those in which the generator was saturated."
	return inFigures("Latency and deliveries over the rate of publishing", subtitle, l, panels), nil
}

// lineStyle has the driver's colour, and dashes by its place among the lines of
// that driver.
func lineStyle(lines []*rateLine, i int) draw.LineStyle {
	colour, place := driverColour(lines[i].cells[0].Proxy), 0
	for _, l := range lines[:i] {
		if driverColour(l.cells[0].Proxy) == colour {
			place++
		}
	}
	return lineOf(colour, seriesDashes[place%len(seriesDashes)])
}

// knee is a line with its points, hollow where they prove nothing.
type knee struct {
	points plotter.XYs
	sound  []bool
	style  draw.LineStyle
	shift  vg.Length // up, so that lines which coincide are all seen
}

// Plot draws the line and the points.
func (k knee) Plot(c draw.Canvas, p *plot.Plot) {
	curve{points: k.points, style: k.style, shift: k.shift}.Plot(c, p)
	k.marks(c, p)
}

// marks draws the points alone.
func (k knee) marks(c draw.Canvas, p *plot.Plot) {
	toX, toY := p.Transforms(&c)
	for i, pt := range k.points {
		at := vg.Point{X: toX(pt.X), Y: toY(pt.Y) + k.shift}
		var shape draw.GlyphDrawer = draw.CircleGlyph{}
		if !k.sound[i] {
			shape = draw.RingGlyph{}
		}
		c.DrawGlyph(draw.GlyphStyle{Color: k.style.Color, Radius: vg.Points(3), Shape: shape}, at)
	}
}

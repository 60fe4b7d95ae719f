package report

import (
	"fmt"
	"image/color"
	"math"
	"slices"

	xfont "golang.org/x/image/font"
	"gonum.org/v1/plot"
	"gonum.org/v1/plot/vg"
	"gonum.org/v1/plot/vg/draw"

	"wsrig/internal/result"
)

// nodePairFigures draw delivery latency from node to node: one panel a cell, one
// square a pair of nodes, its median by colour and in figures.
func nodePairFigures(run *result.Run) ([]*Figure, error) {
	var all []*nodePairs
	scale := heatScale{lo: math.Inf(1)}
	for i := range run.Cells {
		p, err := nodePairsOf(&run.Cells[i])
		if err != nil {
			return nil, err
		}
		if p == nil {
			continue
		}
		all = append(all, p)
		for _, from := range p.nodes {
			for _, to := range p.nodes {
				if v, ok := p.quantile(from, to, "p50", 50); ok {
					scale.lo, scale.hi = min(scale.lo, max(v, least)), max(scale.hi, v)
				}
			}
		}
	}
	if len(all) == 0 {
		return nil, nil
	}
	var panels []*plot.Plot
	for _, p := range all {
		panel := newPanel(p.cell.ID, driverColour(p.cell.Proxy))
		panel.X.Label.Text, panel.Y.Label.Text = "receiver's node", "publisher's node"
		n := float64(len(p.nodes))
		panel.X.Min, panel.X.Max, panel.Y.Min, panel.Y.Max = 0, n, 0, n
		var across, down plot.ConstantTicks
		for i, name := range p.nodes {
			across = append(across, plot.Tick{Value: float64(i) + 0.5, Label: name})
			down = append(down, plot.Tick{Value: n - float64(i) - 0.5, Label: name}) // the first row is on top
		}
		panel.X.Tick.Marker, panel.Y.Tick.Marker = across, down
		panel.Add(heatMap{p, scale})
		panels = append(panels, panel)
	}
	subtitle := fmt.Sprintf("Intended publish time to receipt; all conclusive trials together. In each square the p50 and below it the p99, where there are enough deliveries. Colour: p50, from %s (light) to %s (dark), logarithmic, the same in all panels.",
		result.Format(scale.lo, "s"), result.Format(scale.hi, "s"))
	return inFigures("Delivery latency from node to node", subtitle, legend{}, panels), nil
}

// heatInk is black on a square. Other than the black of lines and text, a dark page
// leaves it as it is, as it leaves the square.
var heatInk = color.RGBA{0x0a, 0x0a, 0x0a, 0xff}

// heatScale gives latencies in seconds a colour.
type heatScale struct{ lo, hi float64 }

// heatColours go from light to dark in one hue, so that they are told apart with any
// colour vision and in a grey print (Brewer, "Blues").
var heatColours = []color.RGBA{
	{0xf7, 0xfb, 0xff, 0xff}, {0xc6, 0xdb, 0xef, 0xff}, {0x6b, 0xae, 0xd6, 0xff}, {0x21, 0x71, 0xb5, 0xff}, {0x08, 0x30, 0x6b, 0xff},
}

// at is how far up the scale a latency is, from 0 to 1.
func (s heatScale) at(v float64) float64 {
	if v <= s.lo || s.hi <= s.lo {
		return 0
	}
	return min(1, math.Log(v/s.lo)/math.Log(s.hi/s.lo))
}

// colour is that of a latency.
func (s heatScale) colour(v float64) color.RGBA {
	x := s.at(v) * float64(len(heatColours)-1)
	i := min(int(x), len(heatColours)-2)
	mix := func(a, b uint8) uint8 { return uint8(math.Round(float64(a) + (x-float64(i))*(float64(b)-float64(a)))) }
	a, b := heatColours[i], heatColours[i+1]
	return color.RGBA{mix(a.R, b.R), mix(a.G, b.G), mix(a.B, b.B), 0xff}
}

// heatMap is the squares of one panel.
type heatMap struct {
	*nodePairs
	scale heatScale
}

// Plot draws the squares, and their figures where there is room for them.
func (h heatMap) Plot(c draw.Canvas, p *plot.Plot) {
	toX, toY := p.Transforms(&c)
	n := len(h.nodes)
	for i, from := range h.nodes {
		for j, to := range h.nodes {
			v, ok := h.quantile(from, to, "p50", 50)
			if !ok {
				continue
			}
			left, right := toX(float64(j)), toX(float64(j+1))
			bottom, top := toY(float64(n-i-1)), toY(float64(n-i))
			fill := h.scale.colour(v)
			c.FillPolygon(fill, []vg.Point{{X: left, Y: bottom}, {X: right, Y: bottom}, {X: right, Y: top}, {X: left, Y: top}})
			texts := []string{result.Format(v, "s")}
			if far, ok := h.quantile(from, to, "p99", 99); ok {
				texts = append(texts, result.Format(far, "s"))
			}
			h.write(c, texts, inkOn(fill), vg.Point{X: (left + right) / 2, Y: (bottom + top) / 2}, right-left, top-bottom)
		}
	}
}

// write centres lines of text in a square; those that do not fit are left out.
func (h heatMap) write(c draw.Canvas, texts []string, ink color.Color, at vg.Point, width, height vg.Length) {
	const size = 7.5
	weights := []xfont.Weight{xfont.WeightBold, xfont.WeightNormal}
	line := vg.Points(size + 1.5)
	for len(texts) > 0 && vg.Length(len(texts))*line > height {
		texts = texts[:len(texts)-1]
	}
	if slices.ContainsFunc(texts, func(s string) bool { return textStyle(size, xfont.WeightBold, ink).Width(s) > width }) {
		return
	}
	y := at.Y + line*vg.Length(len(texts)-1)/2
	for i, text := range texts {
		style := textStyle(size, weights[i], ink)
		style.XAlign, style.YAlign = draw.XCenter, draw.YCenter
		c.FillText(style, vg.Point{X: at.X, Y: y - line*vg.Length(i)}, text)
	}
}

// inkOn is black or white, whichever stands out more on a colour: by its relative
// luminance (WCAG 2.1), without the correction that only matters near the middle.
func inkOn(c color.RGBA) color.Color {
	if 0.2126*float64(c.R)+0.7152*float64(c.G)+0.0722*float64(c.B) > 128 {
		return heatInk
	}
	return color.White
}

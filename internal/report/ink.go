package report

import (
	"image/color"
	"math"
	"strings"

	xfont "golang.org/x/image/font"
	"gonum.org/v1/plot"
	"gonum.org/v1/plot/plotter"
	"gonum.org/v1/plot/vg"
	"gonum.org/v1/plot/vg/draw"

	"wsrig/internal/result"
)

// The colours are those of Okabe and Ito ("Color Universal Design", 2008), which
// people with any colour vision can tell apart. A driver has the same colour in
// every figure; what is compared within one proxy takes the other colours.
var (
	driverColours = map[string]color.RGBA{
		"direct":  {0x60, 0x60, 0x60, 0xff},
		"haproxy": {0x00, 0x72, 0xb2, 0xff}, // blue
		"nginx":   {0xd5, 0x5e, 0x00, 0xff}, // vermilion
	}
	otherDriver = color.RGBA{0x00, 0x9e, 0x73, 0xff} // bluish green

	seriesColours = []color.RGBA{
		{0x00, 0x00, 0x00, 0xff}, // black
		{0x00, 0x9e, 0x73, 0xff}, // bluish green
		{0xcc, 0x79, 0xa7, 0xff}, // reddish purple
		{0xe6, 0x9f, 0x00, 0xff}, // orange
		{0x56, 0xb4, 0xe9, 0xff}, // sky blue
	}
	seriesDashes = [][]vg.Length{nil, {6, 2}, {2, 2}, {7, 2, 2, 2}, {1.5, 1.5}}
)

// inks name every colour that lines and text of a panel are drawn in. A page shows
// them as variables of its style sheet, page/page.css, which has each of them for
// light and for dark. Other colours, of squares and what is written on them, stay.
var inks = map[color.RGBA]string{
	{0x00, 0x00, 0x00, 0xff}: "black",
	{0x60, 0x60, 0x60, 0xff}: "direct",
	{0x00, 0x72, 0xb2, 0xff}: "haproxy",
	{0xd5, 0x5e, 0x00, 0xff}: "nginx",
	{0x00, 0x9e, 0x73, 0xff}: "green",
	{0xcc, 0x79, 0xa7, 0xff}: "purple",
	{0xe6, 0x9f, 0x00, 0xff}: "orange",
	{0x56, 0xb4, 0xe9, 0xff}: "sky",
	plotTitleColour:          "title",
	inkGrey:                  "grey",
	bandColour:               "band",
	gridColour:               "grid",
}

// inkOf is the name of a colour that has one.
func inkOf(c color.Color) string {
	rgba, _ := color.RGBAModel.Convert(c).(color.RGBA)
	return inks[rgba]
}

// driverColour is the colour of a proxy or of a cell, by the word before its colon, or
// before its parameters where it has none. Both sides of a comparison have one colour.
func driverColour(proxy string) color.RGBA {
	for _, side := range []string{result.SideBase, result.SideHead} {
		proxy = strings.TrimPrefix(proxy, side+":")
	}
	driver, _, _ := strings.Cut(proxy, ":")
	driver, _, _ = strings.Cut(driver, " ")
	if c, ok := driverColours[driver]; ok {
		return c
	}
	return otherDriver
}

// seriesStyle is the style of the i-th thing compared within a panel. Colour and
// dashes differ in step, so that a grey print can be read too.
func seriesStyle(i int) draw.LineStyle {
	return draw.LineStyle{
		Color:  seriesColours[i%len(seriesColours)],
		Width:  vg.Points(1.6),
		Dashes: seriesDashes[i%len(seriesDashes)],
	}
}

// coincide is how far apart, on paper, lines are drawn that would hide each other.
const coincide = vg.Length(2.2)

// spread is the shift of line i of n.
func spread(i, n int) vg.Length { return (vg.Length(n-1)/2 - vg.Length(i)) * coincide }

// curve is a line, of steps or straight, shifted up by a distance on paper.
type curve struct {
	points plotter.XYs
	style  draw.LineStyle
	steps  bool
	shift  vg.Length
}

// Plot draws the curve, clipped at the left and right edges.
func (l curve) Plot(c draw.Canvas, p *plot.Plot) {
	toX, toY := p.Transforms(&c)
	var path []vg.Point
	for i, pt := range l.points {
		at := vg.Point{X: toX(pt.X), Y: toY(pt.Y) + l.shift}
		if l.steps && i > 0 {
			path = append(path, vg.Point{X: at.X, Y: path[len(path)-1].Y})
		}
		path = append(path, at)
	}
	c.StrokeLines(l.style, c.ClipLinesX(path)...)
}

// rule is a vertical line with its label along it.
type rule struct {
	x     float64
	label string
}

// Plot draws the rule over the whole height of the panel.
func (r rule) Plot(c draw.Canvas, p *plot.Plot) {
	toX, _ := p.Transforms(&c)
	x := toX(r.x)
	c.StrokeLine2(draw.LineStyle{Color: inkGrey, Width: vg.Points(1), Dashes: []vg.Length{4, 3}}, x, c.Min.Y, x, c.Max.Y)
	style := textStyle(8, xfont.WeightNormal, inkGrey)
	style.Rotation = math.Pi / 2
	side := vg.Points(11)
	if x+side > c.Max.X {
		side = -vg.Points(2)
	}
	style.YAlign = draw.YBottom
	// Above the lines of the clients that are gone.
	c.FillText(style, vg.Point{X: x + side, Y: c.Min.Y + c.Size().Y/6}, printable(r.label))
}

// remark is a sentence within a panel, at a share of its height.
type remark struct {
	text   string
	height float64
}

// Plot draws the remark, centred.
func (m remark) Plot(c draw.Canvas, _ *plot.Plot) {
	style := textStyle(8.5, xfont.WeightNormal, inkGrey)
	style.XAlign, style.YAlign = draw.XCenter, draw.YCenter
	lines := fold(m.text, style, c.Size().X-vg.Points(8))
	y := c.Min.Y + c.Size().Y*vg.Length(m.height)
	for i, line := range lines {
		c.FillText(style, vg.Point{X: c.Center().X, Y: y - vg.Length(i)*vg.Points(11)}, line)
	}
}

// band is a span of time in which something was done to the testbed.
type band struct{ mark result.Mark }

var bandColour = color.RGBA{0xe8, 0xe0, 0xc8, 0xff}

// Plot draws the band behind the curves, at least a hair wide.
func (b band) Plot(c draw.Canvas, p *plot.Plot) {
	toX, _ := p.Transforms(&c)
	from, to := max(c.Min.X, toX(b.mark.Start)), min(c.Max.X, toX(b.mark.End))
	if from > c.Max.X || to < c.Min.X {
		return
	}
	to = max(to, from+vg.Points(1.5))
	c.FillPolygon(bandColour, []vg.Point{{X: from, Y: c.Min.Y}, {X: to, Y: c.Min.Y}, {X: to, Y: c.Max.Y}, {X: from, Y: c.Max.Y}})
	style := textStyle(8, xfont.WeightNormal, inkGrey)
	style.Rotation, style.XAlign, style.YAlign = math.Pi/2, draw.XRight, draw.YBottom
	if from-c.Min.X < vg.Points(11) {
		from += vg.Points(11) // no room at the left
	}
	c.FillText(style, vg.Point{X: from, Y: c.Max.Y - vg.Points(4)}, printable(b.mark.Text))
}

var gridColour = color.RGBA{0xe4, 0xe4, 0xe4, 0xff}

// grid lines of a panel, at its labelled ticks.
func gridLines() *plotter.Grid {
	g := plotter.NewGrid()
	pale := draw.LineStyle{Color: gridColour, Width: vg.Points(0.5)}
	g.Horizontal, g.Vertical = pale, pale
	return g
}

// plotTitleColour is for panels and legends that stand for no one driver.
var plotTitleColour = color.RGBA{0x20, 0x20, 0x20, 0xff}

// cellStyle is the line of a cell among others: its driver's colour, and dashes by
// its place among the cells of that driver.
func cellStyle(run *result.Run, cell *result.Cell) draw.LineStyle {
	place := 0
	for i := range run.Cells {
		c := &run.Cells[i]
		if c.ID == cell.ID {
			break
		}
		if driverColour(c.Proxy) == driverColour(cell.Proxy) {
			place++
		}
	}
	return lineOf(driverColour(cell.Proxy), seriesDashes[place%len(seriesDashes)])
}

func cellLegend(run *result.Run, group []*spectrum) legend {
	var l legend
	for _, s := range group {
		l.entries = append(l.entries, legendEntry{s.cell.ID, cellStyle(run, s.cell)})
	}
	return l
}

// lineOf is a line of a figure in which colour stands for the driver.
func lineOf(c color.Color, dashes []vg.Length) draw.LineStyle {
	return draw.LineStyle{Color: c, Width: vg.Points(1.6), Dashes: dashes}
}

package report

import (
	"fmt"
	"image/color"
	"strings"

	xfont "golang.org/x/image/font"
	"gonum.org/v1/plot"
	"gonum.org/v1/plot/font"
	"gonum.org/v1/plot/vg"
	"gonum.org/v1/plot/vg/draw"
)

// Figure is a title, a legend and a grid of panels with shared axes.
type Figure struct {
	title    string
	subtitle string // what is drawn and of how many clients or messages
	legend   legend
	panels   []*plot.Plot
}

// legend tells the lines of all panels apart.
type legend struct {
	title   string // what the entries are values of; may be empty
	entries []legendEntry
}

type legendEntry struct {
	label string
	style draw.LineStyle
}

// maxEntries is how many lines a legend names.
const maxEntries = 24

// maxPanels is how many panels one figure holds; more go into further figures.
const maxPanels = 12

// inkGrey is dark enough for small text on white.
var inkGrey = color.RGBA{0x55, 0x55, 0x55, 0xff}

func sans(size float64, weight xfont.Weight) font.Font {
	return font.Font{Typeface: "Liberation", Variant: "Sans", Weight: weight, Size: vg.Points(size)}
}

func textStyle(size float64, weight xfont.Weight, c color.Color) draw.TextStyle {
	return draw.TextStyle{Color: c, Font: sans(size, weight), Handler: plot.DefaultTextHandler, XAlign: draw.XLeft, YAlign: draw.YTop}
}

// newPanel is an empty plot in the style of all figures.
func newPanel(title string, c color.Color) *plot.Plot {
	p := plot.New()
	p.Title.Text = printable(title)
	p.Title.Padding = vg.Points(3)
	p.Title.TextStyle = textStyle(9.5, xfont.WeightBold, c)
	p.Title.TextStyle.XAlign = draw.XCenter
	for _, axis := range []*plot.Axis{&p.X, &p.Y} {
		axis.Label.TextStyle.Font = sans(9, xfont.WeightNormal)
		axis.Label.Padding = vg.Points(3)
		axis.Tick.Label.Font = sans(8.5, xfont.WeightNormal)
		axis.Tick.Length = vg.Points(3)
		axis.Padding = 0
	}
	return p
}

// columnsOf makes grids that are wider than high.
func columnsOf(panels int) int {
	switch {
	case panels <= 3:
		return panels
	case panels == 4:
		return 2
	}
	return 3
}

// grid lays the panels out in rows; places that stay empty are nil.
func (f *Figure) grid() [][]*plot.Plot {
	cols := columnsOf(len(f.panels))
	var rows [][]*plot.Plot
	for start := 0; start < len(f.panels); start += cols {
		row := make([]*plot.Plot, cols)
		copy(row, f.panels[start:min(start+cols, len(f.panels))])
		rows = append(rows, row)
	}
	return rows
}

func (f *Figure) draw(c draw.Canvas) {
	c.SetColor(color.White)
	c.Fill(c.Rectangle.Path())
	const margin = 10
	c = draw.Crop(c, margin, -margin, margin, -margin)

	c = drawLine(c, textStyle(13, xfont.WeightBold, color.Black), f.title, 3)
	small := textStyle(9, xfont.WeightNormal, inkGrey)
	for _, line := range fold(f.subtitle, small, c.Size().X) {
		c = drawLine(c, small, line, 1)
	}
	c = f.drawLegend(c)

	rows := f.grid()
	if len(rows) == 0 {
		return
	}
	f.labelEdges(rows)
	tiles := draw.Tiles{Rows: len(rows), Cols: len(rows[0]), PadX: vg.Points(12), PadY: vg.Points(10), PadTop: vg.Points(8), PadRight: vg.Points(8)}
	canvases := plot.Align(rows, tiles, c)
	for i, row := range rows {
		for j, p := range row {
			if p != nil {
				p.Draw(canvases[i][j])
			}
		}
	}
}

// labelEdges keeps axis labels at the outer edges only, since axes are shared.
func (f *Figure) labelEdges(rows [][]*plot.Plot) {
	for i, row := range rows {
		for j, p := range row {
			if p == nil {
				continue
			}
			if j > 0 {
				p.Y.Label.Text = ""
			}
			if i+1 < len(rows) && rows[i+1][j] != nil {
				p.X.Label.Text = ""
			}
		}
	}
}

// drawLine writes a line of text at the top of c and returns what is left below.
func drawLine(c draw.Canvas, style draw.TextStyle, text string, space float64) draw.Canvas {
	if text == "" {
		return c
	}
	c.FillText(style, vg.Point{X: c.Min.X, Y: c.Max.Y}, text)
	c.Max.Y -= style.Height(text) + vg.Points(space) + style.FontExtents().Descent
	return c
}

// drawLegend draws the legend in as many lines as it takes and returns what is left.
func (f *Figure) drawLegend(c draw.Canvas) draw.Canvas {
	if len(f.legend.entries) == 0 {
		return c
	}
	style := textStyle(9, xfont.WeightNormal, color.Black)
	style.YAlign = draw.YCenter
	const sample, space, height = 26, 16, 14
	x, y := c.Min.X, c.Max.Y-vg.Points(height)
	if title := printable(f.legend.title); title != "" {
		c.FillText(style, vg.Point{X: x, Y: y}, title)
		x += style.Width(title) + vg.Points(space)
	}
	for i, e := range f.legend.entries {
		if i == maxEntries {
			c.FillText(style, vg.Point{X: x, Y: y}, fmt.Sprintf("and %d more", len(f.legend.entries)-i))
			break
		}
		label := printable(e.label)
		w := vg.Points(sample+4) + style.Width(label)
		if x > c.Min.X && x+w > c.Max.X {
			x, y = c.Min.X, y-vg.Points(height)
		}
		c.StrokeLine2(e.style, x, y, x+vg.Points(sample), y)
		c.FillText(style, vg.Point{X: x + vg.Points(sample+4), Y: y}, label)
		x += w + vg.Points(space)
	}
	c.Max.Y = y - vg.Points(height/2)
	return c
}

// fold breaks s at spaces into lines no wider than width in style.
func fold(s string, style draw.TextStyle, width vg.Length) []string {
	var lines []string
	line := ""
	for _, word := range strings.Fields(printable(s)) {
		longer := strings.TrimSpace(line + " " + word)
		if line != "" && style.Width(longer) > width {
			lines = append(lines, line)
			longer = word
		}
		line = longer
	}
	if line != "" {
		lines = append(lines, line)
	}
	return lines
}

// inFigures spreads panels over as many figures as they need, each with the same
// title, legend and axes.
func inFigures(title, subtitle string, lines legend, panels []*plot.Plot) []*Figure {
	var figures []*Figure
	for start := 0; start < len(panels); start += maxPanels {
		figures = append(figures, &Figure{title, subtitle, lines, panels[start:min(start+maxPanels, len(panels))]})
	}
	return figures
}

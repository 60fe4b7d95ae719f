package report

import (
	"bytes"
	"errors"
	"fmt"
	"maps"
	"path/filepath"
	"slices"
	"strings"

	"gonum.org/v1/plot/vg"
	"gonum.org/v1/plot/vg/draw"
	"gonum.org/v1/plot/vg/vgimg"
	"gonum.org/v1/plot/vg/vgsvg"

	"wsrig/internal/result"
)

// plots is every plot of a report. A function returns no figure for a run without
// the data, and several where one would be too crowded.
var plots = map[string]func(*result.Run) ([]*Figure, error){
	"survival":          survivalFigures,
	"latency":           latencyFigures,
	"latency-over-time": latencyOverTimeFigures,
	"connections":       connectionFigures,
	"node-to-node":      nodePairFigures,
	"knee":              kneeFigures,
	"probes":            probeFigures,
	"scalability":       scalabilityFigures,
}

// PlotDir is the folder of a run's plots, in the run's directory.
const PlotDir = "plots"

// pngDPI gives a PNG 1.5 pixels for each pixel of the 96 dpi that browsers count
// in, so that text stays sharp on dense screens.
const pngDPI = 144

// Plot writes every plot that run has data for as dir/plots/NAME.svg and .png, and
// returns their paths, sorted. Figures of a plot after the first are NAME-2 and so
// on. The same run gives the same bytes.
func Plot(run *result.Run, dir string) ([]string, error) {
	files, err := plotFiles(run)
	if err != nil {
		return nil, err
	}
	return writeFiles(dir, files)
}

// plotFiles renders every plot that run has data for.
func plotFiles(run *result.Run) ([]File, error) {
	var files []File
	for _, name := range slices.Sorted(maps.Keys(plots)) {
		figures, err := plots[name](run)
		if err != nil {
			return nil, fmt.Errorf("plot %s: %w", name, err)
		}
		for i, f := range figures {
			base := name
			if i > 0 {
				base = fmt.Sprintf("%s-%d", name, i+1)
			}
			for _, out := range []struct {
				ext    string
				render func() ([]byte, error)
			}{{".svg", f.SVG}, {".png", f.PNG}} {
				data, err := out.render()
				if err != nil {
					return nil, fmt.Errorf("plot %s: %w", name, err)
				}
				files = append(files, File{filepath.Join(PlotDir, base+out.ext), data})
			}
		}
	}
	slices.SortFunc(files, func(a, b File) int { return strings.Compare(a.Name, b.Name) })
	return files, nil
}

// The fonts of gonum/plot are Liberation, which has Arial's metrics. A viewer
// without it must not fall back to a serif face of another width.
var (
	bareFamily  = []byte("font-family:Liberation Sans;")
	withSimilar = []byte("font-family:'Liberation Sans',Arial,Helvetica,sans-serif;")
)

// SVG renders the figure as an SVG document.
func (f *Figure) SVG() ([]byte, error) {
	c := vgsvg.New(f.size())
	f.draw(draw.New(c))
	var b bytes.Buffer
	if _, err := c.WriteTo(&b); err != nil {
		return nil, fmt.Errorf("render SVG: %w", err)
	}
	svg := bytes.ReplaceAll(b.Bytes(), bareFamily, withSimilar)
	if !bytes.Contains(svg, withSimilar) {
		return nil, errors.New("render SVG: its text is in none of the fonts asked for")
	}
	return svg, nil
}

// PNG renders the figure as a PNG image.
func (f *Figure) PNG() ([]byte, error) {
	w, h := f.size()
	c := vgimg.NewWith(vgimg.UseWH(w, h), vgimg.UseDPI(pngDPI))
	f.draw(draw.New(c))
	var b bytes.Buffer
	if _, err := (vgimg.PngCanvas{Canvas: c}).WriteTo(&b); err != nil {
		return nil, fmt.Errorf("render PNG: %w", err)
	}
	return b.Bytes(), nil
}

func (f *Figure) size() (w, h vg.Length) {
	const width, head, row = 675, 85, 185 // 900 pixels wide at 96 dpi
	rows := max(1, len(f.grid()))
	return vg.Points(width), vg.Points(float64(head + rows*row + 30))
}

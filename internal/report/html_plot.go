package report

import (
	"fmt"
	"html/template"
	"maps"
	"slices"

	"gonum.org/v1/plot"

	"wsrig/internal/result"
)

// timelinePlots are the plots over the time of a trial, with bands of what was done
// to the testbed.
var timelinePlots = map[string]bool{"latency-over-time": true, "connections": true}

// figureView is a figure of a page: title and legend are the page's, so that they
// stay readable on a narrow screen, and each panel is a drawing of its own.
type figureView struct {
	ID, Title, Subtitle string
	LegendTitle         string
	Legend              []legendView
	More                int // entries that the legend leaves out
	Panels              []panelView
}

type legendView struct {
	Label  string
	Sample template.HTML
}

type panelView struct {
	Title string
	Ink   string // name of the driver's colour; empty where the panel is of several
	SVG   template.HTML
}

// plotViews are the plots of a page, and what had to be left out of it.
type plotViews struct {
	Over    []*figureView // over something else than time
	Time    []*figureView
	LeftOut []string // sentences
	bytes   int
}

// maxDrawings is how many bytes of drawings a page holds. It keeps the page below
// 2 MB; what is left out is in the folder of plots.
const maxDrawings = 1 << 20

// maxLegend is how many lines the legend of a page names.
const maxLegend = 2 * maxEntries

// viewPlots draws the plots of run for a page.
func viewPlots(run *result.Run) (*plotViews, error) {
	v := &plotViews{}
	for _, name := range slices.Sorted(maps.Keys(plots)) {
		list, err := plots[name](run)
		if err != nil {
			return nil, fmt.Errorf("plot %s: %w", name, err)
		}
		if len(list) == 0 {
			continue
		}
		f, err := v.figure(name, list)
		if err != nil {
			return nil, fmt.Errorf("plot %s: %w", name, err)
		}
		if timelinePlots[name] {
			v.Time = append(v.Time, f)
		} else {
			v.Over = append(v.Over, f)
		}
	}
	return v, nil
}

// figure joins the figures over which inFigures spread the panels of one plot.
func (v *plotViews) figure(name string, list []*Figure) (*figureView, error) {
	first := list[0]
	f := &figureView{ID: "plot-" + name, Title: shorten(first.title, maxName), Subtitle: shorten(first.subtitle, maxText), LegendTitle: shorten(first.legend.title, maxName)}
	for i, e := range first.legend.entries {
		if i == maxLegend {
			f.More = len(first.legend.entries) - i
			break
		}
		f.Legend = append(f.Legend, legendView{shorten(e.label, maxName), sampleSVG(e.style)})
	}
	leftOut, full := 0, false
	for _, part := range list {
		for _, p := range part.panels {
			if full {
				leftOut++
				continue
			}
			panel, err := viewPanel(f.Title, p)
			if err != nil {
				return nil, err
			}
			if full = v.bytes+len(panel.SVG) > maxDrawings; full {
				leftOut++
				continue
			}
			v.bytes += len(panel.SVG)
			f.Panels = append(f.Panels, panel)
		}
	}
	if leftOut > 0 {
		v.LeftOut = append(v.LeftOut, fmt.Sprintf("%s: %s left out, so that this page stays small; see %s/%s.svg.", f.Title, plural(leftOut, "panel is", "panels are"), PlotDir, name))
	}
	return f, nil
}

func viewPanel(figure string, p *plot.Plot) (panelView, error) {
	v := panelView{Title: shorten(p.Title.Text, maxName)}
	if c := p.Title.TextStyle.Color; inkOf(c) != inks[plotTitleColour] {
		v.Ink = inkOf(c)
	}
	label := fmt.Sprintf("%s. %s. Across: %s, up: %s.", figure, v.Title, p.X.Label.Text, p.Y.Label.Text)
	var err error
	v.SVG, err = panelSVG(p, label)
	return v, err
}

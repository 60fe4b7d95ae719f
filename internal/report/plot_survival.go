package report

import (
	"fmt"
	"maps"
	"slices"
	"strings"

	"gonum.org/v1/plot"
	"gonum.org/v1/plot/plotter"
	"gonum.org/v1/plot/vg/draw"

	"wsrig/internal/result"
)

// survival is how the idle clients of one cell fared, all trials together.
type survival struct {
	cell   *result.Cell
	label  string // its parameters
	n      int64  // clients
	points plotter.XYs
}

// survivalFigures draw, one panel a proxy and one line for each value of the
// parameters, the share of clients still open by time since the 101.
func survivalFigures(run *result.Run) ([]*Figure, error) {
	var curves []*survival
	watched := 0.0
	for i := range run.Cells {
		c := &run.Cells[i]
		if !has("idle.clients")(c) {
			continue
		}
		s, err := survivalOf(run, c)
		if err != nil {
			return nil, fmt.Errorf("%s: %w", c.ID, err)
		}
		if s.n > 0 {
			curves = append(curves, s)
			watched = max(watched, s.points[len(s.points)-1].X)
		}
	}
	if len(curves) == 0 || watched == 0 {
		return nil, nil
	}
	styles, lines := survivalStyles(curves)
	var panels []*plot.Plot
	for _, proxy := range proxiesOf(curves) {
		panels = append(panels, survivalPanel(proxy, curves, styles, watched))
	}
	return inFigures("How long idle clients live behind each proxy", survivalSubtitle(curves), lines, panels), nil
}

// survivalOf turns the close times of a cell into its curve. It ends with the
// cell's watch: clients that were open then were seen to live that long, no longer.
func survivalOf(run *result.Run, c *result.Cell) (*survival, error) {
	s := &survival{cell: c, label: paramsText(c)}
	trials, _ := c.Conclusive()
	var groups []*result.Histogram
	for _, t := range trials {
		s.n += int64(t.Metrics["idle.clients"].Value)
		for _, g := range t.Closes {
			if g.Cause != asked && g.After != nil {
				groups = append(groups, g.After)
			}
		}
	}
	sum, err := result.Merge(groups...)
	if err != nil {
		return nil, err
	}
	s.points = plotter.XYs{{X: 0, Y: 1}}
	if sum != nil {
		scale, err := seconds(groups[0])
		if err != nil {
			return nil, err
		}
		// Clients closed before the idling began were clients all the same.
		s.n = max(s.n, sum.TotalCount())
		closed := int64(0)
		for _, bar := range sum.Distribution() {
			if bar.Count > 0 {
				closed += bar.Count
				s.points = append(s.points, plotter.XY{X: float64(bar.To) * scale, Y: 1 - float64(closed)/float64(s.n)})
			}
		}
	}
	last := s.points[len(s.points)-1]
	s.points = append(s.points, plotter.XY{X: max(last.X, watchOf(run, c)), Y: last.Y})
	return s, nil
}

// watchOf is how long a cell's idling was watched, in seconds: its longest idle step.
func watchOf(run *result.Run, c *result.Cell) float64 {
	watch := 0.0
	for _, m := range run.Marks {
		if m.Cell == c.ID && m.Kind == "idle" {
			watch = max(watch, m.End-m.Start)
		}
	}
	return watch
}

// paramsText is what tells the cells of one proxy apart.
func paramsText(c *result.Cell) string {
	var parts []string
	for _, name := range slices.Sorted(maps.Keys(c.Params)) {
		parts = append(parts, name+" "+c.Params[name])
	}
	return strings.Join(parts, ", ")
}

// survivalStyles give the same parameters the same line in every panel.
func survivalStyles(curves []*survival) (map[string]draw.LineStyle, legend) {
	styles := map[string]draw.LineStyle{}
	lines := legend{title: onlyParam(curves)}
	for _, s := range curves {
		if _, ok := styles[s.label]; ok {
			continue
		}
		styles[s.label] = seriesStyle(len(styles))
		if s.label != "" {
			lines.entries = append(lines.entries, legendEntry{strings.TrimPrefix(s.label, lines.title+" "), styles[s.label]})
		}
	}
	return styles, lines
}

// onlyParam is the parameter that tells all cells apart, or "" if there are several.
func onlyParam(curves []*survival) string {
	name := ""
	for _, s := range curves {
		for p := range s.cell.Params {
			if name != "" && p != name {
				return ""
			}
			name = p
		}
	}
	return name
}

func proxiesOf(curves []*survival) []string {
	var proxies []string
	for _, s := range curves {
		if !slices.Contains(proxies, s.cell.Proxy) {
			proxies = append(proxies, s.cell.Proxy)
		}
	}
	return proxies
}

func survivalPanel(proxy string, curves []*survival, styles map[string]draw.LineStyle, watched float64) *plot.Plot {
	p := newPanel(proxy, driverColour(proxy))
	p.X.Label.Text, p.Y.Label.Text = "seconds since the 101", "clients still open"
	p.X.Min, p.X.Max, p.X.Tick.Marker = 0, watched, roundTicks{}
	p.Y.Min, p.Y.Max, p.Y.Tick.Marker = -0.06, 1.08, percentTicks
	p.Add(gridLines())
	var own []*survival
	for _, s := range curves {
		if s.cell.Proxy == proxy {
			own = append(own, s)
		}
	}
	p.Add(declaredPlotters(own, watched)...)
	for i, s := range own {
		p.Add(curve{s.points, styles[s.label], true, spread(i, len(own))})
	}
	return p
}

// declaredPlotters show what the cells of one proxy declare: a rule for each limit
// within the watch, a remark for what no rule can show.
func declaredPlotters(own []*survival, watched float64) []plot.Plotter {
	var drawn []plot.Plotter
	seen := map[string]bool{}
	for _, s := range own {
		d := s.cell.Declared
		text := "no proxy, nothing declared"
		if d != nil {
			text = "no limit declared"
		}
		if d != nil && d.IdleTimeout > 0 {
			text = fmt.Sprintf("%s: %s", d.Directive, result.Format(d.IdleTimeout, "s"))
		}
		if seen[text] {
			continue
		}
		seen[text] = true
		switch {
		case d != nil && d.IdleTimeout > 0 && d.IdleTimeout <= watched:
			drawn = append(drawn, rule{d.IdleTimeout, text})
		case d != nil && d.IdleTimeout > watched:
			drawn = append(drawn, remark{text + ", longer than the watch", 0.45})
		default:
			drawn = append(drawn, remark{text, 0.45})
		}
	}
	return drawn
}

func survivalSubtitle(curves []*survival) string {
	lo, hi := curves[0].n, curves[0].n
	trials := 0
	for _, s := range curves {
		lo, hi = min(lo, s.n), max(hi, s.n)
		conclusive, _ := s.cell.Conclusive()
		trials = max(trials, len(conclusive))
	}
	n := result.Format(float64(lo), "count")
	if hi != lo {
		n += " to " + result.Format(float64(hi), "count")
	}
	text := fmt.Sprintf("n = %s clients a line", n)
	if trials > 1 {
		text += fmt.Sprintf(", %d trials together", trials)
	}
	return text + ". Dashed vertical: the idle timeout that the configuration declares. Lines are set a little apart so that none hides another."
}

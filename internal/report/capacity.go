package report

import (
	"cmp"
	"maps"
	"math"
	"slices"
	"strconv"
	"strings"

	"wsrig/internal/result"
)

// nodesParam is the parameter over which capacity is drawn and the law fitted.
const nodesParam = "nodes"

// growth is how the capacity of one proxy moves with the nodes.
type growth struct {
	id     string // proxy and the other parameters
	proxy  string
	points []capacityAt // of conclusive cells, by nodes
	open   []capacityAt // of cells whose search found a lower bound only
}

// growthOf sorts the cells with a search into lines of one proxy each.
func growthOf(run *result.Run) []*growth {
	var all []*growth
	for i := range run.Cells {
		c := &run.Cells[i]
		nodes, err := strconv.Atoi(c.Params[nodesParam])
		rate, has := c.Metrics["capacity.rate"]
		if err != nil || nodes < 1 || nodes > maxDrawn || !has || !(rate.Value > 0) || rate.Value > maxDrawn {
			continue
		}
		id := lineID(c, nodesParam)
		at := slices.IndexFunc(all, func(g *growth) bool { return g.id == id })
		if at < 0 {
			at = len(all)
			all = append(all, &growth{id: id, proxy: c.Proxy})
		}
		p := capacityAt{float64(nodes), rate.Value}
		if _, sound := c.Conclusive(); sound {
			all[at].points = append(all[at].points, p)
		} else {
			all[at].open = append(all[at].open, p)
		}
	}
	for _, g := range all {
		byNodes := func(a, b capacityAt) int { return cmp.Compare(a.nodes, b.nodes) }
		slices.SortStableFunc(g.points, byNodes)
		slices.SortStableFunc(g.open, byNodes)
	}
	return all
}

// maxDrawn is above any rate, and small enough for every axis.
const maxDrawn = 1e9

// lineID is the proxy of a cell and its parameters, but for the one that its line runs
// over.
func lineID(c *result.Cell, along string) string {
	id := c.Proxy
	for _, name := range slices.Sorted(maps.Keys(c.Params)) {
		if name != along {
			id += " " + name + "=" + c.Params[name]
		}
	}
	return id
}

// capacityColumns are of one search a cell; of several trials, rates are medians.
var capacityColumns = []column{
	{Column{Header: "capacity", Right: true}, capacityText},
	figure("p99 at it", "capacity.p99_at"),
	{Column{Header: "fails at", Right: true}, func(r *row) string {
		if p, ok := lowestFailing(r); ok {
			return result.Format(p.Asked, "/s")
		}
		return missing
	}},
	{Column{Header: "why", Wrap: true}, failingText},
	figure("generator CPU", "capacity.generator_cpu"),
	total("probes", "capacity.probes"),
	{Column{Header: "verdict", Role: roleVerdict}, cellVerdict},
}

// capacityText marks what is a lower bound only.
func capacityText(r *row) string {
	text := r.median("capacity.rate")
	if _, sound := r.cell.Conclusive(); !sound && text != missing {
		r.notes.add("≥: the search ended before a rate failed, or in a probe whose generator was saturated. The capacity is not known, only that it is not lower.")
		text = "≥ " + text
	}
	r.notes.add("Capacity is the highest rate of messages whose probe kept the objective; the rate it fails at is the lowest whose probe did not, twice in a row. Generator CPU is a share of the cores it may use.")
	return text
}

// lowestFailing is the lowest rate that failed in any trial.
func lowestFailing(r *row) (lowest result.Probe, ok bool) {
	for _, t := range r.trials {
		p, failed := result.FirstFailing(t.Probes)
		if failed && (!ok || p.Asked < lowest.Asked) {
			lowest, ok = p, true
		}
	}
	return lowest, ok
}

// failingText says why the lowest failing rate failed, or what ended the search.
func failingText(r *row) string {
	if _, sound := r.cell.Conclusive(); !sound && len(r.trials) > 0 {
		return strings.Join(r.trials[0].Inconclusive, "; ")
	}
	if p, ok := lowestFailing(r); ok {
		return p.Why
	}
	return missing
}

func hasProbes(c *result.Cell) bool { return has("capacity.probes")(c) }

// scalabilityTable is the law's figures for each proxy. ok is false for a run without
// capacities over nodes.
func scalabilityTable(run *result.Run) (t Table, ok bool) {
	t = Table{Title: "Capacity by nodes, fitted by the Universal Scalability Law", Columns: []Column{
		{Header: "proxy", Role: roleProxy}, {Header: "capacity by nodes", Wrap: true}, {Header: "lambda", Right: true}, {Header: "sigma", Right: true}, {Header: "kappa", Right: true}, {Header: "most at", Right: true},
	}}
	exact, few := false, false
	for _, g := range growthOf(run) {
		var points []string
		for _, p := range g.points {
			points = append(points, result.Format(p.nodes, "count")+": "+result.Format(p.rate, "/s"))
		}
		cells := []string{g.id, cmp.Or(strings.Join(points, ", "), missing), missing, missing, missing, missing}
		if fit, fitted := fitScaling(g.points); fitted {
			exact = exact || freedom(g.points) <= 0
			cells[2] = result.Format(fit.lambda, "/s")
			cells[3], cells[4] = strconv.FormatFloat(fit.sigma, 'f', 3, 64), strconv.FormatFloat(fit.kappa, 'f', 4, 64)
			if most := math.Sqrt((1 - fit.sigma) / fit.kappa); fit.kappa > 0 && fit.sigma < 1 && most < maxDrawn {
				cells[5] = counted(int(math.Max(1, math.Round(most))), "node")
			}
		} else {
			few = true
		}
		t.Rows = append(t.Rows, cells)
	}
	t.Notes = append(t.Notes, "X(N) = lambda N / (1 + sigma (N-1) + kappa N (N-1)): lambda is one node's capacity, sigma the share of the work that nodes do not share out, kappa what each pair of nodes costs. \"Most at\" is where the law has its maximum.")
	if exact {
		t.Notes = append(t.Notes, "Three points for three parameters leave no degree of freedom: the fit describes the points and proves nothing, least of all beyond the last.")
	}
	if few {
		t.Notes = append(t.Notes, "No fit where fewer than three numbers of nodes have a conclusive capacity.")
	}
	return t, len(t.Rows) > 0
}

func counted(n int, noun string) string { return plural(n, noun, noun+"s") }

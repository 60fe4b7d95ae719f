package report

import (
	"cmp"
	"slices"

	"wsrig/internal/result"
)

// closesTable is every way in which connections ended, the scenario's own end
// included, and after how much silence.
var closesTable = tableDef{
	title: "How connections ended", columns: closesColumns, cell: hasCloses, rows: closeKinds, key: "how they ended",
}

var closesColumns = []column{
	{Column{Header: "clients", Right: true}, func(r *row) string {
		n := 0
		for _, g := range r.closeGroups() {
			n += g.Count
		}
		if len(r.trials) > 1 {
			r.notes.add("Clients are totals over the trials.")
		}
		return result.Format(float64(n), "count")
	}},
	closesMedian("open for, p50", func(g result.CloseGroup) *result.Histogram { return g.After }),
	closesMedian("silent for, p50", func(g result.CloseGroup) *result.Histogram { return g.Silent }),
}

func hasCloses(c *result.Cell) bool { return len(closeKinds(c)) > 0 }

// closeKinds are the ways in which a cell's connections ended, the most frequent first.
func closeKinds(c *result.Cell) []string {
	counts := map[string]int{}
	trials, _ := c.Conclusive()
	for _, t := range trials {
		for _, g := range t.Closes {
			counts[closeText(g)] += g.Count
		}
	}
	var kinds []string
	for kind := range counts {
		kinds = append(kinds, kind)
	}
	slices.SortFunc(kinds, func(a, b string) int { return cmp.Or(cmp.Compare(counts[b], counts[a]), cmp.Compare(a, b)) })
	return kinds
}

// closeGroups are the closes of a row, of all its trials.
func (r *row) closeGroups() []result.CloseGroup {
	var groups []result.CloseGroup
	for _, t := range r.trials {
		for _, g := range t.Closes {
			if closeText(g) == r.key {
				groups = append(groups, g)
			}
		}
	}
	return groups
}

// closesMedian is a median over all trials together.
func closesMedian(header string, of func(result.CloseGroup) *result.Histogram) column {
	return column{Column{Header: header, Right: true}, func(r *row) string {
		r.notes.add("Open for: from the 101 to the end of the connection. Silent for: from the last byte in either direction to the end. Asked: the client closed because the scenario was over.")
		var parts []*result.Histogram
		for _, g := range r.closeGroups() {
			if h := of(g); h != nil && h.Count > 0 {
				parts = append(parts, h)
			}
		}
		sum, err := result.Merge(parts...)
		if err != nil || sum == nil {
			return missing
		}
		scale, err := seconds(parts[0])
		if err != nil {
			return missing
		}
		return result.Format(float64(sum.ValueAtQuantile(50))*scale, "s")
	}}
}

package report

import (
	"cmp"
	"fmt"
	"maps"
	"math"
	"slices"
	"strconv"
	"strings"

	"wsrig/internal/result"
)

var balanceColumns = []column{
	{Column{Header: "new clients", Right: true}, balanceColumn(newText)},
	{Column{Header: "expected", Right: true}, balanceColumn(expectedText)},
	{Column{Header: "then open", Right: true}, balanceColumn(openText)},
	{Column{Header: "max/mean", Right: true}, phaseFigure("max_over_mean")},
	{Column{Header: "jain", Right: true}, phaseFigure("jain")},
	{Column{Header: "moved", Right: true}, phaseFigure("moved")},
	{Column{Header: "p", Right: true}, balanceColumn(chanceText)},
	{Column{Header: "verdict", Role: roleVerdict}, balanceColumn(fairText)},
	{Column{Header: "counted", Right: true}, balanceViews},
	{Column{Header: "by proxy process", Right: true, Wrap: true}, balanceColumn(processText)},
}

// hasBalance tells whether a cell's balance is worth a table: clients came more than
// once, or the spread was not what the algorithm says. That one ramp went where it
// should is in run.json.
func hasBalance(c *result.Cell) bool {
	return slices.ContainsFunc(c.Trials, func(t result.Trial) bool {
		return len(t.Balance) > 1 || slices.ContainsFunc(t.Balance, func(b result.Balance) bool { return b.Fair != nil && !*b.Fair })
	})
}

// balancePhases are the phases of every conclusive trial of a cell, in their order.
func balancePhases(c *result.Cell) []string {
	var keys []string
	trials, _ := c.Conclusive()
	for _, t := range trials {
		for i := range t.Balance {
			keys = append(keys, phaseKey(c, t, i))
		}
	}
	return keys
}

// phaseKey names a phase, with its number where a trial has several of one name.
func phaseKey(c *result.Cell, t *result.Trial, i int) string {
	key, same := t.Balance[i].Phase, 1
	for _, b := range t.Balance[:i] {
		if b.Phase == key {
			same++
		}
	}
	if same > 1 {
		key += " " + strconv.Itoa(same)
	}
	if len(c.Trials) > 1 {
		key = fmt.Sprintf("%d, %s", t.Index, key)
	}
	return key
}

// phase is what a row of the balance table is about.
func (r *row) phase() (*result.Trial, *result.Balance) {
	for _, t := range r.trials {
		for i := range t.Balance {
			if phaseKey(r.cell, t, i) == r.key {
				return t, &t.Balance[i]
			}
		}
	}
	return nil, nil
}

func balanceColumn(text func(*row, *result.Balance) string) func(*row) string {
	return func(r *row) string {
		if _, b := r.phase(); b != nil {
			return text(r, b)
		}
		return missing
	}
}

// perNode lists a figure of each node, the nodes in their order.
func perNode(nodes []string, figure func(string) string) string {
	if len(nodes) == 0 {
		return missing
	}
	each := make([]string, len(nodes))
	for i, n := range nodes {
		each[i] = figure(n)
	}
	return strings.Join(each, "/")
}

// poolOf are the nodes of a phase, n2 before n10.
func poolOf(b *result.Balance) []string {
	all := map[string]bool{}
	for _, m := range []map[string]int{b.Open, b.New} {
		for n := range m {
			all[n] = true
		}
	}
	for n := range b.Expected {
		all[n] = true
	}
	return slices.SortedFunc(maps.Keys(all), func(a, b string) int {
		return cmp.Or(cmp.Compare(len(a), len(b)), cmp.Compare(a, b))
	})
}

func newText(r *row, b *result.Balance) string {
	r.notes.add("Clients by node, in the order n1/n2/...; expected is of the new clients, by the algorithm that the configuration declares.")
	return perNode(poolOf(b), func(n string) string { return strconv.Itoa(b.New[n]) })
}

func expectedText(r *row, b *result.Balance) string {
	if b.Expected == nil {
		return missing
	}
	r.notes.add("%s, %s (%s): %s.", r.cell.Proxy, b.Algorithm, b.Where, b.Null)
	return perNode(poolOf(b), func(n string) string {
		return strconv.FormatFloat(math.Round(b.Expected[n]*10)/10, 'f', -1, 64)
	})
}

func openText(_ *row, b *result.Balance) string {
	if len(b.Open) == 0 {
		return missing
	}
	return perNode(poolOf(b), func(n string) string { return strconv.Itoa(b.Open[n]) })
}

// phaseFigure is a metric of the phase in its own trial.
func phaseFigure(name string) func(*row) string {
	return func(r *row) string {
		t, b := r.phase()
		if b == nil {
			return missing
		}
		m, ok := t.Metrics[result.BalanceMetric(b.Phase, name)]
		if !ok {
			return missing
		}
		return strconv.FormatFloat(m.Value, 'f', 3, 64)
	}
}

func chanceText(_ *row, b *result.Balance) string {
	if b.P == nil {
		return missing
	}
	return strconv.FormatFloat(*b.P, 'g', 2, 64)
}

func fairText(r *row, b *result.Balance) string {
	switch {
	case b.Fair == nil:
		r.notes.add("%s, %s: not judged: %s.", r.cell.ID, r.key, b.Why)
		return "?"
	case *b.Fair:
		return "fair"
	}
	r.notes.add("%s, %s: unfair: %s.", r.cell.ID, r.key, b.Why)
	return "UNFAIR"
}

// balanceViews are the three counts of the view that ends a phase, as one where they
// are one.
func balanceViews(r *row) string {
	t, b := r.phase()
	if b == nil {
		return missing
	}
	r.notes.add("Counted: open connections, one figure where clients, nodes and proxy agree, else the three.")
	for _, v := range t.Views {
		if v.Step != b.Step {
			continue
		}
		counts, same := []string{strconv.Itoa(v.Client), missing, missing}, true
		if nodes, tell := v.Nodes(); tell {
			counts[1], same = strconv.Itoa(nodes), nodes == v.Client
		}
		if v.Proxy != nil {
			counts[2], same = strconv.Itoa(*v.Proxy), same && *v.Proxy == v.Client
		}
		if same {
			return counts[0]
		}
		return strings.Join(counts, ", ")
	}
	return missing
}

// processText lists what each process holds, those of earlier configurations in
// brackets.
func processText(r *row, b *result.Balance) string {
	var now, old []string
	for _, p := range b.Processes {
		if p.Old {
			old = append(old, strconv.Itoa(p.Open))
		} else {
			now = append(now, strconv.Itoa(p.Open))
		}
	}
	if len(now)+len(old) == 0 {
		return missing
	}
	text := strings.Join(now, "+")
	if len(old) > 0 {
		r.notes.add("In brackets: processes of earlier configurations, which keep their clients and take no new ones.")
		text += " (" + strings.Join(old, "+") + ")"
	}
	return text
}

package report

import (
	"io"
	"slices"

	"wsrig/internal/result"
)

// comparisonPage is what the page of a comparison is filled with.
type comparisonPage struct {
	Scenario string
	Verdict  result.Verdict
	Setting  []string
	Differ   []tableView // what is not the same on both sides
	All      []tableView
}

// HTMLComparison writes c as one page that needs nothing else: the verdict with its
// reasons, how the two sides were compared, and every fact and figure. It is a function
// of the comparison; an error is of w.
func HTMLComparison(w io.Writer, c *Comparison) error {
	p := &comparisonPage{
		Scenario: shorten(c.Scenario, maxName),
		Verdict:  result.Verdict{Status: c.Verdict.Status, Reasons: clipAll(c.Verdict.Reasons, maxText)},
		Setting:  clipAll(c.setting(), maxText),
	}
	all := c.Tables(true)
	for i, t := range all {
		p.All = append(p.All, viewTable(t, i+1))
		if t = differing(t); len(t.Rows) > 0 {
			p.Differ = append(p.Differ, viewTable(t, len(all)+i+1))
		}
	}
	return execute(w, "compare.html", p)
}

// differing is t with the rows whose verdict says more than that nothing differs.
func differing(t Table) Table {
	at := slices.IndexFunc(t.Columns, func(c Column) bool { return c.Role == roleVerdict })
	t.Rows = slices.DeleteFunc(slices.Clone(t.Rows), func(row []string) bool {
		return at < 0 || row[at] == noDifference || row[at] == NotJudged
	})
	return t
}

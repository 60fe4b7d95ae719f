package report

import (
	"fmt"
	"io"
	"slices"
	"strings"

	"wsrig/internal/result"
)

// noDifference is what stands where a difference would.
const noDifference = "~"

// Text writes the comparison for people as plain text: the verdict with its reasons,
// the facts that differ, and the figures that gate; with all, every fact and figure.
// Lines keep to width characters where the figures allow it; 0 stands for DefaultWidth.
func (c *Comparison) Text(w io.Writer, width int, all bool) error {
	return c.document(all).text(w, width)
}

// Markdown writes the same as Text in GitHub Flavored Markdown.
func (c *Comparison) Markdown(w io.Writer, all bool) error { return c.document(all).markdown(w) }

func (c *Comparison) document(all bool) document {
	const what = ", base against head"
	status := strings.ToUpper(c.Verdict.Status)
	return document{
		title:   status + ": " + printable(c.Scenario) + what,
		heading: markdown(c.Scenario) + what + ": " + status,
		reasons: c.Verdict.Reasons, setting: c.setting(), tables: c.Tables(all),
	}
}

// setting says what was compared and how.
func (c *Comparison) setting() []string {
	side := func(name string, s ComparedSide) string {
		text := name + ": run " + s.RunID
		if s.Ref != "" {
			text += ", " + s.Ref
		}
		return text + "."
	}
	lines := []string{side("Base", c.Base), side("Head", c.Head)}
	if c.Tests > 0 {
		lines = append(lines, fmt.Sprintf("%s by the Mann-Whitney U test, corrected for their number (Holm): of 100 comparisons of equal systems at most %s call anything different. One test among these can be significant from %s a side on.",
			plural(c.Tests, "figure", "figures"), result.Format(c.Alpha*100, ""), plural(c.Needs, "trial", "trials")))
	}
	for _, d := range c.Differences {
		lines = append(lines, "FORCED, although not comparable: "+d.String()+".")
	}
	return append(lines, c.Notes...)
}

// Tables are the comparison as tables: facts, then figures; without all, only the facts
// that differ and the figures that gate.
func (c *Comparison) Tables(all bool) []Table {
	var tables []Table
	if t := c.factTable(all); len(t.Rows) > 0 {
		tables = append(tables, t)
	}
	if t := c.metricTable(all); len(t.Rows) > 0 {
		tables = append(tables, t)
	}
	return tables
}

func (c *Comparison) factTable(all bool) Table {
	t := Table{Title: "Facts", Columns: []Column{
		{Header: "cell", Group: true, Role: roleProxy}, {Header: "fact", Wrap: true}, {Header: "base", Wrap: true}, {Header: "head", Wrap: true},
		{Header: "verdict", Role: roleVerdict}, {Header: "why", Wrap: true},
	}}
	same := 0
	for _, cell := range c.Cells {
		for _, f := range cell.Facts {
			if f.Verdict == Same {
				if same++; !all {
					continue
				}
			}
			t.Rows = append(t.Rows, []string{cell.Name, f.Name, f.Base, f.Head, verdictText(f.Verdict), f.Why})
		}
	}
	if same > 0 && !all && len(t.Rows) > 0 {
		t.Notes = append(t.Notes, fmt.Sprintf("%s the same on both sides and left out; --all shows them.", plural(same, "fact is", "facts are")))
	}
	return t.withoutEmpty("why")
}

func (c *Comparison) metricTable(all bool) Table {
	t := Table{Title: "Figures, medians of the trials", Columns: []Column{
		{Header: "cell", Group: true, Role: roleProxy}, {Header: "figure"}, {Header: "base", Right: true}, {Header: "head", Right: true},
		{Header: "change", Right: true}, {Header: "p", Right: true}, {Header: "n", Right: true}, {Header: "verdict", Role: roleVerdict}, {Header: "why", Wrap: true},
	}}
	left := 0
	for _, cell := range c.Cells {
		for _, m := range cell.Metrics {
			if m.Verdict == NotJudged && !all {
				left++
				continue
			}
			t.Rows = append(t.Rows, []string{
				cell.Name, m.Metric, m.Base.withInterval(m.Unit), m.Head.withInterval(m.Unit), m.shownChange(c.Alpha), m.shownP(),
				fmt.Sprintf("%d+%d", m.Base.Trials, m.Head.Trials), verdictText(m.Verdict), m.Why,
			})
		}
	}
	if len(t.Rows) == 0 {
		return t
	}
	t.Notes = []string{fmt.Sprintf("In [ ] is the %s confidence interval of the median, which takes 6 trials. %s stands for no difference: not significant, or too small to count. p is corrected for the number of tests where the figure is judged.",
		result.Format(intervalConfidence, "ratio"), noDifference)}
	if left > 0 {
		t.Notes = append(t.Notes, fmt.Sprintf("%s not judged and left out; --all shows them.", plural(left, "figure is", "figures are")))
	}
	return t.withoutEmpty("why")
}

// withoutEmpty leaves a column out that says nothing in any row.
func (t Table) withoutEmpty(header string) Table {
	i := slices.IndexFunc(t.Columns, func(c Column) bool { return c.Header == header })
	if slices.ContainsFunc(t.Rows, func(row []string) bool { return row[i] != "" }) {
		return t
	}
	t.Columns = slices.Delete(t.Columns, i, i+1)
	for r, row := range t.Rows {
		t.Rows[r] = slices.Delete(row, i, i+1)
	}
	return t
}

// verdictText is a verdict in a table: no difference is a sign, not a word.
func verdictText(verdict string) string {
	if verdict == Same {
		return noDifference
	}
	return verdict
}

// shownChange is the change, or ~ where none is significant.
func (m *MetricComparison) shownChange(alpha float64) string {
	p := m.P
	if m.Holm != nil {
		p = m.Holm
	}
	switch {
	case p == nil:
		return missing
	case *p > alpha:
		return noDifference
	}
	return m.changeText()
}

// shownP is the p value that counts.
func (m *MetricComparison) shownP() string {
	switch {
	case m.Holm != nil:
		return formatP(*m.Holm)
	case m.P != nil:
		return formatP(*m.P)
	}
	return missing
}

// withInterval is "1.2 ms [1.1 ms..1.4 ms]".
func (s SideSummary) withInterval(unit string) string {
	if s.Trials == 0 {
		return missing
	}
	text := result.Format(s.Median, unit)
	if s.Interval == nil {
		return text
	}
	return fmt.Sprintf("%s [%s..%s]", text, result.Format(s.Interval.Low, unit), result.Format(s.Interval.High, unit))
}

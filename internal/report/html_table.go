package report

import (
	"fmt"
	"slices"
	"strings"

	"wsrig/internal/result"
)

// tableView is a Table laid out for a page: rows on end that say the same in the
// group columns share those cells.
type tableView struct {
	ID, Title string
	Columns   []Column
	Groups    [][][]cellView // rows by group
	Notes     []string
}

// cellView is one cell of a table.
type cellView struct {
	Text    string
	Class   string
	Ink     string // name of the colour of the proxy that the cell names
	Scope   string // makes it a heading: row or rowgroup
	RowSpan int
}

// Texts from a run are cut at these lengths, in characters: a name at maxName,
// sentences at maxText. Texts of a column that may wrap are broken over lines where one
// is longer than proseLength.
const (
	maxName     = 160
	maxText     = 600
	proseLength = 32
)

// shorten makes s printable and at most n characters long.
func shorten(s string, n int) string {
	s = printable(s)
	if len(s) <= n {
		return s
	}
	runes := []rune(s)
	if len(runes) <= n {
		return s
	}
	return fmt.Sprintf("%s… (%d characters)", string(runes[:n]), len(runes))
}

func clipAll(texts []string, n int) []string {
	out := make([]string, len(texts))
	for i, s := range texts {
		out[i] = shorten(s, n)
	}
	return out
}

// viewTable lays t out. Its number makes its id.
func viewTable(t Table, number int) tableView {
	v := tableView{ID: fmt.Sprintf("table-%d", number), Title: t.Title, Notes: clipAll(t.Notes, maxText)}
	t.Columns = slices.Clone(t.Columns)
	for j := range t.Columns {
		c := &t.Columns[j]
		c.Header = shorten(c.Header, maxName)
		c.Wrap = c.Wrap && slices.ContainsFunc(t.Rows, func(row []string) bool { return length(row[j]) > proseLength })
	}
	v.Columns = t.Columns
	_, heads := t.ungrouped() // nil where no two rows share a head
	for start := 0; start < len(t.Rows); {
		end := start + 1
		for heads != nil && end < len(t.Rows) && heads[end] == heads[start] {
			end++
		}
		v.Groups = append(v.Groups, t.viewGroup(start, end))
		start = end
	}
	return v
}

// viewGroup lays out the rows from start to end, which have equal group columns.
// Within them, rows on end of one cell share the cells of its parameters too.
func (t Table) viewGroup(start, end int) [][]cellView {
	var rows [][]cellView
	for i := start; i < end; i++ {
		var cells []cellView
		for j, c := range t.Columns {
			first, last := i, i+1
			switch {
			case c.Group:
				first, last = start, end
			case c.Role == roleParam:
				for first > start && t.sameParams(first-1, i, j) {
					first--
				}
				for last < end && t.sameParams(last, i, j) {
					last++
				}
			}
			if first < i {
				continue // a row above has it
			}
			cell := viewCell(c, t.Rows[i][j])
			if last-first > 1 {
				cell.RowSpan = last - first
			}
			switch {
			case j == 0 && cell.RowSpan > 0:
				cell.Scope = "rowgroup"
			case j == 0:
				cell.Scope = "row"
			}
			cells = append(cells, cell)
		}
		rows = append(rows, cells)
	}
	return rows
}

// sameParams tells whether two rows of one group agree in every parameter up to
// column j.
func (t Table) sameParams(a, b, j int) bool {
	for k, c := range t.Columns[:j+1] {
		if c.Role == roleParam && t.Rows[a][k] != t.Rows[b][k] {
			return false
		}
	}
	return true
}

// verdictClasses are how the words of verdict columns are shown.
var verdictClasses = map[string]string{"ok": "pass", "fair": "pass", "FAIL": "fail", "UNFAIR": "fail", "?": "inconclusive", Improved: "pass", Worse: "fail", Unknown: "inconclusive"}

func viewCell(c Column, text string) cellView {
	cell := cellView{Text: shorten(text, maxName)}
	var classes []string
	if c.Right {
		classes = append(classes, "figure")
	}
	if c.Wrap {
		cell.Text = shorten(text, maxText)
		classes = append(classes, "prose")
	}
	switch c.Role {
	case roleProxy:
		if text != "" && text != missing {
			cell.Ink = inkOf(driverColour(text))
		}
	case roleVerdict:
		classes = append(classes, verdictClasses[text])
	}
	cell.Class = strings.Join(classes, " ")
	return cell
}

// checksTable is the checks that keep says yes to; ok is false where there are none.
func checksTable(run *result.Run, title string, keep func(result.Check) bool) (t Table, ok bool) {
	t = Table{Title: title, Columns: []Column{
		{Header: "check", Wrap: true, Group: true}, {Header: "cell", Role: roleProxy}, {Header: "got", Wrap: true}, {Header: "want", Wrap: true}, {Header: "verdict", Role: roleVerdict},
	}}
	for _, c := range run.Checks {
		if !keep(c) {
			continue
		}
		verdict := "?"
		if c.OK != nil && *c.OK {
			verdict = "ok"
		} else if c.OK != nil {
			verdict = "FAIL"
		}
		row := []string{c.Expr, c.Cell, c.Got, c.Want, verdict}
		for i, text := range row {
			if text == "" {
				row[i] = missing
			}
		}
		t.Rows = append(t.Rows, row)
	}
	return t, len(t.Rows) > 0
}

// holds tells whether a check was judged and is kept.
func holds(c result.Check) bool { return c.OK != nil && *c.OK }

// eventsTable is what was done to the testbed, by its marks; ok is false where
// nothing was.
func eventsTable(run *result.Run) (t Table, ok bool) {
	t = Table{Title: "What was done to the testbed", Columns: []Column{
		{Header: "cell", Role: roleProxy, Group: true}, {Header: "trial", Right: true}, {Header: "at", Right: true}, {Header: "took", Right: true}, {Header: "what", Wrap: true},
	}, Notes: []string{"At: since the start of the trial."}}
	for _, m := range run.Marks {
		if isEvent(m) {
			t.Rows = append(t.Rows, []string{m.Cell, fmt.Sprint(m.Trial), result.Format(m.Start, "s"), result.Format(m.End-m.Start, "s"), m.Text})
		}
	}
	return t, len(t.Rows) > 0
}

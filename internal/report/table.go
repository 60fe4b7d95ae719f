package report

import (
	"fmt"
	"io"
	"slices"
	"strings"
	"unicode"
	"unicode/utf8"
)

// Table is what text, Markdown and HTML render alike.
type Table struct {
	Title   string
	Columns []Column
	Rows    [][]string // one text a column
	Notes   []string   // full sentences under the table
}

// Column is the head of a table's column.
type Column struct {
	Header string
	Right  bool // figures are aligned at the right
	Wrap   bool // may be broken over lines, at spaces, when the table is too wide
	// Group columns say the same of several rows on end. Plain text then writes
	// them once, as a line above those rows.
	Group bool
	Role  role
}

// role is what a column's texts are, where HTML shows that beside the text.
type role int

const (
	roleText    role = iota // figures, or any other text
	roleProxy               // names of proxies or cells: with the colour of the driver
	roleParam               // values of a parameter
	roleVerdict             // ok, FAIL, ?: what failed stands out
)

// gap is what stands between two columns of plain text.
const gap = "  "

// minWrapped is the least width in characters that wrapping leaves a column.
const minWrapped = 14

// writeText writes t as aligned plain text of at most width characters, as far as
// its wrapping columns allow.
func (t Table) writeText(w io.Writer, width int) error {
	notes, title := t.Notes, t.Title
	t, heads := t.ungrouped()
	widths := t.fit(width)
	var b strings.Builder
	b.WriteString(title + "\n")
	headers := make([]string, len(t.Columns))
	for i, c := range t.Columns {
		headers[i] = c.Header
	}
	t.writeRow(&b, headers, widths)
	rule := make([]string, len(widths))
	for i, n := range widths {
		rule[i] = strings.Repeat("-", n)
	}
	b.WriteString(strings.Join(rule, gap) + "\n")
	for i, row := range t.Rows {
		if heads != nil && (i == 0 || heads[i] != heads[i-1]) {
			b.WriteString(heads[i] + "\n")
		}
		t.writeRow(&b, row, widths)
	}
	for _, note := range notes {
		writeWrapped(&b, "  "+printable(note), "    ", width)
	}
	_, err := io.WriteString(w, b.String())
	return err
}

// ungrouped takes the group columns out of t, if they repeat themselves, and
// returns what is written above each row instead. Otherwise it returns t and nil.
func (t Table) ungrouped() (Table, []string) {
	heads, groups := make([]string, len(t.Rows)), 0
	for i, row := range t.Rows {
		var parts []string
		for j, c := range t.Columns {
			switch {
			case !c.Group || row[j] == missing:
			case len(parts) == 0:
				parts = append(parts, printable(row[j]))
			default:
				parts = append(parts, c.Header+" "+printable(row[j]))
			}
		}
		heads[i] = strings.Join(parts, ", ")
		if i == 0 || heads[i] != heads[i-1] {
			groups++
		}
	}
	if groups == len(t.Rows) || !slices.ContainsFunc(t.Columns, func(c Column) bool { return c.Group }) {
		return t, nil
	}
	var rest Table
	rest.Rows = make([][]string, len(t.Rows))
	for j, c := range t.Columns {
		if c.Group {
			continue
		}
		indent := ""
		if len(rest.Columns) == 0 {
			indent = "  "
		}
		c.Header = indent + c.Header
		rest.Columns = append(rest.Columns, c)
		for i, row := range t.Rows {
			rest.Rows[i] = append(rest.Rows[i], indent+row[j])
		}
	}
	return rest, heads
}

// fit chooses the width of every column: what its longest text needs, less what
// the wrapping columns must give up, the widest first.
func (t Table) fit(width int) []int {
	widths := make([]int, len(t.Columns))
	total := len(gap) * (len(t.Columns) - 1)
	for i, c := range t.Columns {
		widths[i] = length(c.Header)
		for _, row := range t.Rows {
			widths[i] = max(widths[i], length(printable(row[i])))
		}
		total += widths[i]
	}
	for total > width {
		widest := -1
		for i, c := range t.Columns {
			if c.Wrap && widths[i] > minWrapped && (widest < 0 || widths[i] > widths[widest]) {
				widest = i
			}
		}
		if widest < 0 {
			break
		}
		give := min(total-width, widths[widest]-minWrapped)
		widths[widest] -= give
		total -= give
	}
	return widths
}

func (t Table) writeRow(b *strings.Builder, row []string, widths []int) {
	cells, height := make([][]string, len(row)), 1
	for i, text := range row {
		cells[i] = []string{printable(text)}
		if t.Columns[i].Wrap {
			cells[i] = wrap(printable(text), widths[i])
		}
		height = max(height, len(cells[i]))
	}
	for n := range height {
		var line strings.Builder
		for i := range row {
			text := ""
			if n < len(cells[i]) {
				text = cells[i][n]
			}
			if i > 0 {
				line.WriteString(gap)
			}
			pad := strings.Repeat(" ", max(0, widths[i]-length(text)))
			if t.Columns[i].Right {
				line.WriteString(pad + text)
			} else {
				line.WriteString(text + pad)
			}
		}
		b.WriteString(strings.TrimRight(line.String(), " ") + "\n")
	}
}

// writeMarkdown writes t as a table of GitHub Flavored Markdown.
func (t Table) writeMarkdown(w io.Writer) error {
	var b strings.Builder
	b.WriteString(t.markdownHead())
	for _, row := range t.Rows {
		b.WriteString(markdownRow(row))
	}
	if len(t.Notes) > 0 {
		b.WriteString("\n")
	}
	for _, note := range t.Notes {
		b.WriteString("- " + markdown(note) + "\n")
	}
	_, err := io.WriteString(w, b.String())
	return err
}

// markdownHead is the title of t and the head of its columns.
func (t Table) markdownHead() string {
	headers, rule := make([]string, len(t.Columns)), "|"
	for i, c := range t.Columns {
		headers[i] = c.Header
		if c.Right {
			rule += "---:|"
		} else {
			rule += "---|"
		}
	}
	return fmt.Sprintf("### %s\n\n%s%s\n", t.Title, markdownRow(headers), rule)
}

func markdownRow(cells []string) string {
	var b strings.Builder
	b.WriteString("|")
	for _, text := range cells {
		b.WriteString(" " + markdown(text) + " |")
	}
	b.WriteString("\n")
	return b.String()
}

// markdownEscapes covers what Markdown would take for markup in a figure, a file
// name or a proxy's own words.
var markdownEscapes = strings.NewReplacer(`\`, `\\`, "|", `\|`, "*", `\*`, "_", `\_`, "<", "&lt;", ">", "&gt;", "`", "\\`", "[", `\[`)

func markdown(s string) string { return markdownEscapes.Replace(printable(s)) }

// printable replaces control characters, which a file name or a log line can carry
// to the terminal, and those that change the direction of writing, which make a text
// look like another.
func printable(s string) string {
	return strings.Map(func(r rune) rune {
		if unicode.IsControl(r) || unicode.Is(unicode.Bidi_Control, r) {
			return utf8.RuneError
		}
		return r
	}, s)
}

func length(s string) int { return utf8.RuneCountInString(s) }

// wrap breaks s at spaces into lines of at most width characters. A longer word
// stays whole.
func wrap(s string, width int) []string {
	var lines []string
	line := ""
	for _, word := range strings.Fields(s) {
		switch {
		case line == "":
			line = word
		case length(line)+1+length(word) <= width:
			line += " " + word
		default:
			lines = append(lines, line)
			line = word
		}
	}
	return append(lines, line)
}

// writeWrapped writes s, broken at width, later lines indented. The first line
// keeps the indent it came with.
func writeWrapped(b *strings.Builder, s, indent string, width int) {
	body := strings.TrimLeft(s, " ")
	first := s[:len(s)-len(body)]
	for i, line := range wrap(body, width-len(indent)) {
		if i == 0 {
			b.WriteString(first + line + "\n")
		} else {
			b.WriteString(indent + line + "\n")
		}
	}
}

package report

import (
	"bytes"
	"fmt"
	"slices"
	"strings"

	"github.com/rogpeppe/go-internal/diff"

	"wsrig/internal/result"
)

// configView is one configuration file that cells ran with.
type configView struct {
	Proxy, Ink string
	Name       string
	SHA256     string
	Text       string   // the file before the testbed's addresses were put in
	Rewrite    diffView // what was changed in it for the testbed
	driver     string
	side       string // of a comparison, and the proxy without it
	sideless   string
}

// diffView is a unified diff.
type diffView struct {
	From, To       string
	Added, Removed int
	Lines          []diffLine
	Cut            bool // it goes on
}

type diffLine struct {
	Kind string // add, del, at or same
	Text string
}

// maxFileText is how many bytes of one configuration a page shows, and maxConfigs how
// many configurations: the whole is in the folder config beside it.
const (
	maxFileText = 64 << 10
	maxConfigs  = 24
)

// viewConfigs are the different configurations of run in the order of its cells.
// Cells that differ in addresses alone share one.
func viewConfigs(run *result.Run) (views []*configView, more int) {
	type identity struct{ proxy, name, original string }
	seen := map[identity]bool{}
	for i := range run.Cells {
		c := &run.Cells[i]
		for _, file := range c.Config {
			id := identity{c.Proxy, file.Name, file.Original}
			if seen[id] {
				continue
			}
			seen[id] = true
			if len(views) == maxConfigs {
				more++
				continue
			}
			name := shorten(file.Name, maxName)
			views = append(views, &configView{
				Proxy: shorten(c.Proxy, maxName), Ink: inkOf(driverColour(c.Proxy)), Name: name, SHA256: shorten(file.SHA256, 64), Text: cutText(file.Original),
				Rewrite: diffOf(name, file.Original, name+" (in the testbed)", file.Text), driver: driverOf(c),
				side: c.Side, sideless: strings.TrimPrefix(c.Proxy, c.Side+":"),
			})
		}
	}
	return views, more
}

// compareConfigs are the diffs between the configurations that are compared: of a run
// with two sides from base to head, of others from the first of each driver to each of
// its others. Files of different drivers have nothing in common.
func compareConfigs(views []*configView) []diffView {
	var diffs []diffView
	for i, v := range views {
		from := slices.IndexFunc(views, v.comparedWith)
		if from < 0 || from == i {
			continue
		}
		diffs = append(diffs, diffOf(label(views[from]), views[from].Text, label(v), v.Text))
	}
	return diffs
}

// comparedWith tells whether v is shown as a change of o.
func (v *configView) comparedWith(o *configView) bool {
	if v.side != "" {
		return v.side == result.SideHead && o.side == result.SideBase && o.sideless == v.sideless && o.Name == v.Name
	}
	return o.driver == v.driver && o.side == ""
}

// label names a configuration in a diff.
func label(v *configView) string { return v.Proxy + " (" + v.Name + ")" }

// diffOf is the unified diff of two texts, without its head. Equal texts have one
// without lines.
func diffOf(from, old, to, new string) diffView {
	v := diffView{From: from, To: to}
	text := diff.Diff("a", []byte(cutText(old)), "b", []byte(cutText(new)))
	if len(text) == 0 {
		return v
	}
	// The head is three lines: diff, --- and +++.
	for i, line := range bytes.Split(bytes.TrimSuffix(text, []byte("\n")), []byte("\n")) {
		if i < 3 {
			continue
		}
		l := diffLine{Kind: "same", Text: shorten(string(line), maxText)}
		switch {
		case bytes.HasPrefix(line, []byte("+")):
			l.Kind = "add"
			v.Added++
		case bytes.HasPrefix(line, []byte("-")):
			l.Kind = "del"
			v.Removed++
		case bytes.HasPrefix(line, []byte("@@")):
			l.Kind = "at"
		}
		v.Lines = append(v.Lines, l)
	}
	v.Cut = len(old) > maxFileText || len(new) > maxFileText
	return v
}

// Summary says how large the diff is: "3 lines added, 1 removed".
func (v diffView) Summary() string {
	if len(v.Lines) == 0 {
		return "no difference"
	}
	return fmt.Sprintf("%s added, %d removed", plural(v.Added, "line", "lines"), v.Removed)
}

// cutText is at most maxFileText bytes of whole lines of text, printable line by line.
func cutText(text string) string {
	var b strings.Builder
	for line := range strings.Lines(text) {
		if b.Len()+len(line) > maxFileText {
			b.WriteString("... the rest is in the file\n")
			break
		}
		b.WriteString(printable(strings.ReplaceAll(strings.TrimRight(line, "\r\n"), "\t", "    ")) + "\n")
	}
	return b.String()
}

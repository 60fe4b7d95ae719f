// Package conftext works on the text of proxy configurations without knowing any
// proxy's grammar: splicing edits into a file, showing them as a diff, listing
// shipped variants, and telling which template line a rendered line came from.
package conftext

import (
	"fmt"
	"io/fs"
	"path"
	"slices"
	"strconv"
	"strings"
	"text/template"

	"github.com/rogpeppe/go-internal/diff"
)

// Edit replaces the bytes [Start, End) of a text with New.
type Edit struct {
	Start, End int
	New        string
}

// Apply makes the edits, in any order, and leaves every other byte alone. Of two
// edits that overlap the one that starts first stands, and of two that start at one
// place the longer: so the removal of a line swallows the edits of its words.
// Insertions at one place stay in the order they were given.
func Apply(text string, edits []Edit) string {
	edits = slices.Clone(edits)
	slices.SortStableFunc(edits, func(a, b Edit) int {
		if a.Start != b.Start {
			return a.Start - b.Start
		}
		// An insertion goes before the replacement that starts where it stands.
		if (a.Start == a.End) != (b.Start == b.End) {
			return (a.End - a.Start) - (b.End - b.Start)
		}
		return b.End - a.End
	})
	var out strings.Builder
	pos := 0
	for _, e := range edits {
		if e.Start < pos {
			continue
		}
		out.WriteString(text[pos:e.Start])
		out.WriteString(e.New)
		pos = e.End
	}
	out.WriteString(text[pos:])
	return out.String()
}

// Diff is the unified diff from a user's file to what the proxy is given, or ""
// when they are equal.
func Diff(name, original, rendered string) string {
	return string(diff.Diff(name, []byte(original), name+" (in the testbed)", []byte(rendered)))
}

// Variants lists the files of fsys that end in ext, by name without it, each with
// its summary: the text of its first line, which is a comment.
func Variants(fsys fs.FS, ext string) (map[string]string, error) {
	names, err := fs.Glob(fsys, "*"+ext)
	if err != nil {
		return nil, fmt.Errorf("shipped variants: %w", err)
	}
	variants := map[string]string{}
	for _, name := range names {
		text, err := fs.ReadFile(fsys, name)
		if err != nil {
			return nil, fmt.Errorf("shipped variant %s: %w", name, err)
		}
		first, _, _ := strings.Cut(string(text), "\n")
		variants[strings.TrimSuffix(path.Base(name), ext)] = strings.TrimSpace(strings.TrimLeft(first, "# "))
	}
	return variants, nil
}

// Execute fills the template fields of a shipped variant. An unknown field is an error.
func Execute(name, text string, fields any) (string, error) {
	t, err := template.New(name).Option("missingkey=error").Parse(text)
	if err != nil {
		return "", fmt.Errorf("%s: %w", name, err)
	}
	var out strings.Builder
	if err := t.Execute(&out, fields); err != nil {
		return "", fmt.Errorf("%s: %w", name, err)
	}
	return out.String(), nil
}

// originMark cannot occur in a configuration: it starts with a control character.
const originMark = "\x01L"

// Origins tells for every line that Execute renders (index 0 is line 1) on which
// line of the template it stands. A range makes several lines from one, so that
// rendered line numbers mean nothing to the reader of the variant's file. It works
// by rendering once more with each template line marked at its end; a rendered line
// keeps the first mark that fell on it.
func Origins(name, text string, fields any) ([]int, error) {
	lines := strings.Split(text, "\n")
	for i := range lines {
		lines[i] += originMark + strconv.Itoa(i+1) + ";"
	}
	marked, err := Execute(name, strings.Join(lines, "\n"), fields)
	if err != nil {
		return nil, err
	}
	rendered := strings.Split(marked, "\n")
	origins := make([]int, len(rendered))
	for i, l := range rendered {
		_, mark, found := strings.Cut(l, originMark)
		num, _, _ := strings.Cut(mark, ";")
		n, err := strconv.Atoi(num)
		if !found || err != nil {
			return nil, fmt.Errorf("%s: rendered line %d stands on no line of the template", name, i+1)
		}
		origins[i] = n
	}
	return origins, nil
}

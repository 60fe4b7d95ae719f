package scenario

import (
	"cmp"
	"fmt"
	"slices"
	"strings"
	"unicode"
)

// Problem is one mistake in a scenario, at its place.
type Problem struct {
	// File is the scenario's file, or the flag that the mistake is in.
	File string
	// Line and Column count from 1, columns in characters. Both are 0 for a flag.
	Line, Column int
	// Message says what is wrong and, behind a semicolon, what to write instead.
	Message string
}

// String is "file:line:column: message", as editors and terminals link it.
func (p Problem) String() string {
	if p.Line == 0 {
		return p.File + ": " + p.Message
	}
	return fmt.Sprintf("%s:%d:%d: %s", p.File, p.Line, p.Column, p.Message)
}

// Problems is every mistake of a scenario and its flags at once, flags first, then
// by position. As an error it is never empty.
type Problems []Problem

// maxPrinted bounds the text of Problems: past it, one cause has many effects.
const maxPrinted = 20

// Error lists the problems one a line, and counts those past the first 20.
func (ps Problems) Error() string {
	var b strings.Builder
	for i, p := range ps {
		if i == maxPrinted {
			fmt.Fprintf(&b, "\nand %d more", len(ps)-maxPrinted)
			break
		}
		if i > 0 {
			b.WriteByte('\n')
		}
		b.WriteString(p.String())
	}
	return b.String()
}

// err sorts the problems, drops repetitions, and returns nil if none is left.
func (ps Problems) err() error {
	if len(ps) == 0 {
		return nil
	}
	sorted := slices.Clone(ps)
	for i := range sorted {
		sorted[i].Message = printable(sorted[i].Message)
	}
	slices.SortStableFunc(sorted, func(a, b Problem) int {
		return cmp.Or(cmp.Compare(a.Line, b.Line), cmp.Compare(a.Column, b.Column), cmp.Compare(a.File, b.File), cmp.Compare(a.Message, b.Message))
	})
	seen := make(map[Problem]bool)
	sorted = slices.DeleteFunc(sorted, func(p Problem) bool {
		again := seen[p]
		seen[p] = true
		return again
	})
	return sorted
}

// printable keeps a message that quotes a hostile text on one line of bounded length.
func printable(message string) string {
	const limit = 600
	runes := []rune(message)
	if len(runes) > limit {
		runes = append(runes[:limit], '…')
	}
	for i, r := range runes {
		if unicode.IsControl(r) {
			runes[i] = ' '
		}
	}
	return string(runes)
}

// position is a place in a scenario's text.
type position struct{ line, column int }

func (p position) String() string { return fmt.Sprintf("%d:%d", p.line, p.column) }

package report

import (
	"fmt"
	"slices"
	"strings"

	"wsrig/internal/result"
)

// CellPair is a cell of base and the one of head that it is compared with.
type CellPair struct {
	Name string // for people
	Base *result.Cell
	Head *result.Cell
}

// PairRuns pairs the cells of two runs by their ids. Cells that only one run has are
// returned as sentences.
func PairRuns(base, head *result.Run) (pairs []CellPair, notes []string, err error) {
	byID := func(run *result.Run) map[string]*result.Cell {
		m := map[string]*result.Cell{}
		for i := range run.Cells {
			m[run.Cells[i].ID] = &run.Cells[i]
		}
		return m
	}
	return pair(byID(base), byID(head), cellOrder(base, head),
		fmt.Errorf("the runs have no cell in common: one has %s, the other %s; name one of each with --base and --head", cellList(base), cellList(head)))
}

// PairSides pairs the cells of a run that compares two trees: base:haproxy:x with
// head:haproxy:x. Its cells without a side, such as direct, are the control and are not
// compared. A run without sides is an error that says what else to ask for.
func PairSides(run *result.Run) (pairs []CellPair, notes []string, err error) {
	bySide := func(side string) map[string]*result.Cell {
		m := map[string]*result.Cell{}
		for i := range run.Cells {
			if c := &run.Cells[i]; c.Side == side {
				m[withoutSide(c)] = c
			}
		}
		return m
	}
	var order []string
	for i := range run.Cells {
		if c := &run.Cells[i]; c.Side != "" && !slices.Contains(order, withoutSide(c)) {
			order = append(order, withoutSide(c))
		}
	}
	return pair(bySide(result.SideBase), bySide(result.SideHead), order,
		fmt.Errorf("the run has no two sides; give a second run, or two of its cells with --base and --head: %s", cellList(run)))
}

// withoutSide is a cell's id without its side, which is how it begins.
func withoutSide(c *result.Cell) string { return strings.TrimPrefix(c.ID, c.Side+":") }

func pair(base, head map[string]*result.Cell, order []string, none error) (pairs []CellPair, notes []string, err error) {
	for _, id := range order {
		b, h := base[id], head[id]
		switch {
		case h == nil:
			notes = append(notes, fmt.Sprintf("%s is in base only, and is not compared.", id))
		case b == nil:
			notes = append(notes, fmt.Sprintf("%s is in head only, and is not compared.", id))
		default:
			pairs = append(pairs, CellPair{id, b, h})
		}
	}
	if len(pairs) == 0 {
		return nil, notes, none
	}
	return pairs, notes, nil
}

// cellOrder lists the ids of both runs, each once, those of the first run first.
func cellOrder(runs ...*result.Run) []string {
	var ids []string
	for _, run := range runs {
		for _, c := range run.Cells {
			if !slices.Contains(ids, c.ID) {
				ids = append(ids, c.ID)
			}
		}
	}
	return ids
}

// PairCells pairs one cell of each run (which may be one run twice).
func PairCells(base *result.Run, baseID string, head *result.Run, headID string) (CellPair, error) {
	b, err := FindCell(base, baseID)
	if err != nil {
		return CellPair{}, fmt.Errorf("--base: %w", err)
	}
	h, err := FindCell(head, headID)
	if err != nil {
		return CellPair{}, fmt.Errorf("--head: %w", err)
	}
	name := b.ID
	if b.ID != h.ID {
		name += " -> " + h.ID
	}
	return CellPair{name, b, h}, nil
}

// FindCell finds a cell by its id, or by a beginning of it that no other cell has.
func FindCell(run *result.Run, id string) (*result.Cell, error) {
	var found []*result.Cell
	var ids []string
	for i := range run.Cells {
		c := &run.Cells[i]
		if c.ID == id {
			return c, nil
		}
		if strings.HasPrefix(c.ID, id) {
			found = append(found, c)
			ids = append(ids, c.ID)
		}
	}
	switch len(found) {
	case 1:
		return found[0], nil
	case 0:
		for _, c := range run.Cells {
			ids = append(ids, c.ID)
		}
		if hint := result.DidYouMean(id, ids); hint != "" {
			return nil, fmt.Errorf("the run has no cell %q%s", id, hint)
		}
		return nil, fmt.Errorf("the run has no cell %q; it has %s", id, cellList(run))
	}
	return nil, fmt.Errorf("%q begins the ids of %d cells: %s; write more of the one that is meant", id, len(ids), quoted(ids))
}

func cellList(run *result.Run) string {
	var ids []string
	for _, c := range run.Cells {
		ids = append(ids, c.ID)
	}
	return quoted(ids)
}

// maxListed is how many names an error lists.
const maxListed = 12

func quoted(names []string) string {
	more := ""
	if len(names) > maxListed {
		more = fmt.Sprintf(" and %d more", len(names)-maxListed)
		names = names[:maxListed]
	}
	return `"` + strings.Join(names, `", "`) + `"` + more
}

package report

import (
	"slices"
	"strings"
	"testing"

	"wsrig/internal/result"
)

func TestSidesArePairedAndTheControlIsLeftOut(t *testing.T) {
	run := newFixture("x", []result.Cell{
		{ID: "direct", Proxy: "direct"}, {ID: "base:haproxy:a k=1", Side: "base"}, {ID: "head:haproxy:a k=1", Side: "head"}, {ID: "head:haproxy:new", Side: "head"},
	}, nil)
	pairs, notes, err := PairSides(run)
	must(t, err)
	if len(pairs) != 1 || pairs[0].Name != "haproxy:a k=1" || pairs[0].Base.Side != "base" || pairs[0].Head.Side != "head" {
		t.Errorf("pairs %+v, want base and head of haproxy:a k=1", pairs)
	}
	if !slices.Equal(notes, []string{"haproxy:new is in head only, and is not compared."}) {
		t.Errorf("notes %q", notes)
	}
	if _, _, err := PairSides(newFixture("x", []result.Cell{{ID: "direct"}}, nil)); err == nil || !strings.Contains(err.Error(), "two of its cells with --base and --head") {
		t.Errorf("a run without sides gives %v", err)
	}
}

// sidedRun is a run of two trees: the cells of idle-timeout as base, and again as head,
// of which one is worse.
func sidedRun(t *testing.T) *result.Run {
	t.Helper()
	run, head := load(t, "idle-timeout"), load(t, "idle-timeout")
	clone(t, run)
	clone(t, head)
	changeFixture(head)
	for _, side := range []struct {
		name string
		run  *result.Run
	}{{result.SideBase, run}, {result.SideHead, head}} {
		for i := range side.run.Cells {
			c := &side.run.Cells[i]
			result.Aggregate(c)
			c.ID, c.Side, c.Proxy = side.name+":"+c.ID, side.name, side.name+":"+c.Proxy
		}
	}
	run.Cells = append(run.Cells, head.Cells...)
	run.Checks, run.Marks = nil, nil
	run.Environment.Sides = map[string]string{result.SideBase: "main (commit 1)", result.SideHead: "working tree (commit 2)"}
	run.Environment.Alpha = 0.01
	c, err := CompareSides(run, CompareOptions{})
	must(t, err)
	run.Verdict = c.Verdict
	clone(t, run)
	return run
}

func TestSidesAreComparedAtTheLevelOfTheRun(t *testing.T) {
	run := sidedRun(t)
	for _, row := range []struct{ asked, want float64 }{{0, 0.01}, {0.2, 0.2}} {
		c, err := CompareSides(run, CompareOptions{Alpha: row.asked})
		must(t, err)
		if c.Alpha != row.want || c.Verdict.Status != result.Fail {
			t.Errorf("with %g asked for: alpha %g and %v, want %g and a failure", row.asked, c.Alpha, c.Verdict, row.want)
		}
	}
}

// A run that ended in an error lacks figures, so that it passes no comparison.
func TestAnUnfinishedRunPassesNoComparison(t *testing.T) {
	base, head := load(t, "smoke"), load(t, "smoke")
	clone(t, head)
	head.Verdict = result.Verdict{Status: result.Error, Reasons: []string{"n1 ended with exit status 1"}}
	for _, pair := range [][2]*result.Run{{base, head}, {head, base}, {head, head}} {
		c := compared(t, pair[0], pair[1], CompareOptions{})
		told := 0
		for _, r := range c.Verdict.Reasons {
			if strings.HasSuffix(r, "ended in an error: n1 ended with exit status 1") {
				told++
			}
		}
		if c.Verdict.Status != result.Inconclusive || told != 1 {
			t.Errorf("%v, want it inconclusive with the error once", c.Verdict)
		}
	}
}

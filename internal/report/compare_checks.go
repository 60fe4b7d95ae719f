package report

import (
	"cmp"
	"fmt"
	"slices"
	"strings"

	"wsrig/internal/result"
)

// checkFacts compares the checks of both cells. One that held and does not is worse;
// an absolute one must hold in head whatever base does.
func checkFacts(base, head *result.Run, p CellPair, absolute []string) []FactComparison {
	var facts []FactComparison
	before, after := checksOf(base, p.Base.ID), checksOf(head, p.Head.ID)
	for _, c := range after.order {
		b, ok := before.byExpr[c.Expr]
		h := after.byExpr[c.Expr]
		must := slices.Contains(absolute, c.Expr)
		if !ok && !must {
			continue // it is asked, or applies, on one side only
		}
		f := FactComparison{Name: checkFact + c.Expr, Base: "does not apply", Head: checkText(h), Verdict: Same}
		if ok {
			f.Base = checkText(b)
		}
		switch {
		case h.OK == nil && (must || ok && b.OK != nil):
			f.Verdict = Unknown
		case h.OK == nil:
		case !*h.OK && must:
			f.Verdict, f.Why = Worse, "it must hold whatever base does"
		case !*h.OK && b.OK != nil && *b.OK:
			f.Verdict = Worse
		case *h.OK && ok && b.OK != nil && !*b.OK:
			f.Verdict = Improved
		}
		facts = append(facts, f)
	}
	return facts
}

// checkFact begins the name of a fact that is a check.
const checkFact = "check "

// checkSet are the checks of one cell, without those that trials make by themselves.
type checkSet struct {
	order  []result.Check
	byExpr map[string]result.Check
}

func checksOf(run *result.Run, cell string) checkSet {
	s := checkSet{byExpr: map[string]result.Check{}}
	for _, c := range run.Checks {
		if _, err := result.ParseExpr(c.Expr); c.Cell == cell && err == nil {
			s.order = append(s.order, c)
			s.byExpr[c.Expr] = c
		}
	}
	return s
}

// failing begins what is said of a check that does not hold.
const failing = "fails: "

func checkText(c result.Check) string {
	switch {
	case c.OK == nil:
		return "could not be judged: " + c.Got
	case *c.OK:
		return "ok"
	}
	return failing + fmt.Sprintf("got %s, want %s", c.Got, c.Want)
}

// soundFact compares what trials found amiss by themselves: views that disagree, a unit
// that died.
func soundFact(p CellPair) []FactComparison {
	amiss := func(c *result.Cell) (all []string) {
		for _, t := range c.Trials {
			for _, text := range t.Failed {
				if !slices.Contains(all, text) {
					all = append(all, text)
				}
			}
		}
		return all
	}
	b, h := amiss(p.Base), amiss(p.Head)
	f := FactComparison{Name: "amiss", Base: cmp.Or(strings.Join(b, "; "), nothing), Head: cmp.Or(strings.Join(h, "; "), nothing), Verdict: Same}
	switch {
	case len(b) == 0 && len(h) == 0:
		return nil
	case len(b) == 0:
		f.Verdict = Worse
	case len(h) == 0:
		f.Verdict = Improved
	}
	return []FactComparison{f}
}

// failOnBoth lists the checks that fail on both sides.
func (c *Comparison) failOnBoth() []string {
	var all []string
	for _, cell := range c.Cells {
		for _, f := range cell.Facts {
			if strings.HasPrefix(f.Name, checkFact) && f.Verdict == Same && strings.HasPrefix(f.Head, failing) {
				all = append(all, cell.Name+": "+strings.TrimPrefix(f.Name, checkFact))
			}
		}
	}
	return firstOf(all)
}

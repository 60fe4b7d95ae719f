package report

import (
	"fmt"
	"maps"
	"strings"

	"wsrig/internal/result"
)

// Check judges every expression in every cell it applies to and replaces
// run.Checks. It returns an error only for an expression that does not parse, and
// leaves run as it was then.
//
// An expression is judged on the cell's medians, because times and rates are noisy.
// Counts and shares are facts: a message lost in one trial of three is lost,
// although the median is 0. So an expression must also hold with the counts and
// shares of each conclusive trial in place of their medians.
//
// A cell without a conclusive trial can be neither passed nor failed by an
// expression. An expression that applies to no cell is one unjudged check without
// a cell. What a trial recorded as failed by itself is a failed check.
func Check(run *result.Run, exprs []string) error {
	parsed := make([]result.Expr, len(exprs))
	for i, text := range exprs {
		e, err := result.ParseExpr(text)
		if err != nil {
			return fmt.Errorf("check %q: %w", text, err)
		}
		parsed[i] = e
	}
	checks := []result.Check{}
	for i, e := range parsed {
		applied := false
		for j := range run.Cells {
			if c, ok := judge(e, &run.Cells[j]); ok {
				c.Expr = exprs[i]
				checks = append(checks, c)
				applied = true
			}
		}
		if !applied {
			checks = append(checks, result.Check{Expr: exprs[i], Got: appliesNowhere})
		}
	}
	for i := range run.Cells {
		checks = append(checks, trialFailures(&run.Cells[i])...)
	}
	run.Checks = checks
	return nil
}

// noConclusiveTrial ends what a check got in a cell whose trials prove nothing.
const noConclusiveTrial = " (no conclusive trial)"

// appliesNowhere is what a check without a cell got.
const appliesNowhere = "applied to no cell"

// judge evaluates e in a cell. ok is false where e does not apply.
func judge(e result.Expr, cell *result.Cell) (c result.Check, ok bool) {
	trials, conclusive := cell.Conclusive()
	if len(trials) == 0 {
		return result.Check{}, false
	}
	out := e.Eval(cell.Metrics)
	if !out.Applies {
		return result.Check{}, false
	}
	c = checkOf(cell, out)
	if !conclusive {
		c.OK = nil
		c.Got += noConclusiveTrial
		return c, true
	}
	if c.OK == nil || !*c.OK || len(trials) == 1 {
		return c, true
	}
	for _, t := range trials {
		out := e.Eval(withFacts(cell.Metrics, t.Metrics))
		if out.Applies && (out.OK == nil || !*out.OK) {
			c = checkOf(cell, out)
			c.Got += fmt.Sprintf(" in trial %d", t.Index)
			return c, true
		}
	}
	return c, true
}

func checkOf(cell *result.Cell, out result.Outcome) result.Check {
	c := result.Check{Cell: cell.ID, OK: out.OK, Got: out.Got, Want: out.Want}
	if len(out.Missing) > 0 {
		c.OK = nil
		absent := "no data for " + strings.Join(out.Missing, ", ")
		if c.Got == "" || c.Got == "no data" {
			c.Got = absent
		} else {
			c.Got += " (" + absent + ")"
		}
	}
	return c
}

// withFacts is medians with the counts and shares of one trial put in.
func withFacts(medians, trial map[string]result.Metric) map[string]result.Metric {
	m := maps.Clone(medians)
	for name, v := range trial {
		if _, ok := m[name]; ok && (v.Unit == "count" || v.Unit == "ratio") {
			m[name] = v
		}
	}
	return m
}

func trialFailures(cell *result.Cell) []result.Check {
	var checks []result.Check
	for _, t := range cell.Trials {
		for _, text := range t.Failed {
			failed := false
			checks = append(checks, result.Check{
				Cell: cell.ID,
				Expr: fmt.Sprintf("trial %d is sound", t.Index),
				OK:   &failed,
				Got:  text,
				Want: "nothing amiss",
			})
		}
	}
	return checks
}

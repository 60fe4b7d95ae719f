package report

import (
	"fmt"
	"slices"
	"strings"

	"wsrig/internal/result"
)

// maxReasons is how many reasons a verdict spells out.
const maxReasons = 10

// Verdict sums a checked run up. Any failed check fails it. Otherwise it is
// inconclusive when a check could not be judged, a trial proves nothing, or there
// is no trial at all: missing data is never a pass. A check whose condition holds in
// no cell promises nothing there, as one about closed clients behind a proxy that
// closes none; it is passed over unless it leaves nothing else. The status error is
// for the caller, who knows that the testbed did not come up.
func Verdict(run *result.Run) result.Verdict {
	var failed, unjudged []string
	some := slices.ContainsFunc(run.Checks, func(c result.Check) bool { return c.OK != nil })
	for _, c := range run.Checks {
		switch {
		case c.Got == appliesNowhere && some:
		case c.OK == nil && strings.HasSuffix(c.Got, noConclusiveTrial): // gaps has the cause
		case c.OK == nil:
			unjudged = append(unjudged, reason(c))
		case !*c.OK:
			failed = append(failed, reason(c))
		}
	}
	unjudged = append(gaps(run), unjudged...)
	switch {
	case len(failed) > 0:
		reasons := firstOf(failed)
		if len(unjudged) > 0 {
			reasons = append(reasons, fmt.Sprintf("besides, %s could not be judged", plural(len(unjudged), "promise", "promises")))
		}
		return result.Verdict{Status: result.Fail, Reasons: reasons}
	case len(unjudged) > 0:
		return result.Verdict{Status: result.Inconclusive, Reasons: firstOf(unjudged)}
	}
	return result.Verdict{Status: result.Pass, Reasons: []string{}}
}

// gaps are the parts of a run that prove nothing.
func gaps(run *result.Run) []string {
	if len(run.Cells) == 0 {
		return []string{"the run has no cell"}
	}
	var reasons []string
	for _, c := range run.Cells {
		if len(c.Trials) == 0 {
			reasons = append(reasons, c.ID+": no trial was made")
		}
		for _, t := range c.Trials {
			for _, why := range t.Inconclusive {
				reasons = append(reasons, fmt.Sprintf("%s: trial %d is inconclusive: %s", c.ID, t.Index, why))
			}
		}
	}
	return reasons
}

func reason(c result.Check) string {
	line := c.Expr
	if c.Cell != "" {
		line = c.Cell + ": " + line
	}
	if c.Got != "" {
		line += ": got " + c.Got
	}
	if c.Want != "" {
		line += ", want " + c.Want
	}
	return line
}

func firstOf(reasons []string) []string {
	if len(reasons) <= maxReasons {
		return reasons
	}
	more := len(reasons) - maxReasons
	return append(reasons[:maxReasons:maxReasons], fmt.Sprintf("and %d more", more))
}

func plural(n int, one, many string) string {
	if n == 1 {
		return "1 " + one
	}
	return fmt.Sprintf("%d %s", n, many)
}

// Exit codes of wsrig. The caller adds 2 for a usage error or a bad scenario, and
// 130 when interrupted.
const (
	ExitPass         = 0
	ExitFail         = 1
	ExitInconclusive = 3
	ExitError        = 4
)

// ExitCode is the exit code for a verdict's status: 0 pass, 1 fail, 3 inconclusive,
// 4 error. A status it does not know proves nothing either, so it is 3.
func ExitCode(status string) int {
	switch status {
	case result.Pass:
		return ExitPass
	case result.Fail:
		return ExitFail
	case result.Error:
		return ExitError
	}
	return ExitInconclusive
}

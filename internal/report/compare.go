package report

import (
	"cmp"
	"fmt"
	"strings"
	"time"

	"wsrig/internal/result"
)

// Comparison is what changed from one side, base, to the other, head, cell by cell.
// It is a function of one or two run.json and of nothing else.
//
// Measured figures are compared by their trials: medians, and the Mann-Whitney U test
// of golang.org/x/perf/benchmath, which takes no distribution for granted. Facts (a
// count that must be 0, a declared timeout, how a handshake was answered) are compared
// as they are: one lost message needs no statistics.
//
// Every gating figure of every cell is one test, and each alone would call an equal
// system different once in 1/Alpha times. Their p values are therefore corrected by
// Holm's step-down method (Holm 1979), which holds under any dependence: the chance
// that a comparison of two equal systems calls one figure or more different is at most
// Alpha, whatever the number of figures and cells.
type Comparison struct {
	Scenario string       `json:"scenario"`
	Base     ComparedSide `json:"base"`
	Head     ComparedSide `json:"head"`
	Alpha    float64      `json:"alpha"` // largest chance of a false alarm in the whole comparison
	Tests    int          `json:"tests"` // gating figures that were tested
	// Needs is how many trials each side of a cell takes until one test among Tests can
	// be significant at all; 0 when nothing was tested.
	Needs int `json:"needs"`
	// Differences are those of the environment and the plan that the caller asked to
	// overlook. With any, the figures may differ because of them.
	Differences []Difference     `json:"differences,omitempty"`
	Notes       []string         `json:"notes,omitempty"` // full sentences
	Cells       []CellComparison `json:"cells"`
	// Verdict is pass, fail (something is worse) or inconclusive, with its reasons.
	Verdict result.Verdict `json:"verdict"`
}

// ComparedSide says where one side's figures come from.
type ComparedSide struct {
	RunID   string            `json:"run_id"`
	Ref     string            `json:"ref,omitempty"` // git reference of a regress run's side
	Started string            `json:"started"`       // RFC 3339
	Wsrig   string            `json:"wsrig"`
	Version map[string]string `json:"versions"`
}

// CellComparison is one cell of base beside one of head.
type CellComparison struct {
	Name       string             `json:"name"` // what both have in common: "haproxy:round-robin keepalive=none"
	Base       string             `json:"base"` // id of the cell in its run
	Head       string             `json:"head"`
	BaseTrials int                `json:"base_trials"` // conclusive ones
	HeadTrials int                `json:"head_trials"`
	Facts      []FactComparison   `json:"facts"`
	Metrics    []MetricComparison `json:"metrics"` // in the order of the metric table
}

// What became of a fact or a figure. A comparison fails when anything is Worse, and is
// otherwise inconclusive when anything is Unknown.
const (
	Same      = "same"
	Improved  = "improved"
	Worse     = "worse"
	Changed   = "changed"      // different, and neither better nor worse
	Unknown   = "inconclusive" // no data on one side, or too few trials
	NotJudged = "not judged"   // a figure that is shown and does not gate
)

// FactComparison is a fact of both sides, as text for people.
type FactComparison struct {
	Name    string `json:"name"` // "declared.idle_timeout", "handshake", "delivery.lost", "check", ...
	Base    string `json:"base"`
	Head    string `json:"head"`
	Verdict string `json:"verdict"`
	Why     string `json:"why,omitempty"` // the directive with file and line of both sides, for example
}

// MetricComparison is a measured figure of both sides.
type MetricComparison struct {
	Metric string       `json:"metric"` // "delivery.latency.p50"
	Unit   string       `json:"unit"`   // as in the metric table
	Better string       `json:"better"` // lower, higher or neither
	Base   SideSummary  `json:"base"`
	Head   SideSummary  `json:"head"`
	Change *float64     `json:"change,omitempty"` // of the medians, in shares of base; nil when base is 0
	P      *float64     `json:"p,omitempty"`      // Mann-Whitney, two-sided; nil when a side has no data
	Holm   *float64     `json:"p_holm,omitempty"` // the same, corrected for Tests; nil for a figure that does not gate
	Limits *ChangeLimit `json:"limits,omitempty"` // nil for a figure that does not gate
	// Verdict is Same where no difference is significant, and where one is smaller than
	// Limits.
	Verdict string `json:"verdict"`
	Why     string `json:"why,omitempty"`
}

// ChangeLimit is how large a change must be to count: at least both.
type ChangeLimit struct {
	Relative float64 `json:"relative"` // share of base's median
	Absolute float64 `json:"absolute"` // in the metric's unit
}

// SideSummary is a figure's median over the trials of one side and the confidence
// interval of that median, which is nil with too few trials for one (below 6 at 95 %).
type SideSummary struct {
	Median     float64   `json:"median"`
	Interval   *Interval `json:"interval,omitempty"`
	Trials     int       `json:"trials"` // that have the figure; with 0 Median says nothing
	Confidence float64   `json:"confidence,omitempty"`
}

// Interval is a closed range of a figure.
type Interval struct {
	Low  float64 `json:"low"`
	High float64 `json:"high"`
}

// CompareOptions are the choices of a comparison. The zero value is the usual one.
type CompareOptions struct {
	Alpha float64 // 0 is DefaultAlpha
	// Force overlooks a differing environment or plan; the result is marked.
	Force bool
	// Across names the programs (haproxy, nginx, redis-server) whose version is what is
	// compared, so that it may differ.
	Across []string
}

// DefaultAlpha is the usual level of significance, of the comparison as a whole.
const DefaultAlpha = 0.05

// Compare compares pairs of cells, of one run (base and head are then the same) or of
// two. The error is an *IncomparableError when the runs were made in different places
// or ways, unless o.Force is set.
func Compare(base, head *result.Run, pairs []CellPair, o CompareOptions) (*Comparison, error) {
	if o.Alpha == 0 {
		o.Alpha = DefaultAlpha
	}
	if !(o.Alpha > 0 && o.Alpha < 1) {
		return nil, fmt.Errorf("a level of significance of %g is none; use one between 0 and 1, such as %g", o.Alpha, DefaultAlpha)
	}
	differences, err := incomparable(base, head, pairs, o)
	if err != nil {
		return nil, err
	}
	c := &Comparison{
		Scenario: head.Scenario, Base: sideOf(base, result.SideBase), Head: sideOf(head, result.SideHead),
		Alpha: o.Alpha, Differences: differences, Notes: toolNotes(base, head), Cells: []CellComparison{},
	}
	absolute := absoluteChecks(head)
	for _, p := range pairs {
		baseTrials, headTrials := conclusive(p.Base), conclusive(p.Head)
		if note := conclusiveNote(p, len(baseTrials), len(headTrials)); note != "" {
			c.Notes = append(c.Notes, note)
		}
		c.Cells = append(c.Cells, CellComparison{
			Name: p.Name, Base: p.Base.ID, Head: p.Head.ID, BaseTrials: len(baseTrials), HeadTrials: len(headTrials),
			Facts:   compareFacts(base, head, p, absolute),
			Metrics: compareMetrics(baseTrials, headTrials),
		})
	}
	c.judgeMetrics()
	if failing := c.failOnBoth(); len(failing) > 0 {
		c.Notes = append(c.Notes, "Fails on both sides, which is no regression: "+strings.Join(failing, "; ")+".")
	}
	c.Verdict = c.verdict(unfinished(base, head))
	return c, nil
}

// CompareSides compares the two sides of one run, as wsrig regress makes it. Without
// o.Alpha its level of significance is the one that the run was made with.
func CompareSides(run *result.Run, o CompareOptions) (*Comparison, error) {
	pairs, notes, err := PairSides(run)
	if err != nil {
		return nil, err
	}
	o.Alpha = cmp.Or(o.Alpha, run.Environment.Alpha)
	c, err := Compare(run, run, pairs, o)
	if err != nil {
		return nil, err
	}
	c.Notes = append(c.Notes, notes...)
	return c, nil
}

// conclusive are a cell's trials that prove something; none where none does.
func conclusive(c *result.Cell) []*result.Trial {
	trials, ok := c.Conclusive()
	if !ok {
		return nil
	}
	return trials
}

// conclusiveNote tells of trials that do not count.
func conclusiveNote(p CellPair, base, head int) string {
	if base == len(p.Base.Trials) && head == len(p.Head.Trials) {
		return ""
	}
	return fmt.Sprintf("%s: %d of %s of base and %d of %s of head are conclusive; the others do not count.",
		p.Name, base, plural(len(p.Base.Trials), "trial", "trials"), head, plural(len(p.Head.Trials), "trial", "trials"))
}

func sideOf(run *result.Run, side string) ComparedSide {
	e := run.Environment
	return ComparedSide{
		RunID: e.RunID, Ref: e.Sides[side], Started: e.Started.Format(time.RFC3339),
		Wsrig: e.Wsrig, Version: e.Versions,
	}
}

// toolNotes tell of what made the figures, where it differs: it is part of neither the
// machine nor the system, but it took the figures.
func toolNotes(base, head *result.Run) []string {
	b, h := base.Environment, head.Environment
	if b.Wsrig == h.Wsrig && b.Go == h.Go {
		return nil
	}
	return []string{fmt.Sprintf("base was measured by wsrig %s (%s), head by wsrig %s (%s): nodes and generators are part of wsrig.", b.Wsrig, b.Go, h.Wsrig, h.Go)}
}

// unfinished tells of runs that ended in an error. What they measured until then may be
// worse, but that nothing was is no pass: the rest is missing.
func unfinished(base, head *result.Run) []string {
	var reasons []string
	for i, run := range []*result.Run{base, head} {
		if run.Verdict.Status != result.Error || i == 1 && head == base {
			continue
		}
		why := strings.Join(firstOf(run.Verdict.Reasons), "; ")
		reasons = append(reasons, fmt.Sprintf("run %s ended in an error: %s", run.Environment.RunID, cmp.Or(why, "unknown")))
	}
	return reasons
}

// verdict sums the comparison up. unknown are reasons for which it cannot pass.
func (c *Comparison) verdict(unknown []string) result.Verdict {
	var worse []string
	for i := range c.Cells {
		w, u := c.Cells[i].reasons()
		worse, unknown = append(worse, w...), append(unknown, u...)
	}
	if n := c.count(func(m MetricComparison) bool { return m.Why == tooFew }); n > 0 {
		unknown = append(unknown, fmt.Sprintf("%s: %s; from %s of each side on one among %s can be significant",
			plural(n, "figure", "figures"), tooFew, plural(c.Needs, "trial", "trials"), plural(c.Tests, "test", "tests")))
	}
	if len(c.Cells) == 0 {
		unknown = append(unknown, "no cell is on both sides")
	}
	switch {
	case len(worse) > 0:
		return result.Verdict{Status: result.Fail, Reasons: firstOf(worse)}
	case len(unknown) > 0:
		return result.Verdict{Status: result.Inconclusive, Reasons: firstOf(unknown)}
	}
	return result.Verdict{Status: result.Pass, Reasons: []string{}}
}

// reasons lists what is worse in a cell, and what could not be told but for want of
// trials. A side without any conclusive trial is one reason, not one for each figure.
func (c *CellComparison) reasons() (worse, unknown []string) {
	empty := c.BaseTrials == 0 || c.HeadTrials == 0
	if empty {
		unknown = append(unknown, fmt.Sprintf("%s: base has %s, head %s", c.Name,
			plural(c.BaseTrials, "conclusive trial", "conclusive trials"), plural(c.HeadTrials, "conclusive trial", "conclusive trials")))
	}
	for _, f := range c.Facts {
		switch {
		case f.Verdict == Worse:
			worse = append(worse, c.Name+": "+f.sentence())
		case f.Verdict == Unknown && !empty:
			unknown = append(unknown, c.Name+": "+f.sentence())
		}
	}
	for i := range c.Metrics {
		switch m := &c.Metrics[i]; {
		case m.Verdict == Worse:
			worse = append(worse, c.Name+": "+m.sentence())
		case m.Verdict == Unknown && !empty && m.Why != tooFew:
			unknown = append(unknown, c.Name+": "+m.sentence())
		}
	}
	return worse, unknown
}

// count counts the figures of all cells that fit.
func (c *Comparison) count(fits func(MetricComparison) bool) (n int) {
	for _, cell := range c.Cells {
		for _, m := range cell.Metrics {
			if fits(m) {
				n++
			}
		}
	}
	return n
}

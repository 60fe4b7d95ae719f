package result

import (
	"fmt"
	"math"
	"slices"
)

// Expr is a parsed check:
//
//	METRIC OP VALUE [when METRIC OP VALUE [and METRIC OP VALUE ...]]
//
// OP is one of == != < <= > >=, or "within TOLERANCE of", where the tolerance is a
// percentage of VALUE or a figure of the metric's unit. VALUE is a number with a
// unit that fits the metric (see ValueUnits), or another metric of the same unit.
type Expr struct {
	text   string
	claim  comparison
	guards []comparison // all must hold for the check to apply
}

// comparison is one METRIC OP VALUE.
type comparison struct {
	metric   string
	unit     string
	op       string // == != < <= > >= within
	tol      float64
	relative bool    // tol is a share of the value
	value    float64 // in the metric's unit, if other is ""
	other    string  // the metric to compare with
}

// Outcome is a check judged in one cell.
type Outcome struct {
	// Applies is false when the check's "when" part does not hold: the check says
	// nothing about this cell.
	Applies bool
	// OK is nil when the check could not be judged because the metrics in Missing
	// have no data. Such a check has not passed.
	OK *bool
	// Got and Want are for people, with units: "2.003 s", "2 s ± 10 %".
	Got, Want string
	// Missing lists the metrics that were needed and absent, each once.
	Missing []string
}

// String is the check as it was written.
func (e Expr) String() string { return e.text }

// Metrics lists every metric the check speaks of, each once, in order.
func (e Expr) Metrics() []string {
	var names []string
	for _, c := range append([]comparison{e.claim}, e.guards...) {
		for _, n := range []string{c.metric, c.other} {
			if n != "" && !slices.Contains(names, n) {
				names = append(names, n)
			}
		}
	}
	return names
}

// Eval judges the check on the metrics of one cell. A metric that is absent, or
// whose value is not a number, leaves the check unjudged, never true: no data is
// not a pass. One guard that is known not to hold is enough for the check not to
// apply, whatever the others lack.
func (e Expr) Eval(m map[string]Metric) Outcome {
	out := Outcome{Applies: true}
	for _, g := range e.guards {
		ok, missing := g.holds(m)
		if len(missing) == 0 && !ok {
			return Outcome{Got: e.claim.got(m), Want: e.claim.want(m)}
		}
		out.miss(missing)
	}
	ok, missing := e.claim.holds(m)
	out.miss(missing)
	out.Got, out.Want = e.claim.got(m), e.claim.want(m)
	if len(out.Missing) == 0 {
		out.OK = &ok
	}
	return out
}

func (o *Outcome) miss(names []string) {
	for _, n := range names {
		if !slices.Contains(o.Missing, n) {
			o.Missing = append(o.Missing, n)
		}
	}
}

// holds compares, and lists the metrics without which it cannot.
func (c comparison) holds(m map[string]Metric) (ok bool, missing []string) {
	got, found := figure(m, c.metric)
	if !found {
		missing = append(missing, c.metric)
	}
	want := c.value
	if c.other != "" {
		if want, found = figure(m, c.other); !found {
			missing = append(missing, c.other)
		}
	}
	if len(missing) > 0 {
		return false, missing
	}
	same := c.equal(got, want)
	switch c.op {
	case "==":
		return same, nil
	case "!=":
		return !same, nil
	case "<":
		return got < want && !same, nil
	case "<=":
		return got < want || same, nil
	case ">":
		return got > want && !same, nil
	case ">=":
		return got > want || same, nil
	case "within":
		tol := c.tol
		if c.relative {
			tol *= math.Abs(want)
		}
		off := math.Abs(got - want)
		return off <= tol || nearly(off, tol, math.Max(math.Abs(got), math.Abs(want))), nil
	default:
		panic("result: comparison with the operator " + c.op) // ParseExpr makes no others
	}
}

// equal is exact for counts. Other figures are quotients and sums of floats, whose
// last bits mean nothing.
func (c comparison) equal(a, b float64) bool {
	return a == b || c.unit != "count" && nearly(a, b, math.Max(math.Abs(a), math.Abs(b)))
}

func nearly(a, b, size float64) bool { return math.Abs(a-b) <= 1e-9*size }

func figure(m map[string]Metric, name string) (float64, bool) {
	f, ok := m[name]
	return f.Value, ok && !math.IsNaN(f.Value) && !math.IsInf(f.Value, 0)
}

func (c comparison) got(m map[string]Metric) string {
	if v, ok := figure(m, c.metric); ok {
		return Format(v, c.unit)
	}
	return "no data"
}

func (c comparison) want(m map[string]Metric) string {
	s := Format(c.value, c.unit)
	if c.other != "" {
		s = c.other
		if v, ok := figure(m, c.other); ok {
			s = Format(v, c.unit)
		}
	}
	switch {
	case c.op == "==":
		return s
	case c.op != "within":
		return c.op + " " + s
	case c.relative:
		return fmt.Sprintf("%s ± %s", s, Format(c.tol, "ratio"))
	default:
		return fmt.Sprintf("%s ± %s", s, Format(c.tol, c.unit))
	}
}

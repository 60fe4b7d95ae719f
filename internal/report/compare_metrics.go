package report

import (
	"cmp"
	"fmt"
	"math"
	"slices"

	"golang.org/x/perf/benchmath"

	"wsrig/internal/result"
)

// intervalConfidence is that of the medians' confidence intervals.
const intervalConfidence = 0.95

// maxNeeds bounds the search for how many trials a comparison takes.
const maxNeeds = 1000

// compareMetrics sets the figures of two cells side by side. Those that gate have their
// Limits and no verdict yet: it hangs on all tests of the comparison together.
func compareMetrics(baseTrials, headTrials []*result.Trial) []MetricComparison {
	metrics := []MetricComparison{}
	for _, name := range comparedNames(baseTrials, headTrials) {
		b, h := valuesOf(name, baseTrials), valuesOf(name, headTrials)
		if isFact(name, b, h) {
			continue
		}
		def, err := result.Lookup(name)
		if err != nil {
			continue // comparedNames lists none that Lookup does not know
		}
		m := MetricComparison{
			Metric: name, Unit: def.Unit, Better: def.Better, Verdict: NotJudged,
			Base: summarize(b), Head: summarize(h),
		}
		if len(b) > 0 && len(h) > 0 {
			p := mannWhitney(b, h)
			m.P = &p
			if m.Base.Median != 0 {
				change := m.delta() / math.Abs(m.Base.Median)
				m.Change = &change
			}
		}
		if limit, better, ok := limitOf(name); ok {
			m.Limits, m.Better = &limit, cmp.Or(better, m.Better)
			m.Verdict = ""
			// Without data in some trials there is no figure to stand for the cell; see
			// result.Aggregate.
			if len(b) < len(baseTrials) || len(h) < len(headTrials) || len(b) == 0 || len(h) == 0 {
				m.Verdict = Unknown
				m.Why = fmt.Sprintf("data in %d of %s of base and %d of %s of head",
					len(b), plural(len(baseTrials), "trial", "trials"), len(h), plural(len(headTrials), "trial", "trials"))
			}
		}
		metrics = append(metrics, m)
	}
	return metrics
}

func valuesOf(metric string, trials []*result.Trial) []float64 {
	var values []float64
	for _, t := range trials {
		if m, ok := t.Metrics[metric]; ok {
			values = append(values, m.Value)
		}
	}
	return values
}

// summarize is the median with its confidence interval, which comes from the order of
// the values alone.
func summarize(values []float64) SideSummary {
	s := SideSummary{Trials: len(values)}
	if len(values) == 0 {
		return s
	}
	sample := benchmath.NewSample(slices.Clone(values), &benchmath.DefaultThresholds)
	sum := benchmath.AssumeNothing.Summary(sample, intervalConfidence)
	s.Median = result.Median(values)
	if !math.IsInf(sum.Lo, 0) && !math.IsInf(sum.Hi, 0) {
		s.Interval, s.Confidence = &Interval{sum.Lo, sum.Hi}, sum.Confidence
	}
	return s
}

// mannWhitney is the two-sided p value of the null hypothesis that both samples come
// from one distribution. It is 1 where all values are equal.
func mannWhitney(base, head []float64) float64 {
	t := &benchmath.DefaultThresholds
	return benchmath.AssumeNothing.Compare(
		benchmath.NewSample(slices.Clone(base), t), benchmath.NewSample(slices.Clone(head), t)).P
}

// leastP is the smallest p value that a two-sided Mann-Whitney test can give for samples
// of n and m values: that of the two orders in which all of one are below all of the
// other, 2 / (n+m choose n).
func leastP(n, m int) float64 {
	if n == 0 || m == 0 {
		return 1
	}
	p := 2.0
	for i := 1; i <= n; i++ {
		p *= float64(i) / float64(m+i)
	}
	return min(1, p)
}

// neededTrials is the least n for which samples of n values each can come out below
// alpha/tests.
func neededTrials(alpha float64, tests int) int {
	for n := 2; n < maxNeeds; n++ {
		if leastP(n, n) <= alpha/float64(tests) {
			return n
		}
	}
	return maxNeeds
}

// holm corrects p values for their number by Holm's step-down method: the smallest is
// multiplied by their number, the next by one less, and none comes out below one before
// it.
func holm(ps []float64) []float64 {
	order := make([]int, len(ps))
	for i := range order {
		order[i] = i
	}
	slices.SortStableFunc(order, func(a, b int) int { return cmp.Compare(ps[a], ps[b]) })
	adjusted, least := make([]float64, len(ps)), 0.0
	for rank, i := range order {
		least = max(least, min(1, ps[i]*float64(len(ps)-rank)))
		adjusted[i] = least
	}
	return adjusted
}

// judgeMetrics gives every gating figure that has data on both sides its verdict.
func (c *Comparison) judgeMetrics() {
	var tests []*MetricComparison
	var ps []float64
	for i := range c.Cells {
		for j := range c.Cells[i].Metrics {
			if m := &c.Cells[i].Metrics[j]; m.Verdict == "" {
				tests = append(tests, m)
				ps = append(ps, *m.P)
			}
		}
	}
	if c.Tests = len(tests); c.Tests == 0 {
		return
	}
	c.Needs = neededTrials(c.Alpha, c.Tests)
	for i, p := range holm(ps) {
		tests[i].Holm = &p
		tests[i].judge(c)
	}
}

// tooFew is why a figure is inconclusive whose trials could not make any difference
// significant.
const tooFew = "too few trials"

func (m *MetricComparison) judge(c *Comparison) {
	significant := *m.Holm <= c.Alpha
	switch {
	case m.equal():
		m.Verdict = Same
	case !significant && leastP(m.Base.Trials, m.Head.Trials) > c.Alpha/float64(c.Tests):
		m.Verdict, m.Why = Unknown, tooFew
	case !significant:
		m.Verdict = Same
		if m.large() {
			m.Why = fmt.Sprintf("%s, but the trials of each side differ as much: p %s", m.changeText(), formatP(*m.Holm))
		}
	case !m.large():
		m.Verdict, m.Why = Same, fmt.Sprintf("%s is significant and below the limit of %s", m.changeText(), m.Limits.text(m.Unit))
	case m.Better == "neither":
		m.Verdict = Changed
	case (m.delta() > 0) == (m.Better == "higher"):
		m.Verdict = Improved
	default:
		m.Verdict = Worse
	}
}

func (m *MetricComparison) delta() float64 { return m.Head.Median - m.Base.Median }

// equal tells that no trial shows any difference: all values of both sides are one and
// the same, or both sides are the same trials.
func (m *MetricComparison) equal() bool {
	return *m.P == 1 && m.delta() == 0
}

// large tells whether the medians differ by the limits or more.
func (m *MetricComparison) large() bool {
	d := math.Abs(m.delta())
	return d >= m.Limits.Absolute && d >= m.Limits.Relative*math.Abs(m.Base.Median)
}

// text is "10 % and 200 µs".
func (l *ChangeLimit) text(unit string) string {
	return result.Format(l.Relative, "ratio") + " and " + result.Format(l.Absolute, unit)
}

// changeText is "+12.3 %", or the difference where base has 0.
func (m *MetricComparison) changeText() string {
	if m.Change == nil {
		return signed(m.delta(), m.Unit)
	}
	if math.Abs(*m.Change) >= 10 {
		return fmt.Sprintf("x %.0f", m.Head.Median/m.Base.Median)
	}
	return fmt.Sprintf("%+.1f %%", *m.Change*100)
}

func signed(v float64, unit string) string {
	if v > 0 {
		return "+" + result.Format(v, unit)
	}
	return result.Format(v, unit)
}

// sentence is "delivery.latency.p50: 1.2 ms -> 2.6 ms (+116.7 %, p 0.0002)".
func (m *MetricComparison) sentence() string {
	text := fmt.Sprintf("%s: %s -> %s", m.Metric, m.Base.text(m.Unit), m.Head.text(m.Unit))
	if m.Verdict == Unknown {
		return text + ": " + m.Why
	}
	return text + fmt.Sprintf(" (%s, p %s)", m.changeText(), formatP(*m.Holm))
}

func (s SideSummary) text(unit string) string {
	if s.Trials == 0 {
		return "no data"
	}
	return result.Format(s.Median, unit)
}

func formatP(p float64) string {
	if p < 0.0005 {
		return fmt.Sprintf("%.1g", p)
	}
	return fmt.Sprintf("%.3f", p)
}

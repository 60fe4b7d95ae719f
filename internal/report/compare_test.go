package report

import (
	"bytes"
	"encoding/json"
	"errors"
	"math"
	"slices"
	"strings"
	"testing"

	"golang.org/x/perf/benchmath"

	"wsrig/internal/result"
)

// TestARunComparedWithItselfIsTheSameEverywhere on every fixture, whatever its number of
// trials.
func TestARunComparedWithItselfIsTheSameEverywhere(t *testing.T) {
	for name := range fixtures {
		t.Run(name, func(t *testing.T) {
			c := compared(t, load(t, name), load(t, name), CompareOptions{})
			judged := 0
			for _, cell := range c.Cells {
				for _, f := range cell.Facts {
					if f.Verdict != Same {
						t.Errorf("%s: %s is %s: %s", cell.Name, f.Name, f.Verdict, f.sentence())
					}
				}
				for _, m := range cell.Metrics {
					if m.Verdict != Same && m.Verdict != NotJudged && m.Base.Trials == cell.BaseTrials {
						t.Errorf("%s: %s is %s: %s", cell.Name, m.Metric, m.Verdict, m.Why)
					}
					if m.shownChange(c.Alpha) != noDifference {
						t.Errorf("%s: %s shows the change %q, want %s", cell.Name, m.Metric, m.shownChange(c.Alpha), noDifference)
					}
					judged++
				}
			}
			if judged == 0 || c.Verdict.Status == result.Fail {
				t.Errorf("%d figures, %v", judged, c.Verdict)
			}
		})
	}
}

func TestHolmMultipliesTheSmallestByTheirNumber(t *testing.T) {
	// By hand, after Holm 1979: 3 x 0.01, then 2 x 0.02, then 1 x 0.03, which may not
	// come out below the 0.04 before it.
	got, want := holm([]float64{0.03, 0.01, 0.02}), []float64{0.04, 0.03, 0.04}
	for i := range want {
		if math.Abs(got[i]-want[i]) > 1e-12 {
			t.Fatalf("holm gives %v, want %v", got, want)
		}
	}
	if got := holm([]float64{0.9, 0.8}); got[0] != 1 || got[1] != 1 {
		t.Errorf("holm gives %v, want no p above 1", got)
	}
}

// TestLeastPIsThatOfTwoSamplesApart compares the formula with the test itself.
func TestLeastPIsThatOfTwoSamplesApart(t *testing.T) {
	for n := 1; n <= 9; n++ {
		for m := 1; m <= 9; m++ {
			var low, high []float64
			for i := range n {
				low = append(low, float64(i))
			}
			for i := range m {
				high = append(high, float64(100+i))
			}
			if got, want := leastP(n, m), mannWhitney(low, high); math.Abs(got-want) > 1e-9 {
				t.Errorf("%d and %d values: least p %g, the test gives %g", n, m, got, want)
			}
		}
	}
	th := &benchmath.DefaultThresholds
	if p := benchmath.AssumeNothing.Compare(benchmath.NewSample([]float64{1, 2, 3, 4}, th), benchmath.NewSample([]float64{5, 6, 7, 8}, th)).P; math.Abs(p-2.0/70) > 1e-12 {
		t.Errorf("4 and 4 values give p %g, want 2/70", p)
	}
	for tests, want := range map[int]int{1: 4, 10: 6, 33: 7, 100: 8, 321: 8, 322: 9} {
		if got := neededTrials(DefaultAlpha, tests); got != want {
			t.Errorf("%d tests need %d trials, want %d", tests, got, want)
		}
	}
}

func TestLimitsAreOfMetricsThatThereAre(t *testing.T) {
	seen := map[string]bool{}
	for _, row := range changeLimits {
		if _, err := result.Lookup(row.metric); err != nil {
			t.Error(err)
		}
		if seen[row.metric] || row.limit.Relative <= 0 || row.limit.Absolute <= 0 {
			t.Errorf("%s is there twice or has a limit of 0: %+v", row.metric, row.limit)
		}
		seen[row.metric] = true
	}
	for _, name := range mustBeZero {
		if !seen[name] {
			t.Errorf("%s must be zero and has no limit for where both sides have some", name)
		}
	}
	if _, _, ok := limitOf("balance.restart.max_over_mean"); !ok {
		t.Error("a phase does not gate as the whole trial does")
	}
	if _, _, ok := limitOf("delivery.latency.max"); ok {
		t.Error("delivery.latency.max gates")
	}
}

// figures makes a cell with one metric in each trial.
func figures(id, metric string, values ...float64) result.Cell {
	c := result.Cell{ID: id, Proxy: id, Params: map[string]string{}}
	for i, v := range values {
		trial := result.Trial{Index: i + 1, Metrics: map[string]result.Metric{}}
		result.Set(trial.Metrics, metric, v, 1)
		c.Trials = append(c.Trials, trial)
	}
	result.Aggregate(&c)
	return c
}

func TestAFigureNeedsSizeAndSignificance(t *testing.T) {
	for _, row := range []struct {
		name, metric string
		base, head   []float64
		verdict, why string
	}{
		{"much worse", "delivery.latency.p50", []float64{.010, .011, .012, .013}, []float64{.020, .021, .022, .023}, Worse, ""},
		{"much better", "delivery.latency.p50", []float64{.020, .021, .022, .023}, []float64{.010, .011, .012, .013}, Improved, ""},
		{"higher is better", "delivery.rate", []float64{100, 101, 102, 103}, []float64{200, 201, 202, 203}, Improved, ""},
		{"closed sooner", "idle.closed_after.p50", []float64{10, 10.1, 10.2, 10.3}, []float64{3, 3.1, 3.2, 3.3}, Worse, ""},
		{"significant and below the share", "delivery.latency.p50", []float64{.1000, .1001, .1002, .1003}, []float64{.1050, .1051, .1052, .1053}, Same, "below the limit of 10 % and 200 µs"},
		{"significant and below the floor", "delivery.latency.p50", []float64{.000010, .000011, .000012, .000013}, []float64{.000020, .000021, .000022, .000023}, Same, "below the limit"},
		{"large and not significant", "delivery.latency.p50", []float64{.010, .050, .012, .060}, []float64{.020, .021, .055, .065}, Same, "differ as much"},
		{"too few", "delivery.latency.p50", []float64{.010, .011, .012}, []float64{.020, .021, .022}, Unknown, tooFew},
		{"too few, and no difference", "delivery.latency.p50", []float64{.010}, []float64{.010}, Same, ""},
		{"losses on both sides", "delivery.lost", []float64{5, 6, 7, 8}, []float64{50, 60, 70, 80}, Worse, ""},
	} {
		t.Run(row.name, func(t *testing.T) {
			base, head := newFixture("x", []result.Cell{figures("a", row.metric, row.base...)}, nil), newFixture("x", []result.Cell{figures("a", row.metric, row.head...)}, nil)
			c := compared(t, base, head, CompareOptions{})
			if len(c.Cells[0].Metrics) != 1 {
				t.Fatalf("%d figures, want 1", len(c.Cells[0].Metrics))
			}
			if m := c.Cells[0].Metrics[0]; m.Verdict != row.verdict || !strings.Contains(m.Why, row.why) {
				t.Errorf("verdict %q because %q, want %q because of %q", m.Verdict, m.Why, row.verdict, row.why)
			}
			want := map[string]string{Worse: result.Fail, Unknown: result.Inconclusive}[row.verdict]
			if want == "" {
				want = result.Pass
			}
			if c.Verdict.Status != want {
				t.Errorf("the comparison is %v, want %s", c.Verdict, want)
			}
		})
	}
}

func TestTooFewTrialsSayHowManyItTakes(t *testing.T) {
	base := newFixture("x", []result.Cell{figures("a", "delivery.latency.p50", .01)}, nil)
	head := newFixture("x", []result.Cell{figures("a", "delivery.latency.p50", .02)}, nil)
	c := compared(t, base, head, CompareOptions{})
	if want := "1 figure: too few trials; from 4 trials of each side on one among 1 test can be significant"; !slices.Equal(c.Verdict.Reasons, []string{want}) {
		t.Errorf("reasons %q, want %q", c.Verdict.Reasons, want)
	}
}

func TestAFigureThatASideLacksIsInconclusive(t *testing.T) {
	half := figures("a", "delivery.latency.p50", .01, .02, .03, .04)
	delete(half.Trials[3].Metrics, "delivery.latency.p50")
	c := compared(t, newFixture("x", []result.Cell{figures("a", "delivery.latency.p50", .01, .02, .03, .04)}, nil), newFixture("x", []result.Cell{half}, nil), CompareOptions{})
	m := c.Cells[0].Metrics[0]
	if m.Verdict != Unknown || m.Why != "data in 4 of 4 trials of base and 3 of 4 trials of head" || c.Verdict.Status != result.Inconclusive {
		t.Errorf("%s because %q, %v; want inconclusive and where data is missing", m.Verdict, m.Why, c.Verdict)
	}
}

func TestASideWithoutAConclusiveTrialIsOneReason(t *testing.T) {
	head := figures("a", "delivery.latency.p50", .5, .6, .7, .8)
	for i := range head.Trials {
		head.Trials[i].Inconclusive = []string{"the generator was saturated"}
	}
	c := compared(t, newFixture("x", []result.Cell{figures("a", "delivery.latency.p50", .01, .02, .03, .04)}, nil), newFixture("x", []result.Cell{head}, nil), CompareOptions{})
	if want := "a: 4 of 4 trials of base and 0 of 4 trials of head are conclusive; the others do not count."; !slices.Contains(c.Notes, want) {
		t.Errorf("notes %q, want %q among them", c.Notes, want)
	}
	if want := "a: base has 4 conclusive trials, head 0 conclusive trials"; c.Verdict.Status != result.Inconclusive || !slices.Equal(c.Verdict.Reasons, []string{want}) {
		t.Errorf("verdict %v, want inconclusive because %q", c.Verdict, want)
	}
}

// otherRun is a fixture with a change.
func otherRun(t *testing.T, change func(*result.Run)) *result.Run {
	run := load(t, "smoke")
	change(run)
	return run
}

func TestRunsOfOtherPlacesAreRefused(t *testing.T) {
	for _, row := range []struct {
		name   string
		change func(*result.Run)
		across []string
		want   string // "" is compared
		never  bool
	}{
		{"the same", func(*result.Run) {}, nil, "", false},
		{"kernel", func(r *result.Run) { r.Environment.Kernel = "6.12.0" }, nil, "kernel: 6.1.0 in base, 6.12.0 in head", false},
		{"cores", func(r *result.Run) { r.Environment.Cores = 4 }, nil, "cores: 2 in base, 4 in head", false},
		{"processor", func(r *result.Run) { r.Environment.CPU = "" }, nil, "processor: example in base, unknown in head", false},
		{"memory", func(r *result.Run) { r.Environment.Memory /= 2 }, nil, "memory: 24 GiB in base, 12 GiB in head", false},
		{"a little memory", func(r *result.Run) { r.Environment.Memory -= 1 << 20 }, nil, "", false},
		{"limits", func(r *result.Run) { r.Environment.Limits = map[string]string{"descriptors": "1024"} }, nil, "limit descriptors: 20000 in base, 1024 in head", false},
		{"runtime", func(r *result.Run) { r.Environment.Runtime = "docker" }, nil, "runtime: process in base, docker in head", false},
		{"stand-in for the bus", func(r *result.Run) { r.Environment.Bus = "miniredis" }, nil, "bus: redis in base, miniredis in head", true},
		{"version", func(r *result.Run) { r.Environment.Versions["haproxy"] = "3.2.1" }, nil, "version of haproxy: 2.6.12 in base, 3.2.1 in head", false},
		{"the compared version", func(r *result.Run) { r.Environment.Versions["haproxy"] = "3.2.1" }, []string{"haproxy"}, "", false},
		{"version of what every cell runs", func(r *result.Run) { r.Environment.Versions["redis-server"] = "8.0.0" }, nil, "version of redis-server: 7.0.15 in base, 8.0.0 in head", false},
		{"another wsrig", func(r *result.Run) { r.Environment.Wsrig = "v0.2.0" }, nil, "", false},
		{"scenario", func(r *result.Run) { r.Scenario = "balance" }, nil, "scenario: smoke in base, balance in head", true},
		{"steps", func(r *result.Run) {
			r.Plan = json.RawMessage(`{"cells": [{"id": "direct", "steps": [{"wait": {"for": 1}}]}]}`)
		}, nil, "steps of direct: null in base, [{\"wait\":{\"for\":1}}] in head", false},
		{"spread over processes", func(r *result.Run) {
			r.Plan = json.RawMessage(`{"cells": [{"id": "direct", "testbed": {"size": {"workers": 2}}}]}`)
		}, nil, "testbed of direct: null in base, {} in head", false},
		{"cells at the same time", func(r *result.Run) { r.Plan = json.RawMessage(`{"parallel": 5}`) }, nil, "cells at the same time: 0 in base, 5 in head", false},
		{"closed loop", func(r *result.Run) { r.Cells[0].Trials[0].ClosedLoop = true }, nil, "loop of direct: open in base, closed in head", true},
	} {
		t.Run(row.name, func(t *testing.T) {
			base, head := load(t, "smoke"), otherRun(t, row.change)
			pairs, _, err := PairRuns(base, head)
			must(t, err)
			c, err := Compare(base, head, pairs, CompareOptions{Across: row.across})
			if row.want == "" {
				must(t, err)
				return
			}
			var refused *IncomparableError
			if !errors.As(err, &refused) || !strings.Contains(err.Error(), row.want) {
				t.Fatalf("%v and error %v, want a refusal with %q", c, err, row.want)
			}
			c, err = Compare(base, head, pairs, CompareOptions{Across: row.across, Force: true})
			if row.never {
				if err == nil {
					t.Error("compared by force, although the figures do not mean the same")
				}
				return
			}
			must(t, err)
			var text bytes.Buffer
			must(t, c.Text(&text, 10_000, false))
			if len(c.Differences) == 0 || !strings.Contains(text.String(), "FORCED, although not comparable: "+row.want) {
				t.Errorf("the output does not say that it was forced:\n%s", text.String())
			}
		})
	}
}

func TestTheVersionOfAProxyThatIsNotComparedMayDiffer(t *testing.T) {
	base, head := load(t, "smoke"), otherRun(t, func(r *result.Run) { r.Environment.Versions["haproxy"] = "3.2.1" })
	pair, err := PairCells(base, "direct", head, "direct")
	must(t, err)
	if _, err := Compare(base, head, []CellPair{pair}, CompareOptions{}); err != nil {
		t.Error(err)
	}
}

func TestCellsAreFoundByAnUnambiguousBeginning(t *testing.T) {
	run := newFixture("x", []result.Cell{{ID: "direct"}, {ID: "haproxy:leastconn"}, {ID: "haproxy:round-robin"}, {ID: "haproxy:round-robin-2"}}, nil)
	for _, row := range []struct{ id, want, err string }{
		{"direct", "direct", ""},
		{"d", "direct", ""},
		{"haproxy:l", "haproxy:leastconn", ""},
		{"haproxy:round-robin", "haproxy:round-robin", ""}, // the whole id of one, although another begins with it
		{"haproxy:r", "", `"haproxy:r" begins the ids of 2 cells: "haproxy:round-robin", "haproxy:round-robin-2"; write more of the one that is meant`},
		{"haproxy:lestconn", "", `did you mean "haproxy:leastconn"?`},
		{"envoy", "", `the run has no cell "envoy"; it has "direct", "haproxy:leastconn"`},
	} {
		c, err := FindCell(run, row.id)
		switch {
		case row.err != "":
			if err == nil || !strings.Contains(err.Error(), row.err) {
				t.Errorf("%s: error %v, want one with %q", row.id, err, row.err)
			}
		case err != nil || c.ID != row.want:
			t.Errorf("%s finds %v (%v), want %s", row.id, c, err, row.want)
		}
	}
}

func TestComparisonReadsAsTheGoldenFiles(t *testing.T) {
	base, head := load(t, "idle-timeout"), load(t, "idle-timeout")
	changeFixture(head)
	c := compared(t, base, head, CompareOptions{})
	var text, all, md bytes.Buffer
	must(t, c.Text(&text, 0, false))
	must(t, c.Text(&all, 0, true))
	must(t, c.Markdown(&md, false))
	golden(t, "comparison/comparison.txt", text.Bytes())
	golden(t, "comparison/comparison.md", md.Bytes())
	if all.Len() <= text.Len() {
		t.Errorf("all has %d bytes and the summary %d", all.Len(), text.Len())
	}
	data, err := json.Marshal(c)
	must(t, err)
	var back Comparison
	must(t, json.Unmarshal(data, &back))
	again, err := json.Marshal(back)
	must(t, err)
	if !bytes.Equal(data, again) {
		t.Error("the JSON of a comparison does not read back as it was")
	}
}

// changeFixture makes the first cell behind HAProxy worse in every way that a fact can be.
func changeFixture(run *result.Run) {
	for i := range run.Cells {
		c := &run.Cells[i]
		if !strings.HasPrefix(c.ID, "haproxy:short-tunnel") {
			continue
		}
		d := *c.Declared
		d.IdleTimeout, d.Directive, d.Where = 1, "timeout client", "haproxy.cfg:9 (defaults)"
		c.Declared = &d
		for j := range c.Trials {
			c.Trials[j].Handshakes = map[string]int{"101": 190, "HTTP 503": 10}
			result.Set(c.Trials[j].Metrics, "handshake.failed", 10, 1)
		}
		return
	}
}

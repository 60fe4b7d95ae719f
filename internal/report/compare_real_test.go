package report

import (
	"encoding/json"
	"fmt"
	"maps"
	"math"
	"math/rand/v2"
	"os"
	"path/filepath"
	"slices"
	"testing"

	"wsrig/internal/result"
)

// realTrials are the gating figures of up to 24 trials of each of three cells, as a
// 2-core machine with other work on it gave them: 60 clients, 100 messages a second for
// 2 s, behind nothing, HAProxy 2.6.12 and Nginx 1.22.1. They are what noise looks like.
func realTrials(t *testing.T) map[string][]map[string]float64 {
	t.Helper()
	data, err := os.ReadFile(filepath.Join("testdata", "comparison", "trials.json"))
	must(t, err)
	var trials map[string][]map[string]float64
	must(t, json.Unmarshal(data, &trials))
	return trials
}

// drawRuns makes two runs of n trials of each cell, no trial twice: both come from one
// system, so that any difference between them is chance.
func drawRuns(rng *rand.Rand, pool map[string][]map[string]float64, n int) (base, head *result.Run) {
	base, head = newFixture("traffic", nil, nil), newFixture("traffic", nil, nil)
	for _, id := range slices.Sorted(maps.Keys(pool)) {
		perm := rng.Perm(len(pool[id]))
		for i, run := range []*result.Run{base, head} {
			cell := result.Cell{ID: id, Proxy: id, Params: map[string]string{}}
			for k, at := range perm[i*n : (i+1)*n] {
				trial := result.Trial{Index: k + 1, Metrics: map[string]result.Metric{}, Handshakes: map[string]int{"101": 60}}
				for name, v := range pool[id][at] {
					result.Set(trial.Metrics, name, v, 1)
				}
				cell.Trials = append(cell.Trials, trial)
			}
			result.Aggregate(&cell)
			run.Cells = append(run.Cells, cell)
		}
	}
	return base, head
}

// scale multiplies the metrics of one cell in every trial.
func scale(run *result.Run, cell string, factor float64, metrics ...string) {
	for i := range run.Cells {
		if run.Cells[i].ID != cell {
			continue
		}
		for _, t := range run.Cells[i].Trials {
			for _, name := range metrics {
				m := t.Metrics[name]
				m.Value *= factor
				t.Metrics[name] = m
			}
		}
	}
}

func compared(t *testing.T, base, head *result.Run, o CompareOptions) *Comparison {
	t.Helper()
	pairs, _, err := PairRuns(base, head)
	must(t, err)
	c, err := Compare(base, head, pairs, o)
	must(t, err)
	return c
}

// called lists the figures that came out as one of the verdicts.
func called(c *Comparison, verdicts ...string) []string {
	var names []string
	for _, cell := range c.Cells {
		for _, m := range cell.Metrics {
			if slices.Contains(verdicts, m.Verdict) {
				names = append(names, cell.Name+" "+m.Metric)
			}
		}
	}
	return names
}

// draws is how many comparisons stand for all that could be made.
const draws = 400

// TestEqualSystemsAreRarelyCalledDifferent holds the share of false alarms to what is
// promised: of comparisons of equal systems, real trials and 39 figures each, at
// most 5 of 100 call anything different. The limits of the changes are not counted on:
// significance alone must keep it. Without the correction, 1 in 3 comparisons would have
// a figure below 0.05, which the test also holds, so that it could fail.
func TestEqualSystemsAreRarelyCalledDifferent(t *testing.T) {
	pool := realTrials(t)
	rng := rand.New(rand.NewPCG(1, 2))
	significant, alarms, uncorrected, tests := 0, 0, 0, 0
	for range draws {
		base, head := drawRuns(rng, pool, gateTrials)
		c := compared(t, base, head, CompareOptions{})
		tests = c.Tests
		below := func(p func(MetricComparison) *float64) bool {
			return c.count(func(m MetricComparison) bool { return p(m) != nil && *p(m) <= DefaultAlpha }) > 0
		}
		if below(func(m MetricComparison) *float64 { return m.Holm }) {
			significant++
		}
		if below(func(m MetricComparison) *float64 { return m.P }) {
			uncorrected++
		}
		if c.Verdict.Status != result.Pass || len(called(c, Improved, Changed, Worse)) > 0 {
			alarms++
		}
	}
	// Three standard deviations of a binomial count above the share.
	most := int(draws*DefaultAlpha + 3*math.Sqrt(draws*DefaultAlpha*(1-DefaultAlpha)))
	t.Logf("%d tests; of %d comparisons %d have a significant figure, %d call one, %d would without the correction", tests, draws, significant, alarms, uncorrected)
	if significant > most || alarms > significant {
		t.Errorf("%d of %d comparisons of equal systems have a significant figure and %d call one; at most %d may", significant, draws, alarms, most)
	}
	if tests < 30 || uncorrected < draws/3 {
		t.Errorf("%d tests, and %d of %d comparisons with one below 0.05: too few for this test to say anything", tests, uncorrected, draws)
	}
}

// gateTrials are as many as wsrig regress makes by default.
const gateTrials = 8

var latencies = []string{"delivery.latency.p50", "delivery.latency.p99", "delivery.latency_cross_node.p50"}

// TestTwiceTheLatencyIsCalled: with the trials that wsrig regress makes, a median that
// doubles in one cell of three is worse there, and nothing else is.
func TestTwiceTheLatencyIsCalled(t *testing.T) {
	pool := realTrials(t)
	rng := rand.New(rand.NewPCG(3, 4))
	found := 0
	for range draws / 4 {
		base, head := drawRuns(rng, pool, gateTrials)
		scale(head, "nginx:round-robin", 2, latencies...)
		c := compared(t, base, head, CompareOptions{})
		worse := called(c, Worse)
		if c.Verdict.Status == result.Fail && slices.Contains(worse, "nginx:round-robin delivery.latency.p50") {
			found++
		}
	}
	if found < draws/4*95/100 {
		t.Errorf("twice the latency was called worse in %d of %d comparisons, want 95 of 100", found, draws/4)
	}
}

// TestFivePercentIsNotCalled: less than a limit is never called, and with 4 trials, which
// can make nothing significant among 39 tests, a rise above the limit is inconclusive
// and says how many it takes.
func TestFivePercentIsNotCalled(t *testing.T) {
	pool := realTrials(t)
	for _, row := range []struct {
		factor float64
		trials int
		status string
	}{
		{1.05, gateTrials, result.Pass},
		{1.05, 4, result.Inconclusive},
		{2, 4, result.Inconclusive},
	} {
		t.Run(fmt.Sprintf("%g with %d trials", row.factor, row.trials), func(t *testing.T) {
			rng := rand.New(rand.NewPCG(5, 6))
			other := 0
			for range draws / 4 {
				base, head := drawRuns(rng, pool, row.trials)
				scale(head, "nginx:round-robin", row.factor, latencies...)
				c := compared(t, base, head, CompareOptions{})
				if c.Verdict.Status != row.status {
					other++
				}
				if row.trials == 4 && (c.Needs != 7 || len(called(c, Worse, Improved, Changed)) > 0) {
					t.Fatalf("%d tests need %d trials and %v is called: want 7 trials, and nothing called with 4", c.Tests, c.Needs, called(c, Worse, Improved, Changed))
				}
			}
			if most := draws / 4 / 10; other > most {
				t.Errorf("%d of %d verdicts are not %s; at most %d may", other, draws/4, row.status, most)
			}
		})
	}
}

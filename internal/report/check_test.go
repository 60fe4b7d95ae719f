package report

import (
	"fmt"
	"slices"
	"strings"
	"testing"

	"wsrig/internal/result"
)

// lossTrials are trials that lost so many messages each; a negative number stands
// for a trial without data.
func lossTrials(lost ...float64) []result.Trial {
	var trials []result.Trial
	for i, v := range lost {
		m := map[string]result.Metric{}
		if v >= 0 {
			result.Set(m, "delivery.lost", v, 100)
		}
		trials = append(trials, result.Trial{Index: i + 1, Metrics: m})
	}
	return trials
}

func inconclusive(trials []result.Trial, indexes ...int) []result.Trial {
	for _, i := range indexes {
		trials[i-1].Inconclusive = []string{"the generator was saturated"}
	}
	return trials
}

func checked(t *testing.T, trials []result.Trial, exprs ...string) *result.Run {
	t.Helper()
	cell := result.Cell{ID: "direct", Proxy: "direct", Trials: trials}
	result.Aggregate(&cell)
	run := newFixture("checked", []result.Cell{cell}, nil)
	must(t, Check(run, exprs))
	run.Verdict = Verdict(run)
	return run
}

func TestCheckAndVerdict(t *testing.T) {
	const nothingLost = "delivery.lost == 0"
	for _, row := range []struct {
		sentence string
		trials   []result.Trial
		expr     string
		status   string
		reason   string // of the first one; "" for none
	}{
		{"nothing lost in any trial passes", lossTrials(0, 0, 0), nothingLost, result.Pass, ""},
		{"a loss in the only trial fails", lossTrials(2), nothingLost, result.Fail, "direct: delivery.lost == 0: got 2, want 0"},
		{"a loss in one trial of three fails although the median is 0", lossTrials(0, 5, 0), nothingLost, result.Fail, "direct: delivery.lost == 0: got 5 in trial 2, want 0"},
		{"no data is inconclusive", lossTrials(-1), nothingLost, result.Inconclusive, "direct: delivery.lost == 0: got no data for delivery.lost, want 0"},
		{"no data in one trial of three is inconclusive", lossTrials(0, -1, 0), nothingLost, result.Inconclusive, "direct: delivery.lost == 0: got no data for delivery.lost, want 0"},
		{"an inconclusive trial keeps good ones from being a pass", inconclusive(lossTrials(0, 9, 0), 2), nothingLost, result.Inconclusive, "direct: trial 2 is inconclusive: the generator was saturated"},
		{"a conclusive loss fails whatever else is inconclusive", inconclusive(lossTrials(0, 9, 0), 1), nothingLost, result.Fail, "direct: delivery.lost == 0: got 4.5, want 0"},
		{"trials that prove nothing cannot fail a check", inconclusive(lossTrials(9), 1), nothingLost, result.Inconclusive, "direct: trial 1 is inconclusive: the generator was saturated"},
		{"a check that applies nowhere is inconclusive", lossTrials(0), nothingLost + " when delivery.lost > 3", result.Inconclusive, nothingLost + " when delivery.lost > 3: got applied to no cell"},
		{"a cell without a trial is inconclusive", nil, nothingLost, result.Inconclusive, "direct: no trial was made"},
	} {
		run := checked(t, row.trials, row.expr)
		got := ""
		if len(run.Verdict.Reasons) > 0 {
			got = run.Verdict.Reasons[0]
		}
		if run.Verdict.Status != row.status || got != row.reason {
			t.Errorf("%s:\n got  %s %q\n want %s %q", row.sentence, run.Verdict.Status, got, row.status, row.reason)
		}
	}
}

func TestMedianOfTimesIsNotUndoneByOneSlowTrial(t *testing.T) {
	var trials []result.Trial
	for i, v := range []float64{0.010, 0.200, 0.011} {
		m := map[string]result.Metric{}
		result.Set(m, "delivery.latency.p99", v, 1000)
		trials = append(trials, result.Trial{Index: i + 1, Metrics: m})
	}
	if run := checked(t, trials, "delivery.latency.p99 < 50ms"); run.Verdict.Status != result.Pass {
		t.Errorf("verdict is %+v; times are judged by their median over the trials", run.Verdict)
	}
}

func TestWhatATrialFoundWrongFailsTheRun(t *testing.T) {
	trials := lossTrials(0, 0)
	trials[1].Failed = []string{"n1 ended: exit status 2"}
	run := checked(t, trials, "delivery.lost == 0")
	want := []string{"direct: trial 2 is sound: got n1 ended: exit status 2, want nothing amiss"}
	if run.Verdict.Status != result.Fail || !slices.Equal(run.Verdict.Reasons, want) {
		t.Errorf("verdict is %+v, want fail for %q", run.Verdict, want)
	}
	if n := len(run.Checks); n != 2 {
		t.Errorf("%d checks, want the expression and the trial", n)
	}
	must(t, Check(run, nil))
	if n := len(run.Checks); n != 1 {
		t.Errorf("%d checks after checking again, want those of the last time only", n)
	}
}

func TestCheckRefusesABadExpressionAndKeepsTheRun(t *testing.T) {
	run := checked(t, lossTrials(0), "delivery.lost == 0")
	err := Check(run, []string{"delivery.lots == 0"})
	if err == nil || !strings.Contains(err.Error(), "delivery.lost") {
		t.Errorf("error %v does not suggest delivery.lost", err)
	}
	if len(run.Checks) != 1 || run.Checks[0].Expr != "delivery.lost == 0" {
		t.Errorf("the checks were changed to %+v", run.Checks)
	}
}

func TestVerdictSpellsOutTenReasons(t *testing.T) {
	trials := lossTrials(0)
	for i := range 14 {
		trials[0].Failed = append(trials[0].Failed, fmt.Sprintf("fault %d", i))
	}
	reasons := checked(t, trials).Verdict.Reasons
	if len(reasons) != 11 || reasons[10] != "and 4 more" {
		t.Errorf("reasons are %q", reasons)
	}
}

func TestCheckWhoseConditionHoldsNowhereIsPassedOverBesideJudgedOnes(t *testing.T) {
	run := checked(t, lossTrials(0), "delivery.lost == 0")
	if err := Check(run, []string{"delivery.lost == 0", "delivery.lost == 0 when delivery.lost > 3"}); err != nil {
		t.Fatal(err)
	}
	if v := Verdict(run); v.Status != result.Pass {
		t.Errorf("verdict is %+v, want a pass", v)
	}
	if got := judged(run.Checks); got != "2 checks: 1 hold, 0 failed, 0 could not be judged, 1 applied to no cell" {
		t.Errorf("counted as %q", got)
	}
}

func TestVerdictOfNothingIsInconclusive(t *testing.T) {
	got := Verdict(&result.Run{})
	if got.Status != result.Inconclusive || !slices.Equal(got.Reasons, []string{"the run has no cell"}) {
		t.Errorf("verdict is %+v", got)
	}
}

func TestExitCode(t *testing.T) {
	for status, want := range map[string]int{
		result.Pass: 0, result.Fail: 1, result.Inconclusive: 3, result.Error: 4, "": 3, "passed": 3,
	} {
		if got := ExitCode(status); got != want {
			t.Errorf("ExitCode(%q) = %d, want %d", status, got, want)
		}
	}
}

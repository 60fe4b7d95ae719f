package scenario

import (
	"strings"
	"testing"
	"time"

	"wsrig/internal/result"
)

func markOf(t *testing.T, run *result.Run, cell, kind string) result.Mark {
	t.Helper()
	for _, m := range run.Marks {
		if m.Cell == cell && m.Kind == kind {
			return m
		}
	}
	t.Fatalf("%s: no mark %q in %+v", cell, kind, run.Marks)
	return result.Mark{}
}

// TestAFrozenSecondShowsInTheTail freezes the node for a second. In open loop all
// that was due in it is late; a closed loop does not send it, and its p99 knows of
// no stall, which is why it is labelled.
func TestAFrozenSecondShowsInTheTail(t *testing.T) {
	r, nothingLeft := newRunner(t)
	plan := planOf(t, `name: test
summary: s
testbed: {nodes: 1}
proxies: [direct]
vary: {loop: [open, closed]}
steps:
  - connect: {clients: 10, rate: 200/s, rooms: 2}
  - publish: {rate: 200/s, for: 4s, grace: 500ms, during: [{at: 2s, stop: n1, for: 1s}]}
`)
	run, err := r.Run(t.Context(), plan)
	if err != nil {
		t.Fatal(err)
	}
	for _, cell := range run.Cells {
		trial, closed := cell.Trials[0], cell.Params["loop"] == "closed"
		m := trial.Metrics
		publish, stop := markOf(t, run, cell.ID, "publish"), markOf(t, run, cell.ID, Stop)
		if after := stop.Start - publish.Start; after < 2 || after > 10 || stop.End-stop.Start < 1 || stop.End > publish.End || stop.Text != "stop n1 for 1s" {
			t.Errorf("%s: the freeze is marked as %+v, the publish as %+v", cell.ID, stop, publish)
		}
		if m["delivery.latency.max"].Value < 0.8 {
			t.Errorf("%s: the largest latency is %g s after a freeze of 1 s", cell.ID, m["delivery.latency.max"].Value)
		}
		p99, enough := m["delivery.latency.p99"]
		switch {
		case !enough:
			t.Errorf("%s: %+v deliveries are too few for a p99", cell.ID, m["delivery.latency.p50"])
		case !closed && p99.Value < 0.8:
			t.Errorf("%s: p99 is %g s after a freeze of 1 s", cell.ID, p99.Value)
		case closed && p99.Value > 0.6:
			t.Errorf("%s: p99 is %g s, so that closed loop would hide nothing", cell.ID, p99.Value)
		}
		if trial.ClosedLoop != closed || strings.Contains(publish.Text, "closed loop") != closed {
			t.Errorf("%s: closed loop is labelled %v, and %q", cell.ID, trial.ClosedLoop, publish.Text)
		}
		if m["delivery.lost"].Value != 0 || m["delivery.late"].Value == 0 || len(trial.Losses) != 1 || trial.Losses[0].Mark != "stop n1 for 1s" {
			t.Errorf("%s: the late ones are laid to %+v; %+v late", cell.ID, trial.Losses, m["delivery.late"])
		}
	}
	if plan := string(run.Plan); strings.Count(plan, `"loop":"closed"`) < 1 || !strings.Contains(plan, `"at":"2s","stop":"n1","for":"1s"`) {
		t.Errorf("the plan says nothing of the loop or the fault: %s", plan)
	}
	nothingLeft()
}

func TestANodeKilledWhilePublishingIsBlamed(t *testing.T) {
	r, nothingLeft := newRunner(t)
	plan := planOf(t, `name: test
summary: s
testbed: {nodes: 2}
proxies: [direct]
steps:
  - connect: {clients: 20, rate: 200/s, rooms: 2}
  - publish: {rate: 100/s, for: 1500ms, during: [{at: 1s, restart: n1}, {at: 500ms, kill: n1}]}
`)
	run, err := r.Run(t.Context(), plan)
	if err != nil {
		t.Fatal(err)
	}
	kill, restart := markOf(t, run, "direct", Kill), markOf(t, run, "direct", Restart)
	if kill.Start >= restart.Start || kill.Step != 1 || restart.Step != 1 {
		t.Errorf("marks %+v and %+v", kill, restart)
	}
	trial := run.Cells[0].Trials[0]
	killed := 0
	for _, g := range trial.Closes {
		if g.By == byNode && g.Cause == causeKilled {
			killed += g.Count
		}
	}
	if killed != 10 {
		t.Errorf("%d clients were closed by the killed node, want its 10; groups: %+v", killed, trial.Closes)
	}
	if lost := trial.Metrics["delivery.lost_unexplained"]; lost.Value != 0 || lost.N == 0 {
		t.Errorf("unexplained losses: %+v", lost)
	}
	if n, ok := trial.Metrics["delivery.per_node_core"]; ok {
		t.Errorf("nobody knows what the killed node used in the step, but there is %+v", n)
	}
	nothingLeft()
}

func TestAFaultThatFailsEndsItsPublish(t *testing.T) {
	r, nothingLeft := newRunner(t)
	plan := planOf(t, "name: test\nsummary: s\nproxies: [direct]\nsteps:\n  - connect: {clients: 5}\n  - publish: {rate: 10/s, for: 1m}\n")
	plan.Cells[0].Steps[1].(*Publish).During = []TimedFault{{At: Duration(100 * time.Millisecond), Fault: Fault{Kill: "n9"}}}
	begin := time.Now()
	_, err := r.Run(t.Context(), plan)
	if err == nil || !strings.Contains(err.Error(), "kill n9: ") || !strings.Contains(err.Error(), "direct, trial 1: step 2 (publish 10/s for 1m") {
		t.Errorf("error is %v", err)
	}
	if took := time.Since(begin); took > 30*time.Second {
		t.Errorf("it took %s to end a publish of a minute", took)
	}
	nothingLeft()
}

package scenario

import (
	"context"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync"
	"sync/atomic"
	"testing"

	"go.uber.org/goleak"

	"wsrig/internal/result"
	"wsrig/loadgen"
	"wsrig/testbed"
)

// built is the wsrig command, built once: units of the tests are real.
var built = sync.OnceValues(func() (string, error) {
	dir, err := os.MkdirTemp("", "wsrig-test-")
	if err != nil {
		return "", err
	}
	path := filepath.Join(dir, "wsrig")
	out, err := exec.Command("go", "build", "-o", path, "wsrig/cmd/wsrig").CombinedOutput()
	if err != nil {
		return dir, fmt.Errorf("build wsrig: %w: %s", err, out)
	}
	used.Store(true)
	return path, nil
})

// used tells whether built was.
var used atomic.Bool

func TestMain(m *testing.M) {
	goleak.VerifyTestMain(m, goleak.Cleanup(func(code int) {
		if used.Load() {
			path, _ := built()
			os.RemoveAll(filepath.Dir(path))
		}
		os.Exit(code)
	}))
}

type quiet struct{}

func (quiet) Step(string, int, string) ProgressBar { return quiet{} }
func (quiet) Set(loadgen.Progress)                 {}
func (quiet) End(error)                            {}

// newRunner returns a runner on local processes, with its own folder for temporary
// files, and a check that nothing was left there.
func newRunner(t *testing.T) (*Runner, func()) {
	t.Helper()
	self, err := built()
	if err != nil {
		t.Fatal(err)
	}
	tmp := t.TempDir()
	t.Setenv("TMPDIR", tmp)
	r := &Runner{
		NewRuntime: func(logDir string) (testbed.Runtime, error) { return testbed.NewProcessRuntime(self, logDir) },
		Bus:        testbed.BusMiniredis, Dir: t.TempDir(), Progress: quiet{},
	}
	return r, func() {
		t.Helper()
		entries, err := os.ReadDir(tmp)
		if err != nil || len(entries) > 0 {
			t.Errorf("left in the folder for temporary files: %v, %v", entries, err)
		}
		procs, err := filepath.Glob("/proc/[0-9]*/cwd")
		if err != nil {
			t.Fatal(err)
		}
		for _, p := range procs {
			if cwd, err := os.Readlink(p); err == nil && strings.HasPrefix(cwd, tmp) {
				t.Errorf("left running: %s in %s", p, cwd)
			}
		}
	}
}

func planOf(t *testing.T, text string) *Plan {
	t.Helper()
	plan, err := Load("test.yaml", []byte(text), Options{Seed: 7})
	if err != nil {
		t.Fatal(err)
	}
	return plan
}

// panicStep panics, as a defect in any step may.
type panicStep struct{}

func (panicStep) Kind() string                      { return "panic" }
func (panicStep) Text() string                      { return "panic" }
func (panicStep) run(context.Context, *trial) error { panic("a defect in a step") }

func TestAPanicInAStepTakesTheTestbedDown(t *testing.T) {
	r, nothingLeft := newRunner(t)
	plan := planOf(t, "name: test\nsummary: s\nproxies: [direct]\nsteps:\n  - connect: {clients: 5}\n  - wait: {for: 50ms}\n")
	for at := range len(plan.Cells[0].Steps) + 1 {
		steps := plan.Cells[0].Steps
		plan.Cells[0].Steps = append(append(append([]Step{}, steps[:at]...), panicStep{}), steps[at:]...)
		_, err := r.Run(t.Context(), plan)
		plan.Cells[0].Steps = steps
		if err == nil || !strings.Contains(err.Error(), "a defect in a step") || !strings.Contains(err.Error(), "direct, trial 1: step") {
			t.Errorf("panic before step %d: error is %v", at+1, err)
		}
		nothingLeft()
	}
}

func TestAUnitThatDiesEndsTheRunAndIsNamed(t *testing.T) {
	r, nothingLeft := newRunner(t)
	plan := planOf(t, "name: test\nsummary: s\nproxies: [direct]\nsteps:\n  - connect: {clients: 5}\n  - wait: {for: 1m}\n")
	steps := plan.Cells[0].Steps
	plan.Cells[0].Steps = []Step{steps[0], killStep{"n2"}, steps[1]}
	_, err := r.Run(t.Context(), plan)
	var dead *testbed.ExitError
	if !errors.As(err, &dead) || dead.Unit != "n2" || !strings.Contains(dead.Status, "killed") || dead.LogPath == "" {
		t.Errorf("error is %v", err)
	}
	nothingLeft()
}

// killStep kills a unit behind the testbed's back.
type killStep struct{ unit string }

func (killStep) Kind() string { return "kill" }
func (killStep) Text() string { return "kill" }
func (s killStep) run(_ context.Context, t *trial) error {
	inst, err := t.tb.Find(s.unit)
	if err != nil {
		return err
	}
	p, err := os.FindProcess(inst.PID())
	if err != nil {
		return err
	}
	return p.Kill()
}

func TestACancelledRunLeavesNothingAndKeepsItsCause(t *testing.T) {
	r, nothingLeft := newRunner(t)
	plan := planOf(t, "name: test\nsummary: s\nproxies: [direct]\nsteps:\n  - connect: {clients: 5}\n  - idle: {for: 1m}\n")
	ctx, cancel := context.WithCancelCause(t.Context())
	enough := errors.New("enough")
	plan.Cells[0].Steps = append(plan.Cells[0].Steps[:1:1], cancelStep{func() { cancel(enough) }}, plan.Cells[0].Steps[1])
	_, err := r.Run(ctx, plan)
	if !errors.Is(err, enough) {
		t.Errorf("error is %v, want the cause of the cancellation", err)
	}
	nothingLeft()
}

type cancelStep struct{ cancel func() }

func (cancelStep) Kind() string { return "cancel" }
func (cancelStep) Text() string { return "cancel" }
func (s cancelStep) run(context.Context, *trial) error {
	s.cancel()
	return nil
}

func TestEqualSeedsOrderTrialsAlikeAndOthersDoNot(t *testing.T) {
	p := &Plan{Seed: 1, Trials: 3, Cells: make([]CellPlan, 12)}
	a := order(p)
	seen := map[job]bool{}
	for _, j := range a {
		seen[j] = true
	}
	if len(a) != 36 || len(seen) != 36 {
		t.Fatalf("%d jobs, %d different, want 36", len(a), len(seen))
	}
	for i, j := range a {
		if j.trial != i/12+1 {
			t.Fatalf("job %d is of trial %d: the trials of all cells must be interleaved", i, j.trial)
		}
	}
	same, other := order(p), order(&Plan{Seed: 2, Trials: 3, Cells: make([]CellPlan, 12)})
	differ := false
	for i := range a {
		if a[i] != same[i] {
			t.Fatal("equal seeds order differently")
		}
		differ = differ || a[i] != other[i]
	}
	if !differ {
		t.Error("two seeds order alike")
	}
}

// TestFaultsAreMarkedAndTheirLossesLaidToThem kills a node under traffic.
func TestFaultsAreMarkedAndTheirLossesLaidToThem(t *testing.T) {
	r, nothingLeft := newRunner(t)
	plan := planOf(t, `name: test
summary: s
testbed: {nodes: 2}
proxies: [direct]
steps:
  - connect: {clients: 20, rate: 200/s, rooms: 2}
  - publish: {rate: 50/s, for: 1s}
  - fault: {kill: n1}
  - wait: {for: 200ms}
  - fault: {restart: n1}
  - connect: {clients: 10, rate: 200/s}
  - publish: {rate: 50/s, for: 1s}
`)
	run, err := r.Run(t.Context(), plan)
	if err != nil {
		t.Fatal(err)
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
	var kinds []string
	for _, m := range run.Marks {
		kinds = append(kinds, m.Kind)
		if m.End < m.Start {
			t.Errorf("mark %+v ends before it starts", m)
		}
	}
	if got := strings.Join(kinds, " "); got != "connect publish kill wait restart connect publish" {
		t.Errorf("marks are %q", got)
	}
	if lost := trial.Metrics["delivery.lost_unexplained"]; lost.Value != 0 || lost.N == 0 {
		t.Errorf("unexplained losses: %+v", lost)
	}
	if n := trial.Metrics["connections.open"].Value; n != 20 {
		t.Errorf("%g clients open after the second connect, want 10 of n2 and 10 new", n)
	}
	nothingLeft()
}

func TestDisagreeingViewsAreNamed(t *testing.T) {
	seven, five := 7, 5
	for _, row := range []struct {
		sentence string
		view     result.View
		want     string
	}{
		{"all three agree", result.View{Client: 7, Node: map[string]int{"n1": 3, "n2": 4}, Proxy: &seven}, ""},
		{"direct has two views", result.View{Client: 7, Node: map[string]int{"n1": 7}}, ""},
		{"the nodes do not tell", result.View{Client: 7, Node: map[string]int{}, Proxy: &seven}, ""},
		{"the nodes do not tell and the proxy counts fewer", result.View{At: "connect", Client: 7, Proxy: &five}, "views disagree after connect: the clients count 7 open connections, the proxy 5"},
		{"the nodes count fewer", result.View{At: "connect", Client: 7, Node: map[string]int{"n1": 6}}, "views disagree after connect: the clients count 7 open connections, the nodes 6"},
		{"the proxy counts fewer", result.View{At: "connect", Client: 7, Node: map[string]int{"n1": 7}, Proxy: &five}, "views disagree after connect: the clients count 7 open connections, the proxy 5"},
	} {
		if got := disagree(row.view); got != row.want {
			t.Errorf("%s: got %q, want %q", row.sentence, got, row.want)
		}
	}
}

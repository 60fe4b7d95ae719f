package scenario

import (
	"cmp"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"hash/fnv"
	"os"
	"runtime/debug"
	"slices"
	"strings"
	"sync"
	"time"

	"wsrig/internal/result"
	"wsrig/internal/wire"
	"wsrig/loadgen"
	"wsrig/testbed"
)

// runStep is a step that can act. Its marks' times are those of the trial.
type runStep interface {
	Step
	run(ctx context.Context, t *trial) error
}

// trial is one run of a cell under way, and then what it measured.
type trial struct {
	runner  *Runner
	plan    *Plan
	cell    *CellPlan
	index   int
	seed    uint64
	tb      *testbed.Testbed
	workers []loadgen.Remote

	begun      time.Time
	start      int64 // wire time
	step       int   // index of the step that runs
	clients    int   // client numbers given out
	phases     uint32
	publishes  []loadgen.PublishResult
	publishCPU cpuSpent
	found      found // by the search
	idles      []idleWindow
	views      []result.View
	marking    sync.Mutex // held while the two below grow
	marks      []result.Mark
	faults     []faultMark
	failed     []string
	balance    balanceLog
	stats      testbed.ProxyStats // after the last step
	hasStats   bool

	snapshots []loadgen.Snapshot
	usage     []result.Usage
	declared  *result.Declared
	config    *testbed.Config
	closes    []loadgen.Close
	result    result.Trial
}

func newTrial(r *Runner, p *Plan, cell *CellPlan, j job, tb *testbed.Testbed) *trial {
	t := &trial{runner: r, plan: p, cell: cell, index: j.trial, seed: seedOf(p, cell, j.trial), tb: tb, config: tb.Config}
	for _, w := range tb.Workers {
		t.workers = append(t.workers, loadgen.Remote{Addr: w.Unit().Ports["control"].Host, Token: tb.Spec.Token})
	}
	return t
}

// seedOf is the seed of a trial. Equal cells and trials of two runs with one seed do the
// same, and so do the two sides of a comparison: only the trees differ.
func seedOf(p *Plan, cell *CellPlan, trial int) uint64 {
	h := fnv.New64a()
	fmt.Fprintf(h, "%d %s %d", p.Seed, strings.TrimPrefix(cell.ID, cell.Proxy.Side+":"), trial)
	return h.Sum64()
}

// run does the steps and collects the workers' records.
func (t *trial) run(ctx context.Context) error {
	ctx, cancel := context.WithCancelCause(ctx)
	defer cancel(nil)
	watched := make(chan struct{})
	defer func() { cancel(nil); <-watched }()
	go func() {
		defer close(watched)
		select {
		case dead := <-t.tb.Died():
			cancel(dead)
		case <-ctx.Done():
		}
	}()
	err := t.act(ctx)
	// A unit that died is the cause of whatever failed because of it.
	var dead *testbed.ExitError
	if cause := context.Cause(ctx); errors.As(cause, &dead) {
		return dead
	}
	if err != nil && ctx.Err() != nil {
		return context.Cause(ctx)
	}
	return err
}

func (t *trial) act(ctx context.Context) error {
	var err error
	if t.declared, err = t.config.Declared(t.tb.Spec.Proxy, t.cell.path()); err != nil {
		return err
	}
	begin := loadgen.BeginSpec{}
	for _, n := range t.tb.Nodes {
		begin.Nodes = append(begin.Nodes, n.Unit().Name)
	}
	for range t.cell.addedNodes() {
		begin.Nodes = append(begin.Nodes, testbed.NodeName(len(begin.Nodes)+1))
	}
	t.begun, t.start = time.Now(), wire.Now()
	if _, err := each[struct{}](ctx, t, loadgen.CommandBegin, nil, func(int) any { return begin }); err != nil {
		return err
	}
	sampler := t.tb.Sample(ctx)
	for i, s := range t.cell.Steps {
		t.step = i
		if err := t.marked(ctx, s); err != nil {
			sampler.Stop(context.WithoutCancel(ctx))
			return fmt.Errorf("step %d (%s): %w", i+1, s.Text(), err)
		}
	}
	if !t.tb.Offline(testbed.ProxyName(0)) {
		if t.stats, t.hasStats, err = t.tb.ProxyStats(ctx); err != nil {
			t.failed = append(t.failed, err.Error())
		}
	}
	t.usage = sampler.Stop(ctx)
	t.snapshots, err = each[loadgen.Snapshot](ctx, t, loadgen.CommandFinish, nil, func(int) any { return struct{}{} })
	return err
}

// marked runs one step and marks its time. A panic becomes an error, so that the
// testbed is taken down.
func (t *trial) marked(ctx context.Context, s Step) (err error) {
	act, ok := s.(runStep)
	if !ok {
		return fmt.Errorf("a %s step cannot be run", s.Kind())
	}
	defer func() {
		if p := recover(); p != nil {
			err = fmt.Errorf("panic: %v\n%s", p, debug.Stack())
		}
	}()
	from := wire.Now()
	err = act.run(ctx, t)
	t.mark(s, from)
	return err
}

// seconds is a wire time as seconds since the trial's start.
func (t *trial) seconds(at int64) float64 { return float64(at-t.start) / 1e9 }

// bar begins to show a step that lasts.
func (t *trial) bar(text string) ProgressBar {
	return t.runner.Progress.Step(t.cell.ID, t.index, text)
}

// path is the URL path that the cell's clients ask for.
func (c *CellPlan) path() string {
	for _, s := range c.Steps {
		if connect, ok := s.(*Connect); ok {
			return connect.Path
		}
	}
	return "/ws"
}

// each sends a command to every worker at once and returns their results in order.
// spec gives each worker its own; one whose spec is nil has no part in the command, and
// its result is empty. A bar, if any, shows their sum.
func each[R any](ctx context.Context, t *trial, command string, bar ProgressBar, spec func(worker int) any) ([]R, error) {
	results := make([]R, len(t.workers))
	errs := make([]error, len(t.workers))
	reports := make(chan workerProgress)
	done := make(chan struct{})
	for i, w := range t.workers {
		go func() {
			if s := spec(i); s != nil {
				results[i], errs[i] = loadgen.Call[R](ctx, w, command, s, func(p loadgen.Progress) { reports <- workerProgress{i, p} })
			}
			done <- struct{}{}
		}()
	}
	latest := make([]loadgen.Progress, len(t.workers))
	for left := len(t.workers); left > 0; {
		select {
		case p := <-reports:
			latest[p.worker] = p.Progress
			if bar != nil {
				bar.Set(sum(latest))
			}
		case <-done:
			left--
		}
	}
	err := errors.Join(errs...)
	if bar != nil {
		bar.End(err)
	}
	return results, err
}

type workerProgress struct {
	worker int
	loadgen.Progress
}

func sum(all []loadgen.Progress) (s loadgen.Progress) {
	for _, p := range all {
		s.Done += p.Done
		s.Total += p.Total
		s.Open += p.Open
	}
	return s
}

func sortTrials(trials []result.Trial) {
	slices.SortFunc(trials, func(a, b result.Trial) int { return cmp.Compare(a.Index, b.Index) })
}

func sortMarks(marks []result.Mark) {
	slices.SortStableFunc(marks, func(a, b result.Mark) int {
		return cmp.Or(cmp.Compare(a.Cell, b.Cell), cmp.Compare(a.Trial, b.Trial), cmp.Compare(a.Start, b.Start))
	})
}

// closesFile is closes.ndjson: every client's end, one JSON object a line.
type closesFile struct {
	f   *os.File
	enc *json.Encoder
}

func newClosesFile(path string) (*closesFile, error) {
	f, err := os.Create(path)
	if err != nil {
		return nil, fmt.Errorf("record of closes: %w", err)
	}
	return &closesFile{f, json.NewEncoder(f)}, nil
}

// closeLine is one line of closes.ndjson.
type closeLine struct {
	Cell  string `json:"cell"`
	Trial int    `json:"trial"`
	loadgen.Close
}

func (c *closesFile) add(cell string, trial int, closes []loadgen.Close) error {
	for _, one := range closes {
		if err := c.enc.Encode(closeLine{cell, trial, one}); err != nil {
			return fmt.Errorf("record of closes: %w", err)
		}
	}
	return nil
}

func (c *closesFile) Close() error { return c.f.Close() }

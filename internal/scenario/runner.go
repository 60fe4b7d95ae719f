package scenario

import (
	"context"
	"crypto/rand"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"sync"
	"time"

	"golang.org/x/sync/errgroup"

	"wsrig/internal/result"
	"wsrig/loadgen"
	"wsrig/testbed"
)

// Runner runs Plans.
type Runner struct {
	Proxies map[string]testbed.Proxy
	// NewRuntime makes the runtime of one trial; its units' logs go to logDir.
	NewRuntime func(logDir string) (testbed.Runtime, error)
	// Bus stands in for the bus redis where there is no Redis: testbed.BusMiniredis.
	// "" is what the plan asks for.
	Bus string
	// Nodes are the programs that play the chat nodes of a side; without one it is this
	// program.
	Nodes map[string]string
	// Dir is the result directory; it exists.
	Dir      string
	Progress ProgressReporter
}

// ProgressReporter shows a person what happens. Its methods are called from several
// goroutines.
type ProgressReporter interface {
	// Step begins a step that lasts.
	Step(cell string, trial int, text string) ProgressBar
}

// ProgressBar shows one step.
type ProgressBar interface {
	Set(p loadgen.Progress)
	End(err error)
}

// Run runs a plan and returns what it measured: cells, marks and metrics, without
// checks and verdict. On an error, which is of the testbed or of ctx, the run holds
// what was measured before it.
func (r *Runner) Run(ctx context.Context, p *Plan) (*result.Run, error) {
	run := &result.Run{Schema: result.Schema, Scenario: p.Scenario, Marks: []result.Mark{}, Checks: []result.Check{}}
	var err error
	if run.Plan, err = json.Marshal(p); err != nil {
		return run, fmt.Errorf("save the plan: %w", err)
	}
	run.Cells = make([]result.Cell, len(p.Cells))
	for i, c := range p.Cells {
		run.Cells[i] = result.Cell{ID: c.ID, Proxy: c.Proxy.String(), Side: c.Proxy.Side, Params: c.Params, NodeCmd: c.Testbed.NodeCmd, Metrics: map[string]result.Metric{}}
		if run.Cells[i].Params == nil {
			run.Cells[i].Params = map[string]string{}
		}
	}
	closes, err := newClosesFile(filepath.Join(r.Dir, "closes.ndjson"))
	if err != nil {
		return run, err
	}
	var mu sync.Mutex
	g, ctx := errgroup.WithContext(ctx)
	g.SetLimit(max(1, p.Parallel))
	for _, j := range order(p) {
		g.Go(func() error {
			if ctx.Err() != nil {
				return context.Cause(ctx)
			}
			done, err := r.runTrial(ctx, p, j)
			mu.Lock()
			defer mu.Unlock()
			if done != nil {
				err = errors.Join(err, r.collect(run, p, j, done, closes))
			}
			return err
		})
	}
	err = errors.Join(g.Wait(), closes.Close())
	for i := range run.Cells {
		sortTrials(run.Cells[i].Trials)
		result.Aggregate(&run.Cells[i])
	}
	sortMarks(run.Marks)
	return run, err
}

// collect puts a trial into the run and its files into the result directory.
func (r *Runner) collect(run *result.Run, p *Plan, j job, t *trial, closes *closesFile) error {
	cell := &run.Cells[j.cell]
	cell.Trials = append(cell.Trials, t.result)
	run.Marks = append(run.Marks, t.marks...)
	if cell.Config == nil && t.config != nil {
		cell.Config = []result.ConfigFile{configFile(t.config)}
		if err := r.saveConfig(p.Cells[j.cell].ID, t.config); err != nil {
			return err
		}
	}
	if cell.Declared == nil {
		cell.Declared = t.declared
	}
	return closes.add(p.Cells[j.cell].ID, j.trial, t.closes)
}

func configFile(c *testbed.Config) result.ConfigFile {
	sum := sha256.Sum256([]byte(c.Source.Text))
	return result.ConfigFile{
		Name: c.Source.FileName, SHA256: hex.EncodeToString(sum[:]), Text: c.Text, Original: c.Source.Text,
	}
}

// saveConfig writes a cell's configuration as it was run, and for a user's own file
// what was changed in it.
func (r *Runner) saveConfig(cell string, c *testbed.Config) error {
	dir := filepath.Join(r.Dir, "config", slug(cell))
	if err := os.MkdirAll(dir, 0o755); err != nil {
		return fmt.Errorf("save the configuration: %w", err)
	}
	files := map[string]string{c.Source.FileName: c.Text}
	if c.Diff != "" {
		files[c.Source.FileName+".diff"] = c.Diff
	}
	for name, text := range files {
		if err := os.WriteFile(filepath.Join(dir, filepath.Base(name)), []byte(text), 0o644); err != nil {
			return fmt.Errorf("save the configuration: %w", err)
		}
	}
	return nil
}

var notSlug = regexp.MustCompile(`[^A-Za-z0-9.=-]+`)

// slug is a cell's id as a directory name.
func slug(id string) string { return strings.Trim(notSlug.ReplaceAllString(id, "_"), "_.") }

// LogDir is where the logs of one trial of a cell are, below the result directory.
func LogDir(cell string, trial int) string {
	return filepath.Join("logs", slug(cell), fmt.Sprintf("trial-%d", trial))
}

// runTrial builds a testbed, runs the cell's steps on it and measures. The testbed
// is down again when it returns, however it returns.
func (r *Runner) runTrial(ctx context.Context, p *Plan, j job) (t *trial, err error) {
	cell := &p.Cells[j.cell]
	defer func() {
		if err != nil {
			err = fmt.Errorf("%s, trial %d: %w", cell.ID, j.trial, err)
		}
	}()
	rt, err := r.NewRuntime(filepath.Join(r.Dir, LogDir(cell.ID, j.trial)))
	if err != nil {
		return nil, err
	}
	defer func() { err = errors.Join(err, closeRuntime(ctx, rt)) }()
	spec, err := r.spec(cell)
	if err != nil {
		return nil, err
	}
	tb, err := testbed.Up(ctx, rt, spec)
	if err != nil {
		return nil, err
	}
	t = newTrial(r, p, cell, j, tb)
	if err := t.run(ctx); err != nil {
		return nil, err
	}
	// The units' logs are complete only when they have ended.
	down, cancel := context.WithTimeout(context.WithoutCancel(ctx), teardownTimeout)
	defer cancel()
	if err := tb.Close(down); err != nil {
		return nil, err
	}
	return t, t.measure()
}

// teardownTimeout bounds the end of a testbed, also when the run was interrupted.
const teardownTimeout = 20 * time.Second

func closeRuntime(ctx context.Context, rt testbed.Runtime) error {
	down, cancel := context.WithTimeout(context.WithoutCancel(ctx), teardownTimeout)
	defer cancel()
	return rt.Close(down)
}

// spec is the testbed that a cell asks for.
func (r *Runner) spec(cell *CellPlan) (testbed.Spec, error) {
	spec := testbed.Spec{
		Bus: cell.Testbed.Bus, Nodes: cell.Testbed.Nodes, NodePing: cell.Testbed.NodePing,
		NodeLimits:  testbed.UnitLimits{CPU: cell.Testbed.NodeCPU, Memory: cell.Testbed.NodeMemory},
		ProxyLimits: testbed.UnitLimits{CPU: cell.Testbed.ProxyCPU, Memory: cell.Testbed.ProxyMemory}, Program: cell.Proxy.Program, NodeBinary: r.Nodes[cell.Proxy.Side], NodeArgs: cell.Testbed.NodeArgs, NodeCmd: cell.Testbed.NodeCmd, Port: cell.Testbed.ProxyPort,
		Clients: cell.Clients(), Size: cell.Testbed.Size, Token: rand.Text(),
	}
	spec.Size.Workers = max(1, spec.Size.Workers)
	spec.Size.Sources = cell.sources()
	if spec.Bus == testbed.BusRedis && r.Bus != "" {
		spec.Bus = r.Bus
	}
	if cell.Proxy.Driver == "" {
		return spec, nil
	}
	driver, ok := r.Proxies[cell.Proxy.Driver]
	if !ok {
		return spec, fmt.Errorf("no driver for proxy %q", cell.Proxy.Driver)
	}
	spec.Proxy = driver
	var err error
	spec.Source, err = Source(driver, cell.Proxy)
	if err != nil {
		return spec, &testbed.ConfigError{Err: err}
	}
	// A user's own file says how many nodes there are.
	n, err := driver.Nodes(spec.Source)
	if err != nil {
		return spec, &testbed.ConfigError{Err: err}
	}
	if n > 0 {
		spec.Nodes = n
	}
	return spec, nil
}

// Source reads the configuration that a reference names.
func Source(driver testbed.Proxy, ref ProxyRef) (testbed.Source, error) {
	if ref.File == "" && ref.Path == "" {
		return driver.Load(ref.Variant)
	}
	path := ref.Path
	if path == "" {
		path = ref.FilePath()
	}
	text, err := os.ReadFile(path)
	if err != nil {
		return testbed.Source{}, fmt.Errorf("proxy configuration: %w", err)
	}
	if ref.File != "" {
		return testbed.Source{Name: ref.File, FileName: filepath.Base(path), Text: string(text), Own: true}, nil
	}
	// A variant as another tree has it: its template, under the name that the driver's
	// own has.
	shipped, err := driver.Load(ref.Variant)
	if err != nil {
		return testbed.Source{}, err
	}
	shipped.Text = string(text)
	return shipped, nil
}

// Clients is how many clients a cell may have open at once.
func (c *CellPlan) Clients() int {
	n := 0
	for _, s := range c.Steps {
		if connect, ok := s.(*Connect); ok {
			n += int(connect.Clients)
		}
	}
	return n
}

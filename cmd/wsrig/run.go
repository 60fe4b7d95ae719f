package main

import (
	"bytes"
	"context"
	"crypto/rand"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"wsrig/internal/report"
	"wsrig/internal/result"
	"wsrig/internal/scenario"
	"wsrig/scenarios"
	"wsrig/testbed"
)

// runOptions are the flags of wsrig run.
type runOptions struct {
	scenario.Options
	runtimeOptions
	set      []string
	out      string
	asJSON   bool
	nodeCmd  string
	baseline string
	repeat   []string          // more arguments that repeat the run
	sides    map[string]string // of a run that compares two trees: what each side is
	alpha    float64           // the level of significance at which it does
	nodes    map[string]string // and the program that plays its nodes
}

func newRunCommand() *cobra.Command {
	var o runOptions
	cmd := &cobra.Command{
		Use:   "run SCENARIO",
		Short: "Run a scenario, shipped or from a file, and judge it",
		Long: `Run a scenario: start Redis, chat nodes, each proxy in turn and load generators, do the
scenario's steps, measure, judge the checks, and write results/SCENARIO/TIME-ID/.

SCENARIO is a shipped one (see wsrig list) or a file, with a / in it or ending in .yaml.
A --proxy is direct, DRIVER:VARIANT, or a configuration file of your own; its addresses
are replaced by the testbed's, the rest stays as it is. @image=IMAGE or @bin=PATH behind it
names the program that runs it, so that versions compare.

A --node-cmd is started from here for every chat node, with HOST, PORT, NODE_NAME and
REDIS_URL in its environment. It is ready when it answers GET /readyz, with any page or
error but a 5xx, and serves GET /ws?room=R&name=N. X-Chat-Node in its 101 tells which
node it is. It ends on SIGTERM.`,
		Example: `  wsrig run idle-timeout
  wsrig run idle-timeout --proxy direct --proxy /etc/haproxy/haproxy.cfg --set idle=30s
  wsrig run smoke --proxy direct        # needs nothing installed
  wsrig run smoke --node-cmd 'node server.js'
  wsrig run smoke --runtime docker --proxy haproxy:round-robin@image=haproxy:3.2
  wsrig run versions --haproxy-bin /usr/sbin/haproxy --haproxy-bin ./haproxy-3.2/haproxy`,
		Args: cobra.ExactArgs(1),
		RunE: func(cmd *cobra.Command, args []string) error {
			if err := o.complete(); err != nil {
				return err
			}
			if err := o.addBaseline(args[0], cmd.Flags().Changed("baseline")); err != nil {
				return err
			}
			return runScenario(cmd, args[0], o)
		},
	}
	o.addFlags(cmd)
	o.addBaselineFlag(cmd)
	cmd.Flags().IntVar(&o.Trials, "trials", 0, "runs of each cell (default the scenario's)")
	return cmd
}

// loadPlan reads a scenario by name or path.
func loadPlan(name string, o scenario.Options) (*scenario.Plan, error) {
	if strings.ContainsRune(name, '/') || strings.HasSuffix(name, scenarios.Extension) {
		text, err := os.ReadFile(name)
		if err != nil {
			return nil, usageError{fmt.Errorf("scenario: %w", err)}
		}
		return scenario.Load(name, text, o)
	}
	text, err := scenarios.Read(name)
	if err != nil {
		return nil, usageError{err}
	}
	return scenario.Load(name+scenarios.Extension, text, o)
}

func runScenario(cmd *cobra.Command, name string, o runOptions) error {
	run, dir, err := measure(cmd, name, o)
	if err != nil {
		return err
	}
	return printRun(cmd, run, dir, o.asJSON)
}

// measure runs a scenario, judges it, and keeps what it measured in the directory that it
// returns. After an error of the run itself it has told where the results so far are.
func measure(cmd *cobra.Command, name string, o runOptions) (run *result.Run, dir string, err error) {
	ctx := cmd.Context()
	plan, err := loadPlan(name, o.Options)
	if err != nil {
		return nil, "", err
	}
	if err := fit(plan); err != nil {
		return nil, "", err
	}
	where, err := runtimes[o.runtime](ctx, plan, o.runtimeOptions, cmd.ErrOrStderr())
	if err != nil {
		return nil, "", err
	}
	defer func() { err = errors.Join(err, where.close()) }()
	dir, err = newResultDir(o.out, plan.Scenario)
	if err != nil {
		return nil, "", err
	}
	noise, err := noiseOf(ctx, cmd.ErrOrStderr())
	if err != nil {
		return nil, "", err
	}
	show := newProgress(cmd.ErrOrStderr(), plan.Trials)
	runner := scenario.Runner{
		Proxies: proxies, NewRuntime: where.newRuntime, Bus: where.bus, Nodes: o.nodes, Dir: dir, Progress: show,
	}
	started := time.Now().UTC()
	run, runErr := runner.Run(ctx, plan)
	show.Close()

	run.Environment = environment(context.WithoutCancel(ctx), plan, where)
	run.Environment.Runtime = o.runtime
	run.Environment.RunID, run.Environment.SelfNoise = filepath.Base(dir), noise
	run.Environment.Started, run.Environment.Ended = started, time.Now().UTC()
	run.Environment.Command, run.Environment.Sides = command(plan, cmd.Name(), name, o), o.sides
	run.Environment.Alpha = o.alpha
	if err := judge(run, plan, runErr); err != nil {
		return nil, "", err
	}
	if err := save(run, dir); err != nil {
		return nil, "", errors.Join(runErr, err)
	}
	noteIndex(cmd, report.WriteIndex(o.out))
	if runErr != nil {
		fmt.Fprintf(cmd.ErrOrStderr(), "results so far: %s\n", dir)
		var config *testbed.ConfigError
		if errors.As(runErr, &config) || ctx.Err() != nil {
			return nil, "", runErr
		}
		return nil, "", fmt.Errorf("%w: %w", errTestbed, runErr)
	}
	return run, dir, nil
}

// noiseOf measures the self-noise of a run. That it cannot be is no reason not to run,
// unless the run is to stop.
func noiseOf(ctx context.Context, out io.Writer) (*result.SelfNoise, error) {
	noise, err := usualProbe.measure(ctx)
	switch {
	case ctx.Err() != nil:
		return nil, context.Cause(ctx)
	case err != nil:
		fmt.Fprintf(out, "self-noise was not measured: %v\n", err)
		return nil, nil
	}
	return &noise, nil
}

// provide sees to the programs that a plan needs. It returns the bus that stands in
// for Redis where there is none.
func provide(ctx context.Context, plan *scenario.Plan, install bool, out io.Writer) (bus string, err error) {
	redis := slices.ContainsFunc(plan.Cells, func(c scenario.CellPlan) bool { return c.Testbed.Bus == testbed.BusRedis })
	return providePrograms(ctx, planNeeds(plan), redis, install, out)
}

// providePrograms sees to programs, and to Redis if it is wanted.
func providePrograms(ctx context.Context, needs []testbed.Need, redis, install bool, out io.Writer) (bus string, err error) {
	if redis && install {
		needs = append(needs, testbed.RedisNeed)
	}
	if missing := testbed.Missing(needs); len(missing) > 0 {
		if !install {
			return "", fmt.Errorf("%w: missing: %s; install with: %s, or run again with --install",
				errTestbed, testbed.Names(missing), testbed.Command(missing, os.Getuid() != 0))
		}
		if err := installMissing(ctx, missing, out); err != nil {
			return "", err
		}
	}
	if redis && len(testbed.Missing([]testbed.Need{testbed.RedisNeed})) > 0 {
		fmt.Fprintln(out, "redis-server is not installed: an in-memory stand-in (miniredis) is the bus; never compare such a run with one on Redis")
		return testbed.BusMiniredis, nil
	}
	return "", nil
}

// drivers lists the proxies that a plan runs by their installed program.
func drivers(plan *scenario.Plan) []string {
	var names []string
	for _, c := range plan.Cells {
		if d := c.Proxy.Driver; d != "" && c.Proxy.Program.Binary == "" && !slices.Contains(names, d) {
			names = append(names, d)
		}
	}
	return names
}

// command is the command line that repeats the run, seed included.
func command(plan *scenario.Plan, verb, name string, o runOptions) []string {
	args := append([]string{"wsrig", verb, name, "--seed", fmt.Sprint(plan.Seed)}, o.repeat...)
	for _, p := range o.Proxies {
		args = append(args, "--proxy", p)
	}
	if o.Trials > 0 {
		args = append(args, "--trials", fmt.Sprint(o.Trials))
	}
	if o.Parallel > 0 {
		args = append(args, "--parallel", fmt.Sprint(o.Parallel))
	}
	for _, s := range o.set {
		args = append(args, "--set", s)
	}
	return append(args, o.runtimeOptions.command()...)
}

// newResultDir makes OUT/SCENARIO/UTC-ID and returns it.
func newResultDir(out, scenarioName string) (string, error) {
	var id [3]byte
	rand.Read(id[:]) // never fails since Go 1.24
	dir := filepath.Join(out, scenarioName, time.Now().UTC().Format("20060102T150405Z")+"-"+hex.EncodeToString(id[:]))
	if err := os.MkdirAll(dir, 0o755); err != nil {
		return "", usageError{fmt.Errorf("result directory: %w; choose another with --out", err)}
	}
	return dir, nil
}

// judge fills in checks and verdict. That of a run that compares two trees is the
// comparison's: a check that fails on both sides is no regression.
func judge(run *result.Run, plan *scenario.Plan, runErr error) error {
	exprs := make([]string, len(plan.Checks))
	for i, c := range plan.Checks {
		exprs[i] = c.Expr
	}
	if err := report.Check(run, exprs); err != nil {
		return err
	}
	switch {
	case runErr != nil:
		run.Verdict = result.Verdict{Status: result.Error, Reasons: strings.Split(runErr.Error(), "\n")}
	case run.Environment.Sides != nil:
		c, err := report.CompareSides(run, report.CompareOptions{})
		if err != nil {
			return err
		}
		run.Verdict = c.Verdict
	default:
		run.Verdict = report.Verdict(run)
	}
	return nil
}

// save writes run.json, plan.json, the reports and plots, and moves the link.
func save(run *result.Run, dir string) error {
	if err := result.Write(dir, run); err != nil {
		return err
	}
	var plan bytes.Buffer
	if err := json.Indent(&plan, run.Plan, "", "  "); err != nil {
		return fmt.Errorf("save the plan: %w", err)
	}
	if err := os.WriteFile(filepath.Join(dir, "plan.json"), append(plan.Bytes(), '\n'), 0o644); err != nil {
		return fmt.Errorf("save the plan: %w", err)
	}
	if err := report.WriteAll(run, dir); err != nil {
		return err
	}
	return linkLatest(dir)
}

// linkLatest makes SCENARIO/latest point to dir, in one step.
func linkLatest(dir string) error {
	parent, name := filepath.Split(dir)
	temp := filepath.Join(parent, "."+name+".link")
	if err := os.Symlink(name, temp); err != nil {
		return fmt.Errorf("link to the latest result: %w", err)
	}
	if err := os.Rename(temp, filepath.Join(parent, "latest")); err != nil {
		return errors.Join(fmt.Errorf("link to the latest result: %w", err), os.Remove(temp))
	}
	return nil
}

package main

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"os/exec"
	"runtime"
	"strings"

	"github.com/spf13/cobra"

	"wsrig/internal/budget"
	"wsrig/internal/result"
	"wsrig/internal/scenario"
	"wsrig/testbed"
)

// doctorOptions are the flags of wsrig doctor.
type doctorOptions struct {
	scenario.Options
	set     []string
	asJSON  bool
	latency bool
}

// doctorReport is what wsrig doctor finds, and what --json prints.
type doctorReport struct {
	Machine   budget.Machine    `json:"machine"`
	Facts     []budget.Line     `json:"facts"`
	Programs  []program         `json:"programs"`
	Scenario  string            `json:"scenario,omitempty"`
	Fits      []fitting         `json:"fits,omitempty"`
	SelfNoise *result.SelfNoise `json:"self_noise,omitempty"`
}

// program is one that the rig runs.
type program struct {
	Name    string `json:"name"`
	Path    string `json:"path"`    // "" when it is not installed
	Version string `json:"version"` // "" when it does not tell
}

// fitting is how, or why not, the cells with one proxy and size fit.
type fitting struct {
	Proxy    string                 `json:"proxy"`
	Demand   budget.Demand          `json:"demand"`
	Layout   *budget.Layout         `json:"layout"` // null when they do not fit
	Walls    []budget.Wall          `json:"walls"`
	CannotBe *budget.CannotFitError `json:"cannot_fit"`
}

func newDoctorCommand() *cobra.Command {
	var o doctorOptions
	cmd := &cobra.Command{
		Use:   "doctor [SCENARIO]",
		Short: "Tell how many clients fit on this machine, what the first wall is, and the fix",
		Long: `Print this machine's limits and what they mean for a test, and the programs that are
installed. With a scenario, by name or file, tell how each of its cells would be laid out
over workers, addresses and proxy processes, and which limit is the first wall. Nothing is
started.

With --latency this machine's own noise is measured, in about 2 s: a TCP round trip, a
WebSocket round trip through the load generator, and how late the generator acts.

Exit code 2 when a cell does not fit; the message says how many clients would.`,
		Example: `  wsrig doctor
  wsrig doctor idle-timeout --proxy haproxy:round-robin --set clients=50000
  wsrig doctor --latency --json`,
		Args: cobra.MaximumNArgs(1),
		RunE: func(cmd *cobra.Command, args []string) error { return runDoctor(cmd, args, o) },
	}
	f := cmd.Flags()
	f.StringSliceVar(&o.Proxies, "proxy", nil, "`proxy` to judge instead of the scenario's; may be repeated")
	f.IntVar(&o.Parallel, "parallel", 0, "cells to run at the same time (default the scenario's)")
	f.StringSliceVar(&o.set, "set", nil, "`KNOB=VALUE` to set instead of the scenario's, as clients=50000")
	f.BoolVar(&o.asJSON, "json", false, "print JSON on standard output")
	f.BoolVar(&o.latency, "latency", false, "measure this machine's own noise, in about 2 s")
	return cmd
}

func runDoctor(cmd *cobra.Command, args []string, o doctorOptions) error {
	plan, err := o.plan(args)
	if err != nil {
		return err
	}
	var found doctorReport
	if found.Machine, err = budget.Read(); err != nil {
		return fmt.Errorf("%w: %w", errTestbed, err)
	}
	found.Facts = found.Machine.Lines()
	found.Programs = programs(cmd.Context())
	if plan != nil {
		found.Scenario = plan.Scenario
		if found.Fits, err = fits(plan, found.Machine); err != nil {
			return err
		}
	}
	if o.latency {
		fmt.Fprintf(cmd.ErrOrStderr(), "measuring this machine's own noise, about %s\n", 2*usualProbe.For)
		noise, err := usualProbe.measure(cmd.Context())
		if err != nil {
			return fmt.Errorf("%w: %w", errTestbed, err)
		}
		found.SelfNoise = &noise
	}
	if o.asJSON {
		enc := json.NewEncoder(cmd.OutOrStdout())
		enc.SetIndent("", "  ")
		err = enc.Encode(found)
	} else {
		err = found.print(cmd.OutOrStdout())
	}
	if err != nil {
		return err
	}
	return found.refuse()
}

// plan is the scenario's, or nil when none is asked about.
func (o doctorOptions) plan(args []string) (*scenario.Plan, error) {
	if len(args) == 0 {
		if len(o.Proxies) > 0 || len(o.set) > 0 || o.Parallel > 0 {
			return nil, usageError{errors.New("--proxy, --set and --parallel are about a scenario: name one, as in wsrig doctor idle-timeout")}
		}
		return nil, nil
	}
	o.Set = make(map[string]string, len(o.set))
	for _, kv := range o.set {
		k, v, ok := strings.Cut(kv, "=")
		if !ok {
			return nil, usageError{fmt.Errorf("--set %s: write it as KNOB=VALUE", kv)}
		}
		o.Set[k] = v
	}
	o.Catalog = catalog{}
	return loadPlan(args[0], o.Options)
}

// programs tells which of the programs that the rig runs are installed.
func programs(ctx context.Context) []program {
	var all []program
	add := func(n testbed.Need, version func() string) {
		p := program{Name: n.Binary}
		if path, err := exec.LookPath(n.Binary); err == nil {
			p.Path, p.Version = path, version()
		}
		all = append(all, p)
	}
	for _, d := range (catalog{}).Drivers() {
		add(need(d), func() string {
			v, err := proxies[d].Version(ctx, testbed.LocalRun(proxies[d].Binary()))
			if err != nil {
				return "" // told as unknown: a run with this proxy says why
			}
			return v
		})
	}
	add(testbed.RedisNeed, func() string { return redisVersion(ctx, testbed.Local{}) })
	return all
}

// fits judges each distinct size of a plan's cells once.
func fits(plan *scenario.Plan, m budget.Machine) ([]fitting, error) {
	var all []fitting
	type size struct {
		proxy          string
		clients, nodes int
	}
	seen := map[size]bool{}
	for _, cell := range plan.Cells {
		demand, err := demandOf(plan, &cell, m.Cores)
		if err != nil {
			return nil, err
		}
		key := size{cell.Proxy.String(), demand.Clients, demand.Nodes}
		if seen[key] || demand.Clients == 0 {
			continue
		}
		seen[key] = true
		f := fitting{Proxy: key.proxy, Demand: demand, Walls: budget.Walls(m, demand)}
		layout, err := budget.Fit(m, demand)
		switch {
		case err == nil:
			f.Layout = &layout
		case !errors.As(err, &f.CannotBe):
			return nil, usageError{fmt.Errorf("%s: %w", cell.ID, err)}
		}
		all = append(all, f)
	}
	return all, nil
}

// demandOf is what a cell asks of the machine.
func demandOf(plan *scenario.Plan, cell *scenario.CellPlan, cores int) (budget.Demand, error) {
	d := budget.Demand{
		Nodes: cell.Testbed.Nodes, Proxy: cell.Proxy.Driver, Engine: plannedEngine(),
		Testbeds: max(1, min(plan.Parallel, len(plan.Cells)*plan.Trials)),
	}
	d.Clients = cell.Clients()
	if d.Proxy == "" {
		return d, nil
	}
	driver := proxies[d.Proxy]
	src, err := scenario.Source(driver, cell.Proxy)
	if err != nil {
		return d, &testbed.ConfigError{Err: err}
	}
	if !src.Own {
		return d, nil
	}
	n, err := driver.Nodes(src)
	if err != nil {
		return d, &testbed.ConfigError{Err: err}
	}
	if n > 0 {
		d.Nodes = n
	}
	d.Own, err = ownLimits(d.Proxy, src.Text, cores)
	if err != nil {
		return d, &testbed.ConfigError{Err: fmt.Errorf("%s: %w", src.Name, err)}
	}
	return d, nil
}

// plannedEngine is what workers serve a testbed's clients with: its URLs are ws://.
func plannedEngine() string {
	if runtime.GOOS == "linux" {
		return budget.EngineEpoll
	}
	return budget.EnginePortable
}

// refuse is exit code 2 when any cell does not fit. What fits has been printed.
func (r doctorReport) refuse() error {
	var errs []error
	for _, f := range r.Fits {
		if f.CannotBe != nil {
			errs = append(errs, fmt.Errorf("%s: %w", f.Proxy, f.CannotBe))
		}
	}
	if err := errors.Join(errs...); err != nil {
		return usageError{err}
	}
	return nil
}

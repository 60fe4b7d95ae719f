package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"maps"
	"os"
	"os/exec"
	"slices"
	"strings"

	"github.com/spf13/cobra"

	"wsrig/internal/result"
	"wsrig/internal/scenario"
	"wsrig/testbed"
)

// runtimes is the one table of how a runtime is made ready; what each can do is in
// testbed.Runtimes. To add one, add a line in both.
var runtimes = map[string]func(context.Context, *scenario.Plan, runtimeOptions, io.Writer) (*place, error){
	"process": processes,
	"docker":  containers,
}

// place is where a run's units run.
type place struct {
	newRuntime func(logDir string) (testbed.Runtime, error)
	programs   testbed.Programs
	bus        string // stands in for Redis; "" is Redis itself
	describe   func(context.Context, testbed.Unit) (string, error)
	close      func() error
}

// runtimeOptions are the flags about where units run, and with which programs.
type runtimeOptions struct {
	runtime  string
	images   []string
	binaries map[string]*[]string // by driver
	install  bool
}

// imagesVariable holds images as --image does, with commas between them.
const imagesVariable = "WSRIG_IMAGES"

func (o *runtimeOptions) flags(cmd *cobra.Command) {
	f := cmd.Flags()
	f.StringVar(&o.runtime, "runtime", "process", "where the units run: process, or docker for containers")
	f.StringArrayVar(&o.images, "image", nil, "`NAME=IMAGE` to run in containers instead of the default, with NAME haproxy, nginx or redis;\nseveral of a proxy run side by side (default $"+imagesVariable+")")
	o.binaries = map[string]*[]string{}
	for _, d := range (catalog{}).Drivers() {
		o.binaries[d] = f.StringArray(d+"-bin", nil, "`path` of the "+d+" to run instead of the installed one; several run side by side")
	}
	f.BoolVar(&o.install, "install", false, "install missing programs with apt-get, as root or through sudo")
}

// apply tells the scenario what the runtime can do, and which programs to compare.
func (o *runtimeOptions) apply(to *scenario.Options) error {
	abilities, ok := testbed.Runtimes[o.runtime]
	if !ok {
		names := slices.Sorted(maps.Keys(testbed.Runtimes))
		return usageError{fmt.Errorf("--runtime %s: there is no such runtime%s; use one of %s", o.runtime, result.DidYouMean(o.runtime, names), strings.Join(names, ", "))}
	}
	to.Runtime = &abilities
	to.Programs = map[string][]testbed.Program{}
	images, err := o.imagesByName()
	if err != nil {
		return err
	}
	for name, list := range images {
		if !abilities.Images {
			return usageError{fmt.Errorf("--image %s=%s: the %s runtime runs no containers; use --runtime docker", name, list[0], o.runtime)}
		}
		if len(list) == 1 {
			continue // takes the place of the default, without a name of its own
		}
		if !slices.Contains(catalog{}.Drivers(), name) {
			return usageError{fmt.Errorf("--image %s: %d images were given, and only those of a proxy can be compared; give one", name, len(list))}
		}
		for _, image := range list {
			to.Programs[name] = append(to.Programs[name], testbed.Program{Image: image})
		}
	}
	for driver, paths := range o.binaries {
		for _, path := range *paths {
			found, err := exec.LookPath(path)
			if err != nil {
				return usageError{fmt.Errorf("--%s-bin %s: %w; give the path of a program", driver, path, err)}
			}
			to.Programs[driver] = append(to.Programs[driver], testbed.Program{Binary: found})
		}
	}
	return nil
}

// imagesByName reads --image or, where it was not given, the environment.
func (o *runtimeOptions) imagesByName() (map[string][]string, error) {
	given, from := o.images, "--image"
	if v := os.Getenv(imagesVariable); len(given) == 0 && v != "" && o.runtime == "docker" {
		given, from = strings.Split(v, ","), imagesVariable
	}
	images := map[string][]string{}
	for _, kv := range given {
		name, image, ok := strings.Cut(strings.TrimSpace(kv), "=")
		if !ok || image == "" || !slices.Contains(testbed.ImageNames(), name) {
			return nil, usageError{fmt.Errorf("%s %s: write it as NAME=IMAGE with NAME one of %s", from, kv, strings.Join(testbed.ImageNames(), ", "))}
		}
		images[name] = append(images[name], image)
	}
	return images, nil
}

// command are the flags that repeat the choice.
func (o *runtimeOptions) command() []string {
	var args []string
	if o.runtime != "process" {
		args = append(args, "--runtime", o.runtime)
	}
	for _, i := range o.images {
		args = append(args, "--image", i)
	}
	for _, d := range slices.Sorted(maps.Keys(o.binaries)) {
		for _, path := range *o.binaries[d] {
			args = append(args, "--"+d+"-bin", path)
		}
	}
	return args
}

// processes makes the process runtime ready: it installs what is missing if it may.
func processes(ctx context.Context, plan *scenario.Plan, o runtimeOptions, out io.Writer) (*place, error) {
	bus, err := provide(ctx, plan, o.install, out)
	if err != nil {
		return nil, err
	}
	return &place{
		newRuntime: func(logDir string) (testbed.Runtime, error) { return testbed.NewProcessRuntime("", logDir) },
		programs:   testbed.Local{}, bus: bus, close: func() error { return nil },
	}, nil
}

// containers makes the docker runtime ready: it pulls what is missing and builds the
// image of this program.
func containers(ctx context.Context, plan *scenario.Plan, o runtimeOptions, out io.Writer) (*place, error) {
	images, err := o.imagesByName()
	if err != nil {
		return nil, err
	}
	single := map[string]string{}
	for name, list := range images {
		if len(list) == 1 {
			single[name] = list[0]
		}
	}
	d, err := testbed.ConnectDocker(ctx, testbed.DockerOptions{Images: single})
	if err != nil {
		return nil, fmt.Errorf("%w: %w", errTestbed, err)
	}
	if err := d.Provide(ctx, unitsOf(plan), out); err != nil {
		return nil, errors.Join(fmt.Errorf("%w: %w", errTestbed, err), d.Close())
	}
	return &place{
		newRuntime: func(logDir string) (testbed.Runtime, error) { return d.NewRuntime(ctx, logDir) },
		programs:   d, describe: d.Describe, close: d.Close,
	}, nil
}

// unitsOf are a plan's units, one for each program.
func unitsOf(plan *scenario.Plan) []testbed.Unit {
	units := []testbed.Unit{{Name: "node", Role: testbed.RoleNode, Binary: testbed.Self}}
	if busOf(plan, "") == testbed.BusRedis {
		units = append(units, redisProgram)
	}
	for _, p := range programsOf(plan) {
		units = append(units, p.program.Unit(proxies[p.driver]))
	}
	return units
}

// redisProgram is the program of the bus.
var redisProgram = testbed.Unit{Name: "redis", Role: testbed.RoleRedis, Binary: testbed.RedisNeed.Binary}

// planProgram is a proxy's program that a plan runs.
type planProgram struct {
	driver  string
	program testbed.Program
}

// label is what its version is recorded under.
func (p planProgram) label() string {
	return p.driver + strings.TrimPrefix(scenario.ProxyRef{Driver: p.driver, Program: p.program}.String(), p.driver+":")
}

// programsOf lists the programs of a plan's proxies.
func programsOf(plan *scenario.Plan) []planProgram {
	var all []planProgram
	for _, c := range plan.Cells {
		p := planProgram{c.Proxy.Driver, c.Proxy.Program}
		if p.driver != "" && !slices.Contains(all, p) {
			all = append(all, p)
		}
	}
	return all
}

// usesNode tells whether a plan is known to run Node.js.
func usesNode(plan *scenario.Plan) bool {
	return slices.ContainsFunc(plan.Cells, func(c scenario.CellPlan) bool { return len(testbed.NodeNeeds(c.Testbed.NodeCmd)) > 0 })
}

func busOf(plan *scenario.Plan, standIn string) string {
	for _, c := range plan.Cells {
		if c.Testbed.Bus == testbed.BusRedis {
			if standIn != "" {
				return standIn
			}
			return testbed.BusRedis
		}
	}
	return testbed.BusNone
}

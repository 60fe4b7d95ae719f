package report

import (
	"encoding/json"
	"fmt"
	"maps"
	"math"
	"reflect"
	"slices"
	"strings"

	"wsrig/internal/result"
)

// Difference is something that two runs do not have in common, so that a change of
// their figures may come of it.
type Difference struct {
	What string `json:"what"` // "kernel", "version of haproxy", "steps of haproxy:round-robin"
	Base string `json:"base"`
	Head string `json:"head"`
	// Never says that it cannot be overlooked: the figures do not mean the same.
	Never bool `json:"-"`
}

// IncomparableError says why two runs are not compared.
type IncomparableError struct{ Differences []Difference }

// Error lists the differences, and what to do.
func (e *IncomparableError) Error() string {
	var b strings.Builder
	b.WriteString("the runs cannot be compared:")
	never := false
	for _, d := range e.Differences {
		fmt.Fprintf(&b, "\n  %s", d)
		never = never || d.Never
	}
	if never {
		b.WriteString("\nmeasure both sides in the same way; --force does not help where figures do not mean the same")
	} else {
		b.WriteString("\nmeasure both sides on one machine, best in one run (wsrig regress); --across PROGRAM if its version is what is compared; --force to compare nevertheless")
	}
	return b.String()
}

// String is "kernel: 6.1.0 in base, 6.12.1 in head".
func (d Difference) String() string {
	return fmt.Sprintf("%s: %s in base, %s in head", d.What, d.Base, d.Head)
}

// incomparable lists the differences to overlook, or returns them as an error.
func incomparable(base, head *result.Run, pairs []CellPair, o CompareOptions) ([]Difference, error) {
	var found []Difference
	if base != head {
		found = append(machineDifferences(base.Environment, head.Environment), versionDifferences(base, head, pairs, o.Across)...)
		found = append(found, planDifferences(base, head, pairs)...)
	}
	for _, p := range pairs {
		if b, h := loopOf(p.Base), loopOf(p.Head); b != h {
			found = append(found, Difference{"loop of " + p.Name, b, h, true})
		}
	}
	if len(found) > 0 && (!o.Force || slices.ContainsFunc(found, func(d Difference) bool { return d.Never })) {
		return nil, &IncomparableError{found}
	}
	return found, nil
}

// loopOf tells the open loop from the closed one, whose latencies lack what a stall
// kept from being sent.
func loopOf(c *result.Cell) string {
	if slices.ContainsFunc(c.Trials, func(t result.Trial) bool { return t.ClosedLoop }) {
		return "closed"
	}
	return "open"
}

// sameMemory is by what share the memory of one machine may differ: kernels keep more
// or less of it for themselves.
const sameMemory = 0.02

func machineDifferences(b, h result.Environment) []Difference {
	var found []Difference
	differ := func(what, base, head string) {
		if base != head {
			found = append(found, Difference{What: what, Base: orUnknown(base), Head: orUnknown(head)})
		}
	}
	differ("system", b.OS, h.OS)
	differ("kernel", b.Kernel, h.Kernel)
	differ("processor", b.CPU, h.CPU)
	differ("cores", fmt.Sprint(b.Cores), fmt.Sprint(h.Cores))
	if math.Abs(float64(b.Memory)-float64(h.Memory)) > sameMemory*float64(max(b.Memory, h.Memory)) {
		differ("memory", result.Format(float64(b.Memory), "bytes"), result.Format(float64(h.Memory), "bytes"))
	}
	for _, name := range keysOf(b.Limits, h.Limits) {
		differ("limit "+name, b.Limits[name], h.Limits[name])
	}
	differ("runtime", b.Runtime, h.Runtime)
	if b.Bus != h.Bus {
		// The stand-in shares its process with nothing and persists nothing: its times
		// say nothing of Redis.
		never := b.Bus == "miniredis" || h.Bus == "miniredis"
		found = append(found, Difference{"bus", orUnknown(b.Bus), orUnknown(h.Bus), never})
	}
	return found
}

// versionDifferences compares the programs that cells of both sides run.
func versionDifferences(base, head *result.Run, pairs []CellPair, across []string) []Difference {
	var found []Difference
	b, h := base.Environment.Versions, head.Environment.Versions
	for _, name := range keysOf(b, h) {
		if slices.Contains(across, name) || b[name] == h[name] || !runOnBoth(name, base, head, pairs) {
			continue
		}
		found = append(found, Difference{What: "version of " + name, Base: orUnknown(b[name]), Head: orUnknown(h[name])})
	}
	return found
}

// runOnBoth tells whether a program is part of both cells of any pair. What is the proxy
// of no cell, such as redis-server, is part of every one.
func runOnBoth(program string, base, head *result.Run, pairs []CellPair) bool {
	isProxy := slices.ContainsFunc(slices.Concat(base.Cells, head.Cells), func(c result.Cell) bool { return driverOf(&c) == program })
	return !isProxy || slices.ContainsFunc(pairs, func(p CellPair) bool {
		return driverOf(p.Base) == program && driverOf(p.Head) == program
	})
}

// driverOf is "haproxy" of "base:haproxy:round-robin".
func driverOf(c *result.Cell) string {
	driver, _, _ := strings.Cut(strings.TrimPrefix(c.Proxy, c.Side+":"), ":")
	return driver
}

// comparedPlan is what a comparison reads of scenario.Plan.
type comparedPlan struct {
	Parallel int `json:"parallel"`
	Cells    []struct {
		ID      string         `json:"id"`
		Testbed map[string]any `json:"testbed"`
		Steps   any            `json:"steps"`
	} `json:"cells"`
	Checks []struct {
		Expr string `json:"expr"`
		File string `json:"file"`
	} `json:"checks"`
}

// absoluteChecks are those of the run that come from a baseline: head must keep them
// whatever base does.
func absoluteChecks(head *result.Run) []string {
	var plan comparedPlan
	if json.Unmarshal(head.Plan, &plan) != nil {
		return nil // planDifferences tells of a plan that cannot be read
	}
	var exprs []string
	for _, c := range plan.Checks {
		if c.File != "" {
			exprs = append(exprs, c.Expr)
		}
	}
	return exprs
}

// planDifferences compares what was done. Two cells with other parameters are compared
// because of these, so that their steps may differ.
func planDifferences(base, head *result.Run, pairs []CellPair) []Difference {
	if base.Scenario != head.Scenario {
		return []Difference{{"scenario", base.Scenario, head.Scenario, true}}
	}
	var b, h comparedPlan
	if json.Unmarshal(base.Plan, &b) != nil || json.Unmarshal(head.Plan, &h) != nil {
		return []Difference{{What: "plan", Base: "cannot be read", Head: "cannot be read"}}
	}
	var found []Difference
	if b.Parallel != h.Parallel {
		found = append(found, Difference{What: "cells at the same time", Base: fmt.Sprint(b.Parallel), Head: fmt.Sprint(h.Parallel)})
	}
	for _, p := range pairs {
		if !maps.Equal(p.Base.Params, p.Head.Params) {
			continue
		}
		bt, bs := b.cell(p.Base.ID)
		ht, hs := h.cell(p.Head.ID)
		if !reflect.DeepEqual(bs, hs) {
			found = append(found, Difference{What: "steps of " + p.Name, Base: asJSON(bs), Head: asJSON(hs)})
		}
		if !reflect.DeepEqual(bt, ht) {
			found = append(found, Difference{What: "testbed of " + p.Name, Base: asJSON(bt), Head: asJSON(ht)})
		}
	}
	return found
}

// cell is a cell's testbed and steps. How it is spread over processes is no part of
// what was asked for.
func (p *comparedPlan) cell(id string) (testbed map[string]any, steps any) {
	for _, c := range p.Cells {
		if c.ID == id {
			delete(c.Testbed, "size")
			return c.Testbed, c.Steps
		}
	}
	return nil, nil
}

func asJSON(v any) string {
	text, err := json.Marshal(v)
	if err != nil {
		return err.Error()
	}
	return string(text)
}

func orUnknown(s string) string {
	if s == "" {
		return "unknown"
	}
	return s
}

// keysOf lists the keys of both maps, sorted, each once.
func keysOf(a, b map[string]string) []string {
	keys := maps.Clone(a)
	if keys == nil {
		keys = map[string]string{}
	}
	maps.Copy(keys, b)
	return slices.Sorted(maps.Keys(keys))
}

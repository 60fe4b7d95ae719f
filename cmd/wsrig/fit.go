package main

import (
	"errors"
	"fmt"
	"runtime"

	"wsrig/internal/budget"
	"wsrig/internal/scenario"
	"wsrig/testbed"
)

// fit spreads every cell of a plan over as many processes and addresses as its clients
// need on this machine. A cell that cannot fit is an error with the number that would.
func fit(plan *scenario.Plan) error {
	machine, err := budget.Read()
	if err != nil {
		return err
	}
	var errs []error
	seen := map[string]bool{}
	for i := range plan.Cells {
		cell := &plan.Cells[i]
		demand, err := demandOf(plan, cell, runtime.NumCPU())
		if err != nil {
			return err
		}
		if demand.Clients == 0 {
			continue // a cell that connects nobody needs nothing
		}
		layout, err := budget.Fit(machine, demand)
		if err != nil {
			if text := err.Error(); !seen[text] {
				seen[text] = true
				errs = append(errs, fmt.Errorf("%s: %w", cell.Proxy, err))
			}
			continue
		}
		cell.Testbed.Size = sizeOf(layout, demand)
	}
	if err := errors.Join(errs...); err != nil {
		return usageError{err}
	}
	return nil
}

// sizeOf is a layout as the testbed takes it. Where one process serves, the drivers
// size it by the clients alone.
func sizeOf(l budget.Layout, d budget.Demand) testbed.Size {
	s := testbed.Size{Workers: l.Workers}
	if len(l.SourceAddrs) > 1 {
		s.Sources = len(l.SourceAddrs) // which ones is the runtime's say
	}
	switch {
	case d.Own != nil: // a user's own file keeps its limits
	case l.ProxyProcesses > 1:
		s.Limits = testbed.Limits{Units: l.ProxyProcesses, Connections: l.MaxConn, NoFile: l.NoFile}
	case l.NginxWorkers > 1:
		s.Limits = testbed.Limits{Processes: l.NginxWorkers, Connections: l.WorkerConnections, NoFile: l.NoFile}
	}
	return s
}

package testbed

import (
	"context"
	"fmt"
)

// Usage implements Instance. CPU is that of all lives of the unit and never falls,
// although a killed process takes its count along. A unit that does not run has
// Procs 0.
func (p *process) Usage(ctx context.Context) (Usage, error) {
	if ctx.Err() != nil {
		return Usage{}, fmt.Errorf("%s: read usage: %w", p.unit.Name, context.Cause(ctx))
	}
	p.mu.Lock()
	l, used, running := p.life, p.usedCPU, p.runs()
	p.mu.Unlock()
	if !running {
		return Usage{CPU: used}, nil
	}
	u, err := groupUsage(ctx, l.pid)
	if err != nil {
		return Usage{}, fmt.Errorf("%s: read usage: %w", p.unit.Name, err)
	}
	u.CPU += used
	p.mu.Lock()
	defer p.mu.Unlock()
	p.shownCPU = max(p.shownCPU, u.CPU)
	u.CPU = p.shownCPU
	return u, nil
}

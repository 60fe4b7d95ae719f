package testbed

import (
	"context"
	"fmt"
	"os"
	"strings"
	"time"

	ps "github.com/shirou/gopsutil/v4/process"
)

// Usage implements Instance. A process that ends while it is read is left out; the
// CPU of the unit's first process is kept over restarts.
func (p *process) Usage(ctx context.Context) (Usage, error) {
	p.mu.Lock()
	u := Usage{CPU: p.usedCPU}
	running := p.cmd != nil && p.exit == nil
	p.mu.Unlock()
	if !running {
		return u, nil
	}
	first, err := ps.NewProcessWithContext(ctx, int32(p.PID()))
	if err != nil {
		return u, fmt.Errorf("%s: read usage: %w", p.unit.Name, err)
	}
	for _, proc := range family(ctx, first) {
		times, err := proc.TimesWithContext(ctx)
		if err != nil {
			continue
		}
		mem, err := proc.MemoryInfoWithContext(ctx)
		if err != nil {
			continue
		}
		u.CPU += time.Duration((times.User + times.System) * float64(time.Second))
		u.RSS += mem.RSS
		fds, sockets := descriptors(proc.Pid)
		u.FDs += fds
		u.Sockets += sockets
		u.Procs++
	}
	return u, nil
}

// family returns p and all of its descendants.
func family(ctx context.Context, p *ps.Process) []*ps.Process {
	all := []*ps.Process{p}
	children, err := p.ChildrenWithContext(ctx)
	if err != nil {
		return all // no children, or p has just ended
	}
	for _, c := range children {
		all = append(all, family(ctx, c)...)
	}
	return all
}

// descriptors counts the open descriptors of a process and the sockets among them,
// from /proc. Elsewhere, and for another user's process, both are 0.
func descriptors(pid int32) (fds, sockets int) {
	dir := fmt.Sprintf("/proc/%d/fd", pid)
	d, err := os.Open(dir)
	if err != nil {
		return 0, 0
	}
	defer d.Close()
	names, err := d.Readdirnames(-1)
	if err != nil {
		return 0, 0
	}
	for _, n := range names {
		if target, err := os.Readlink(dir + "/" + n); err == nil && strings.HasPrefix(target, "socket:") {
			sockets++
		}
	}
	return len(names), sockets
}

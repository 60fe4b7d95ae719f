package testbed

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"time"

	api "github.com/moby/moby/api/types/container"
	"github.com/moby/moby/client"
)

// Usage implements Instance. CPU is the control group's, which counts ended processes
// too, for all lives of the unit up to the last sample of each. The rest is that of its
// processes where they can be seen from here; where not, as on a machine that runs
// containers in a virtual one, RSS is what the daemon says and descriptors are 0. A
// unit that does not run has Procs 0.
func (c *container) Usage(ctx context.Context) (Usage, error) {
	c.mu.Lock()
	l, used, shown := c.life, c.usedCPU, c.shownCPU
	running, pid := l != nil && l.exit == nil, 0
	if running {
		pid = l.pid
	}
	c.mu.Unlock()
	if ctx.Err() != nil {
		return Usage{}, fmt.Errorf("%s: read usage: %w", c.unit.Name, context.Cause(ctx))
	}
	if !running {
		return Usage{CPU: shown}, nil
	}
	u, err := c.runtime.docker.usage(ctx, c.box.ID, pid)
	if err != nil {
		return Usage{}, fmt.Errorf("%s: read usage: %w", c.unit.Name, err)
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	c.shownCPU = max(c.shownCPU, used+u.CPU)
	u.CPU = c.shownCPU
	return u, nil
}

// usage samples a container that runs.
func (d *Docker) usage(ctx context.Context, id string, pid int) (Usage, error) {
	ctx, cancel := context.WithTimeout(ctx, apiTimeout)
	defer cancel()
	got, err := d.api.ContainerStats(ctx, id, client.ContainerStatsOptions{})
	if err != nil {
		return Usage{}, err
	}
	var s api.StatsResponse
	err = json.NewDecoder(got.Body).Decode(&s)
	if err := errors.Join(err, got.Body.Close()); err != nil {
		return Usage{}, err
	}
	u := Usage{CPU: time.Duration(s.CPUStats.CPUUsage.TotalUsage)}
	if members, ok := namespaceUsage(pid); ok {
		u.RSS, u.FDs, u.Sockets, u.Procs = members.RSS, members.FDs, members.Sockets, members.Procs
		return u, nil
	}
	// cgroup v1 calls it rss, v2 anon (memory.rst; cgroup-v2.rst, memory.stat).
	u.RSS = max(s.MemoryStats.Stats["rss"], s.MemoryStats.Stats["anon"])
	top, err := d.api.ContainerTop(ctx, id, client.ContainerTopOptions{})
	u.Procs = len(top.Processes)
	return u, err
}

package main

import (
	"context"
	"fmt"
	"os"
	"runtime"
	"strings"
	"syscall"
	"time"

	"github.com/shirou/gopsutil/v4/cpu"
	"github.com/shirou/gopsutil/v4/host"
	"github.com/shirou/gopsutil/v4/mem"

	"wsrig/internal/result"
	"wsrig/internal/scenario"
	"wsrig/testbed"
)

// environment describes this machine and what runs on it. What cannot be read stays
// empty: a comparison then sees that it is unknown.
func environment(ctx context.Context, plan *scenario.Plan, where *place) result.Environment {
	e := result.Environment{
		Wsrig: version(), Go: runtime.Version(), OS: runtime.GOOS + "/" + runtime.GOARCH,
		Cores: runtime.NumCPU(), Limits: limits(), Bus: busOf(plan, where.bus),
		Versions: map[string]string{},
	}
	if info, err := host.InfoWithContext(ctx); err == nil {
		e.OS = strings.TrimSpace(info.Platform+" "+info.PlatformVersion) + " " + e.OS
		e.Kernel = info.KernelVersion
	}
	if infos, err := cpu.InfoWithContext(ctx); err == nil && len(infos) > 0 {
		e.CPU = infos[0].ModelName
	}
	if m, err := mem.VirtualMemoryWithContext(ctx); err == nil {
		e.Memory = m.Total
	}
	for _, p := range programsOf(plan) {
		if v, err := p.program.Version(ctx, where.programs, proxies[p.driver]); err == nil {
			e.Versions[p.label()] = v
		}
		where.note(ctx, e.Versions, p.label(), p.program.Unit(proxies[p.driver]))
	}
	if usesNode(plan) {
		e.Versions["node"] = printed(ctx, testbed.Local{}, testbed.Unit{Binary: "node", Args: []string{"--version"}})
	}
	if e.Bus == testbed.BusRedis {
		e.Versions["redis-server"] = redisVersion(ctx, where.programs)
		where.note(ctx, e.Versions, "redis-server", redisProgram)
	}
	return e
}

// note records which image a program comes from, where there are images.
func (w *place) note(ctx context.Context, versions map[string]string, label string, u testbed.Unit) {
	if w.describe == nil {
		return
	}
	if image, err := w.describe(ctx, u); err == nil {
		versions[label+" image"] = image
	}
}

// versionTimeout bounds how long a program may take to tell its version.
const versionTimeout = 5 * time.Second

// printed is what a program prints; "" if it fails.
func printed(ctx context.Context, where testbed.Programs, u testbed.Unit) string {
	ctx, cancel := context.WithTimeout(ctx, versionTimeout)
	defer cancel()
	out, err := where.Run(ctx, u, "")
	if err != nil {
		return ""
	}
	return strings.TrimSpace(out)
}

// redisVersion reads "Redis server v=7.0.15 sha=..." of redis-server --version.
func redisVersion(ctx context.Context, where testbed.Programs) string {
	u := redisProgram
	u.Args = []string{"--version"}
	for word := range strings.FieldsSeq(printed(ctx, where, u)) {
		if v, ok := strings.CutPrefix(word, "v="); ok {
			return v
		}
	}
	return ""
}

// limits are the machine's limits that bound how many clients fit.
func limits() map[string]string {
	l := map[string]string{}
	var rl syscall.Rlimit
	if err := syscall.Getrlimit(syscall.RLIMIT_NOFILE, &rl); err == nil {
		l["nofile"] = fmt.Sprintf("%d (hard %d)", rl.Cur, rl.Max)
	}
	for name, path := range map[string]string{
		"ephemeral_ports": "/proc/sys/net/ipv4/ip_local_port_range",
		"somaxconn":       "/proc/sys/net/core/somaxconn",
	} {
		if b, err := os.ReadFile(path); err == nil {
			l[name] = strings.Join(strings.Fields(string(b)), " to ")
		}
	}
	return l
}

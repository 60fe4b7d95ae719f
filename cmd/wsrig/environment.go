package main

import (
	"context"
	"fmt"
	"os"
	"runtime"
	"strings"
	"syscall"

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

// redisVersion reads "Redis server v=7.0.15 sha=..." of redis-server --version.
func redisVersion(ctx context.Context, where testbed.Programs) string {
	u := redisProgram
	u.Args = []string{"--version"}
	out, err := where.Run(ctx, u, "")
	if err != nil {
		return ""
	}
	for word := range strings.FieldsSeq(out) {
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

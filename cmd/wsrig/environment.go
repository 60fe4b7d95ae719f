package main

import (
	"context"
	"fmt"
	"os"
	"os/exec"
	"runtime"
	"strings"
	"syscall"
	"time"

	"github.com/shirou/gopsutil/v4/cpu"
	"github.com/shirou/gopsutil/v4/host"
	"github.com/shirou/gopsutil/v4/mem"

	"wsrig/internal/result"
)

// environment describes this machine and what runs on it. What cannot be read stays
// empty: a comparison then sees that it is unknown.
func environment(ctx context.Context, drivers []string, node bool, bus string) result.Environment {
	e := result.Environment{
		Wsrig: version(), Go: runtime.Version(), OS: runtime.GOOS + "/" + runtime.GOARCH,
		Cores: runtime.NumCPU(), Limits: limits(), Runtime: "process", Bus: bus,
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
	for _, d := range drivers {
		if v, err := proxies[d].Version(ctx); err == nil {
			e.Versions[d] = v
		}
	}
	if node {
		e.Versions["node"] = printed(ctx, "node", "--version")
	}
	if bus == "redis" {
		e.Versions["redis-server"] = redisVersion(ctx)
	}
	return e
}

// versionTimeout bounds how long a program may take to tell its version.
const versionTimeout = 5 * time.Second

// printed is what a program prints; "" if it fails.
func printed(ctx context.Context, program string, args ...string) string {
	ctx, cancel := context.WithTimeout(ctx, versionTimeout)
	defer cancel()
	out, err := exec.CommandContext(ctx, program, args...).Output()
	if err != nil {
		return ""
	}
	return strings.TrimSpace(string(out))
}

// redisVersion reads "Redis server v=7.0.15 sha=..." of redis-server --version.
func redisVersion(ctx context.Context) string {
	for word := range strings.FieldsSeq(printed(ctx, "redis-server", "--version")) {
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

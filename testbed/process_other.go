//go:build !linux

package testbed

import (
	"context"
	"errors"
	"fmt"
	"os/exec"
	"syscall"
	"time"

	ps "github.com/shirou/gopsutil/v4/process"
)

// setProcessGroup makes cmd the head of a process group. There is no signal on a
// parent's death here: a rig killed with SIGKILL leaves its units behind.
func setProcessGroup(cmd *exec.Cmd) {
	cmd.SysProcAttr = &syscall.SysProcAttr{Setpgid: true}
}

// awaitExit returns when cmd's process has ended. It is waited for already: waitid
// does not tell an end from a stop everywhere.
func awaitExit(cmd *exec.Cmd) { _ = cmd.Wait() }

func groupAlive(pgid int) bool {
	return !errors.Is(syscall.Kill(-pgid, 0), syscall.ESRCH)
}

// groupStopped takes the kernel's word for it.
func groupStopped(int) bool { return true }

// groupUsage adds up what the group's first process and its descendants use.
// Descriptors are not counted here.
func groupUsage(ctx context.Context, pgid int) (Usage, error) {
	first, err := ps.NewProcessWithContext(ctx, int32(pgid))
	if err != nil {
		return Usage{}, fmt.Errorf("read process %d: %w", pgid, err)
	}
	var u Usage
	for _, proc := range family(ctx, first) {
		times, err := proc.TimesWithContext(ctx)
		if err != nil {
			continue // it has just ended
		}
		mem, err := proc.MemoryInfoWithContext(ctx)
		if err != nil {
			continue
		}
		u.CPU += time.Duration((times.User + times.System) * float64(time.Second))
		u.RSS += mem.RSS
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

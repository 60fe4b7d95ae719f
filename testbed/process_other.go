//go:build !linux

package testbed

import (
	"errors"
	"os/exec"
	"syscall"
)

// setProcessGroup makes cmd the head of a process group. There is no signal on a
// parent's death here: a rig killed with SIGKILL leaves its units behind.
func setProcessGroup(cmd *exec.Cmd) {
	cmd.SysProcAttr = &syscall.SysProcAttr{Setpgid: true}
}

func groupAlive(pgid int) bool {
	return !errors.Is(syscall.Kill(-pgid, 0), syscall.ESRCH)
}

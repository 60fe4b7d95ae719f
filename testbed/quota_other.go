//go:build !linux

package testbed

import (
	"errors"
	"os/exec"
)

// quota limits one unit: on Linux only.
type quota struct{}

func newQuota(l UnitLimits) (*quota, error) {
	if l == (UnitLimits{}) {
		return nil, nil
	}
	return nil, errors.New("a limit of CPU or memory needs the control groups of Linux; leave it out, or use --runtime docker")
}

func (*quota) start(cmd *exec.Cmd) error { return cmd.Start() }
func (*quota) ranOut() bool              { return false }
func (*quota) remove() error             { return nil }

//go:build !linux

package testbed

import (
	"errors"
	"os/exec"
)

// quota limits one unit's CPU: on Linux only.
type quota struct{}

func newQuota(float64) (*quota, error) {
	return nil, errors.New("a CPU limit needs the control groups of Linux; leave node_cpu out")
}

func (*quota) start(cmd *exec.Cmd) error { return cmd.Start() }
func (*quota) remove() error             { return nil }

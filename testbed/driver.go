package testbed

import (
	"context"
	"errors"
	"fmt"
	"os/exec"
	"regexp"
	"time"

	"wsrig/testbed/conftext"
)

// RenderConfig is the frame of a driver's Render: it refuses an input without nodes or
// with a port missing, fills fields into a shipped variant, or has own rewrite a user's
// own file and shows what changed. name is the file's, for messages; ports tells which
// ports src needs.
func RenderConfig(src Source, in RenderInput, name string, ports func(Source) ([]string, error), fields any, own func() (string, error)) (Config, error) {
	if len(in.Nodes) == 0 {
		return Config{}, fmt.Errorf("%s: no nodes to put behind the proxy", name)
	}
	names, err := ports(src)
	if err != nil {
		return Config{}, err
	}
	for _, port := range names {
		if in.Ports[port].Listen == "" {
			return Config{}, fmt.Errorf("%s: port %q is not reserved", name, port)
		}
	}
	cfg := Config{Source: src, Input: in}
	if !src.Own {
		cfg.Text, err = conftext.Execute(src.Name, src.Text, fields)
		return cfg, err
	}
	if cfg.Text, err = own(); err != nil {
		return Config{}, err
	}
	cfg.Diff = conftext.Diff(name, src.Text, cfg.Text)
	return cfg, nil
}

// Run runs a program with args in dir to its end and returns all that it printed.
// An exit status other than 0 is a *StatusError.
type Run func(ctx context.Context, dir string, args ...string) (string, error)

// StatusError says that a program that was run to its end did not end well.
type StatusError struct{ Status string } // "exit status 1"

// Error is the status.
func (e *StatusError) Error() string { return e.Status }

// LocalRun runs a program of this machine.
func LocalRun(binary string) Run {
	return func(ctx context.Context, dir string, args ...string) (string, error) {
		cmd := exec.CommandContext(ctx, binary, args...)
		cmd.Dir, cmd.WaitDelay = dir, time.Second
		out, err := cmd.CombinedOutput()
		var exit *exec.ExitError
		if errors.As(err, &exit) && ctx.Err() == nil {
			return string(out), &StatusError{exit.Error()}
		}
		return string(out), err
	}
}

// Programs runs programs to their end, where a run's units would run.
type Programs interface {
	// Run runs u's program with its Args in dir, to its end, and returns all that it
	// printed. An exit status other than 0 is a *StatusError.
	Run(ctx context.Context, u Unit, dir string) (string, error)
}

// Local are the programs of this machine.
type Local struct{}

// Run implements Programs.
func (Local) Run(ctx context.Context, u Unit, dir string) (string, error) {
	return LocalRun(u.Binary)(ctx, dir, u.Args...)
}

// AskVersion runs a program with -v, for drivers, and returns the first group of
// pattern in what it prints.
func AskVersion(ctx context.Context, run Run, pattern *regexp.Regexp) (string, error) {
	out, err := run(ctx, "", "-v")
	if err != nil {
		return "", fmt.Errorf("ask the version with -v: %w", err)
	}
	m := pattern.FindStringSubmatch(out)
	if m == nil {
		return "", fmt.Errorf("-v printed no version: %.80q", out)
	}
	return m[1], nil
}

package testbed

import (
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"time"
)

// Installer puts missing programs on the machine with apt, and never lets a
// package start or keep enabled a service that was not there before.
type Installer struct {
	Out io.Writer // what apt prints
	// Look finds a program (exec.LookPath) and UID tells the user (os.Getuid).
	// These and the paths are fields so that a test can stand in for another
	// machine.
	Look func(string) (string, error)
	UID  func() int
	// PolicyFile is asked by invoke-rc.d and deb-systemd-invoke before a package's
	// service is started; 101 forbids it (Debian policy 9.3.3.1, invoke-rc.d(8)).
	PolicyFile string
	InitDir    string // init scripts, one for each service of the packages here
	SystemdDir string // exists while systemd runs (sd_booted(3))
}

// NewInstaller returns an installer for this machine.
func NewInstaller(out io.Writer) *Installer {
	return &Installer{
		Out: out, Look: exec.LookPath, UID: os.Getuid,
		PolicyFile: "/usr/sbin/policy-rc.d", InitDir: "/etc/init.d", SystemdDir: "/run/systemd/system",
	}
}

const (
	// unpackTimeout bounds the part of an install that an interrupt does not end.
	unpackTimeout = 10 * time.Minute
	// cleanupTimeout bounds what is done after it, whatever happened.
	cleanupTimeout = time.Minute
	// quitTimeout is how long an interrupted command may take to end.
	quitTimeout = 10 * time.Second
)

// Install installs needs. It returns a *CannotInstallError when it may not. When ctx
// ends, downloads end; unpacking is brought to its end, since dpkg killed halfway
// leaves a system that has to be repaired by hand.
func (i *Installer) Install(ctx context.Context, needs []Need) error {
	prefix, err := i.authority(ctx, needs)
	if err != nil {
		return err
	}
	fresh, err := i.notInstalled(ctx, packages(needs))
	if err != nil {
		return err
	}
	foreign, release, err := i.forbidStarts(ctx, prefix)
	if err != nil {
		return err
	}
	err = i.apt(ctx, prefix, needs)
	// Also after a failure: what was half installed must not stay enabled.
	after, cancel := context.WithTimeout(context.WithoutCancel(ctx), cleanupTimeout)
	defer cancel()
	err = errors.Join(err, i.disable(after, prefix, fresh, foreign), release(after))
	if err == nil {
		err = i.verify(needs)
	}
	return err
}

// authority finds how commands can be run as root: as they are, or through a sudo
// that asks for no password.
func (i *Installer) authority(ctx context.Context, needs []Need) (prefix []string, err error) {
	if _, err := i.Look("apt-get"); err != nil {
		return nil, &CannotInstallError{Missing: needs, Why: "this system has no apt-get; install the programs with its own package manager"}
	}
	if i.UID() == 0 {
		return nil, nil
	}
	sudo, err := i.Look("sudo")
	if err != nil {
		return nil, &CannotInstallError{Missing: needs, Why: "not root, and there is no sudo", Command: Command(needs, false) + "   (as root)"}
	}
	if err := exec.CommandContext(ctx, sudo, "-n", "true").Run(); err != nil {
		if ctx.Err() != nil {
			return nil, fmt.Errorf("sudo -n true: %w", context.Cause(ctx))
		}
		return nil, &CannotInstallError{Missing: needs, Why: "not root, and sudo asks for a password", Command: Command(needs, true)}
	}
	return []string{sudo, "-n"}, nil
}

// apt downloads the packages, reading the package lists first where that is needed,
// and unpacks them.
func (i *Installer) apt(ctx context.Context, prefix []string, needs []Need) error {
	install := func(options ...string) []string {
		return slices.Concat([]string{
			"env", "DEBIAN_FRONTEND=noninteractive", "apt-get", "-q", "-y", "-o", "DPkg::Lock::Timeout=120",
			// A configuration file of an earlier install is kept, unasked.
			"-o", "Dpkg::Options::=--force-confdef", "-o", "Dpkg::Options::=--force-confold",
			"--no-install-recommends",
		}, options, []string{"install"}, packages(needs))
	}
	if err := i.run(ctx, prefix, install("--download-only")...); err != nil {
		if err := i.run(ctx, prefix, "apt-get", "-q", "-o", "DPkg::Lock::Timeout=120", "update"); err != nil {
			return fmt.Errorf("apt-get update: %w", err)
		}
		if err := i.run(ctx, prefix, install("--download-only")...); err != nil {
			return fmt.Errorf("%s: download: %w", Command(needs, false), err)
		}
	}
	if ctx.Err() != nil {
		return fmt.Errorf("%s: %w", Command(needs, false), context.Cause(ctx))
	}
	unpack, cancel := context.WithTimeout(context.WithoutCancel(ctx), unpackTimeout)
	defer cancel()
	if err := i.run(unpack, prefix, install()...); err != nil {
		return fmt.Errorf("%s: %w", Command(needs, false), err)
	}
	return nil
}

// verify tells whether the programs and modules are there now.
func (i *Installer) verify(needs []Need) error {
	for _, n := range needs {
		if err := n.find(i.Look); err != nil {
			return fmt.Errorf("%s succeeded, yet %w", Command(needs, false), err)
		}
	}
	return nil
}

// run runs a command as root. The end of ctx interrupts it, as ^C would.
func (i *Installer) run(ctx context.Context, prefix []string, args ...string) error {
	if ctx.Err() != nil {
		return context.Cause(ctx)
	}
	argv := slices.Concat(prefix, args)
	cmd := exec.CommandContext(ctx, argv[0], argv[1:]...)
	cmd.Stdout, cmd.Stderr = i.Out, i.Out
	cmd.Cancel = func() error { return cmd.Process.Signal(os.Interrupt) }
	cmd.WaitDelay = quitTimeout
	err := cmd.Run()
	switch {
	case ctx.Err() != nil:
		return context.Cause(ctx)
	case errors.Is(err, exec.ErrWaitDelay):
		return nil // it succeeded; a service that it started keeps its output open
	}
	return err
}

// notInstalled returns the packages that dpkg does not know as installed.
func (i *Installer) notInstalled(ctx context.Context, names []string) ([]string, error) {
	var fresh []string
	for _, name := range names {
		out, err := exec.CommandContext(ctx, "dpkg-query", "-W", "-f", "${db:Status-Status}", name).Output()
		var unknown *exec.ExitError
		switch {
		case ctx.Err() != nil:
			return nil, fmt.Errorf("dpkg-query -W %s: %w", name, context.Cause(ctx))
		case err != nil && !(errors.As(err, &unknown) && unknown.ExitCode() == 1): // dpkg-query(1): 1 is "no such package"
			return nil, fmt.Errorf("dpkg-query -W %s: %w", name, err)
		case err != nil || strings.TrimSpace(string(out)) != "installed":
			fresh = append(fresh, name)
		}
	}
	return fresh, nil
}

// forbidStarts keeps packages from starting services until release. Somebody else's
// policy is left alone: foreign says that it may allow what this would forbid.
func (i *Installer) forbidStarts(ctx context.Context, prefix []string) (foreign bool, release func(context.Context) error, err error) {
	if _, err := os.Lstat(i.PolicyFile); !errors.Is(err, fs.ErrNotExist) {
		return true, func(context.Context) error { return nil }, nil
	}
	release = func(ctx context.Context) error {
		if err := i.run(ctx, prefix, "rm", "-f", i.PolicyFile); err != nil {
			return fmt.Errorf("remove %s, which forbids services to start: %w", i.PolicyFile, err)
		}
		return nil
	}
	script := `printf '#!/bin/sh\nexit 101\n' > "$1" && chmod 755 "$1"`
	if err := i.run(ctx, prefix, "sh", "-c", script, "sh", i.PolicyFile); err != nil {
		after, cancel := context.WithTimeout(context.WithoutCancel(ctx), cleanupTimeout)
		defer cancel()
		return false, nil, errors.Join(fmt.Errorf("forbid services to start (%s): %w", i.PolicyFile, err), release(after))
	}
	return false, release, nil
}

// disable disables the services of packages that were not installed before, and
// stops those that a foreign policy let start. Package and service bear one name in
// each case here.
func (i *Installer) disable(ctx context.Context, prefix []string, fresh []string, foreign bool) error {
	var errs []error
	do := func(args ...string) {
		if err := i.run(ctx, prefix, args...); err != nil {
			errs = append(errs, fmt.Errorf("%s: %w", strings.Join(args, " "), err))
		}
	}
	_, bootErr := os.Stat(i.SystemdDir)
	_, ctlErr := i.Look("systemctl")
	for _, name := range fresh {
		service := serviceOf(name)
		script := filepath.Join(i.InitDir, service)
		if _, err := os.Stat(script); err != nil {
			continue // the package did not get that far
		}
		switch {
		case bootErr == nil:
			do("systemctl", "stop", service)
		case foreign:
			do(script, "stop")
		}
		if ctlErr == nil {
			do("systemctl", "disable", service)
		} else {
			do("update-rc.d", service, "disable")
		}
	}
	return errors.Join(errs...)
}

// serviceOf names a package's service: nginx-light, nginx-full and so on bring nginx.
func serviceOf(pkg string) string {
	if strings.HasPrefix(pkg, "nginx") {
		return "nginx"
	}
	return pkg
}

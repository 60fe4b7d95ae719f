package testbed

import (
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"os/exec"
	"slices"
	"strings"
)

// Need is a program that a plan runs and the Debian package that brings it.
type Need struct{ Binary, Package string }

// RedisNeed is what the bus redis runs on.
var RedisNeed = Need{Binary: "redis-server", Package: "redis-server"}

// Missing returns those needs whose program is not in PATH.
func Missing(needs []Need) []Need {
	var missing []Need
	for _, n := range needs {
		if _, err := exec.LookPath(n.Binary); err != nil && !slices.Contains(missing, n) {
			missing = append(missing, n)
		}
	}
	return missing
}

// Installer puts missing programs on the machine with apt, and never lets a
// package start or keep enabled a service that was not there before.
type Installer struct {
	Out io.Writer // what apt prints
	// Look finds a program (exec.LookPath) and UID tells the user (os.Getuid);
	// fields, so that a test can stand in for another machine.
	Look func(string) (string, error)
	UID  func() int
}

// NewInstaller returns an installer for this machine.
func NewInstaller(out io.Writer) *Installer {
	return &Installer{Out: out, Look: exec.LookPath, UID: os.Getuid}
}

// CannotInstallError says what a person has to run, and why the rig cannot.
type CannotInstallError struct {
	Missing []Need
	Why     string
	Command string // "" when there is no apt
}

// Error gives the command and the other ways.
func (e *CannotInstallError) Error() string {
	var names []string
	for _, n := range e.Missing {
		names = append(names, n.Binary)
	}
	s := fmt.Sprintf("missing: %s; cannot install: %s\n", strings.Join(names, ", "), e.Why)
	if e.Command != "" {
		s += "  run yourself:   " + e.Command + "\n"
	}
	return s + "  or use containers:   make bench RUNTIME=docker\n" +
		"  or without a proxy:  wsrig run smoke --proxy direct"
}

// Command is the command line that installs needs, as a person would type it.
func Command(needs []Need, sudo bool) string {
	cmd := "apt-get install -y --no-install-recommends " + strings.Join(packages(needs), " ")
	if sudo {
		cmd = "sudo " + cmd
	}
	return cmd
}

func packages(needs []Need) []string {
	var names []string
	for _, n := range needs {
		if !slices.Contains(names, n.Package) {
			names = append(names, n.Package)
		}
	}
	return names
}

// Install installs needs. It returns a *CannotInstallError when it may not.
func (i *Installer) Install(ctx context.Context, needs []Need) error {
	prefix, err := i.authority(ctx, needs)
	if err != nil {
		return err
	}
	fresh := i.notInstalled(ctx, packages(needs))
	release, err := i.forbidStarts(ctx, prefix)
	if err != nil {
		return err
	}
	err = i.apt(ctx, prefix, needs)
	// Also after a failure: what was half installed must not stay enabled.
	quiet := context.WithoutCancel(ctx)
	return errors.Join(err, i.disable(quiet, prefix, fresh), release(quiet))
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
		return nil, &CannotInstallError{Missing: needs, Why: "not root, and sudo asks for a password", Command: Command(needs, true)}
	}
	return []string{sudo, "-n"}, nil
}

// apt installs, and reads the package lists first where that is needed.
func (i *Installer) apt(ctx context.Context, prefix []string, needs []Need) error {
	args := append([]string{"env", "DEBIAN_FRONTEND=noninteractive", "apt-get", "-q", "-y",
		"-o", "DPkg::Lock::Timeout=120", "--no-install-recommends", "install"}, packages(needs)...)
	if i.run(ctx, prefix, args...) == nil {
		return nil
	}
	if err := i.run(ctx, prefix, "apt-get", "-q", "-o", "DPkg::Lock::Timeout=120", "update"); err != nil {
		return fmt.Errorf("apt-get update: %w", err)
	}
	if err := i.run(ctx, prefix, args...); err != nil {
		return fmt.Errorf("%s: %w", Command(needs, false), err)
	}
	if left := Missing(needs); len(left) > 0 {
		return fmt.Errorf("%s succeeded, yet %s is not in PATH", Command(needs, false), left[0].Binary)
	}
	return nil
}

func (i *Installer) run(ctx context.Context, prefix []string, args ...string) error {
	argv := slices.Concat(prefix, args)
	cmd := exec.CommandContext(ctx, argv[0], argv[1:]...)
	cmd.Stdout, cmd.Stderr = i.Out, i.Out
	return cmd.Run()
}

// notInstalled returns the packages that dpkg does not know as installed.
func (i *Installer) notInstalled(ctx context.Context, names []string) []string {
	return slices.DeleteFunc(slices.Clone(names), func(name string) bool {
		out, err := exec.CommandContext(ctx, "dpkg-query", "-W", "-f", "${db:Status-Status}", name).Output()
		return err == nil && strings.TrimSpace(string(out)) == "installed"
	})
}

// policyFile is asked by invoke-rc.d and deb-systemd-invoke before a package's
// service is started; 101 forbids it (Debian policy 9.3.3.1, invoke-rc.d(8)).
const policyFile = "/usr/sbin/policy-rc.d"

// forbidStarts keeps packages from starting services while it holds. Somebody
// else's policy is left alone; then disable stops what was started.
func (i *Installer) forbidStarts(ctx context.Context, prefix []string) (release func(context.Context) error, err error) {
	if _, err := os.Lstat(policyFile); !errors.Is(err, fs.ErrNotExist) {
		return func(context.Context) error { return nil }, nil
	}
	script := `printf '#!/bin/sh\nexit 101\n' > ` + policyFile + ` && chmod 755 ` + policyFile
	if err := i.run(ctx, prefix, "sh", "-c", script); err != nil {
		return nil, fmt.Errorf("forbid services to start (%s): %w", policyFile, err)
	}
	return func(ctx context.Context) error { return i.run(ctx, prefix, "rm", "-f", policyFile) }, nil
}

// disable stops and disables the services of packages that were not installed
// before. The package and its service bear one name in each case here.
func (i *Installer) disable(ctx context.Context, prefix []string, fresh []string) error {
	var errs []error
	for _, name := range fresh {
		service := serviceOf(name)
		if _, err := os.Stat("/etc/init.d/" + service); err != nil {
			continue // the package did not get that far
		}
		if _, err := os.Stat("/run/systemd/system"); err == nil { // sd_booted(3)
			errs = append(errs, i.run(ctx, prefix, "systemctl", "stop", service))
		}
		if _, err := i.Look("systemctl"); err == nil {
			errs = append(errs, i.run(ctx, prefix, "systemctl", "disable", service))
			continue
		}
		errs = append(errs, i.run(ctx, prefix, "update-rc.d", service, "disable"))
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

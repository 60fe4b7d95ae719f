package testbed

import (
	"fmt"
	"os/exec"
	"path/filepath"
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

// WithSystemPrograms is a PATH with the sbin beside every bin in it. Debian puts
// haproxy and nginx into /usr/sbin and leaves that out of an ordinary user's PATH.
func WithSystemPrograms(path string) string {
	dirs := filepath.SplitList(path)
	for _, dir := range dirs {
		if sbin := filepath.Join(filepath.Dir(dir), "sbin"); filepath.Base(dir) == "bin" && !slices.Contains(dirs, sbin) {
			dirs = append(dirs, sbin)
		}
	}
	return strings.Join(dirs, string(filepath.ListSeparator))
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

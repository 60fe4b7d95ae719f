package testbed

import (
	"context"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"time"
)

// Need is a program that a plan runs, or a module that one loads, and the Debian
// package that brings it.
type Need struct {
	Binary, Package string
	Module          string // of Node.js, which Binary then is; "" needs no more than Binary
}

// Name is what is needed, for people: "haproxy", "the module ws of node".
func (n Need) Name() string {
	if n.Module != "" {
		return "the module " + n.Module + " of " + n.Binary
	}
	return n.Binary
}

// moduleTimeout bounds how long a program may take to tell whether it finds a module.
const moduleTimeout = 20 * time.Second

// find tells whether the need is met; look finds programs, as exec.LookPath does.
func (n Need) find(look func(string) (string, error)) error {
	path, err := look(n.Binary)
	if err != nil {
		return fmt.Errorf("%s is not in PATH: %w", n.Binary, err)
	}
	if n.Module == "" {
		return nil
	}
	ctx, cancel := context.WithTimeout(context.Background(), moduleTimeout)
	defer cancel()
	cmd := exec.CommandContext(ctx, path, "-e", "require.resolve(process.argv[1])", n.Module)
	// As a unit would, beside no modules of anybody's project.
	cmd.Dir, cmd.Env, cmd.WaitDelay = os.TempDir(), append(baseEnv(), modulePath()), time.Second
	if out, err := cmd.CombinedOutput(); err != nil {
		return fmt.Errorf("%s does not find %s: %w: %s", n.Binary, n.Module, err, strings.TrimSpace(string(out)))
	}
	return nil
}

// RedisNeed is what the bus redis runs on.
var RedisNeed = Need{Binary: "redis-server", Package: "redis-server"}

// Missing returns those needs whose program is not in PATH, or does not find the module.
func Missing(needs []Need) []Need {
	var missing []Need
	for _, n := range needs {
		if !slices.Contains(missing, n) && n.find(exec.LookPath) != nil {
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

// Names lists needs for people.
func Names(needs []Need) string {
	names := make([]string, len(needs))
	for i, n := range needs {
		names[i] = n.Name()
	}
	return strings.Join(names, ", ")
}

// CannotInstallError says what a person has to run, and why the rig cannot.
type CannotInstallError struct {
	Missing []Need
	Why     string
	Command string // "" when there is no apt
}

// Error gives the command and the other ways.
func (e *CannotInstallError) Error() string {
	s := fmt.Sprintf("missing: %s; cannot install: %s\n", Names(e.Missing), e.Why)
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

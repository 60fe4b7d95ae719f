// Package nginx is everything the rig knows about Nginx: the shipped variants (the
// .conf files of this folder), how a user's own nginx.conf is moved into the testbed,
// what a file declares for idle WebSockets, how the proxy is checked, run, reloaded
// and asked for its counters. Facts are from Nginx's module reference and were tried
// on version 1.22.
package nginx

import (
	"context"
	"embed"
	"errors"
	"fmt"
	"maps"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"time"

	"wsrig/internal/result"
	"wsrig/testbed"
	"wsrig/testbed/conftext"
)

// Driver drives Nginx with a master process. It holds no state.
type Driver struct{}

var _ testbed.Proxy = Driver{}

//go:embed *.conf
var shipped embed.FS

const (
	configName = "nginx.conf"
)

// Name is nginx.
func (Driver) Name() string { return "nginx" }

// Binary is nginx.
func (Driver) Binary() string { return "nginx" }

// Package is nginx, whose build has every module the variants use.
func (Driver) Package() string { return "nginx" }

var versionLine = regexp.MustCompile(`nginx/([0-9]+(?:\.[0-9]+)*)`)

// Version asks with -v, for example "1.22.1".
func (Driver) Version(ctx context.Context, run testbed.Run) (string, error) {
	return testbed.AskVersion(ctx, run, versionLine)
}

// Variants are the .conf files of this folder.
func (Driver) Variants() map[string]string {
	variants, err := conftext.Variants(shipped, ".conf")
	if err != nil {
		panic("nginx: embedded files: " + err.Error()) // the files are part of the program
	}
	return variants
}

// Load returns a shipped variant; the error names the nearest ones.
func (d Driver) Load(variant string) (testbed.Source, error) {
	text, err := shipped.ReadFile(variant + ".conf")
	if err != nil {
		names := slices.Sorted(maps.Keys(d.Variants()))
		return testbed.Source{}, fmt.Errorf("nginx has no variant %q%s (there are: %s)",
			variant, result.DidYouMean(variant, names), strings.Join(names, ", "))
	}
	return testbed.Source{Name: variant, FileName: configName, Text: string(text)}, nil
}

// Check runs nginx -t, by run, on cfg, which is written to dir as nginx.conf and stays there
// with the empty folders that nginx -t makes. The ports must be free or reserved, as
// it binds them. It takes at most 10 s. The error carries every line Nginx printed.
func (Driver) Check(ctx context.Context, run testbed.Run, cfg testbed.Config, dir string) error {
	dir, err := filepath.Abs(dir)
	if err != nil {
		return fmt.Errorf("nginx -t: %w", err)
	}
	summary := func(line string) bool { return strings.HasSuffix(line, "test failed") }
	args := append([]string{"-t"}, inFolder(dir)...)
	return testbed.RunCheck(ctx, run, cfg, dir, configName, checkedPlace, summary, args...)
}

// checkedPlace is where nginx -t says that a mistake is: in /some/dir/nginx.conf:14.
var checkedPlace = regexp.MustCompile(`( in )[^ ]*/nginx\.conf:([0-9]+)`)

// inFolder are the arguments that keep Nginx in one folder and in the foreground. As
// root its workers stay root: they would become a user that may not enter the folder.
func inFolder(dir string) []string {
	globals := "daemon off;"
	if os.Geteuid() == 0 {
		globals += " user root;"
	}
	return []string{"-p", dir, "-c", configName, "-g", globals}
}

// Unit runs cfg with everything it writes kept in the unit's directory. SIGTERM ends
// master and workers at once.
func (Driver) Unit(cfg testbed.Config) testbed.Unit {
	return testbed.Unit{
		Binary:     "nginx",
		Args:       inFolder("."),
		Files:      []testbed.File{{Name: configName, Data: []byte(cfg.Text)}},
		Ports:      cfg.Input.Ports,
		Ready:      ready,
		StopSignal: testbed.SigTerm,
		StopGrace:  5 * time.Second,
	}
}

// ready is one probe: the statistics page answers and the master has all its workers.
func ready(ctx context.Context, inst testbed.Instance) error {
	if _, err := active(ctx, inst); err != nil {
		return err
	}
	if inst.PID() == 0 {
		return nil
	}
	workers, err := readWorkers(inst)
	if err == nil && (len(workers.current) == 0 || !workers.settled) {
		err = errors.New("nginx: the master has not started all of its workers yet")
	}
	return err
}

// fileName is what messages call a configuration: the base name of a user's file,
// or the variant's file in this folder.
func fileName(src testbed.Source) string {
	if !src.Own {
		return src.Name + ".conf"
	}
	return filepath.Base(ownPath(src))
}

func ownPath(src testbed.Source) string {
	path, _, _ := strings.Cut(src.Name, "#")
	return path
}

// ownDir is the directory that includes of a user's file are relative to.
func ownDir(src testbed.Source) string {
	dir, err := filepath.Abs(filepath.Dir(ownPath(src)))
	if err != nil {
		return filepath.Dir(ownPath(src))
	}
	return dir
}

// choice is the server block named after # in a user's file name, or "".
func choice(src testbed.Source) string {
	_, name, _ := strings.Cut(src.Name, "#")
	return name
}

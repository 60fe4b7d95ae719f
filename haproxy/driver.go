// Package haproxy is everything the rig knows about HAProxy: the shipped variants
// (the .cfg files of this folder), how a user's own haproxy.cfg is moved into the
// testbed, what a file declares for idle WebSockets, how the proxy is checked, run,
// reloaded and asked for its counters. Facts are from HAProxy's configuration and
// management manuals and were tried on version 2.6.
package haproxy

import (
	"context"
	"embed"
	"fmt"
	"maps"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"time"

	"wsrig/internal/result"
	"wsrig/testbed"
	"wsrig/testbed/conftext"
)

// Driver drives HAProxy in master-worker mode. It holds no state.
type Driver struct{}

var _ testbed.Proxy = Driver{}

//go:embed *.cfg
var shipped embed.FS

const (
	configName = "haproxy.cfg"
)

// Name is haproxy.
func (Driver) Name() string { return "haproxy" }

// Binary is haproxy.
func (Driver) Binary() string { return "haproxy" }

// Package is Debian's haproxy.
func (Driver) Package() string { return "haproxy" }

var versionLine = regexp.MustCompile(`(?i)HA-?Proxy version ([0-9]+(?:\.[0-9]+)*)`)

// Version asks with -v, for example "2.6.12".
func (Driver) Version(ctx context.Context, run testbed.Run) (string, error) {
	return testbed.AskVersion(ctx, run, versionLine)
}

// Variants are the .cfg files of this folder.
func (Driver) Variants() map[string]string {
	variants, err := conftext.Variants(shipped, ".cfg")
	if err != nil {
		panic("haproxy: embedded files: " + err.Error()) // the files are part of the program
	}
	return variants
}

// Load returns a shipped variant; the error names the nearest ones.
func (d Driver) Load(variant string) (testbed.Source, error) {
	text, err := shipped.ReadFile(variant + ".cfg")
	if err != nil {
		names := slices.Sorted(maps.Keys(d.Variants()))
		return testbed.Source{}, fmt.Errorf("haproxy has no variant %q%s (there are: %s)",
			variant, result.DidYouMean(variant, names), strings.Join(names, ", "))
	}
	return testbed.Source{Name: variant, FileName: configName, Text: string(text)}, nil
}

// Check runs haproxy -c, by run, on cfg, which is written to dir as haproxy.cfg and stays
// there. It takes at most 10 s. The error carries every line HAProxy printed.
func (Driver) Check(ctx context.Context, run testbed.Run, cfg testbed.Config, dir string) error {
	notice := func(line string) bool { return strings.HasPrefix(line, "[NOTICE]") }
	return testbed.RunCheck(ctx, run, cfg, dir, configName, checkedPlace, notice, "-c", "-f", configName)
}

// checkedPlace is where haproxy -c says that a mistake is: [haproxy.cfg:14].
var checkedPlace = regexp.MustCompile(`(\[)haproxy\.cfg:([0-9]+)`)

// Unit runs cfg in master-worker mode (management manual, section 3: -W), in the
// foreground, with the master's command line on the "master" port. SIGTERM ends
// master and workers at once.
func (Driver) Unit(cfg testbed.Config) testbed.Unit {
	return testbed.Unit{
		Binary:     "haproxy",
		Args:       []string{"-W", "-S", cfg.Input.Ports[portMaster].Listen, "-f", configName},
		Files:      []testbed.File{{Name: configName, Data: []byte(cfg.Text)}},
		Ports:      cfg.Input.Ports,
		Ready:      ready,
		StopSignal: testbed.SigTerm,
		StopGrace:  5 * time.Second,
	}
}

// ready is one probe. It does not touch the clients' port, where a probe would leave
// BADREQ lines in the log. The worker that answers must be the master's own: another
// HAProxy on the port would share it without an error (SO_REUSEPORT).
func ready(ctx context.Context, inst testbed.Instance) error {
	procs, err := showProc(ctx, inst)
	if err != nil {
		return err
	}
	if pid := inst.OwnPID(); pid != 0 && procs.master != pid {
		return fmt.Errorf("haproxy: process %d answers on the master port, not %d", procs.master, pid)
	}
	return serving(ctx, inst, procs.workers)
}

// fileName is what messages call a configuration: the base name of a user's file,
// or the variant's file in this folder.
func fileName(src testbed.Source) string {
	if !src.Own {
		return src.Name + ".cfg"
	}
	path, _, _ := strings.Cut(src.Name, "#")
	return filepath.Base(path)
}

// choice is the frontend named after # in a user's file name, or "".
func choice(src testbed.Source) string {
	_, name, _ := strings.Cut(src.Name, "#")
	return name
}

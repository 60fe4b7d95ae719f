package runtimetest

import (
	"context"
	"encoding/json"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/url"
	"os"
	"path/filepath"
	"testing"
	"time"

	"wsrig/testbed"
)

// patience is how long anything may take that is not a wait by itself. Nothing
// here measures speed.
const patience = 20 * time.Second

// stranger is a variable of the test's environment, which no unit may inherit.
const stranger = "RUNTIMETEST_STRANGER"

// New makes a runtime for one test. Its Self is the running test binary, and the logs
// of its units go below logDir.
type New func(t *testing.T, logDir string) (testbed.Runtime, error)

// Conformance checks a runtime: reservations, start, readiness, ends of every kind,
// freezes, restarts, usage and Close. Every test has a runtime of its own.
func Conformance(t *testing.T, newRuntime New) {
	t.Setenv(stranger, "not for units")
	for _, c := range []struct {
		does string
		test func(*testing.T, *bench)
	}{
		{"reserves distinct ports and fixed ones", reservesPorts},
		{"refuses a port in use and keeps none then", refusesPortInUse},
		{"gives files, environment and arguments", givesWhatWasAsked},
		{"refuses bad units", refusesBadUnits},
		{"tells how a unit died at its start", tellsDeathAtStart},
		{"gives up on a unit that never serves", givesUpOnUnready},
		{"starts nothing when it is too late", startsNothingTooLate},
		{"ends a start when the caller gives up", endsAbandonedStart},
		{"stops a unit in an orderly way, twice too", stopsInOrder},
		{"kills a unit that does not stop", killsStubborn},
		{"tells an unasked end from an asked one", tellsUnaskedEnd},
		{"restarts on the same port", restarts},
		{"kills all processes of a unit", killsWholeUnit},
		{"ends what an ended first process leaves", endsLeftProcesses},
		{"freezes and continues all processes", freezes},
		{"measures what all processes use", measuresUsage},
		{"keeps a limit of CPU", limitsCPU},
		{"keeps a limit of memory", limitsMemory},
		{"lets clients come from many addresses", givesSources},
		{"puts units into one network", sharesNetworks},
		{"runs a program to its end", runsPrograms},
		{"ends everything on Close", closesAll},
		{"ends a start on Close", closesDuringStart},
	} {
		t.Run(c.does, func(t *testing.T) {
			t.Parallel()
			rt, err := newRuntime(t, filepath.Join(t.TempDir(), "logs"))
			if err != nil {
				t.Fatal(err)
			}
			b := &bench{t: t, rt: rt}
			t.Cleanup(func() { b.close() })
			c.test(t, b)
		})
	}
}

// bench is one test's runtime.
type bench struct {
	t  *testing.T
	rt testbed.Runtime
}

// close closes the runtime; it is called once more at the end of each test.
func (b *bench) close() {
	b.t.Helper()
	ctx, cancel := context.WithTimeout(context.Background(), patience)
	defer cancel()
	if err := b.rt.Close(ctx); err != nil {
		b.t.Errorf("Close: %v", err)
	}
}

func (b *bench) context() context.Context {
	ctx, cancel := context.WithTimeout(b.t.Context(), patience)
	b.t.Cleanup(cancel)
	return ctx
}

// unit describes a unit with a port for each of the names after its options. The
// first is "http", where it serves.
func (b *bench) unit(name string, options []string, children ...string) testbed.Unit {
	b.t.Helper()
	want := map[string]int{"http": 0}
	for _, c := range children {
		want[c] = 0
	}
	ports, err := b.rt.Reserve(b.context(), name, want)
	if err != nil {
		b.t.Fatal(err)
	}
	args := append([]string{unitWord, "-listen", ports["http"].Listen}, options...)
	list := ""
	for i, c := range children {
		if i > 0 {
			list += ","
		}
		list += ports[c].Listen
	}
	if list != "" {
		args = append(args, "-children", list)
	}
	return testbed.Unit{
		Name: name, Role: testbed.RoleNode, Binary: testbed.Self, Args: args, Ports: ports,
		// The race detector's runtime waits a second at exit, to print what it found.
		Env:   []string{"GORACE=atexit_sleep_ms=0"},
		Ready: serves(append([]string{"http"}, children...)...), StopSignal: testbed.SigTerm, StopGrace: patience,
	}
}

// start starts a unit that must come up.
func (b *bench) start(u testbed.Unit) testbed.Instance {
	b.t.Helper()
	inst, err := b.rt.Start(b.context(), u)
	if err != nil {
		b.t.Fatal(err)
	}
	return inst
}

// serves is the probe that all of these ports answer /readyz with 200.
func serves(ports ...string) func(context.Context, testbed.Instance) error {
	return func(ctx context.Context, inst testbed.Instance) error {
		for _, p := range ports {
			if _, err := get(ctx, inst.Unit().Ports[p].Host, "/readyz", nil); err != nil {
				return err
			}
		}
		return nil
	}
}

func get(ctx context.Context, addr, path string, query url.Values) ([]byte, error) {
	u := url.URL{Scheme: "http", Host: addr, Path: path, RawQuery: query.Encode()}
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, u.String(), nil)
	if err != nil {
		return nil, err
	}
	req.Close = true
	resp, err := http.DefaultClient.Do(req)
	if err != nil {
		return nil, err
	}
	defer resp.Body.Close()
	body, err := io.ReadAll(resp.Body)
	if err == nil && resp.StatusCode != http.StatusOK {
		err = fmt.Errorf("GET %s: %s: %s", u.String(), resp.Status, body)
	}
	return body, err
}

// ask asks a unit that runs.
func (b *bench) ask(inst testbed.Instance, path string, query url.Values) []byte {
	b.t.Helper()
	body, err := get(b.context(), inst.Unit().Ports["http"].Host, path, query)
	if err != nil {
		b.t.Fatal(err)
	}
	return body
}

func (b *bench) askList(inst testbed.Instance, path string) (list []string) {
	b.t.Helper()
	if err := json.Unmarshal(b.ask(inst, path, nil), &list); err != nil {
		b.t.Fatal(err)
	}
	return list
}

// ended waits for the end of an instance.
func (b *bench) ended(inst testbed.Instance) *testbed.ExitError {
	b.t.Helper()
	select {
	case <-inst.Done():
	case <-time.After(patience):
		b.t.Fatalf("%s has not ended after %s", inst.Unit().Name, patience)
	}
	e := inst.Exit()
	if e == nil {
		b.t.Fatalf("%s: Done is closed, and Exit says nothing", inst.Unit().Name)
	}
	return e
}

// gone checks that nobody serves the unit's ports.
func (b *bench) gone(u testbed.Unit) {
	b.t.Helper()
	for name, p := range u.Ports {
		conn, err := net.DialTimeout("tcp", p.Host, patience)
		if err == nil {
			conn.Close()
			b.t.Errorf("%s: something still listens on its port %q", u.Name, name)
		}
	}
}

func exists(path string) bool {
	_, err := os.Lstat(path)
	return err == nil
}

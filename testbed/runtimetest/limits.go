package runtimetest

import (
	"errors"
	"net/url"
	"os"
	"strings"
	"testing"
	"time"

	"wsrig/testbed"
)

// startLimited starts a unit with a limit. Where this user may set none the test is
// skipped, once the refusal is known to name what to do; root in CI must be allowed to.
func startLimited(t *testing.T, b *bench, u testbed.Unit) testbed.Instance {
	t.Helper()
	inst, err := b.rt.Start(b.context(), u)
	if err == nil {
		return inst
	}
	if !strings.Contains(err.Error(), "--runtime docker") || os.Geteuid() == 0 && os.Getenv("CI") != "" {
		t.Fatal(err)
	}
	t.Skip(err)
	return nil
}

func limitsCPU(t *testing.T, b *bench) {
	u := b.unit("n1", nil)
	u.Limits.CPU = 0.25
	inst := startLimited(t, b, u)
	begun := time.Now()
	b.ask(inst, "/burn", url.Values{"cpu": {"500ms"}})
	// Half a second of CPU is two of a quarter of a core. A busy machine only adds.
	if took := time.Since(begun); took < 1500*time.Millisecond {
		t.Errorf("500 ms of CPU took %v with a limit of %g cores", took, u.Limits.CPU)
	}
	u = b.unit("n2", nil)
	u.Limits.CPU = 1e6
	if _, err := b.rt.Start(b.context(), u); err == nil || !strings.Contains(err.Error(), "out of range") {
		t.Errorf("a million cores: %v", err)
	}
}

func limitsMemory(t *testing.T, b *bench) {
	u := b.unit("n1", nil)
	u.Limits.Memory = 256 << 20
	inst := startLimited(t, b, u)
	if _, err := get(b.context(), inst.Unit().Ports["http"].Host, "/eat", url.Values{"bytes": {"1000000000"}}); err == nil {
		t.Errorf("it ate 1 GB with a limit of %d bytes", u.Limits.Memory)
	}
	e := b.ended(inst)
	if e.Asked || !strings.HasPrefix(e.Status, "signal: killed") || !strings.Contains(e.Status, "out of memory") {
		t.Errorf("got %+v, want an end by the kernel for want of memory", e)
	}
}

func runsPrograms(t *testing.T, b *bench) {
	dir, err := b.rt.Dir("check")
	if err != nil {
		t.Fatal(err)
	}
	u := testbed.Unit{Name: "check", Binary: testbed.Self, Args: []string{unitWord, "-die", "3"}}
	out, err := b.rt.Run(b.context(), u, dir)
	var status *testbed.StatusError
	if !errors.As(err, &status) || status.Status != "exit status 3" || !strings.HasSuffix(strings.TrimSpace(out), "cannot go on") {
		t.Errorf("got %v, having printed %q", err, out)
	}
	u.Binary = "wsrig-no-such-program"
	var missing *testbed.MissingBinaryError
	if _, err := b.rt.Run(b.context(), u, dir); !errors.As(err, &missing) {
		t.Errorf("a missing program gives %v", err)
	}
}

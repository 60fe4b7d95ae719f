package testbed_test

import (
	"errors"
	"syscall"
	"testing"
	"time"

	"wsrig/testbed"
)

// nextDeath waits for what Died delivers.
func nextDeath(t *testing.T, tb *testbed.Testbed) *testbed.ExitError {
	t.Helper()
	select {
	case e := <-tb.Died():
		return e
	case <-time.After(patience):
		t.Fatal("Died delivers nothing")
		return nil
	}
}

func noDeath(t *testing.T, tb *testbed.Testbed) {
	t.Helper()
	select {
	case e := <-tb.Died():
		t.Errorf("reported as an unasked death: %v", e)
	default:
	}
}

func TestDiedReportsUnaskedDeathsOnly(t *testing.T) {
	t.Parallel()
	need(t, "redis-server")
	tb := up(t, testbed.Spec{Bus: testbed.BusRedis, Nodes: 2})
	// Faults, on a node and on redis, each with a restart after it.
	for _, unit := range []string{"n1", "redis"} {
		if err := tb.Kill(t.Context(), unit); err != nil {
			t.Fatal(err)
		}
		if err := tb.Kill(t.Context(), unit); err == nil {
			t.Errorf("%s was killed twice", unit)
		}
		if err := tb.Restart(t.Context(), unit); err != nil {
			t.Fatal(err)
		}
		if err := tb.Restart(t.Context(), unit); err != nil {
			t.Fatalf("restart while it runs: %v", err)
		}
	}
	if err := tb.Freeze(t.Context(), "n2"); err != nil {
		t.Fatal(err)
	}
	if err := tb.Continue(t.Context(), "n2"); err != nil {
		t.Fatal(err)
	}
	noDeath(t, tb)
	// From outside, also after a restart.
	for _, unit := range []string{"n1", "n2", "redis"} {
		inst, err := tb.Find(unit)
		if err != nil {
			t.Fatal(err)
		}
		if err := syscall.Kill(inst.PID(), syscall.SIGKILL); err != nil {
			t.Fatal(err)
		}
		if e := nextDeath(t, tb); e.Unit != unit || e.Asked || e.Status != "signal: killed" {
			t.Errorf("got %+v", e)
		}
		var dead *testbed.ExitError
		if err := tb.Restart(t.Context(), unit); !errors.As(err, &dead) || dead.Unit != unit {
			t.Errorf("a restart hides that %s had died: %v", unit, err)
		}
	}
	noDeath(t, tb)
}

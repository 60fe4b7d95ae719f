package testbed_test

import (
	"context"
	"strings"
	"testing"
	"time"

	"wsrig/testbed"
)

func TestViewsCount(t *testing.T) {
	t.Parallel()
	tb := up(t, testbed.Spec{Bus: testbed.BusNone, Nodes: 2, Proxy: &standInProxy{}})
	counts, err := tb.NodeConnections(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	// The stand-in says 7 to everyone who asks for the summary.
	if len(counts) != 2 || counts["n1"] != 7 || counts["n2"] != 7 {
		t.Errorf("nodes count %v", counts)
	}
	stats, ok, err := tb.ProxyStats(t.Context())
	if err != nil || !ok || stats.Open != 3 {
		t.Errorf("proxy counts %+v, %v, %v", stats, ok, err)
	}
	// A frozen node takes the question and never answers.
	if err := tb.Freeze(t.Context(), "n2"); err != nil {
		t.Fatal(err)
	}
	_, err = tb.NodeConnections(context.Background())
	if err == nil || !strings.Contains(err.Error(), "n2") || !strings.Contains(err.Error(), "frozen") {
		t.Errorf("a frozen node gives %v", err)
	}
}

func TestSamplerRecordsEveryUnitUntilStop(t *testing.T) {
	t.Parallel()
	tb := up(t, testbed.Spec{Bus: testbed.BusNone, Nodes: 2, Size: testbed.Size{Workers: 1}, Token: "secret"})
	ctx, cancel := context.WithCancel(t.Context())
	defer cancel()
	s := tb.Sample(ctx)
	if err := tb.Kill(t.Context(), "n2"); err != nil {
		t.Fatal(err)
	}
	// Two ticks of a second, on a machine that is never in a hurry.
	time.Sleep(2500 * time.Millisecond)
	all := s.Stop(t.Context())
	if len(all) != 3 || all[0].Unit != "n1" || all[1].Unit != "n2" || all[2].Unit != "worker1" {
		t.Fatalf("sampled %+v", all)
	}
	if n := len(all[1].Samples); n != 1 {
		t.Errorf("n2 was killed after its first sample and has %d", n)
	}
	for _, u := range all {
		last := -1.0
		for _, one := range u.Samples {
			if one.At <= last {
				t.Errorf("%s: sample at %v s follows %v s", u.Unit, one.At, last)
			}
			last = one.At
			if one.RSS < 1<<20 || one.FDs < 3 || one.Sockets < 1 || one.Procs != 1 || one.CPU < 0 {
				t.Errorf("%s: a node cannot use %+v", u.Unit, one)
			}
		}
		if u.Unit != "n2" && len(u.Samples) < 3 {
			t.Errorf("%s: %d samples of 2.5 s, want at least the first, one tick and the last", u.Unit, len(u.Samples))
		}
	}
	// Another starts from nothing and ends with its context too; goleak tells if not.
	cancelled, stop := context.WithCancel(t.Context())
	second := tb.Sample(cancelled)
	stop()
	if got := second.Stop(t.Context()); len(got) != 2 || len(got[0].Samples) != 2 {
		t.Errorf("a second sampler has %+v, want the first and last sample of n1 and worker1", got)
	}
}

package scenario

import (
	"errors"
	"math"
	"strings"
	"testing"

	"wsrig/internal/result"
)

// synthetic is a system that holds up to a knee, seen by a generator that is enough
// up to a limit. Probes listed in noise fail whatever the rate.
type synthetic struct {
	knee, generator float64
	noise           map[int]bool // by number of the probe, from 1
	asked           []float64
}

func (s *synthetic) probe(rate float64) (result.Probe, error) {
	s.asked = append(s.asked, rate)
	p := result.Probe{Asked: rate, Verdict: result.ProbeOK}
	switch {
	case rate > s.generator:
		p.Verdict, p.Why = result.ProbeSaturated, "arrivals left late"
	case rate > s.knee || s.noise[len(s.asked)]:
		p.Verdict, p.Why = result.ProbeFailed, "p99 80 ms"
	}
	return p, nil
}

func TestTheSearchFindsTheKneeOrSaysWhyNot(t *testing.T) {
	enough := math.Inf(1)
	for _, row := range []struct {
		sentence string
		system   synthetic
		why      string  // what is in the way of a capacity
		held     float64 // exact; 0 for none, -1 for the knee within the precision
		failed   bool
	}{
		{"a knee between two doublings", synthetic{knee: 1234, generator: enough}, "", -1, true},
		{"a knee just above the lowest rate", synthetic{knee: 101, generator: enough}, "", -1, true},
		{"a knee just below the highest rate", synthetic{knee: 4999, generator: enough}, "", -1, true},
		{"one noisy probe is repeated and does not count", synthetic{knee: 1234, generator: enough, noise: map[int]bool{2: true}}, "", -1, true},
		{"two noisy probes of one rate do count", synthetic{knee: 4000, generator: enough, noise: map[int]bool{2: true, 3: true}}, "", 0, true},
		{"it fails at the lowest rate", synthetic{knee: 50, generator: enough}, "", 0, true},
		{"it holds at the highest rate", synthetic{knee: enough, generator: enough}, "at least 5000/s, where the search ended", 5000, false},
		{"the generator is saturated on the way up", synthetic{knee: enough, generator: 900}, "at least 800/s; the generator is the limit: arrivals left late", 800, false},
		{"the generator is saturated at once", synthetic{knee: enough, generator: 10}, "no rate is known to hold; the generator is the limit", 0, false},
	} {
		b := bracket{from: 100, to: 5000, precision: 0.1}
		s := row.system
		f, err := b.search(s.probe)
		if err != nil {
			t.Fatal(err)
		}
		if len(f.probes) != len(s.asked) || len(s.asked) > 30 {
			t.Errorf("%s: %d probes made, %d recorded", row.sentence, len(s.asked), len(f.probes))
		}
		if row.why == "" != (f.why == "") || !strings.Contains(f.why, row.why) {
			t.Errorf("%s: why is %q, want %q", row.sentence, f.why, row.why)
		}
		if (f.failed != nil) != row.failed {
			t.Errorf("%s: the lowest failed is %+v", row.sentence, f.failed)
		}
		switch {
		case strings.HasPrefix(row.sentence, "two noisy"):
			// 200/s failed twice, so that the search is below it.
			if f.held == nil || f.held.Asked >= 200 || f.failed.Asked != 200 {
				t.Errorf("%s: held %+v, failed %+v", row.sentence, f.held, f.failed)
			}
		case row.held == 0:
			if f.held != nil {
				t.Errorf("%s: held %+v, want none", row.sentence, f.held)
			}
		case row.held > 0:
			if f.held == nil || f.held.Asked != row.held {
				t.Errorf("%s: held %+v, want %g/s", row.sentence, f.held, row.held)
			}
		default:
			lo, hi := f.held.Asked, f.failed.Asked
			if !(lo <= row.system.knee && row.system.knee < hi) || hi > lo*1.1 {
				t.Errorf("%s: bracket %g to %g/s, knee at %g/s", row.sentence, lo, hi, row.system.knee)
			}
		}
	}
}

func TestAProbeThatFailsIsRepeatedOnceAndSaysSo(t *testing.T) {
	s := synthetic{knee: 100, generator: math.Inf(1)}
	f, err := bracket{from: 100, to: 200, precision: 1}.search(s.probe)
	if err != nil || len(f.probes) != 3 {
		t.Fatalf("probes %+v, error %v; want one that holds and two that fail", f.probes, err)
	}
	if f.probes[1].Repetition || !f.probes[2].Repetition || f.probes[1].Asked != f.probes[2].Asked {
		t.Errorf("probes %+v: the third must repeat the second", f.probes)
	}
	if p, ok := result.FirstFailing(f.probes); !ok || p.Asked != 200 {
		t.Errorf("first failing is %+v, %v", p, ok)
	}
}

func TestAnErrorEndsTheSearchWithWhatWasProbed(t *testing.T) {
	broken, n := errors.New("the worker is gone"), 0
	f, err := bracket{from: 100, to: 5000, precision: 0.1}.search(func(rate float64) (result.Probe, error) {
		if n++; n == 3 {
			return result.Probe{}, broken
		}
		return result.Probe{Asked: rate, Verdict: result.ProbeOK}, nil
	})
	if !errors.Is(err, broken) || len(f.probes) != 2 {
		t.Errorf("error %v, %d probes; want the worker's and 2", err, len(f.probes))
	}
}

func TestTheObjectiveIsLatencyReachAndArrivals(t *testing.T) {
	s := newSearch()
	s.P99 = 50_000_000
	for _, row := range []struct {
		sentence string
		probe    result.Probe
		want     string
	}{
		{"all is kept", result.Probe{P99: 0.05, Bound: 0.05, Owed: 2000, Received: 2000}, ""},
		{"p99 above the bound", result.Probe{P99: 0.051, Bound: 0.05, Owed: 2000, Received: 2000}, "p99"},
		{"a delivery is missing", result.Probe{P99: 0.01, Bound: 0.05, Owed: 2000, Received: 1999}, "1999 of 2000"},
		{"nothing was owed", result.Probe{Bound: 0.05}, "0 of 0"},
		{"too few for a p99", result.Probe{Bound: 0.05, Owed: 20, Received: 20}, "too few"},
		{"an arrival was dropped", result.Probe{P99: 0.01, Bound: 0.05, Owed: 2000, Received: 2000, Dropped: 1}, "1 arrival dropped"},
	} {
		got := strings.Join(s.misses(&row.probe), "; ")
		if row.want == "" && got != "" || !strings.Contains(got, row.want) {
			t.Errorf("%s: misses %q, want %q", row.sentence, got, row.want)
		}
	}
}

func TestBadSearchesAreRefused(t *testing.T) {
	for _, row := range []struct{ sentence, search, want string }{
		{"to below from", "{from: 500/s, to: 400/s, p99: 50ms}", "below its begin"},
		{"too fine", "{from: 500/s, to: 900/s, p99: 50ms, precision: 0.5%}", "out of range"},
		{"no percent sign", "{from: 500/s, to: 900/s, p99: 50ms, precision: 0.1}", "no percent sign; use 10%"},
		{"too few samples at from", "{from: 10/s, to: 900/s, p99: 50ms, for: 1s}", "a p99 stands on 1000"},
		{"two searches", "{from: 500/s, to: 900/s, p99: 50ms}\n  - search: {from: 500/s, to: 900/s, p99: 50ms}", "a second search"},
	} {
		_, err := Parse("t.yaml", []byte("name: t\nsummary: s\nsteps:\n  - connect: {clients: 40, rooms: 10}\n  - search: "+row.search+"\n"))
		if err == nil || !strings.Contains(err.Error(), row.want) {
			t.Errorf("%s: error %v, want %q", row.sentence, err, row.want)
		}
	}
}

// TestCapacityOfANodeWithAQuota searches on real units. What the node can do depends
// on the machine; what must hold is that the search ends and says what it saw.
func TestCapacityOfANodeWithAQuota(t *testing.T) {
	r, nothingLeft := newRunner(t)
	plan := planOf(t, `name: test
summary: s
testbed: {nodes: 1, bus: none, node_cpu: 20%}
proxies: [direct]
steps:
  - connect: {clients: 40, rate: 200/s, rooms: 10}
  - search: {from: 500/s, to: 2000/s, for: 500ms, p99: 10s, precision: 100%, rest: 10ms}
`)
	if plan.Cells[0].Testbed.NodeCPU != 0.2 {
		t.Fatalf("node_cpu is %g cores, want 0.2", plan.Cells[0].Testbed.NodeCPU)
	}
	run, err := r.Run(t.Context(), plan)
	if err != nil {
		if strings.Contains(err.Error(), "leave node_cpu out") {
			if !strings.Contains(err.Error(), "run as root") && !strings.Contains(err.Error(), "none is mounted") {
				t.Errorf("refused without the fix: %v", err)
			}
			t.Skip("no CPU quota here: ", err)
		}
		t.Fatal(err)
	}
	trial := run.Cells[0].Trials[0]
	if len(trial.Probes) == 0 {
		t.Fatal("no probe was recorded")
	}
	p := trial.Probes[0]
	if p.Asked != 500 || p.Owed != 1000 || p.Received != 1000 || p.P99 <= 0 || p.CPU <= 0 || p.Verdict == "" {
		t.Errorf("first probe %+v: want 250 messages to rooms of 4, all delivered and measured", p)
	}
	m := trial.Metrics
	if m["capacity.probes"].Value != float64(len(trial.Probes)) {
		t.Errorf("%d probes, but the metric is %+v", len(trial.Probes), m["capacity.probes"])
	}
	if _, mixed := m["delivery.latency.p50"]; mixed {
		t.Error("latencies of different rates were mixed into one")
	}
	held, sound := m["capacity.rate"], len(trial.Inconclusive) == 0 && len(trial.Failed) == 0
	if sound && held.Value < 500 {
		t.Errorf("a sound trial has capacity %+v", held)
	}
	if held.Value == 2000 && sound {
		t.Error("a search that held at its highest rate must not claim a capacity")
	}
	nothingLeft()
}

package runtimetest

import (
	"context"
	"errors"
	"net"
	"net/url"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"wsrig/testbed"
)

func stopsInOrder(t *testing.T, b *bench) {
	inst := b.start(b.unit("n1", nil))
	if inst.Exit() != nil {
		t.Fatalf("it runs, and Exit says %v", inst.Exit())
	}
	for range 2 {
		if err := inst.Stop(b.context()); err != nil {
			t.Fatal(err)
		}
		e := b.ended(inst)
		if !e.Asked || e.Status != "exit status 0" || !strings.Contains(strings.Join(e.Tail, "\n"), "asked to end") {
			t.Errorf("got %+v", e)
		}
	}
	b.gone(inst.Unit())
	for _, s := range []testbed.Signal{testbed.SigHup, testbed.SigKill} {
		if err := inst.Signal(s); err == nil {
			t.Errorf("SIG%s was sent to a unit that has ended", s)
		}
	}
}

func killsStubborn(t *testing.T, b *bench) {
	u := b.unit("n1", []string{"-ignore-term"}, "child")
	u.StopGrace = 100 * time.Millisecond
	inst := b.start(u)
	if err := inst.Stop(b.context()); err != nil {
		t.Fatal(err)
	}
	if e := b.ended(inst); !e.Asked || e.Status != "signal: killed" {
		t.Errorf("got %+v", e)
	}
	b.gone(u)

	u = b.unit("n2", []string{"-ignore-term"})
	inst = b.start(u)
	late, cancel := context.WithCancel(b.context())
	cancel()
	if err := inst.Stop(late); err != nil {
		t.Errorf("Stop without time left: %v", err)
	}
	b.gone(u)
}

func tellsUnaskedEnd(t *testing.T, b *bench) {
	inst := b.start(b.unit("n1", nil))
	if err := inst.Signal("NONE"); err == nil {
		t.Error("an unknown signal was sent")
	}
	// The unit ends before it can answer.
	_, _ = get(b.context(), inst.Unit().Ports["http"].Host, "/exit", url.Values{"code": {"3"}})
	if e := b.ended(inst); e.Asked || e.Status != "exit status 3" {
		t.Errorf("got %+v", e)
	}
	inst.Expect()
	if err := inst.Stop(b.context()); err != nil {
		t.Error(err)
	}
	if inst.Exit().Asked {
		t.Error("an end that nobody asked for became an asked one afterwards")
	}

	inst = b.start(b.unit("n2", nil))
	inst.Expect()
	if err := inst.Signal(testbed.SigKill); err != nil {
		t.Fatal(err)
	}
	if e := b.ended(inst); !e.Asked || e.Status != "signal: killed" {
		t.Errorf("got %+v", e)
	}
}

func restarts(t *testing.T, b *bench) {
	u := b.unit("n1", nil)
	inst := b.start(u)
	b.ask(inst, "/burn", url.Values{"cpu": {"50ms"}})
	for _, how := range []string{"while it runs", "after a kill", "after a stop", "while frozen"} {
		before, err := inst.Usage(b.context())
		if err != nil {
			t.Fatal(err)
		}
		first := inst.Done()
		switch how {
		case "after a kill":
			inst.Expect()
			if err := inst.Signal(testbed.SigKill); err != nil {
				t.Fatal(err)
			}
			b.ended(inst)
		case "after a stop":
			if err := inst.Stop(b.context()); err != nil {
				t.Fatal(err)
			}
		case "while frozen":
			if err := inst.Signal(testbed.SigStop); err != nil {
				t.Fatal(err)
			}
		}
		if err := inst.Restart(b.context()); err != nil {
			t.Fatalf("%s: %v", how, err)
		}
		select {
		case <-first:
		default:
			t.Errorf("%s: the first life is not over", how)
		}
		if inst.Exit() != nil || inst.Done() == first {
			t.Errorf("%s: the new life looks over: %v", how, inst.Exit())
		}
		b.ask(inst, "/readyz", nil)
		after, err := inst.Usage(b.context())
		if err != nil {
			t.Fatal(err)
		}
		if after.CPU < before.CPU {
			t.Errorf("%s: CPU fell from %v to %v", how, before.CPU, after.CPU)
		}
	}
	_, _ = get(b.context(), u.Ports["http"].Host, "/exit", url.Values{"code": {"3"}})
	if e := b.ended(inst); e.Asked {
		t.Errorf("an end after a restart counts as asked for: %+v", e)
	}
}

func killsWholeUnit(t *testing.T, b *bench) {
	inst := b.start(b.unit("n1", nil, "child1", "child2"))
	if err := inst.Signal(testbed.SigKill); err != nil {
		t.Fatal(err)
	}
	if e := b.ended(inst); e.Status != "signal: killed" {
		t.Errorf("got %+v", e)
	}
	b.gone(inst.Unit())
}

func endsLeftProcesses(t *testing.T, b *bench) {
	// The first process ends on TERM, its children ignore it.
	inst := b.start(b.unit("n1", nil, "child1", "child2"))
	if err := inst.Stop(b.context()); err != nil {
		t.Fatal(err)
	}
	b.gone(inst.Unit())
	inst = b.start(b.unit("n2", nil, "child1", "child2"))
	_, _ = get(b.context(), inst.Unit().Ports["http"].Host, "/exit", url.Values{"code": {"3"}})
	b.ended(inst)
	b.gone(inst.Unit())
}

func freezes(t *testing.T, b *bench) {
	inst := b.start(b.unit("n1", nil, "child"))
	if err := inst.Signal(testbed.SigStop); err != nil {
		t.Fatal(err)
	}
	for name, p := range inst.Unit().Ports {
		ctx, cancel := context.WithTimeout(b.context(), 300*time.Millisecond)
		if _, err := get(ctx, p.Host, "/readyz", nil); !errors.Is(err, context.DeadlineExceeded) {
			t.Errorf("port %q of a frozen unit: got %v, want no answer", name, err)
		}
		cancel()
		conn, err := net.DialTimeout("tcp", p.Host, patience)
		if err != nil {
			t.Errorf("the kernel must go on to accept for a frozen unit: %v", err)
			continue
		}
		conn.Close()
	}
	if inst.Exit() != nil {
		t.Errorf("a frozen unit has ended: %v", inst.Exit())
	}
	if err := inst.Signal(testbed.SigCont); err != nil {
		t.Fatal(err)
	}
	for name, p := range inst.Unit().Ports {
		if _, err := get(b.context(), p.Host, "/readyz", nil); err != nil {
			t.Errorf("port %q after the freeze: %v", name, err)
		}
	}
}

func measuresUsage(t *testing.T, b *bench) {
	inst := b.start(b.unit("n1", nil, "child"))
	usage := func() testbed.Usage {
		u, err := inst.Usage(b.context())
		if err != nil {
			t.Fatal(err)
		}
		return u
	}
	before := usage()
	if before.Procs < 2 || before.RSS < 1<<20 {
		t.Errorf("two Go processes use %+v", before)
	}
	const burnt = 300 * time.Millisecond
	for _, port := range []string{"http", "child"} {
		if _, err := get(b.context(), inst.Unit().Ports[port].Host, "/burn", url.Values{"cpu": {burnt.String()}}); err != nil {
			t.Fatal(err)
		}
		if _, err := get(b.context(), inst.Unit().Ports[port].Host, "/hold", url.Values{"sockets": {"20"}}); err != nil {
			t.Fatal(err)
		}
	}
	after := usage()
	// Clock ticks may be 10 ms, and each of both processes loses up to two.
	if used := after.CPU - before.CPU; used < 2*burnt-50*time.Millisecond {
		t.Errorf("each process burnt %v, together they used %v", burnt, used)
	}
	if after.Sockets < before.Sockets+30 || after.FDs < before.FDs+30 {
		t.Errorf("40 sockets were opened; descriptors went from %d to %d, sockets from %d to %d",
			before.FDs, after.FDs, before.Sockets, after.Sockets)
	}
	if err := inst.Stop(b.context()); err != nil {
		t.Fatal(err)
	}
	if over := usage(); over.Procs != 0 || over.RSS != 0 || over.CPU < after.CPU {
		t.Errorf("after its end a unit that had used %+v uses %+v", after, over)
	}
}

func closesAll(t *testing.T, b *bench) {
	var all []testbed.Instance
	for _, name := range []string{"n1", "n2", "n3"} {
		all = append(all, b.start(b.unit(name, nil, "child")))
	}
	if err := all[1].Signal(testbed.SigStop); err != nil {
		t.Fatal(err)
	}
	work, logs := filepath.Dir(all[0].Dir()), all[0].LogPath()
	b.close()
	for _, inst := range all {
		if e := b.ended(inst); !e.Asked {
			t.Errorf("%s: %+v", inst.Unit().Name, e)
		}
		b.gone(inst.Unit())
	}
	if exists(all[0].Dir()) || exists(work) {
		t.Errorf("%s is left", work)
	}
	if !exists(logs) {
		t.Errorf("the log %s is gone", logs)
	}
	if _, err := b.rt.Reserve(b.context(), "n4", map[string]int{"http": 0}); err == nil {
		t.Error("a closed runtime reserves ports")
	}
	if _, err := b.rt.Dir("n4"); err == nil || exists(work) {
		t.Errorf("a closed runtime makes directories (error %v)", err)
	}
	if _, err := b.rt.Start(b.context(), all[0].Unit()); err == nil || exists(work) {
		t.Errorf("a closed runtime starts units (error %v)", err)
	}
	if err := all[0].Restart(b.context()); err == nil || exists(work) {
		t.Errorf("a closed runtime restarts units (error %v)", err)
	}
	b.close()
}

func closesDuringStart(t *testing.T, b *bench) {
	u := b.unit("n1", []string{"-unready"}, "child")
	probed := make(chan struct{}, 1)
	u.Ready = func(context.Context, testbed.Instance) error {
		select {
		case probed <- struct{}{}:
		default:
		}
		return errors.New("not yet")
	}
	failed := make(chan error, 1)
	ctx := b.context()
	go func() {
		_, err := b.rt.Start(ctx, u)
		failed <- err
	}()
	select {
	case <-probed:
	case err := <-failed:
		t.Fatal(err)
	}
	b.close()
	if err := <-failed; err == nil || errors.Is(err, context.DeadlineExceeded) {
		t.Errorf("Start returned %v", err)
	}
	b.gone(u)
}

package budget

import (
	"errors"
	"math/rand/v2"
	"testing"
)

// draw makes machines and demands of all sizes.
func draw(rng *rand.Rand) (Machine, Demand) {
	fact := func(from, to int64) Fact {
		if rng.IntN(8) == 0 {
			return Fact{}
		}
		return Known(from + rng.Int64N(to-from))
	}
	m := Machine{
		FDSoft: fact(64, 2_000), FDHard: fact(64, 1<<rng.IntN(14)+70), FDMax: fact(1<<16, 1<<20), FilesMax: fact(1_000, 1<<21), FilesOpen: fact(0, 5_000),
		PortFirst: fact(1_024, 32_768), PortLast: fact(32_768, 65_536), PortsReserved: fact(0, 100), LoopbackAddrs: 1 + rng.IntN(254),
		MemoryAvailable: fact(64<<20, 32<<30), ConntrackMax: fact(1_000, 1<<20), ConntrackCount: fact(0, 10_000),
	}
	d := Demand{
		Clients: 1 + rng.IntN(1<<(1+rng.IntN(20))), Nodes: 1 + rng.IntN(12), Testbeds: rng.IntN(4),
		Proxy: []string{"", HAProxy, Nginx}[rng.IntN(3)], Engine: []string{"", EngineEpoll}[rng.IntN(2)],
	}
	if d.Proxy != "" && rng.IntN(3) == 0 {
		d.Own = &OwnLimits{Processes: 1 + rng.IntN(4), Connections: fact(100, 20_000), NoFile: fact(200, 60_000), PerNode: fact(10, 5_000)}
	}
	return m, d
}

// What is said to fit does, one client more does not, and what the layout says holds.
func TestFitIsSharp(t *testing.T) {
	rng := rand.New(rand.NewPCG(1, 2))
	refused := 0
	for range 5_000 {
		m, d := draw(rng)
		layout, err := Fit(m, d)
		if err == nil {
			layoutHolds(t, m, d, layout)
			continue
		}
		var cannot *CannotFitError
		if !errors.As(err, &cannot) {
			t.Fatal(err)
		}
		refused++
		if cannot.Largest >= d.Clients {
			t.Fatalf("%+v on %+v: refused, though %d would fit", d, m, cannot.Largest)
		}
		less := d
		if less.Clients = cannot.Largest; less.Clients > 0 {
			layout, err := Fit(m, less)
			if err != nil {
				t.Fatalf("%+v on %+v: said to fit: %v", less, m, err)
			}
			layoutHolds(t, m, less, layout)
		}
		less.Clients++
		if _, err := Fit(m, less); err == nil {
			t.Fatalf("%+v on %+v: fits, though it was said that only %d do", less, m, cannot.Largest)
		}
	}
	if refused < 500 {
		t.Errorf("only %d of the drawn demands were refused: they prove little", refused)
	}
}

// layoutHolds checks a layout against the limits without the package's own formulas.
func layoutHolds(t *testing.T, m Machine, d Demand, l Layout) {
	t.Helper()
	atMost := func(what string, n float64, limit Fact) {
		if most, ok := limit.Get(); ok && n > 0.9*float64(most)+1 {
			t.Fatalf("%+v on %+v: %s: %.0f of %d; layout %+v", d, m, what, n, most, l)
		}
	}
	n := float64(d.Clients)
	destinations := 1.0
	if d.Proxy == "" {
		destinations = float64(d.Nodes)
	}
	atMost("descriptors of a worker", n/float64(l.Workers), m.FDHard)
	atMost("descriptors of a node", n/float64(d.Nodes), m.FDHard)
	atMost("ports to one destination", n/destinations/float64(len(l.SourceAddrs)), m.Ports())
	if d.Proxy != "" {
		k := float64(l.ProxyProcesses + l.NginxWorkers)
		atMost("descriptors of a proxy process", 2*n/k, m.FDHard)
		atMost("ports of the proxy", n/float64(d.Nodes), m.Ports())
		if d.Own == nil && float64(max(l.MaxConn, l.WorkerConnections/2)) < n/k {
			t.Fatalf("%+v: a proxy process is sized for fewer than its %.0f clients: %+v", d, n/k, l)
		}
	}
	if hard, ok := m.FDHard.Get(); ok && int64(l.NoFile) > hard {
		t.Fatalf("%+v: %d descriptors are beyond the hard limit of %d", d, l.NoFile, hard)
	}
	if l.Nodes != d.Nodes || l.Workers > maxProcesses || len(l.SourceAddrs) > m.LoopbackAddrs {
		t.Fatalf("%+v on %+v: layout %+v", d, m, l)
	}
}

// More of anything never lets fewer clients fit, and fewer clients never need more.
func TestFitIsMonotone(t *testing.T) {
	rng := rand.New(rand.NewPCG(3, 4))
	for range 5_000 {
		m, d := draw(rng)
		layout, err := Fit(m, d)
		if err != nil {
			continue
		}
		fewer := d
		fewer.Clients = 1 + rng.IntN(d.Clients)
		smaller, err := Fit(m, fewer)
		if err != nil {
			t.Fatalf("%d clients fit, %d do not: %v", d.Clients, fewer.Clients, err)
		}
		if smaller.Workers > layout.Workers || len(smaller.SourceAddrs) > len(layout.SourceAddrs) ||
			smaller.ProxyProcesses > layout.ProxyProcesses || smaller.NginxWorkers > layout.NginxWorkers {
			t.Fatalf("%d clients need %+v, but %d need %+v", d.Clients, layout, fewer.Clients, smaller)
		}
		more := m
		for _, f := range []*Fact{&more.FDHard, &more.FDSoft, &more.PortLast, &more.MemoryAvailable, &more.ConntrackMax, &more.FilesMax} {
			if n, ok := f.Get(); ok {
				*f = Known(n + rng.Int64N(1_000))
			}
		}
		if _, err := Fit(more, d); err != nil {
			t.Fatalf("%+v fits on %+v, but not on the larger %+v: %v", d, m, more, err)
		}
	}
}

// The limit that a fix names is the smallest that is enough.
func TestFixesAskForNoMoreThanNeeded(t *testing.T) {
	for n := int64(1); n < 30_000; n += 7 {
		for what, c := range map[string]struct {
			limit int64
			room  func(Fact) Fact
		}{"limit": {limitFor(n), usable}, "descriptors": {fdLimitFor(n), usableFDs}} {
			if enough, _ := c.room(Known(c.limit)).Get(); enough < n {
				t.Fatalf("%s %d leaves %d usable, want %d", what, c.limit, enough, n)
			}
			if less, _ := c.room(Known(c.limit - 1)).Get(); less >= n {
				t.Fatalf("%s %d is more than %d need", what, c.limit, n)
			}
		}
	}
}

package main

import (
	"fmt"
	"os"
	"os/exec"
	"slices"
	"strings"
	"sync"
	"testing"

	"github.com/Shopify/toxiproxy/v2"
	"github.com/rs/zerolog"

	"wsrig/haproxy"
	"wsrig/internal/report"
	"wsrig/internal/result"
	"wsrig/internal/scenario"
	"wsrig/loadgen"
	"wsrig/testbed"
)

// slowNetwork is HAProxy with a network between it and its nodes that takes its time:
// a toxiproxy in front of each node delays every answer. The variant says by how much.
type slowNetwork struct {
	haproxy.Driver
	milliseconds map[string]int
	server       *toxiproxy.ApiServer
	mu           sync.Mutex
	links        []*toxiproxy.Proxy
}

func (s *slowNetwork) Name() string { return "slow" }

func (s *slowNetwork) Variants() map[string]string {
	variants := map[string]string{}
	for name := range s.milliseconds {
		variants[name] = "round robin behind a slow network"
	}
	return variants
}

func (s *slowNetwork) Load(variant string) (testbed.Source, error) {
	src, err := s.Driver.Load("round-robin")
	src.Name = variant
	return src, err
}

func (s *slowNetwork) Render(src testbed.Source, in testbed.RenderInput) (testbed.Config, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	in.Nodes = slices.Clone(in.Nodes)
	for i, n := range in.Nodes {
		link := toxiproxy.NewProxy(s.server, n.Name, "127.0.0.1:0", n.Addr)
		if err := link.Start(); err != nil {
			return testbed.Config{}, err
		}
		s.links = append(s.links, link)
		toxic := fmt.Sprintf(`{"type": "latency", "attributes": {"latency": %d}}`, s.milliseconds[src.Name])
		if _, err := link.Toxics.AddToxicJson(strings.NewReader(toxic)); err != nil {
			return testbed.Config{}, err
		}
		in.Nodes[i].Addr = link.Listen
	}
	return s.Driver.Render(src, in)
}

func (s *slowNetwork) stop() {
	for _, link := range s.links {
		link.Stop()
	}
}

// slowCatalog lists the variants of a slowNetwork.
type slowCatalog struct{ *slowNetwork }

func (slowCatalog) Drivers() []string                { return []string{"slow"} }
func (c slowCatalog) Variants(string) (all []string) { return sortedKeys(c.milliseconds) }

func sortedKeys(m map[string]int) (keys []string) {
	for k := range m {
		keys = append(keys, k)
	}
	slices.Sort(keys)
	return keys
}

// quiet reports no progress.
type quiet struct{}

func (quiet) Step(string, int, string) scenario.ProgressBar { return quietBar{} }

// TestLatencyOfTheNetworkIsJudgedBySizeAndTrials: 200 ms of the network that become 400
// are worse by what was measured; 210 are not, and neither with too few trials.
func TestLatencyOfTheNetworkIsJudgedBySizeAndTrials(t *testing.T) {
	for _, program := range []string{"haproxy", "redis-server"} {
		if _, err := exec.LookPath(program); err != nil {
			if os.Getenv("CI") != "" {
				t.Fatalf("%s is not installed; run make deps", program)
			}
			t.Skipf("%s is not installed; run make deps", program)
		}
	}
	run := slowRun(t, 8)
	base := cellNamed(t, run, "slow:by-200ms")
	for _, row := range []struct {
		head    string
		trials  int
		verdict string // of the delivery latency's median
	}{
		{"slow:by-200ms", 8, report.Same},
		{"slow:by-210ms", 8, report.Same},
		{"slow:by-400ms", 8, report.Worse},
		{"slow:by-210ms", 3, report.Unknown},
		{"slow:by-400ms", 3, report.Unknown},
	} {
		t.Run(fmt.Sprintf("%s with %d trials", row.head, row.trials), func(t *testing.T) {
			pair := report.CellPair{Name: row.head, Base: fewer(base, row.trials), Head: fewer(cellNamed(t, run, row.head), row.trials)}
			c, err := report.Compare(run, run, []report.CellPair{pair}, report.CompareOptions{})
			if err != nil {
				t.Fatal(err)
			}
			i := slices.IndexFunc(c.Cells[0].Metrics, func(m report.MetricComparison) bool { return m.Metric == "delivery.latency.p50" })
			if m := c.Cells[0].Metrics[i]; m.Verdict != row.verdict {
				t.Errorf("%g s -> %g s, p %v: %s because %q, want %s", m.Base.Median, m.Head.Median, m.Holm, m.Verdict, m.Why, row.verdict)
			}
			if fails := c.Verdict.Status == result.Fail; fails != (row.verdict == report.Worse) {
				t.Errorf("the comparison is %v", c.Verdict)
			}
		})
	}
}

// slowRun measures the three networks, trial by trial in turn.
func slowRun(t *testing.T, trials int) *result.Run {
	t.Helper()
	s := &slowNetwork{
		milliseconds: map[string]int{"by-200ms": 200, "by-210ms": 210, "by-400ms": 400},
		server:       toxiproxy.NewServer(toxiproxy.NewMetricsContainer(nil), zerolog.Nop()),
	}
	t.Cleanup(s.stop)
	const text = `name: slow
summary: Deliveries over a slow network.
testbed: {nodes: 2, bus: redis}
proxies: [slow:by-200ms, slow:by-210ms, slow:by-400ms]
steps:
  - connect: {clients: 20, rate: 200/s, rooms: 2}
  - publish: {rate: 50/s, for: 700ms}
`
	plan, err := scenario.Load("slow.yaml", []byte(text), scenario.Options{Catalog: slowCatalog{s}, Trials: trials, Seed: 1})
	if err != nil {
		t.Fatal(err)
	}
	runner := scenario.Runner{
		Proxies:    map[string]testbed.Proxy{"slow": s},
		NewRuntime: func(logDir string) (testbed.Runtime, error) { return testbed.NewProcessRuntime(wsrigBinary, logDir) },
		Dir:        t.TempDir(), Progress: quiet{},
	}
	run, err := runner.Run(t.Context(), plan)
	if err != nil {
		t.Fatal(err)
	}
	return run
}

func cellNamed(t *testing.T, run *result.Run, id string) *result.Cell {
	t.Helper()
	c, err := report.FindCell(run, id)
	if err != nil {
		t.Fatal(err)
	}
	return c
}

// fewer is a cell with its first n trials. Those count too in which a busy machine made
// the generator late: 200 ms stand out from that, and it is no part of what is tested.
func fewer(c *result.Cell, n int) *result.Cell {
	few := *c
	few.Trials = slices.Clone(c.Trials[:n])
	for i := range few.Trials {
		few.Trials[i].Inconclusive = nil
	}
	return &few
}

type quietBar struct{}

func (quietBar) Set(loadgen.Progress) {}
func (quietBar) End(error)            {}

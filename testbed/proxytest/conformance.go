package proxytest

import (
	"context"
	"fmt"
	"maps"
	"slices"
	"strings"
	"testing"
	"time"

	"wsrig/testbed"
)

// clientPath is what the suite's clients ask for.
const clientPath = "/ws"

// Render renders src for these nodes on reserved ports, and has the proxy check it.
func Render(tb testing.TB, d testbed.Proxy, src testbed.Source, nodes []testbed.NodeAddr) testbed.Config {
	tb.Helper()
	names, err := d.Ports(src)
	if err != nil {
		tb.Fatal(err)
	}
	cfg, err := d.Render(src, testbed.RenderInput{Ports: Reserve(tb, names...), Nodes: nodes, MaxClients: 200, Dir: tb.TempDir()})
	if err != nil {
		tb.Fatal(err)
	}
	if err := d.Check(tb.Context(), testbed.LocalRun(d.Binary()), cfg, tb.TempDir()); err != nil {
		tb.Fatalf("%v\n%s", err, cfg.Text)
	}
	return cfg
}

// Run renders, checks and starts src, and tells where clients connect.
func Run(tb testing.TB, d testbed.Proxy, src testbed.Source, nodes []testbed.NodeAddr) (*Instance, testbed.Config, string) {
	tb.Helper()
	cfg := Render(tb, d, src, nodes)
	return Start(tb, d.Unit(cfg)), cfg, cfg.Input.Ports["ws"].Host
}

// Conformance is what every proxy driver promises the rig, tried on the real proxy
// with each of its shipped variants.
func Conformance(t *testing.T, d testbed.Proxy) {
	t.Parallel()
	Need(t, d.Binary())
	t.Run("version", func(t *testing.T) {
		v, err := d.Version(t.Context(), testbed.LocalRun(d.Binary()))
		if err != nil || v == "" || strings.Trim(v, "0123456789.") != "" {
			t.Errorf("version %q, %v: want digits and dots", v, err)
		}
	})
	t.Run("unknown variant", func(t *testing.T) {
		near := slices.Sorted(maps.Keys(d.Variants()))[0]
		if _, err := d.Load(near + "x"); err == nil || !strings.Contains(err.Error(), near) {
			t.Errorf("Load(%q): %v, want an error that names %q", near+"x", err, near)
		}
	})
	t.Run("bad configuration", func(t *testing.T) { refusesBadText(t, d) })
	if len(d.Variants()) < 2 || d.Variants()["round-robin"] == "" {
		t.Errorf("variants %v: want at least two, and round-robin as the good one", d.Variants())
	}
	for _, name := range slices.Sorted(maps.Keys(d.Variants())) {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			src, err := d.Load(name)
			if err != nil {
				t.Fatal(err)
			}
			if summary := d.Variants()[name]; !strings.HasSuffix(summary, ".") {
				t.Errorf("summary %q is no sentence", summary)
			}
			serves(t, d, src)
		})
	}
	t.Run("reload", func(t *testing.T) { t.Parallel(); survivesReloads(t, d) })
	t.Run("reload of a bad file", func(t *testing.T) { t.Parallel(); refusesBadReload(t, d) })
	t.Run("lost signal", func(t *testing.T) { t.Parallel(); noticesLostSignal(t, d) })
}

// serves runs one variant with two nodes and four clients.
func serves(t *testing.T, d testbed.Proxy, src testbed.Source) {
	if n, err := d.Nodes(src); n != 0 || err != nil {
		t.Errorf("Nodes = %d, %v: a shipped variant takes any number", n, err)
	}
	inst, cfg, addr := Run(t, d, src, StartNodes(t, 2))
	declared, err := d.Declared(cfg, clientPath)
	if err != nil {
		t.Fatal(err)
	}
	if declared.Directive == "" || declared.Why == "" || declared.Where == "" || declared.IdleTimeout <= 0 {
		t.Errorf("declared %+v: every shipped variant limits idle tunnels, and says where and why", declared)
	}
	if file, _, ok := strings.Cut(declared.Where, ":"); ok && !strings.HasPrefix(file, src.Name+".") {
		t.Errorf("declared at %q: want a line of the variant's own file", declared.Where)
	}
	clients, byNode := DialMany(t, addr, clientPath, 4)
	for _, c := range clients {
		if err := c.Echo("through " + d.Name()); err != nil {
			t.Error(err)
		}
	}
	spreads(t, d, cfg, byNode)
	stats, err := d.Stats(t.Context(), inst)
	if err != nil {
		t.Fatal(err)
	}
	countsByProcess(t, d, inst, len(clients))
	if stats.Open != 4 || stats.Processes < 1 || stats.Old != 0 {
		t.Errorf("stats %+v, want 4 open and no old process", stats)
	}
	if stats.ByNode != nil {
		for _, n := range []string{"n1", "n2"} {
			if stats.ByNode[n] != byNode[n] {
				t.Errorf("stats say %v by node, clients say %v", stats.ByNode, byNode)
			}
		}
	}
	for _, c := range clients {
		c.Conn.Close()
	}
	eventually(t, d, inst, "no client open", func(s testbed.ProxyStats) bool { return s.Open == 0 })
}

// spreads compares where four clients of one address went with what the driver says
// that the configuration declares.
func spreads(t *testing.T, d testbed.Proxy, cfg testbed.Config, byNode map[string]int) {
	t.Helper()
	b, err := d.Balance(cfg, clientPath)
	if err != nil {
		t.Fatal(err)
	}
	if b.Where == "" || b.Why == "" || len(b.Weights) != 2 || b.Weights["n1"] <= 0 || b.Weights["n2"] <= 0 || b.PerProcess {
		t.Errorf("balance %+v: every shipped variant tells where and why it chooses both nodes, for all processes", b)
	}
	if file, _, ok := strings.Cut(b.Where, ":"); ok && !strings.HasPrefix(file, cfg.Source.Name+".") {
		t.Errorf("balance is declared at %q: want a line of the variant's own file", b.Where)
	}
	switch b.Algorithm {
	case testbed.BalanceSourceHash:
		if len(byNode) != 1 || b.KeyBits == 0 {
			t.Errorf("clients of one address went to %v, want one node (%+v)", byNode, b)
		}
	case testbed.BalanceRoundRobin, testbed.BalanceLeastConn:
		for node, w := range b.Weights {
			if want := 4 * w / (b.Weights["n1"] + b.Weights["n2"]); float64(byNode[node]) != want {
				t.Errorf("four clients went to %v, want %g on %s", byNode, want, node)
			}
		}
	default:
		t.Errorf("algorithm %q: that of a shipped variant must be known", b.Algorithm)
	}
}

// countsByProcess wants all clients on processes that serve.
func countsByProcess(t *testing.T, d testbed.Proxy, inst *Instance, clients int) {
	t.Helper()
	workers, err := d.Workers(t.Context(), inst)
	if err != nil {
		t.Fatal(err)
	}
	open := 0
	for _, w := range workers {
		open += w.Open
		if w.Old || w.PID <= 0 {
			t.Errorf("process %+v, want a current one", w)
		}
	}
	if open != clients {
		t.Errorf("the processes hold %+v, want %d clients in all", workers, clients)
	}
}

// survivesReloads reloads twice with WebSockets open: they live on in processes of
// the earlier configurations, which end with them.
func survivesReloads(t *testing.T, d testbed.Proxy) {
	src, err := d.Load("round-robin")
	if err != nil {
		t.Fatal(err)
	}
	inst, _, addr := Run(t, d, src, StartNodes(t, 2))
	first, err := d.Stats(t.Context(), inst)
	if err != nil {
		t.Fatal(err)
	}
	var clients []*Client
	for i := range 2 {
		clients = append(clients, Dial(t, addr, clientPath))
		if err := d.Reload(t.Context(), inst); err != nil {
			t.Fatal(err)
		}
		eventually(t, d, inst, fmt.Sprintf("an old process per reload %d", i+1), func(s testbed.ProxyStats) bool {
			return s.Old == i+1 && s.Processes == first.Processes
		})
	}
	clients = append(clients, Dial(t, addr, clientPath))
	for i, c := range clients {
		if err := c.Echo("still here"); err != nil {
			t.Errorf("client %d after the reloads: %v", i, err)
		}
	}
	eventually(t, d, inst, "all three clients in the counters", func(s testbed.ProxyStats) bool { return s.Open == 3 })
	workers, err := d.Workers(t.Context(), inst)
	if err != nil {
		t.Fatal(err)
	}
	held := map[bool]int{}
	for _, w := range workers {
		held[w.Old] += w.Open
	}
	if held[false] != 1 || held[true] != 2 {
		t.Errorf("the processes hold %+v, want 1 client on a current one and 2 on old ones", workers)
	}
	for _, c := range clients {
		c.Conn.Close()
	}
	eventually(t, d, inst, "no old process once its client left", func(s testbed.ProxyStats) bool { return s.Old == 0 && s.Open == 0 })
}

// refusesBadReload wants an error with the proxy's own words, and the old
// configuration serving on.
func refusesBadReload(t *testing.T, d testbed.Proxy) {
	src, err := d.Load("round-robin")
	if err != nil {
		t.Fatal(err)
	}
	inst, cfg, addr := Run(t, d, src, StartNodes(t, 2))
	c := Dial(t, addr, clientPath)
	inst.Rewrite(src.FileName, cfg.Text+"\nno_such_directive on;\n")
	if err := d.Reload(t.Context(), inst); err == nil || !strings.Contains(err.Error(), "no_such_directive") {
		t.Errorf("reload of a bad file: %v, want the proxy's complaint", err)
	}
	if err := c.Echo("old client"); err != nil {
		t.Error(err)
	}
	if err := Dial(t, addr, clientPath).Echo("new client"); err != nil {
		t.Error(err)
	}
	inst.Rewrite(src.FileName, cfg.Text)
	if err := d.Reload(t.Context(), inst); err != nil {
		t.Errorf("reload of the good file after a bad one: %v", err)
	}
}

// noticesLostSignal loses the first reload signal: Reload must not take it for done.
func noticesLostSignal(t *testing.T, d testbed.Proxy) {
	src, err := d.Load("round-robin")
	if err != nil {
		t.Fatal(err)
	}
	inst, _, addr := Run(t, d, src, StartNodes(t, 2))
	Dial(t, addr, clientPath)
	inst.LoseSignals(1)
	if err := d.Reload(t.Context(), inst); err != nil {
		t.Fatal(err)
	}
	eventually(t, d, inst, "the reload to have happened", func(s testbed.ProxyStats) bool { return s.Old >= 1 })
}

func refusesBadText(t *testing.T, d testbed.Proxy) {
	src, err := d.Load("round-robin")
	if err != nil {
		t.Fatal(err)
	}
	cfg := Render(t, d, src, []testbed.NodeAddr{{Name: "n1", Addr: "127.0.0.1:1"}})
	cfg.Text += "\nno_such_directive on;\n"
	err = d.Check(t.Context(), testbed.LocalRun(d.Binary()), cfg, t.TempDir())
	if err == nil || !strings.Contains(err.Error(), "no_such_directive") || !strings.Contains(err.Error(), src.Name) {
		t.Errorf("check of a bad file: %v, want the file and the proxy's complaint", err)
	}
}

// eventually polls the statistics until they are as they should be, for at most 10 s.
func eventually(t *testing.T, d testbed.Proxy, inst *Instance, what string, ok func(testbed.ProxyStats) bool) {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), 10*time.Second)
	defer cancel()
	for {
		stats, err := d.Stats(ctx, inst)
		if err == nil && ok(stats) {
			return
		}
		select {
		case <-ctx.Done():
			t.Errorf("waited for %s; last statistics %+v, %v", what, stats, err)
			return
		case <-time.After(20 * time.Millisecond):
		}
	}
}

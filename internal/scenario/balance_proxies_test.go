package scenario

import (
	"fmt"
	"path/filepath"
	"strings"
	"testing"

	"wsrig/haproxy"
	"wsrig/internal/result"
	"wsrig/nginx"
	"wsrig/testbed"
	"wsrig/testbed/proxytest"
)

// runBalance runs steps behind configuration files of testdata/balance, or shipped
// variants, all at the same time on testbeds of their own, and returns the phases of
// each cell by its id. The views of clients, nodes and proxy must agree.
func runBalance(t *testing.T, nodes int, vary, steps string, proxies ...string) map[string]result.Trial {
	t.Helper()
	proxytest.Need(t, "haproxy")
	proxytest.Need(t, "nginx")
	r, nothingLeft := newRunner(t)
	r.Proxies = map[string]testbed.Proxy{"haproxy": haproxy.Driver{}, "nginx": nginx.Driver{}}
	for i, p := range proxies {
		if driver, file, _ := strings.Cut(p, ":"); strings.Contains(file, ".c") {
			proxies[i] = driver + ":" + filepath.Join("testdata", "balance", file)
		}
	}
	plan := planOf(t, fmt.Sprintf("name: test\nsummary: s\ntestbed: {nodes: %d, bus: none}\nparallel: 4\nproxies: [%s]\n%ssteps:\n%s",
		nodes, strings.Join(proxies, ", "), vary, steps))
	run, err := r.Run(t.Context(), plan)
	if err != nil {
		t.Fatal(err)
	}
	trials := map[string]result.Trial{}
	for _, c := range run.Cells {
		if len(c.Trials[0].Failed) > 0 {
			t.Errorf("%s: %v", c.ID, c.Trials[0].Failed)
		}
		id := strings.ReplaceAll(c.ID, filepath.Join("testdata", "balance")+"/", "")
		trials[id] = c.Trials[0]
	}
	nothingLeft()
	return trials
}

// spread is counts of n1, n2 ... as text: "6/36/36".
func spread(counts map[string]int, nodes int) string {
	var each []string
	for i := range nodes {
		each = append(each, fmt.Sprint(counts[testbed.NodeName(i+1)]))
	}
	return strings.Join(each, "/")
}

// verdict is a phase's: fair, unfair or unjudged.
func verdict(b result.Balance) string {
	switch {
	case b.Fair == nil:
		return "unjudged"
	case *b.Fair:
		return "fair"
	}
	return "unfair"
}

// TestARestartedNodeBehindRealProxies kills a node of three under 60 clients, lets its
// 20 come back, restarts it, and lets 18 new ones come. As reported for gateways on
// Nginx and for HAProxy (apache/apisix issues 7301 and 9225).
func TestARestartedNodeBehindRealProxies(t *testing.T) {
	trials := runBalance(t, 3, "", `
  - connect: {clients: 60, rate: 300/s}
  - fault: {kill: n1}
  - wait: {for: 1s}
  - connect: {clients: 20, rate: 100/s}
  - fault: {restart: n1}
  - wait: {for: 2500ms}
  - connect: {clients: 18, rate: 100/s}
`, "haproxy:checked-round-robin.cfg", "haproxy:checked-leastconn.cfg", "nginx:least-conn-zone.conf", "nginx:least-conn-alone.conf")
	for _, row := range []struct {
		sentence, cell         string
		start, came, then      string
		startFair, restartFair string
	}{
		{"round robin never fills the node up", "haproxy:checked-round-robin.cfg", "20/20/20", "6/6/6", "6/36/36", "fair", "fair"},
		{"least connections gives it every new client", "haproxy:checked-leastconn.cfg", "20/20/20", "18/0/0", "18/30/30", "fair", "fair"},
		{"a zone remembers the failure and shuns the node, against its method", "nginx:least-conn-zone.conf", "20/20/20", "", "", "fair", "unfair"},
		{"without a zone nobody knows what each worker counts", "nginx:least-conn-alone.conf", "", "", "", "fair", "unjudged"},
	} {
		trial, ok := trials[row.cell]
		if !ok || len(trial.Balance) != 3 {
			t.Fatalf("%s: phases %+v", row.cell, trial.Balance)
		}
		start, killed, after := trial.Balance[0], trial.Balance[1], trial.Balance[2]
		if start.Phase != "start" || killed.Phase != Kill || after.Phase != Restart {
			t.Errorf("%s: phases are %s, %s, %s", row.cell, start.Phase, killed.Phase, after.Phase)
		}
		if got := spread(start.New, 3); row.start != "" && got != row.start {
			t.Errorf("%s: start %s, want %s", row.sentence, got, row.start)
		}
		if got := spread(after.New, 3); row.came != "" && got != row.came {
			t.Errorf("%s: the new clients went to %s, want %s", row.sentence, got, row.came)
		}
		if got := spread(after.Open, 3); row.then != "" && got != row.then {
			t.Errorf("%s: then %s are open, want %s", row.sentence, got, row.then)
		}
		if killed.Open["n1"] != 0 || verdict(killed) != "unjudged" {
			t.Errorf("%s: while n1 is down: %+v", row.sentence, killed)
		}
		if verdict(start) != row.startFair || verdict(after) != row.restartFair {
			t.Errorf("%s: start is %s (%s), after the restart %s (%s); want %s and %s",
				row.sentence, verdict(start), start.Why, verdict(after), after.Why, row.startFair, row.restartFair)
		}
	}
	if got := trials["nginx:least-conn-zone.conf"].Balance[2].New["n1"]; got > 2 {
		t.Errorf("behind a zone the node that had failed got %d of 18 new clients, want 0 to 2", got)
	}
	for _, metric := range []string{"balance.restart.max_over_mean", "balance.max_over_mean"} {
		if got := trials["haproxy:checked-round-robin.cfg"].Metrics[metric].Value; got < 1.384 || got > 1.385 {
			t.Errorf("%s of 6/36/36 is %g, want 36/26", metric, got)
		}
	}
	if m, ok := trials["haproxy:checked-round-robin.cfg"].Metrics["balance.fair"]; ok {
		t.Errorf("balance.fair is %g although a phase was not judged", m.Value)
	}
	if m := trials["nginx:least-conn-zone.conf"].Metrics["balance.fair"]; m.N == 0 || m.Value != 0 {
		t.Errorf("balance.fair is %+v with an unfair phase, want 0", m)
	}
}

// TestSourceHashBehindRealProxies: one address makes all clients one key (reported as
// haproxy issue 2703), many are spread, and only those of a node that dies move.
func TestSourceHashBehindRealProxies(t *testing.T) {
	trials := runBalance(t, 3, "vary: {sources: [1, 60]}\n", `
  - connect: {clients: 60, rate: 300/s}
  - fault: {kill: n1}
  - wait: {for: 1s}
  - connect: {clients: 60, rate: 300/s}
`, "haproxy:checked-source.cfg", "nginx:ip-hash.conf")
	for _, proxy := range []string{"haproxy:checked-source.cfg", "nginx:ip-hash.conf"} {
		one := trials[proxy+" sources=1"].Balance
		full := 0
		for _, n := range one[0].New {
			full = max(full, n)
		}
		if full != 60 || verdict(one[0]) != "unjudged" || !strings.Contains(one[0].Why, "too few") {
			t.Errorf("%s, one address: %v, %s (%s)", proxy, one[0].New, verdict(one[0]), one[0].Why)
		}
		many := trials[proxy+" sources=60"].Balance
		if verdict(many[0]) != "fair" || many[0].P == nil || len(many[0].New) != 3 {
			t.Errorf("%s, 60 addresses: %v, %s (%s)", proxy, many[0].New, verdict(many[0]), many[0].Why)
		}
		dead := many[0].New["n1"]
		if many[1].Known != 60 || many[1].Moved != dead || dead == 0 {
			t.Errorf("%s: %d of %d clients moved when n1 died, want its %d", proxy, many[1].Moved, many[1].Known, dead)
		}
		want := float64(dead) / 60
		if got := trials[proxy+" sources=60"].Metrics["balance.kill.moved"]; got.Value != want || got.N != 60 {
			t.Errorf("%s: balance.kill.moved is %+v, want %g", proxy, got, want)
		}
	}
}

// TestWeightsBehindRealProxies: leastconn with weights 30 and 10 looks unfair in raw
// counts and is not (haproxy issue 1099).
func TestWeightsBehindRealProxies(t *testing.T) {
	trials := runBalance(t, 2, "", "  - connect: {clients: 80, rate: 300/s}\n",
		"haproxy:weighted-leastconn.cfg", "haproxy:weighted", "nginx:weighted", "direct")
	for cell, want := range map[string]string{
		"haproxy:weighted-leastconn.cfg": "60/20", "haproxy:weighted": "60/20", "nginx:weighted": "60/20", "direct": "40/40",
	} {
		trial := trials[cell]
		b := trial.Balance[0]
		if got := spread(b.New, 2); got != want || verdict(b) != "fair" {
			t.Errorf("%s: %s, %s (%s); want %s and fair", cell, got, verdict(b), b.Why, want)
		}
		if m := trial.Metrics["balance.max_over_mean"]; m.Value != 1 {
			t.Errorf("%s: max over the share by weight is %g, want 1", cell, m.Value)
		}
		open := 0
		for _, p := range b.Processes {
			open += p.Open
		}
		if cell != "direct" && open != 80 {
			t.Errorf("%s: its processes hold %+v, want 80 in all", cell, b.Processes)
		}
	}
}

// TestNginxWorkersTakeTurnsAlone: without a zone each worker begins with the first
// node, and so does each reload (apache/apisix issue 5246).
func TestNginxWorkersTakeTurnsAlone(t *testing.T) {
	four := strings.Repeat("  - fault: {reload: proxy}\n  - connect: {clients: 4, rate: 100/s}\n", 4)
	trials := runBalance(t, 4, "", "  - connect: {clients: 16, rate: 100/s}\n"+four,
		"nginx:round-robin-alone.conf", "nginx:round-robin-zone.conf")
	sums := map[string]map[string]int{}
	for cell, trial := range trials {
		sums[cell] = map[string]int{}
		for _, b := range trial.Balance {
			if verdict(b) != "fair" {
				t.Errorf("%s, %s: %v is %s (%s)", cell, b.Phase, b.New, verdict(b), b.Why)
			}
			if b.Phase == Reload {
				for node, n := range b.New {
					sums[cell][node] += n
				}
			}
		}
	}
	zone := trials["nginx:round-robin-zone.conf"].Balance[0]
	if got := spread(zone.New, 4); got != "4/4/4/4" {
		t.Errorf("with a zone 16 clients went to %s, want 4/4/4/4", got)
	}
	if got := spread(sums["nginx:round-robin-zone.conf"], 4); got != "4/4/4/4" {
		t.Errorf("with a zone 4 clients after each of 4 reloads went to %s, want 4/4/4/4", got)
	}
	if got := sums["nginx:round-robin-alone.conf"]; got["n1"] < 8 || got["n1"] < got["n4"] {
		t.Errorf("without a zone the first node got %d of 16 clients after reloads (%v), want twice its share of 4", got["n1"], got)
	}
	last := trials["nginx:round-robin-alone.conf"].Balance[4]
	old := 0
	for _, p := range last.Processes {
		if p.Old {
			old += p.Open
		}
	}
	if old != 28 {
		t.Errorf("processes of earlier configurations hold %d clients, want the 28 from before the last reload: %+v", old, last.Processes)
	}
}

// TestANodeIsAddedBehindRealProxies: a new node is in the pool once the reload is
// done, and what a new process has not counted does not count.
func TestANodeIsAddedBehindRealProxies(t *testing.T) {
	trials := runBalance(t, 2, "", `
  - connect: {clients: 120, rate: 400/s, sources: 120}
  - fault: {add: node}
  - connect: {clients: 120, rate: 400/s, sources: 120}
`, "direct", "haproxy:round-robin", "haproxy:leastconn", "haproxy:source-hash", "nginx:round-robin", "nginx:least-conn", "nginx:source-hash")
	for cell, trial := range trials {
		b := trial.Balance[1]
		if b.Phase != Add || verdict(b) != "fair" {
			t.Errorf("%s: phase %s is %s (%s): %v", cell, b.Phase, verdict(b), b.Why, b.New)
		}
		hash := strings.HasSuffix(cell, "source-hash")
		if got := spread(b.New, 3); got != "40/40/40" && !hash {
			t.Errorf("%s: the new clients went to %s, want 40/40/40", cell, got)
		}
		if hash && (b.Known != 120 || b.Moved != b.New["n3"] || b.Moved == 0) {
			t.Errorf("%s: %d of %d clients moved, and the new node got %d: only to it may they move", cell, b.Moved, b.Known, b.New["n3"])
		}
		if trial.Metrics["balance.fair"].Value != 1 {
			t.Errorf("%s: balance.fair is %+v", cell, trial.Metrics["balance.fair"])
		}
		for _, iv := range trial.Intervals {
			for node := range iv.ByNode {
				if node != "n1" && node != "n2" && node != "n3" {
					t.Errorf("%s: clients are counted on an unknown node %q", cell, node)
				}
			}
		}
	}
}

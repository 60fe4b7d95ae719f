package main

import (
	"encoding/json"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"wsrig/internal/result"
	"wsrig/testbed"
)

// dockerRun runs a scenario in containers and returns its result. shell are commands
// before it, as for limits.
func dockerRun(t *testing.T, text, proxies, shell string) *result.Run {
	t.Helper()
	dir, tmp := scratch(t, text)
	wsrig, env := inDocker(t, tmp)
	// 3: a busy machine may leave the generator too slow, which is not the question here.
	out := runIn(t, dir, env, "0,3", "sh", "-c", shell+`exec "$0" "$@"`, wsrig, "run", "./interrupted.yaml", "--runtime", "docker", "--proxy", proxies)
	if left := leftBehind(tmp); len(left) > 0 {
		t.Errorf("left behind: %v", left)
	}
	found, err := filepath.Glob(filepath.Join(dir, "results", "*", "latest", "run.json"))
	if err != nil || len(found) != 1 {
		t.Fatalf("results %q (%v); it printed:\n%s", found, err, out)
	}
	data, err := os.ReadFile(found[0])
	if err != nil {
		t.Fatal(err)
	}
	var run result.Run
	if err := json.Unmarshal(data, &run); err != nil {
		t.Fatal(err)
	}
	for _, c := range run.Checks {
		if c.OK == nil || !*c.OK {
			t.Errorf("%s: %s: got %s", c.Cell, c.Expr, c.Got)
		}
	}
	if t.Failed() {
		t.Log(out)
	}
	return &run
}

// TestClientsInContainersComeFromManyAddresses has two workers, since a single one is
// limited to fewer clients than descriptors.
func TestClientsInContainersComeFromManyAddresses(t *testing.T) {
	const text = `name: sources
summary: Does source hash spread the clients, and do they come back?
testbed: {nodes: 3, bus: none}
steps:
  - connect: {clients: 300, rate: 200/s, sources: 300}
  - connect: {clients: 150, rate: 200/s, sources: 300}
checks:
  - handshake.failed == 0
`
	run := dockerRun(t, text, "direct,haproxy:source-hash,nginx:source-hash", "ulimit -n 400; ")
	if len(run.Cells) != 3 {
		t.Fatalf("%d cells, want 3", len(run.Cells))
	}
	var plan struct {
		Cells []struct {
			Testbed struct{ Size testbed.Size } `json:"testbed"`
		} `json:"cells"`
	}
	if err := json.Unmarshal(run.Plan, &plan); err != nil {
		t.Fatal(err)
	}
	for i, cell := range run.Cells {
		if n := plan.Cells[i].Testbed.Size.Workers; n < 2 {
			t.Errorf("%s: %d workers, so nothing shows that several share the addresses", cell.ID, n)
		}
		phases := cell.Trials[0].Balance
		if len(phases) != 2 {
			t.Fatalf("%s: %d phases, want 2", cell.ID, len(phases))
		}
		for node, n := range phases[0].New {
			if len(phases[0].New) != 3 || n < 30 {
				t.Errorf("%s: of 300 clients %s got %d (all: %v), so their addresses did not spread them", cell.ID, node, n, phases[0].New)
			}
		}
		if back := phases[1]; back.Known != 150 || strings.HasSuffix(cell.ID, ":source-hash") && back.Moved != 0 {
			t.Errorf("%s: %d of 150 clients came from known addresses, and %d of them to another node", cell.ID, back.Known, back.Moved)
		}
	}
}

// TestProxiesInContainersShareAPort has so few descriptors that HAProxy takes two units.
func TestProxiesInContainersShareAPort(t *testing.T) {
	const text = `name: shared-port
summary: Do both proxy units get clients, and do they come through what is done to a proxy?
testbed: {nodes: 2, bus: none}
steps:
  - connect: {clients: 400, rate: 300/s}
  - fault: {reload: proxy}
  - fault: {disconnect: proxy, for: 300ms}
  - fault: {restart: proxy}
  - connect: {clients: 100, rate: 200/s}
  - fault: {kill: proxy}
  - fault: {restart: proxy}
  - connect: {clients: 100, rate: 200/s}
checks:
  - handshake.failed == 0
`
	run := dockerRun(t, text, "haproxy:round-robin", "ulimit -n 1200; ")
	for i, phase := range run.Cells[0].Trials[0].Balance {
		clients, serving := []int{400, 100, 100}[i], 0
		for _, p := range phase.Processes {
			if p.Open > clients/8 {
				serving++
			}
		}
		if serving != 2 {
			t.Errorf("phase %s: %d units have clients, want 2: %+v", phase.Phase, serving, phase.Processes)
		}
	}
	if n := len(run.Cells[0].Trials[0].Balance); n != 3 {
		t.Errorf("%d phases, want 3", n)
	}
}

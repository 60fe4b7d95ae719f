package scenario_test

import (
	"slices"
	"strings"
	"testing"

	"wsrig/internal/scenario"
	"wsrig/testbed"
)

// twoDrivers is a catalog for plans that are not run.
type twoDrivers struct{}

func (twoDrivers) Drivers() []string        { return []string{"haproxy", "nginx"} }
func (twoDrivers) Variants(string) []string { return []string{"round-robin"} }

// on resolves a scenario with these proxies and steps for a runtime.
func on(runtime string, programs map[string][]testbed.Program, proxies []string, steps ...string) (*scenario.Plan, error) {
	rt := testbed.Runtimes[runtime]
	text := "name: x\nsummary: y\nsteps:\n  - " + strings.Join(steps, "\n  - ") + "\n"
	return scenario.Load("f", []byte(text), scenario.Options{Proxies: proxies, Catalog: twoDrivers{}, Runtime: &rt, Programs: programs})
}

func TestWhatARuntimeCannotDoFailsThePlan(t *testing.T) {
	const both = "process docker"
	for _, row := range []struct {
		sentence, proxy, step string
		can                   string // runtimes that can
		fix                   string
	}{
		{"a wait", "direct", "wait: {for: 1s}", both, ""},
		{"a disconnect", "direct", "fault: {disconnect: n1, for: 1s}", "docker", "--runtime docker"},
		{"a disconnect while messages flow", "direct", "publish: {rate: 5/s, for: 3s, during: [{at: 1s, disconnect: n1, for: 1s}]}", "docker", "--runtime docker"},
		{"an image", "haproxy:round-robin@image=haproxy:3.2", "wait: {for: 1s}", "docker", "--runtime docker"},
		{"a program of this machine", "nginx:round-robin@bin=/opt/nginx", "wait: {for: 1s}", "process", "--runtime process"},
		{"several source addresses", "direct", "connect: {clients: 5, sources: 5}", both, ""},
	} {
		for _, runtime := range strings.Fields(both) {
			_, err := on(runtime, nil, []string{row.proxy}, "connect: {clients: 5}", row.step)
			if can := slices.Contains(strings.Fields(row.can), runtime); can != (err == nil) || err != nil && !strings.Contains(err.Error(), row.fix) {
				t.Errorf("%s on %s: error %v, want one: %v, with %q", row.sentence, runtime, err, !can, row.fix)
			}
		}
	}
}

func TestProgramsMakeAMatrixOfVersions(t *testing.T) {
	programs := map[string][]testbed.Program{"haproxy": {{Image: "haproxy:2.8"}, {Image: "haproxy:3.2"}}}
	plan, err := on("docker", programs, []string{"direct", "haproxy:round-robin", "nginx:round-robin", "haproxy:round-robin@image=haproxy:3.0"}, "wait: {for: 1s}")
	if err != nil {
		t.Fatal(err)
	}
	var got []string
	for _, c := range plan.Cells {
		got = append(got, c.ID)
	}
	want := []string{"direct", "haproxy:round-robin@image=haproxy:2.8", "haproxy:round-robin@image=haproxy:3.2", "nginx:round-robin", "haproxy:round-robin@image=haproxy:3.0"}
	if !slices.Equal(got, want) {
		t.Errorf("cells %q, want %q", got, want)
	}
	for _, bad := range []string{"direct@image=x", "haproxy:round-robin@image=", "haproxy:round-robin@image=a@b", "haproxy:round-robin@bin="} {
		if _, err := on("docker", nil, []string{bad}, "wait: {for: 1s}"); err == nil || !strings.Contains(err.Error(), "program") {
			t.Errorf("%s: error %v, want what to write", bad, err)
		}
	}
}

func TestLimitsOfATestbedReachThePlan(t *testing.T) {
	const text = "name: x\nsummary: y\ntestbed: {node_memory: 64MiB, proxy_cpu: 50%, proxy_memory: 1GiB}\nsteps:\n  - wait: {for: 1s}\n"
	plan, err := scenario.Load("f", []byte(text), scenario.Options{Set: map[string]string{"node_memory": "128MiB"}})
	if err != nil {
		t.Fatal(err)
	}
	got := plan.Cells[0].Testbed
	if got.NodeMemory != 128<<20 || got.ProxyCPU != 0.5 || got.ProxyMemory != 1<<30 {
		t.Errorf("got %+v", got)
	}
	for _, bad := range []string{"1MiB", "65GiB", "-5", "much"} {
		if _, err := scenario.Load("f", []byte(text), scenario.Options{Set: map[string]string{"proxy_memory": bad}}); err == nil {
			t.Errorf("proxy_memory %s was accepted", bad)
		}
	}
}

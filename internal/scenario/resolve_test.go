package scenario_test

import (
	"encoding/json"
	"reflect"
	"strings"
	"testing"
	"time"

	"wsrig/internal/scenario"
	"wsrig/scenarios"
)

// shelf is a catalog with the names that the tests speak of.
type shelf struct{}

func (shelf) Drivers() []string { return []string{"haproxy", "nginx"} }

func (shelf) Variants(driver string) []string {
	return map[string][]string{
		"haproxy": {"no-tunnel", "round-robin", "short-tunnel"},
		"nginx":   {"defaults", "round-robin", "short-read"},
	}[driver]
}

func load(t *testing.T, text string, o scenario.Options) *scenario.Plan {
	t.Helper()
	plan, err := scenario.Load("f", []byte(text), o)
	if err != nil {
		t.Fatal(err)
	}
	return plan
}

func ids(p *scenario.Plan) string {
	var list []string
	for _, c := range p.Cells {
		list = append(list, c.ID)
	}
	return strings.Join(list, "\n")
}

func TestCellsAreInFileOrder(t *testing.T) {
	t.Parallel()
	plan := load(t, "name: x\nsummary: y\nproxies: [nginx:defaults, direct]\nvary: {rooms: [2, 1], keepalive: [none, client-ping 500ms]}\n"+
		steps("connect: {clients: 10}"), scenario.Options{Catalog: shelf{}})
	want := `nginx:defaults rooms=2 keepalive=none
nginx:defaults rooms=2 keepalive=client-ping 500ms
nginx:defaults rooms=1 keepalive=none
nginx:defaults rooms=1 keepalive=client-ping 500ms
direct rooms=2 keepalive=none
direct rooms=2 keepalive=client-ping 500ms
direct rooms=1 keepalive=none
direct rooms=1 keepalive=client-ping 500ms`
	if got := ids(plan); got != want {
		t.Errorf("cells:\n%s\nwant:\n%s", got, want)
	}
	c := plan.Cells[1]
	if want := map[string]string{"rooms": "2", "keepalive": "client-ping 500ms"}; !reflect.DeepEqual(c.Params, want) {
		t.Errorf("params %v, want %v", c.Params, want)
	}
	if got := c.Steps[0].Text(); got != "connect 10 clients at 200/s into 2 rooms, client-ping 500ms" {
		t.Errorf("the step of %s is %q", c.ID, got)
	}
	if got := plan.Cells[0].Steps[0].Text(); got != "connect 10 clients at 200/s into 2 rooms" {
		t.Errorf("the knobs of one cell turned another's: %q", got)
	}
}

func TestEveryKnobTurns(t *testing.T) {
	t.Parallel()
	const base = "name: x\nsummary: y\n"
	for knob, row := range map[string]struct{ value, want string }{
		"keepalive":    {"node-ping 2s", "node_ping 2s"},
		"clients":      {"77", "connect 77 clients"},
		"rate":         {"33/s", "at 33/s"},
		"rooms":        {"5", "into 5 rooms"},
		"publish_rate": {"9/s", "publish 9/s"},
		"size":         {"1KiB", "1024 bytes"},
		"idle":         {"7s", "idle for 7s"},
		"nodes":        {"3", "3 nodes"},
		"bus":          {"none", "bus none"},
	} {
		text := base + "testbed: {nodes: 1}\n" + steps("connect: {clients: 10}", "idle: {for: 1s}", "publish: {rate: 5/s, for: 1s}")
		for how, plan := range map[string]*scenario.Plan{
			"--set": load(t, text, scenario.Options{Set: map[string]string{knob: row.value}}),
			"vary":  load(t, text+"vary: {"+knob+": ["+row.value+"]}\n", scenario.Options{}),
		} {
			if got := describeCell(plan.Cells[0]); !strings.Contains(got, row.want) {
				t.Errorf("%s of %s = %s gives %q, want %q in it", how, knob, row.value, got, row.want)
			}
		}
	}
}

func describeCell(c scenario.CellPlan) string {
	var s strings.Builder
	for _, step := range c.Steps {
		s.WriteString(step.Text() + "; ")
	}
	s.WriteString("node_ping " + c.Testbed.NodePing.String() + "; bus " + c.Testbed.Bus + "; " + string(rune('0'+c.Testbed.Nodes)) + " nodes")
	return s.String()
}

func TestFlagsReplaceTheFile(t *testing.T) {
	t.Parallel()
	text := "name: x\nsummary: y\nproxies: [direct]\ntrials: 2\nparallel: 3\nvary: {clients: [1, 2]}\n" + steps("connect: {clients: 10}")
	plan := load(t, text, scenario.Options{
		Proxies: []string{"haproxy:no-tunnel"}, Trials: 5, Parallel: 1, Seed: 42,
		Set: map[string]string{"clients": "500", "rate": "50/s"}, Catalog: shelf{},
	})
	if got, want := ids(plan), "haproxy:no-tunnel clients=500"; got != want {
		t.Errorf("cells %s, want %s: a knob that is set replaces what varies, and one that is only set is no part of the name", got, want)
	}
	if plan.Trials != 5 || plan.Parallel != 1 || plan.Seed != 42 {
		t.Errorf("trials %d, parallel %d, seed %d; want 5, 1, 42", plan.Trials, plan.Parallel, plan.Seed)
	}
	if got := plan.Cells[0].Steps[0].Text(); got != "connect 500 clients at 50/s" {
		t.Errorf("step %q", got)
	}
}

func TestDefaultsAreFilledIn(t *testing.T) {
	t.Parallel()
	plan := load(t, "name: x\nsummary: y\n"+steps("connect: {clients: 10, rooms: 3, keepalive: node-ping 500ms}", "publish: {rate: 5/s, for: 1s}", "idle: {for: 1s}"), scenario.Options{})
	c := plan.Cells[0]
	if c.ID != "direct" || plan.Trials != 1 || plan.Parallel != 1 || c.Testbed.Nodes != 2 || c.Testbed.Bus != "redis" || c.Testbed.NodePing != 500*time.Millisecond {
		t.Errorf("plan %+v", plan)
	}
	if p := c.Steps[1].(*scenario.Publish); p.Publishers != 3 || p.Size != 128 || p.Grace != scenario.Duration(2*time.Second) {
		t.Errorf("publish %+v; want one publisher per room, 128 bytes, 2s of grace", p)
	}
	if s := c.Steps[0].(*scenario.Connect); s.Path != "/ws" || !s.Pong || s.Timeout != scenario.Duration(10*time.Second) {
		t.Errorf("connect %+v", s)
	}
	if !c.Steps[2].(*scenario.Idle).UntilClosed {
		t.Error("idle does not end early by default")
	}
}

func TestSeedsAreDrawnApart(t *testing.T) {
	t.Parallel()
	text := "name: x\nsummary: y\n" + steps("connect: {clients: 10}")
	a, b := load(t, text, scenario.Options{}), load(t, text, scenario.Options{})
	if a.Seed == b.Seed || a.Seed == 0 || a.Seed >= 1<<53 {
		t.Errorf("seeds %d and %d; want two different ones, above 0 and below 2^53", a.Seed, b.Seed)
	}
}

func TestResolveErrors(t *testing.T) {
	t.Parallel()
	const text = "name: x\nsummary: y\nproxies: [haproxy:no-tunnel]\nvary: {clients: [2]}\n"
	withSteps := text + steps("connect: {clients: 10}")
	reload := text + steps("connect: {clients: 10}", "fault: {reload: proxy}") + "checks:\n  - usage.cpu_proxy < 1\n"
	for _, row := range []struct {
		sentence, text string
		options        scenario.Options
		want           string
	}{
		{"all is well", reload, scenario.Options{}, ""},
		{"an unknown variant", withSteps, scenario.Options{Proxies: []string{"haproxy:short-tunel"}}, `--proxy haproxy:short-tunel: haproxy has no variant "short-tunel"; did you mean "short-tunnel"?`},
		{"an unknown variant in the file", strings.Replace(withSteps, "no-tunnel", "xyz", 1), scenario.Options{}, `f:3:11: haproxy has no variant "xyz"; use one of no-tunnel, round-robin, short-tunnel`},
		{"an unknown driver", withSteps, scenario.Options{Proxies: []string{"haprox:no-tunnel"}}, `--proxy haprox:no-tunnel: unknown proxy "haprox:no-tunnel"; did you mean "haproxy:no-tunnel" or "haproxy:short-tunnel"?`},
		{"a driver without a variant", withSteps, scenario.Options{Proxies: []string{"nginx"}}, `--proxy nginx: "nginx" names no variant; use one of nginx:defaults, nginx:round-robin, nginx:short-read`},
		{"something else", withSteps, scenario.Options{Proxies: []string{"envoy"}}, `--proxy envoy: unknown proxy "envoy"; use direct, DRIVER:VARIANT with one of haproxy, nginx, or a path`},
		{"the same twice", withSteps, scenario.Options{Proxies: []string{"direct", "direct"}}, "--proxy direct: the proxy direct is here twice; remove one"},
		{"an own file that is not there", withSteps, scenario.Options{Proxies: []string{"./no-such.cfg"}}, "--proxy ./no-such.cfg: cannot read the proxy's configuration: stat ./no-such.cfg: no such file or directory; give the path of a file that exists"},
		{"a reload behind direct, which the file asks for", strings.Replace(reload, "[haproxy:no-tunnel]", "[haproxy:no-tunnel, direct]", 1), scenario.Options{}, "f:7:21: reload: proxy needs a proxy, and the proxies at 3:30 have direct; remove direct or this step (in the cell \"direct clients=2\")\nf:9:5: the cell \"direct clients=2\" has no proxy to give usage.cpu_proxy, so the check could never be judged there; remove direct from the proxies, or the check"},
		{"a reload behind direct, which a flag asks for", reload, scenario.Options{Proxies: []string{"direct"}}, "f:7:21: reload: proxy needs a proxy, and --proxy has direct; remove direct or this step\nf:9:5: the cell \"direct clients=2\" has no proxy to give usage.cpu_proxy, so the check could never be judged there; remove direct from the proxies, or the check"},
		{"an unknown knob", withSteps, scenario.Options{Set: map[string]string{"client": "5"}}, `--set client=5: unknown knob "client"; did you mean "clients"?`},
		{"a bad value", withSteps, scenario.Options{Set: map[string]string{"clients": "-5"}}, "--set clients=-5: the count -5 is negative; use 1 or more"},
		{"a knob that no step uses", withSteps, scenario.Options{Set: map[string]string{"idle": "5s"}}, "--set idle=5s: no step uses idle, which is the for of every idle; leave it out"},
		{"too many nodes", withSteps, scenario.Options{Set: map[string]string{"nodes": "99"}}, "--set nodes=99: 99 nodes are above the limit of 64; use 64 or fewer"},
		{"counts out of range, and a mistake in the file, at once", text + steps("connect: {clients: 10}", "idle: {for: 5}"), scenario.Options{Trials: -1, Parallel: 100}, "--parallel: 100 is out of range; use 1 to 64\n--trials: -1 is out of range; use 1 to 1000\nf:7:17: 5 has no unit; use 5s for seconds or 5ms for milliseconds"},
		{"a cross-node figure from one node", "name: x\nsummary: y\ntestbed: {nodes: 1}\n" + steps("connect: {clients: 10}", "publish: {rate: 5/s, for: 1s}") + "checks: [delivery.backplane_tax < 1ms]\n", scenario.Options{}, "f:7:10: the cell \"direct\" has one node, so no message gives delivery.backplane_tax; use nodes: 2 or remove the check"},
	} {
		row.options.Catalog = shelf{}
		_, err := scenario.Load("f", []byte(row.text), row.options)
		got := ""
		if err != nil {
			got = err.Error()
		}
		if got != row.want {
			t.Errorf("%s:\n got %s\nwant %s", row.sentence, got, row.want)
		}
	}
}

// A plan's steps are written as they stand in a scenario file, so they can be read
// as one, and say the same.
func TestStepsOfAPlanReadBack(t *testing.T) {
	t.Parallel()
	all := "name: x\nsummary: y\n" + steps("connect: {clients: 100, rate: 50/m, rooms: 3, keepalive: client-ping 1m30s, pong: false, timeout: 3s, path: /chat, header: {Origin: 'http://a.example'}}",
		"idle: {for: 1s, until_closed: false, keepalive: none}", "publish: {rate: 5/s, for: 1m, size: 4KiB, grace: 1h}", "wait: {for: 50ms}",
		"fault: {stop: n1, for: 1s}", "fault: {kill: n2}", "fault: {restart: n2}", "disconnect: {clients: 5, code: 3001}", "disconnect: {}")
	texts := []string{all}
	for _, name := range scenarios.Names() {
		text, err := scenarios.Read(name)
		if err != nil {
			t.Fatal(err)
		}
		texts = append(texts, string(text))
	}
	for _, text := range texts {
		for _, c := range load(t, text, scenario.Options{}).Cells {
			encoded, err := json.Marshal(c)
			if err != nil {
				t.Fatal(err)
			}
			var cell struct{ Steps json.RawMessage }
			if err := json.Unmarshal(encoded, &cell); err != nil {
				t.Fatal(err)
			}
			again := load(t, `{"name": "x", "summary": "y", "steps": `+string(cell.Steps)+"}", scenario.Options{})
			if !reflect.DeepEqual(again.Cells[0].Steps, c.Steps) {
				t.Errorf("%s: the steps\n%s\nread back as %s", c.ID, cell.Steps, describeCell(again.Cells[0]))
			}
		}
	}
}

func TestPlanDecodesFromJSON(t *testing.T) {
	t.Parallel()
	plan := load(t, head+steps("connect: {clients: 10, keepalive: node-ping 1s}")+"checks: [handshake.failed == 0]\n", scenario.Options{})
	encoded, err := json.Marshal(plan)
	if err != nil {
		t.Fatal(err)
	}
	var back scenario.Plan
	if err := json.Unmarshal(encoded, &back); err != nil {
		t.Fatal(err)
	}
	want := *plan
	want.Cells[0].Steps = nil // a report needs none
	if !reflect.DeepEqual(back, want) {
		t.Errorf("read back %+v\nwant %+v", back, want)
	}
}

func TestShippedScenariosKeepTheHouseRules(t *testing.T) {
	t.Parallel()
	for _, f := range shipped(t) {
		plan, err := scenario.Resolve(f, scenario.Options{})
		if err != nil {
			t.Fatal(err)
		}
		if len(plan.Checks) == 0 {
			t.Errorf("%s promises nothing", f.Name)
		}
		for _, c := range plan.Checks {
			line := strings.Split(plan.Source, "\n")[c.Line-1]
			if !strings.Contains(line, c.Expr) {
				t.Errorf("%s: the check %q is said to be in line %d, which is %q", f.Name, c.Expr, c.Line, line)
			}
		}
		direct := false
		for _, c := range plan.Cells {
			direct = direct || c.Proxy.Driver == ""
		}
		if !direct {
			t.Errorf("%s has no direct cell, the control of every comparison", f.Name)
		}
	}
}

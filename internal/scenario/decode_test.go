package scenario_test

import (
	"errors"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"wsrig/internal/scenario"
)

func TestEveryMistakeOfAFileAtOnce(t *testing.T) {
	t.Parallel()
	text, err := os.ReadFile(filepath.Join("testdata", "mistakes.yaml"))
	if err != nil {
		t.Fatal(err)
	}
	_, err = scenario.Parse("mistakes.yaml", text)
	var problems scenario.Problems
	if !errors.As(err, &problems) {
		t.Fatalf("Parse: %v, want Problems", err)
	}
	var all []string
	for _, p := range problems {
		all = append(all, p.String())
	}
	golden(t, filepath.Join("testdata", "mistakes.golden"), strings.Join(all, "\n")+"\n")
}

// head is a scenario up to its steps, of 4 lines.
const head = "name: x\nsummary: y\ntestbed: {nodes: 2}\nproxies: [direct]\n"

func TestParseErrors(t *testing.T) {
	t.Parallel()
	for _, row := range []struct{ sentence, text, want string }{
		{"an empty file", "", "f:1:1: the file is empty; begin with name: my-scenario"},
		{"only comments", "# nothing\n", "f:1:1: the file is empty; begin with name: my-scenario"},
		{"a list", "- a\n", "f:1:1: a scenario is a map; begin with name: my-scenario"},
		{"a text", "hello", "f:1:1: a scenario is a map; begin with name: my-scenario"},
		{"two documents", head + "steps:\n- connect: {clients: 1}\n---\nname: z\n", "f:8:1: a second document begins here; put one scenario in a file"},
		{"tabs, each of them", "name: x\n\tb: 1\n  \tc: 1\n", "f:2:1: a tab in the indentation; YAML wants spaces\nf:3:3: a tab in the indentation; YAML wants spaces"},
		{"no YAML", "a: b: c\n", "f:1:4: this is not YAML: mapping value is not allowed in this context; check the indentation, and quote a text that holds a colon and a space"},
		{"an open bracket", "a: [1, 2\n", "f:1:4: this is not YAML: sequence end token ']' not found; close what opens here"},
		{"no UTF-8", "name: x\nsummary: a\xffb\n", "f:2:11: a byte here is not UTF-8; save the file as UTF-8"},
		{"too many bytes", strings.Repeat(" ", 1<<20+1), "f:1:1: the file has 1048577 bytes, more than the limit of 1048576"},
		{"too many tokens", strings.Repeat("- ", 100_000), "f:1:1: the file has 100000 YAML tokens, more than the limit of 10000"},
		{"too many brackets", strings.Repeat("[", 1000), "f:1:33: brackets lie more than 32 deep in each other; the language needs 3"},
		{"what is missing", "name: x\n", "f:1:1: the key \"steps\" is missing; add steps: [connect: {clients: 100}]\nf:1:1: the key \"summary\" is missing; add summary: what it answers"},
		{"an unknown key far from any", "colour: red\n" + head + steps("wait: {for: 1s}"), `f:1:1: unknown key "colour"; use one of name, summary, testbed, proxies, vary, trials, parallel, steps, checks`},
		{"a key without a value", "name: x\nsummary:\n" + steps("wait: {for: 1s}"), "f:2:9: summary has no value; write one or leave the key out"},
		{"a bad name", "name: A_b\nsummary: y\n" + steps("wait: {for: 1s}"), `f:1:7: "A_b" is no name of a scenario; use a-z, 0-9 and -, up to 64 of them`},
		{"an alias bomb", "a: &a [x, x]\nb: &b [*a, *a]\n" + head + steps("wait: {for: 1s}"), "f:1:1: unknown key \"a\"; use one of name, summary, testbed, proxies, vary, trials, parallel, steps, checks\nf:2:1: unknown key \"b\"; use one of name, summary, testbed, proxies, vary, trials, parallel, steps, checks"},
		{"an anchor and an alias", "name: &n x\nsummary: *n\n" + steps("wait: {for: 1s}"), "f:1:7: anchors are not part of the language; write the value out where it is used\nf:2:10: aliases are not part of the language; write the value out here"},
		{"a tag", "name: !!str x\nsummary: y\n" + steps("wait: {for: 1s}"), "f:1:7: tags such as !!str are not part of the language; leave it out"},
		{"a merge key", "name: x\nsummary: y\ntestbed:\n  <<: {nodes: 3}\n" + steps("wait: {for: 1s}"), "f:4:3: only plain words are keys; write key: value"},
		{"deep values", "name: x\nsummary: y\nproxies: " + strings.Repeat("- ", 200) + "z\n" + steps("wait: {for: 1s}"), "f:3:10: this is not YAML: block sequence entries are not allowed in this context"},
		{"a list where a text belongs", "name: [x]\nsummary: {a: b}\n" + steps("wait: {for: 1s}"), "f:1:7: name is one value, not a list; write it without [ ] or -\nf:2:10: summary is one value, not a map; write it behind the colon"},
		{"a text where a list belongs", "name: x\nsummary: y\nproxies: direct\n" + steps("wait: {for: 1s}"), "f:3:10: proxies is a list; write proxies: [ ... ] or one - item a line"},
		{"no steps", head + "steps: []\n", "f:5:8: there are no steps; begin with - connect: {clients: 100}"},
		{"too many trials", "trials: 5000\n" + head + steps("wait: {for: 1s}"), "f:1:9: 5000 trials are above the limit of 1000; use 1000 or fewer"},
		{"a fixed port for cells at once", "parallel: 2\nname: x\nsummary: y\ntestbed: {proxy_port: 80}\n" + steps("wait: {for: 1s}"), "f:4:23: one port cannot serve 2 cells at the same time; use parallel: 1, or proxy_port: 0"},
	} {
		expect(t, row.sentence, row.text, row.want)
	}
}

// steps is a steps: key of six characters' indent per step, from line 5 on behind head.
func steps(lines ...string) string {
	return "steps:\n  - " + strings.Join(lines, "\n  - ") + "\n"
}

// expect parses text and compares the error, line by line.
func expect(t *testing.T, sentence, text, want string) {
	t.Helper()
	_, err := scenario.Parse("f", []byte(text))
	got := ""
	if err != nil {
		got = err.Error()
	}
	if got != want {
		t.Errorf("%s:\n got %s\nwant %s", sentence, got, want)
	}
}

func TestStepErrors(t *testing.T) {
	t.Parallel()
	const open = "connect: {clients: 10, rooms: 2}"
	for _, row := range []struct {
		sentence string
		steps    []string
		want     string
	}{
		{"all is well", []string{open, "idle: {for: 1s}", "publish: {rate: 5/s, for: 1s}", "disconnect: {}"}, ""},
		{"a bare step", []string{open, "disconnect"}, "f:7:5: the step disconnect stands alone; write - disconnect: {}"},
		{"a step with only a colon has its defaults", []string{open, "disconnect:"}, ""},
		{"a bare word", []string{"sleep"}, "f:6:5: a step is a map of one key; write - connect: {clients: 100}"},
		{"two steps in an item", []string{open + "\n    wait: {for: 1s}"}, "f:7:5: a second step in one list item; begin a new item with - wait"},
		{"an unknown step hides nothing after it and accuses nothing", []string{"conect: {clients: 1}", "idle: {for: 5}"}, "f:6:5: unknown step \"conect\"; did you mean \"connect\"?\nf:7:17: 5 has no unit; use 5s for seconds or 5ms for milliseconds"},
		{"a duplicate key", []string{"connect: {clients: 1, clients: 2}"}, `f:6:27: the key "clients" is here twice, first at 6:15; remove one`},
		{"an unknown key in a step", []string{"connect: {client: 1}"}, "f:6:14: the key \"clients\" is missing in connect; add clients: 100\nf:6:15: unknown key \"client\" in connect; did you mean \"clients\"?"},
		{"clients before any connect", []string{"idle: {for: 1s}", "publish: {rate: 1/s, for: 1s}", "disconnect: {}"}, "f:6:5: idle needs clients, and no step before it connects any; put a connect before it\nf:7:5: publish needs clients, and no step before it connects any; put a connect before it\nf:8:5: disconnect needs clients, and no step before it connects any; put a connect before it"},
		{"clients after a disconnect of all", []string{open, "disconnect: {}", "idle: {for: 1s}"}, "f:8:5: idle needs clients, and the disconnect at 7:5 closed all of them; connect again before it"},
		{"some clients are left", []string{open, "disconnect: {clients: 9}", "idle: {for: 1s}"}, ""},
		{"clients again after a disconnect", []string{open, "disconnect: {}", open, "idle: {for: 1s}"}, ""},
		{"more to disconnect than there are", []string{open, "disconnect: {clients: 11}"}, "f:7:27: 11 clients to disconnect are more than the 10 that are open; use 10 or fewer, or leave clients out for all"},
		{"rooms left empty", []string{"connect: {clients: 1, rooms: 2}"}, "f:6:34: 2 rooms for 1 client leave rooms empty; use 1 or fewer"},
		{"a bad path and bad headers", []string{"connect: {clients: 1, path: ws, header: {a b: c, Upgrade: x}}"}, "f:6:33: \"ws\" is no URL path; begin with / and use no spaces, ? or #\nf:6:45: \"a b\" is no header name; use letters, digits and -\nf:6:63: the handshake sets Upgrade itself; leave it out"},
		{"a connect that lasts days", []string{"connect: {clients: 1000000, rate: 1/s}"}, "f:6:39: 1000000 clients at 1/s take longer than the limit of 24h; raise the rate"},
		{"neither true nor false", []string{"connect: {clients: 1, pong: yes}"}, `f:6:33: "yes" is neither true nor false; write one of them`},
		{"two node pings", []string{"connect: {clients: 1, keepalive: node-ping 1s}", "connect: {clients: 1, keepalive: none}"}, "f:7:38: none here and node-ping 1s in the connect at 6:5 cannot both be: a node pings all of its clients alike; use one"},
		{"node pings that begin late", []string{open, "idle: {for: 1s, keepalive: node-ping 1s}"}, "f:7:32: nodes ping from their start or not at all; set node-ping 1s on the connect"},
		{"node pings that cannot stop", []string{"connect: {clients: 1, keepalive: node-ping 1s}", "idle: {for: 1s, keepalive: none}"}, "f:7:32: the pings of the connect at 6:5 come from the nodes and cannot stop; use client-ping there, or leave keepalive out here"},
		{"a body too small for its stamp", []string{open, "publish: {rate: 5/s, for: 1s, size: 10}"}, "f:7:41: a body of 10 bytes cannot hold the stamp that measures it; use 57 or more"},
		{"too many publishers", []string{open, "publish: {rate: 5/s, for: 1s, publishers: 11}"}, "f:7:47: 11 publishers are more than the 10 clients that are open; use 10 or fewer"},
		{"nothing to publish", []string{open, "publish: {rate: 1/m, for: 1s}"}, "f:7:21: 1/m for 1s publishes nothing; raise the rate or publish longer"},
		{"a code that stands for no frame", []string{open, "disconnect: {code: 1006}"}, "f:7:24: the close code 1006 stands for the lack of a frame and may not be sent (RFC 6455 section 7.4.1); use 1000"},
		{"a reserved code", []string{open, "disconnect: {code: 2999}"}, "f:7:24: the close code 2999 may not be sent (RFC 6455 section 7.4); use 1000 to 1003, 1007 to 1014, or 3000 to 4999"},
		{"a fault without a verb", []string{"fault: {}"}, "f:6:5: a fault needs one of kill, stop, continue, restart, reload, add, disconnect or reconnect; write {kill: n1}"},
		{"a fault with two verbs", []string{"fault: {kill: n1, stop: n2}"}, "f:6:5: a fault has one verb, not kill and stop; make a step of each"},
		{"a fault of an unknown verb", []string{"fault: {kil: n1}"}, `f:6:13: unknown key "kil" in fault; did you mean "kill"?`},
		{"an unknown unit", []string{"fault: {kill: porxy}"}, `f:6:19: unknown unit "porxy"; did you mean "proxy"?`},
		{"a node beyond the testbed", []string{"fault: {kill: n3}"}, "f:6:19: there is no node n3, the testbed has 2 nodes (n1 to n2); raise nodes or name one of them"},
		{"a continue without a stop", []string{"fault: {continue: n1}"}, "f:6:23: n1 is not stopped here, so there is nothing to continue; put a stop before it or remove it"},
		{"a stop that ends by itself needs no continue", []string{"fault: {stop: n1, for: 1s}", "fault: {continue: n1}"}, "f:7:23: n1 is not stopped here, so there is nothing to continue; put a stop before it or remove it"},
		{"a stop and a continue", []string{"fault: {stop: n1}", "fault: {continue: n1}"}, ""},
		{"two stops", []string{"fault: {stop: n1}", "fault: {stop: n1}"}, "f:7:19: n1 is stopped already; continue it first"},
		{"two kills", []string{"fault: {kill: n1}", "fault: {kill: n1}"}, "f:7:19: n1 is killed already; restart it first"},
		{"a kill and a restart", []string{"fault: {kill: n1}", "fault: {restart: n1}", "fault: {kill: n1}"}, ""},
		{"a time for a kill", []string{"fault: {kill: n1, for: 1s}"}, "f:6:28: for goes with stop or disconnect, not with kill; leave it out"},
		{"a node cannot reload", []string{"fault: {reload: n1}"}, "f:6:21: n1 cannot reload, only the proxy can; write reload: proxy, or restart: n1"},
		{"faults while messages are sent", []string{open, "publish: {rate: 5/s, for: 3s, loop: closed, during: [{at: 2s, kill: n1}, {at: 1s, stop: n2, for: 1s}]}", "fault: {restart: n1}"}, ""},
		{"poisson arrivals", []string{open, "publish: {rate: 5/s, for: 1s, arrival: poisson}"}, ""},
		{"arrivals of another kind", []string{open, "publish: {rate: 5/s, for: 1s, arrival: poison}"}, `f:7:44: unknown arrival "poison"; did you mean "poisson"?`},
		{"arrivals of a closed loop", []string{open, "publish: {rate: 5/s, for: 1s, loop: closed, arrival: poisson}"}, "f:7:58: arrival: poisson says nothing in a closed loop, where answers bring about the messages; use loop: open"},
		{"a loop of another kind", []string{open, "publish: {rate: 5/s, for: 1s, loop: close}"}, `f:7:41: unknown loop "close"; did you mean "closed"?`},
		{"a fault at no time, and one with an unknown key", []string{open, "publish: {rate: 5/s, for: 3s, during: [{kill: n1}, {at: 1s, kil: n1}]}"}, "f:7:44: the key \"at\" is missing in during; add at: 2s\nf:7:65: unknown key \"kil\" in during; did you mean \"kill\"?"},
		{"a fault after the end", []string{open, "publish: {rate: 5/s, for: 3s, during: [{at: 3s, kill: n1}]}"}, "f:7:49: 3s is not before the end of the step, which lasts 3s; use an earlier time or a longer step"},
		{"a fault without a verb in a publish", []string{open, "publish: {rate: 5/s, for: 3s, during: [{at: 1s}]}"}, "f:7:44: a fault needs one of kill, stop, continue, restart, reload, add, disconnect or reconnect; write {kill: n1}"},
		{"faults are judged in the order of their times", []string{open, "publish: {rate: 5/s, for: 3s, during: [{at: 2s, continue: n1}, {at: 1s, stop: n1}]}"}, ""},
		{"and not in that of the file", []string{open, "publish: {rate: 5/s, for: 3s, during: [{at: 1s, continue: n1}, {at: 2s, stop: n1}]}"}, "f:7:63: n1 is not stopped here, so there is nothing to continue; put a stop before it or remove it"},
		{"a fault of a unit that is frozen", []string{open, "publish: {rate: 5/s, for: 3s, during: [{at: 1s, stop: n1, for: 1s}, {at: 1500ms, kill: n1}]}"}, "f:7:92: n1 is stopped or disconnected until 2s after the step's beginning; use a later time"},
		{"what a publish killed stays killed", []string{open, "publish: {rate: 5/s, for: 3s, during: [{at: 1s, kill: n1}]}", "fault: {kill: n1}"}, "f:8:19: n1 is killed already; restart it first"},
		{"a unit off the network and back", []string{"fault: {disconnect: n1}", "fault: {reconnect: n1}", "fault: {disconnect: n1, for: 1s}", "fault: {kill: n1}"}, ""},
		{"a reconnect without a disconnect", []string{"fault: {reconnect: n1}"}, "f:6:24: n1 is not disconnected here, so there is nothing to reconnect; put a disconnect before it or remove it"},
		{"a restart without a network", []string{"fault: {disconnect: redis}", "fault: {restart: redis}"}, "f:7:22: redis is disconnected; reconnect it first"},
		{"a frozen unit has no hand to pull the cable", []string{"fault: {stop: n1}", "fault: {disconnect: n1}"}, "f:7:25: n1 is stopped; continue it first"},
		{"a node is added", []string{"fault: {add: node}", "fault: {kill: n3}"}, ""},
		{"only a node can be added", []string{"fault: {add: n5}"}, `f:6:18: "n5" cannot be added, only a node can; write add: node`},
		{"one more node and no more", []string{"fault: {add: node}", "fault: {kill: n4}"}, "f:7:19: there is no node n4, the testbed has 3 nodes (n1 to n3); raise nodes or name one of them"},
		{"no source address at all", []string{"connect: {clients: 5, sources: 0}"}, "f:6:36: the count 0 is not positive; use 1 or more"},
		{"a file may reload: which proxies it runs behind is a flag's matter too", []string{"fault: {reload: proxy}"}, ""},
	} {
		expect(t, row.sentence, head+steps(row.steps...), row.want)
	}
}

func TestBusErrors(t *testing.T) {
	t.Parallel()
	const none = "name: x\nsummary: y\ntestbed: {nodes: 2, bus: none}\n"
	expect(t, "messages cannot cross without a bus", none+steps("connect: {clients: 2}", "publish: {rate: 1/s, for: 1s}"),
		"f:6:5: publish between 2 nodes with bus: none cannot reach every receiver; use bus: redis or nodes: 1")
	expect(t, "no Redis to hurt without a bus", none+steps("fault: {kill: redis}"),
		"f:5:19: kill: redis needs bus: redis, and the testbed has bus: none; change the bus or remove this step")
}

func TestVaryErrors(t *testing.T) {
	t.Parallel()
	const open = "connect: {clients: 2}"
	for _, row := range []struct{ sentence, vary, want string }{
		{"an unknown knob", "{client: [1]}", `f:5:8: unknown knob "client"; did you mean "clients"?`},
		{"a knob that no step uses", "{size: [128]}", "f:5:8: no step uses size, which is the size of every publish; add a step publish or leave it out"},
		{"bad values, each of them", "{clients: [0, 1, x]}", "f:5:18: the count 0 is not positive; use 1 or more\nf:5:24: \"x\" is no count; use digits only, as in 200"},
		{"a value twice", "{keepalive: [client-ping 1s, client-ping  1s]}", "f:5:36: the value client-ping 1s is here twice; remove one"},
		{"no values", "{clients: []}", "f:5:8: clients varies over nothing; list at least one value"},
		{"a value that is no list", "{clients: 5}", "f:5:17: clients is a list; write clients: [ ... ] or one - item a line"},
		{"too many cells", "{clients: [" + numbers(30) + "], rooms: [" + numbers(30) + "]}", "f:5:7: the proxies (1) times the values of vary make more than the limit of 500 cells; vary less"},
		{"what is wrong in one cell names it", "{rooms: [1, 2, 3]}", `f:7:5: 3 rooms for 2 clients leave rooms empty; use 2 or fewer (in the cell "direct rooms=3")`},
		{"too many nodes", "{nodes: [2, 65]}", "f:5:19: 65 nodes are above the limit of 64; use 64 or fewer"},
	} {
		expect(t, row.sentence, head+"vary: "+row.vary+"\n"+steps(open), row.want)
	}
}

func numbers(n int) string {
	var list []string
	for i := range n {
		list = append(list, strings.Repeat("1", 1+i%3)+string(rune('0'+i/3%10)))
	}
	return strings.Join(list, ", ")
}

func TestCheckErrors(t *testing.T) {
	t.Parallel()
	for _, row := range []struct{ sentence, check, want string }{
		{"in its column", "idle.survived = 1", "f:8:19: = compares nothing; write =="},
		{"behind a quote", `"idle.survived = 1"`, "f:8:20: = compares nothing; write =="},
		{"of several lines, at its beginning", "|\n    idle.survived = 1", "f:8:5: = compares nothing; write =="},
		{"no step gives it", "handshake.failed == 0 when delivery.lost == 0", "f:8:32: no step gives delivery.lost; add a step publish or remove the check"},
		{"no reload gives it", "reload.old_processes == 0", "f:8:5: no step gives reload.old_processes; add - fault: {reload: proxy} or remove the check"},
		{"a number alone", "5", `f:8:5: unknown metric "5"`},
		{"usage is always there", "usage.cpu_nodes < 1", ""},
	} {
		expect(t, row.sentence, head+"steps: [connect: {clients: 1}, idle: {for: 1s}]\n\nchecks:\n  - "+row.check+"\n", row.want)
	}
}

func TestProblemsPrintsTwenty(t *testing.T) {
	t.Parallel()
	_, err := scenario.Parse("f", []byte(head+steps(strings.Split(strings.Repeat("x: {};", 25), ";")[:25]...)))
	lines := strings.Split(err.Error(), "\n")
	if len(lines) != 21 || lines[20] != "and 5 more" {
		t.Errorf("25 problems print as %d lines, the last %q; want 20 and \"and 5 more\"", len(lines), lines[len(lines)-1])
	}
}

package scenario_test

import (
	"slices"
	"strings"
	"testing"

	"wsrig/internal/scenario"
)

const nodeCmdHead = "name: x\nsummary: y\nproxies: [direct]\n"

func TestNodesOfAnotherMakeAreCells(t *testing.T) {
	t.Parallel()
	text := nodeCmdHead + "testbed: {node_cmd: ./mine}\nvary: {node_cmd: [wsrig, node-chat, node 'my server.js']}\n" + steps("connect: {clients: 10}")
	plan := load(t, text, scenario.Options{})
	if got, want := ids(plan), "direct node_cmd=wsrig\ndirect node_cmd=node-chat\ndirect node_cmd=node 'my server.js'"; got != want {
		t.Errorf("cells:\n%s\nwant:\n%s", got, want)
	}
	for i, want := range [][]string{nil, {"node-chat"}, {"node", "my server.js"}} {
		if got := plan.Cells[i].Testbed.NodeCmd; !slices.Equal(got, want) {
			t.Errorf("cell %d runs %q, want %q", i, got, want)
		}
	}
	plan = load(t, text, scenario.Options{Set: map[string]string{"node_cmd": "node-chat"}})
	if got := ids(plan); got != "direct node_cmd=node-chat" {
		t.Errorf("--set leaves the cells %s", got)
	}
	plan = load(t, nodeCmdHead+"testbed: {node_cmd: ./mine}\n"+steps("connect: {clients: 10}"), scenario.Options{})
	if got := plan.Cells[0].Testbed.NodeCmd; !slices.Equal(got, []string{"./mine"}) {
		t.Errorf("the testbed's node_cmd is %q", got)
	}
}

func TestNodesOfAnotherMakeTakeNoOrders(t *testing.T) {
	t.Parallel()
	for text, want := range map[string]string{
		"testbed: {node_cmd: node-chat}\n" + steps("connect: {clients: 10, keepalive: node-ping 1s}"):       "f:6:39: only wsrig's own nodes ping when told to, and the nodes are node-chat; use client-ping, or node_cmd: wsrig",
		"testbed: {node_cmd: node-chat, node_args: [--x]}\n" + steps("connect: {clients: 10}"):              "node_args are options of wsrig chatnode, and the nodes are node-chat",
		"vary: {node_cmd: [wsrig, node-chat]}\n" + steps("connect: {clients: 10, keepalive: node-ping 1s}"): `(in the cell "direct node_cmd=node-chat")`,
		"testbed: {node_cmd: \"node 'x\"}\n" + steps("connect: {clients: 10}"):                              "without closing quote",
		"vary: {node_cmd: [node x | y]}\n" + steps("connect: {clients: 10}"):                                "there is no shell",
	} {
		_, err := scenario.Load("f", []byte(nodeCmdHead+text), scenario.Options{})
		if err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%s\ngives %v\nwant an error with %s", text, err, want)
		}
	}
}

package report

import (
	"bytes"
	"strings"
	"testing"

	"wsrig/internal/result"
)

// TestOtherNodesAreSaid: a reader must know which cells lack what nodes would tell.
func TestOtherNodesAreSaid(t *testing.T) {
	trial := result.Trial{Index: 1, Metrics: map[string]result.Metric{}, Views: []result.View{{At: "connect", Client: 5, Node: map[string]int{}}}}
	result.Set(trial.Metrics, "handshake.ok", 5, 5)
	cell := func(id string, command ...string) result.Cell {
		return result.Cell{ID: id, Proxy: "direct", NodeCmd: command, Params: map[string]string{"node_cmd": id}, Trials: []result.Trial{trial}}
	}
	run := newFixture("peers", []result.Cell{cell("wsrig"), cell("node-chat", "node-chat"), cell("mine", "node", "server.js")}, nil)
	var text bytes.Buffer
	if err := Text(&text, run, 0); err != nil {
		t.Fatal(err)
	}
	for _, want := range []string{"Nodes of 1 of 3 cells: node-chat.", "Nodes of 1 of 3 cells: node server.js."} {
		if !strings.Contains(text.String(), want) {
			t.Errorf("the report lacks %q:\n%s", want, &text)
		}
	}
	// The nodes of the cells that are silent are no view that differs; wsrig's would be.
	if strings.Contains(text.String(), "counted differently") {
		t.Errorf("nodes that do not tell disagree:\n%s", &text)
	}
}

package report

import (
	"bytes"
	"strings"
	"testing"

	"wsrig/internal/result"
)

// TestBalanceTable shows a fair phase, an unfair one and one that was not judged.
func TestBalanceTable(t *testing.T) {
	fair, unfair, p, proxy := true, false, 0.25, 78
	trial := result.Trial{Index: 1, Metrics: map[string]result.Metric{}, Views: []result.View{
		{Step: 0, Client: 60, Node: map[string]int{"n1": 20, "n2": 20, "n3": 20}},
		{Step: 2, Client: 78, Node: map[string]int{"n1": 6, "n2": 36, "n3": 36}, Proxy: &proxy},
		{Step: 4, Client: 88, Node: map[string]int{"n1": 6, "n2": 36, "n3": 36, "n10": 9}, Proxy: &proxy},
	}, Balance: []result.Balance{
		{Phase: "start", Step: 0, Algorithm: "source-hash", Where: "x.cfg:7 (backend b)", Null: "spread by weight",
			New: map[string]int{"n1": 20, "n2": 20, "n3": 20}, Open: map[string]int{"n1": 20, "n2": 20, "n3": 20},
			Expected: map[string]float64{"n1": 20, "n2": 20, "n3": 20}, P: &p, Fair: &fair,
			Processes: []result.ProcessOpen{{PID: 1, Open: 31}, {PID: 2, Open: 29}}},
		{Phase: "restart", Step: 2, Algorithm: "least-connections", Where: "x.cfg:7 (backend b)", Null: "levelled",
			New: map[string]int{"n1": 6, "n2": 6, "n3": 6}, Open: map[string]int{"n1": 6, "n2": 36, "n3": 36},
			Expected: map[string]float64{"n1": 18.04, "n2": 0, "n3": 0}, Fair: &unfair, Why: "n1 got 6, expected 18",
			Processes: []result.ProcessOpen{{PID: 3, Open: 18}, {PID: 1, Old: true, Open: 31}, {PID: 2, Old: true, Open: 29}}},
		{Phase: "restart", Step: 4, Algorithm: "unknown", New: map[string]int{"n10": 9}, Open: map[string]int{"n1": 6, "n2": 36, "n3": 36, "n10": 9}, Why: "nobody knows"},
	}}
	result.Set(trial.Metrics, "balance.start.max_over_mean", 1, 60)
	result.Set(trial.Metrics, "balance.restart.max_over_mean", 1.3846, 78)
	result.Set(trial.Metrics, "balance.restart.moved", 0.25, 18)
	run := newFixture("balance", []result.Cell{{ID: "haproxy:own", Proxy: "haproxy:own", Params: map[string]string{}, Trials: []result.Trial{trial}}}, nil)
	judgedFixture(t, run, "balance.start.max_over_mean == 1", "balance.restart.moved <= 25%", "balance.start.fair == 1")
	if ok := run.Checks[0].OK; ok == nil || !*ok {
		t.Errorf("a check of a phase: %+v", run.Checks[0])
	}
	if ok := run.Checks[1].OK; ok == nil || !*ok {
		t.Errorf("a share as a percentage: %+v", run.Checks[1])
	}
	if run.Checks[2].OK != nil {
		t.Errorf("a verdict without data was judged: %+v", run.Checks[2])
	}
	for _, table := range Tables(run) {
		if table.Title != "Balance over the nodes" {
			continue
		}
		var text bytes.Buffer
		must(t, table.writeText(&text, 200))
		got := squeezed(text.String())
		for _, want := range []string{
			"proxy phase new clients expected then open max/mean moved p verdict counted by proxy process",
			"start 20/20/20 20/20/20 20/20/20 1.000 – 0.25 fair 60 31+29",
			"restart 6/6/6 18/0/0 6/36/36 1.385 0.250 – UNFAIR 78 18 (31+29)",
			"restart 2 0/0/0/9 – 6/36/36/9 1.385 0.250 – ? 88, 87, 78 –",
			"haproxy:own, restart: unfair: n1 got 6, expected 18.",
			"haproxy:own, restart 2: not judged: nobody knows.",
		} {
			if want = strings.TrimPrefix(want, "proxy "); !strings.Contains(got, want) {
				t.Errorf("the table lacks %q:\n%s", want, text.String())
			}
		}
		return
	}
	t.Error("there is no balance table")
}

// squeezed makes every run of blanks one blank.
func squeezed(text string) string { return strings.Join(strings.Fields(text), " ") }

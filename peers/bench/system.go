//go:build linux

package main

import (
	"context"
	"fmt"
	"path/filepath"
	"time"

	"wsrig/internal/result"
)

// scenarioWithin bounds one run of wsrig.
const scenarioWithin = 5 * time.Minute

// ran is one cell of a scenario, and how long the whole run took.
type ran struct {
	cell *result.Cell
	took time.Duration
}

// scenario runs wsrig on all cores and returns its first cell. A run whose checks
// failed has figures too: they are what is judged here.
func (b *bench) scenario(ctx context.Context, args ...string) (ran, error) {
	start := time.Now()
	argv := append([]string{filepath.Join(b.bin, "wsrig"), "run", "--json"}, args...)
	p, err := b.start(command{name: "run", core: anyCore, argv: argv})
	if err != nil {
		return ran{}, err
	}
	defer p.end(true)
	var r result.Run
	if err := p.answer(ctx, scenarioWithin, &r); err != nil {
		return ran{}, err
	}
	if len(r.Cells) == 0 || len(r.Cells[0].Trials) == 0 || r.Verdict.Status == result.Error {
		return ran{}, fmt.Errorf("wsrig run %v: %s %v", args, r.Verdict.Status, r.Verdict.Reasons)
	}
	return ran{cell: &r.Cells[0], took: time.Since(start)}, nil
}

// figure is a metric of the cell.
func (r ran) figure(name string) (float64, error) {
	if r.cell == nil {
		return 0, fmt.Errorf("%s was not measured", name)
	}
	m, ok := r.cell.Metrics[name]
	if !ok {
		return 0, fmt.Errorf("the run has no %s", name)
	}
	return m.Value, nil
}

// wholeSystem runs the scenarios that have targets: in turn, trial by trial, and once
// each those that have a target for how long they take.
func (b *bench) wholeSystem(ctx context.Context, board *scoreboard) {
	for trial := range b.trials {
		for _, most := range []struct {
			name, proxy string
			clients     int
		}{
			{"direct", "direct", 50_000},
			{"through HAProxy", "haproxy:round-robin", 36_000},
			{"through Nginx", "nginx:round-robin", 40_000},
		} {
			if ctx.Err() != nil {
				return
			}
			b.tell("trial %d of %d: %d idle clients %s", trial+1, b.trials, most.clients, most.name)
			b.most(ctx, board, most.name, most.proxy, most.clients)
		}
		for _, chat := range []struct {
			rate     int
			p50, p99 float64 // ms
		}{{500, 0.65, 2}, {5000, 1, 5}} {
			if ctx.Err() != nil {
				return
			}
			b.tell("trial %d of %d: chat across nodes at %d/s", trial+1, b.trials, chat.rate)
			b.chat(ctx, board, chat.rate, chat.p50, chat.p99)
		}
	}
	for _, whole := range []struct {
		scenario string
		seconds  float64
	}{{"smoke", 25}, {"idle-timeout", 90}} {
		if ctx.Err() != nil {
			return
		}
		b.tell("the whole scenario %s", whole.scenario)
		r, err := b.scenario(ctx, whole.scenario)
		board.note(goal{Figure: "the whole scenario " + whole.scenario, Unit: "s", Target: whole.seconds, AtMost: true}, r.took.Seconds(), err)
	}
}

// chat is two nodes and rooms of two: round robin puts a room's members on two nodes or
// on one, and those on two are what counts. p50 and p99 are targets in ms.
func (b *bench) chat(ctx context.Context, board *scoreboard, rate int, p50, p99 float64) {
	r, err := b.scenario(ctx, "cross-node-latency", "--proxy", "haproxy:round-robin",
		"--set", "nodes=2", "--set", "clients=158", "--set", "rooms=79", "--set", fmt.Sprintf("publish_rate=%d/s", rate))
	for _, of := range []struct {
		stat string
		most float64
	}{{"p50", p50}, {"p99", p99}} {
		v, figureErr := r.figure("delivery.latency_cross_node." + of.stat)
		if err != nil {
			figureErr = err
		}
		board.note(goal{
			Figure: fmt.Sprintf("chat across two nodes through HAProxy at %d/s: %s", rate, of.stat), Unit: "ms", Target: of.most, AtMost: true,
			Note: "79 rooms of 2; nodes, proxy, Redis and generator on the same cores",
		}, v*1000, figureErr)
	}
}

// most opens as many idle clients as the target says, at a rate that leaves two of
// its ten seconds.
func (b *bench) most(ctx context.Context, board *scoreboard, name, proxy string, clients int) {
	r, err := b.scenario(ctx, "connections", "--proxy", proxy, "--set", fmt.Sprintf("clients=%d", clients), "--set", fmt.Sprintf("rate=%d/s", clients/8))
	open, openErr := r.figure("connections.open")
	lost, lostErr := r.figure("handshake.failed")
	if err != nil {
		openErr, lostErr = err, err
	}
	board.note(goal{Figure: "idle clients " + name, Unit: "open", Target: float64(clients), Note: r.memory()}, open, openErr)
	board.note(goal{Figure: "idle clients " + name + ": failed handshakes", Unit: "", AtMost: true}, lost, lostErr)
	took, tookErr := r.connecting(int(open))
	if err != nil {
		tookErr = err
	}
	board.note(goal{Figure: "idle clients " + name + ": time to connect", Unit: "s", Target: 10, AtMost: true}, took, tookErr)
}

// connecting is how many seconds it took until n clients were open, up to the end of
// the second in which they were.
func (r ran) connecting(n int) (float64, error) {
	if r.cell == nil {
		return 0, fmt.Errorf("nothing was measured")
	}
	for _, iv := range r.cell.Trials[0].Intervals {
		if iv.Open >= n && n > 0 {
			return iv.Start + 1, nil
		}
	}
	return 0, fmt.Errorf("%d clients were never open at the end of a second", n)
}

// memory is what the parts took at the most for each open client, what they take
// without clients included.
func (r ran) memory() string {
	open, err := r.figure("connections.open")
	if err != nil || open == 0 {
		return ""
	}
	text := "memory by client at the peak:"
	for _, part := range []struct{ name, metric string }{{"worker", "usage.rss_worker"}, {"node", "usage.rss_nodes"}, {"proxy", "usage.rss_proxy"}} {
		if v, err := r.figure(part.metric); err == nil {
			text += fmt.Sprintf(" %s %.1f KB", part.name, v/open/1000)
		}
	}
	return text
}

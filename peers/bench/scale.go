//go:build linux

package main

import (
	"context"
	"errors"
	"fmt"
	"strconv"
	"strings"
	"time"

	"wsrig/internal/result"
	"wsrig/internal/wire"
)

// goal is one figure and what it must reach.
type goal struct {
	Figure string  `json:"figure"`
	Unit   string  `json:"unit"`
	Target float64 `json:"target"`
	AtMost bool    `json:"at_most"` // the target is an upper bound
	Values series  `json:"measured"`
	Note   string  `json:"note,omitempty"`
}

// met tells whether the median reaches the target.
func (g *goal) met() bool {
	return g.Values.ok() && (g.AtMost && g.Values.median() <= g.Target || !g.AtMost && g.Values.median() >= g.Target)
}

// cells is the goal's row.
func (g *goal) cells() []string {
	show := func(v float64) string { return strconv.FormatFloat(v, 'f', digits(g.Target), 64) }
	bound := "≥ "
	if g.AtMost {
		bound = "≤ "
	}
	row := []string{g.Figure, bound + show(g.Target) + " " + g.Unit, g.Values.text(show)}
	switch {
	case !g.Values.ok():
		row = append(row, "", "cannot be told")
	case g.met():
		row = append(row, ratioTo(g.Values.median(), g.Target), "yes")
	default:
		row = append(row, ratioTo(g.Values.median(), g.Target), "no")
	}
	return append(row, strconv.Itoa(len(g.Values.Values)), g.Note)
}

func ratioTo(v, target float64) string {
	if target == 0 {
		return ""
	}
	return fmt.Sprintf("%.2f", v/target)
}

// digits shows three figures of the target's size, and none behind the point from 100 on.
func digits(target float64) int {
	switch {
	case target >= 100 || target == 0:
		return 0
	case target >= 10:
		return 1
	}
	return 2
}

// scoreboard keeps the goals in order.
type scoreboard struct {
	goals []*goal
}

// note adds a trial's value to a goal.
func (s *scoreboard) note(g goal, v float64, err error) {
	for _, have := range s.goals {
		if have.Figure == g.Figure {
			have.Values.add(v, err)
			return
		}
	}
	g.Values.add(v, err)
	s.goals = append(s.goals, &g)
}

// scale measures this machine against the targets.
func scale(ctx context.Context, b *bench) error {
	if err := twoCores(); err != nil {
		return err
	}
	where, board := thisMachine(), &scoreboard{}
	all := b.generators()
	for trial := range b.trials {
		for _, part := range []struct {
			name    string
			measure func(context.Context, *bench, *scoreboard, []*generator)
		}{
			{"idle clients and handshakes of the worker", workerIdle},
			{"closed loop of the worker", workerEcho},
			{"pacing of the worker", workerPace},
			{"idle clients of the node", nodeIdle},
			{"fan-out of the node", nodeFanOut},
		} {
			b.tell("trial %d of %d: %s", trial+1, b.trials, part.name)
			part.measure(ctx, b, board, all)
			if ctx.Err() != nil {
				return ctx.Err()
			}
		}
	}
	b.wholeSystem(ctx, board)
	if ctx.Err() != nil {
		return ctx.Err()
	}
	t := &table{head: []string{"figure", "target", "measured", "ratio", "met", "n", "note"}}
	var failed []string
	for _, g := range board.goals {
		t.row(g.cells()...)
		for _, why := range g.Values.Failed {
			t.notes = append(t.notes, g.Figure+" failed: "+why)
		}
		if !g.Values.ok() {
			failed = append(failed, g.Figure+": "+strings.Join(g.Values.Failed, "; "))
		}
	}
	t.notes = append([]string{"", where.String(),
		"Median (smallest to largest); ratio is measured over target. On a busy machine only figures by CPU and memory say much.",
	}, t.notes...)
	if err := b.publish("scale", t, map[string]any{"machine": where, "goals": board.goals}); err != nil {
		return err
	}
	if len(failed) > 0 {
		return wsrigError{errors.New(strings.Join(failed, "; "))}
	}
	return nil
}

func workerIdle(ctx context.Context, b *bench, board *scoreboard, all []*generator) {
	r, err := b.idlePerClient(ctx, b.echoServer(), all[0], b.idle)
	note := fmt.Sprintf("between %d and %d clients, fresh processes", fewClients, b.idle)
	board.note(goal{Figure: "worker, epoll: memory of an idle client", Unit: "KiB", Target: 1, AtMost: true, Note: note}, r.generator/1024, err)
	board.note(goal{Figure: "worker, epoll: connects/s", Unit: "/s", Target: 8000, Note: "server on the other core"}, r.rate, err)
	board.note(goal{Figure: "worker, epoll: connects by a second of its CPU", Unit: "/s", Target: 8000}, r.perCore, err)
	r, err = b.idlePerClient(ctx, b.echoServer(), all[1], b.idle)
	board.note(goal{Figure: "worker, portable: memory of an idle client", Unit: "KiB", Target: 10, AtMost: true, Note: note}, r.generator/1024, err)
}

func workerEcho(ctx context.Context, b *bench, board *scoreboard, all []*generator) {
	r, err := b.echo(ctx, all[0])
	note := fmt.Sprintf("closed loop, %d clients, server on the other core", echoClients)
	board.note(goal{Figure: "worker, epoll: closed loop echo", Unit: "/s", Target: 50_000, Note: note}, r.rate, err)
	board.note(goal{Figure: "worker, epoll: closed loop echo by a second of its CPU", Unit: "/s", Target: 50_000}, r.rate/r.generator, err)
}

// workerPace goes by the worker's own schedule lag, which the way to the server is
// no part of.
func workerPace(ctx context.Context, b *bench, board *scoreboard, all []*generator) {
	lag, used, err := b.scheduleLag(ctx, all[0])
	board.note(goal{Figure: "worker: schedule lag p99 at 1,000/s", Unit: "µs", Target: 50, AtMost: true, Note: "to the write of the message"}, lag*1e6, err)
	board.note(goal{Figure: "worker: CPU at 1,000/s", Unit: "cores", Target: 0.3, AtMost: true}, used, err)
}

// scheduleLag runs a whole load and reads its own figures.
func (b *bench) scheduleLag(ctx context.Context, g *generator) (p99, used float64, err error) {
	p, err := b.startPair(ctx, b.echoServer(), g, work{kind: workPace, path: "/ws", clients: 1, rate: paceRate, hold: paceFor})
	if err != nil {
		return 0, 0, err
	}
	defer p.end()
	if _, err := p.connected(ctx, 1); err != nil {
		return 0, 0, err
	}
	from, to, err := p.over(ctx, paceFor*3/5)
	if err != nil {
		return 0, 0, err
	}
	var report struct{ Metrics map[string]result.Metric }
	if err := p.generator.answer(ctx, paceFor+20*time.Second, &report); err != nil {
		return 0, 0, err
	}
	m, ok := report.Metrics["schedule.lag.p99"]
	if !ok {
		return 0, 0, errors.New("the load generator tells no schedule lag")
	}
	return m.Value, cores(from.generator, to.generator), nil
}

func nodeIdle(ctx context.Context, b *bench, board *scoreboard, all []*generator) {
	r, err := b.idlePerClient(ctx, b.node(), all[0], b.idle)
	board.note(goal{
		Figure: "node: memory of an idle client", Unit: "KB", Target: 10, AtMost: true,
		Note: fmt.Sprintf("between %d and %d clients, a room each", fewClients, b.idle),
	}, r.server/1000, err)
}

// receivers of the fan-out.
const receivers = 1000

func nodeFanOut(ctx context.Context, b *bench, board *scoreboard, all []*generator) {
	delivered, err := b.fanOut(ctx, all[0])
	// A frame of the node: the envelope and its header of 4 bytes (RFC 6455 section 5.2).
	frame := len(wire.AppendTail(wire.AppendHead(nil, wire.Envelope{
		Room: "r0", From: "c999", Node: "n1", In: wire.Now(), Body: strings.Repeat("x", messageSize),
	}), wire.Now())) + 4
	ceiling, ceilingErr := b.ceiling(ctx, receivers, frame)
	err = errors.Join(err, ceilingErr)
	board.note(goal{
		Figure: "node: deliveries by a second of its CPU, over the ceiling", Unit: "", Target: 0.65,
		Note: fmt.Sprintf("%d receivers; %.0f/s of %.0f/s, which is one write of %d bytes to each socket in turn", receivers, delivered, ceiling, frame),
	}, delivered/max(ceiling, 1), err)
}

// fanOut is the deliveries by each second of a node's CPU, in one room with
// one publisher in closed loop: messages that meet in a receiver's queue would share a
// write.
func (b *bench) fanOut(ctx context.Context, g *generator) (perCore float64, err error) {
	room := *g
	room.command = func(b *bench, w work) (argv, env []string, err error) {
		argv, env, err = g.command(b, w)
		return append(argv, "--relay", "room", "--rooms", "1", "--publishers", "1"), env, err
	}
	p, err := b.startPair(ctx, b.node(), &room, work{kind: workEcho, path: b.node().path, clients: receivers, hold: echoWarmUp + echoFor + 20*time.Second})
	if err != nil {
		return 0, err
	}
	defer p.end()
	if _, err := p.connected(ctx, receivers); err != nil {
		return 0, err
	}
	if err := rest(ctx, echoWarmUp); err != nil {
		return 0, err
	}
	from, to, err := p.over(ctx, echoFor)
	if err != nil {
		return 0, err
	}
	if to.Echoed == from.Echoed {
		return 0, fmt.Errorf("the node delivered nothing in %s; the generator's last lines: %s", echoFor, p.generator.lastLines())
	}
	return float64(to.Echoed-from.Echoed) / (to.server.cpu - from.server.cpu), nil
}

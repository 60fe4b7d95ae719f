package loadgen

import (
	"context"
	"sync"
	"time"

	"wsrig/internal/wire"
)

// echo is a client's own message that came back to it.
type echo struct{ phase, seq uint32 }

// echoQueue is how many echoes may lie unread: one is waited for, others are those
// that were given up before they came.
const echoQueue = 64

// echo tells whoever waits for the client's own messages. It never waits.
func (c *client) echo(phase, seq uint32) {
	if waiting := c.echoes.Load(); waiting != nil {
		select {
		case *waiting <- echo{phase, seq}:
		default:
		}
	}
	if loop := c.fleet.closed.Load(); loop != nil {
		loop.echoed(c, phase, seq)
	}
}

// converse publishes in closed loop: each publisher sends, waits for its message to
// come back, and goes on when its share of the rate allows. The rate is a ceiling.
// A message is due when it is sent, so that no latency holds the time in which a
// stalled system kept its publisher waiting. A publisher whose connection ends
// publishes no more.
func (r *publishRun) converse(ctx context.Context, begin int64) error {
	gap := int64(float64(len(r.turns)) / r.spec.Rate * 1e9)
	until := begin + r.spec.For.Nanoseconds()
	var conversing sync.WaitGroup
	for i, p := range r.turns {
		first := begin + gap*int64(i)/int64(len(r.turns)) // spread over the gap
		conversing.Go(func() { r.turnTaking(ctx, p, first, gap, until) })
	}
	conversing.Wait()
	return ctx.Err()
}

// turnTaking is one publisher's part of a closed loop, from its first message due
// until a wire time.
func (r *publishRun) turnTaking(ctx context.Context, p *publisher, due, gap, until int64) {
	echoes := make(chan echo, echoQueue)
	p.c.echoes.Store(&echoes)
	defer p.c.echoes.Store(nil)
	for due < until && p.c.openNow() {
		select {
		case <-time.After(time.Duration(due - wire.Now())):
		case <-ctx.Done():
			return
		}
		sent := wire.Now()
		seq := uint32(len(p.log.Sent))
		r.arrivals.Add(1)
		r.fleet.rec.at(sent).intended.Add(1)
		if !r.transmit(p, sent) {
			r.drop(sent)
			return
		}
		r.awaitEcho(ctx, p.c, echoes, seq)
		due = max(sent+gap, wire.Now())
	}
}

// awaitEcho returns when a publisher's message has come back to it, when that is
// past the grace of the spec, or when its connection has ended.
func (r *publishRun) awaitEcho(ctx context.Context, c *client, echoes <-chan echo, seq uint32) {
	over := time.NewTimer(r.spec.Grace)
	defer over.Stop()
	alive := time.NewTicker(50 * time.Millisecond)
	defer alive.Stop()
	for {
		select {
		case e := <-echoes:
			if e == (echo{r.spec.Phase, seq}) {
				return
			}
		case <-alive.C:
			if !c.openNow() {
				return
			}
		case <-over.C:
			return
		case <-ctx.Done():
			return
		}
	}
}

// isLoop tells whether a loop is known; "" stands for LoopOpen.
func isLoop(loop string) bool { return loop == "" || loop == LoopOpen || loop == LoopClosed }

package loadgen

import (
	"context"
	"fmt"
	"sync"
	"time"

	"wsrig/internal/wire"
)

// A closed loop without a ceiling: every publisher answers its own message with the
// next one, on the thread that read it. No goroutine and no timer is in the way, so
// that what is measured is the engine and the server.

// closedLoop is one such publish command under way.
type closedLoop struct {
	run   *publishRun
	until int64                // wire time
	turns map[*client]*rallier // not changed once the loop has begun
}

// rallier is one publisher of the closed loop. Its first message leaves on the
// command's goroutine, all others on the reader's.
type rallier struct {
	mu      sync.Mutex
	p       *publisher
	awaited uint32 // sequence of the message that has not come back
	since   int64  // wire time at which it was sent
	over    bool
}

// stallCheck is how often a message that did not come back is looked for.
const stallCheck = 50 * time.Millisecond

// maxRallied bounds one publisher's messages: the time of each is kept.
const maxRallied = 1 << 24

// PublishClosed publishes in closed loop as fast as the answers come: each publisher
// sends its next message when its own last one has come back to it, and gives one up
// that has not within the spec's grace. Rate and Arrival of the spec say nothing. A
// stalled system holds up the messages that would have shown it (coordinated
// omission), so the result is labelled LoopClosed. The generator may use a whole core:
// that is what is measured, and no reason to doubt it.
func (f *Fleet) PublishClosed(ctx context.Context, spec PublishSpec, progress func(Progress)) (PublishResult, error) {
	spec.Loop = LoopClosed
	if err := f.validate(spec); err != nil {
		return PublishResult{}, fmt.Errorf("publish: %w", err)
	}
	if spec.For <= 0 {
		return PublishResult{}, fmt.Errorf("publish: for %s; use a length above 0", spec.For)
	}
	if err := f.Expect(ExpectSpec{Phase: spec.Phase, Grace: spec.Grace}); err != nil {
		return PublishResult{}, fmt.Errorf("publish: %w", err)
	}
	f.published = append(f.published, spec.Phase)
	begin := wire.Now()
	loop := &closedLoop{run: f.publishRun(spec), until: begin + spec.For.Nanoseconds(), turns: map[*client]*rallier{}}
	for _, p := range loop.run.turns {
		loop.turns[p.c] = &rallier{p: p}
	}
	stop := f.report(progress, func() Progress {
		ms := int((wire.Now() - begin) / 1e6)
		total := int(spec.For.Milliseconds())
		return Progress{Done: min(ms, total), Total: total, Open: int(f.openCount.Load())}
	})
	defer stop()
	f.closed.Store(loop)
	err := loop.serve(ctx)
	f.closed.Store(nil)
	loop.end()
	loop.run.end(ctx, spec.Grace)

	res := loop.run.result()
	res.Phase, res.Loop, res.For, res.Begin = spec.Phase, LoopClosed, spec.For, begin
	res.Due = res.Sent + res.Dropped
	return res, err
}

// serve sends each publisher's first message, and from then on only looks for
// messages that did not come back.
func (l *closedLoop) serve(ctx context.Context) error {
	for _, t := range l.turns {
		t.mu.Lock()
		l.next(t, wire.Now())
		t.mu.Unlock()
	}
	tick := time.NewTicker(stallCheck)
	defer tick.Stop()
	for l.left() {
		select {
		case <-tick.C:
			l.giveUp(wire.Now())
		case <-ctx.Done():
			return ctx.Err()
		}
	}
	return nil
}

// left tells whether time and publishers are left.
func (l *closedLoop) left() bool {
	if wire.Now() >= l.until {
		return false
	}
	for _, t := range l.turns {
		t.mu.Lock()
		over := t.over
		t.mu.Unlock()
		if !over && t.p.c.openNow() {
			return true
		}
	}
	return false
}

// giveUp has those publishers go on whose message has not come back in time.
func (l *closedLoop) giveUp(now int64) {
	for _, t := range l.turns {
		t.mu.Lock()
		if !t.over && t.p.c.openNow() && now-t.since > l.run.spec.Grace.Nanoseconds() {
			l.next(t, now)
		}
		t.mu.Unlock()
	}
}

// end returns when no publisher sends any more.
func (l *closedLoop) end() {
	for _, t := range l.turns {
		t.mu.Lock()
		t.over = true
		t.mu.Unlock()
	}
}

// echoed is told of a client's own message, on the thread that read it.
func (l *closedLoop) echoed(c *client, phase, seq uint32) {
	t := l.turns[c]
	if t == nil || phase != l.run.spec.Phase {
		return
	}
	t.mu.Lock()
	defer t.mu.Unlock()
	if seq == t.awaited && len(t.p.log.Sent) > 0 {
		l.next(t, wire.Now())
	}
}

// next sends a publisher's next message; t.mu is held. It is due when it is sent.
func (l *closedLoop) next(t *rallier, now int64) {
	if t.over || now >= l.until || len(t.p.log.Sent) >= maxRallied {
		t.over = true
		return
	}
	t.awaited, t.since = uint32(len(t.p.log.Sent)), now
	l.run.arrivals.Add(1)
	l.run.fleet.rec.at(now).intended.Add(1)
	if !l.run.transmit(t.p, now) {
		l.run.drop(now)
		t.over = true
	}
}

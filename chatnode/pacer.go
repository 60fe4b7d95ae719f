package chatnode

import (
	"container/heap"
	"context"
	"math"
	"sync"
	"time"

	"github.com/gorilla/websocket"

	"wsrig/internal/wire"
)

// pacer sends the pings of all clients and drops those that stay silent, in one
// goroutine with one timer. A client's pings are due at its own 101 plus 1, 2, 3...
// intervals, so clients that came spread out are pinged spread out.
type pacer struct {
	interval, patience int64 // nanoseconds; 0 is off
	pinged             func()

	mu      sync.Mutex
	waiting paceHeap
	sooner  chan struct{} // capacity 1: the first of waiting has changed
}

// pace is a client's place in the pacer.
type pace struct {
	due      int64 // wire.Now when the pacer must look at the client
	nextPing int64
	index    int // in the heap; -1 outside
}

func newPacer(c Config, pinged func()) *pacer {
	return &pacer{
		interval: int64(c.PingInterval),
		patience: int64(c.PongWait),
		pinged:   pinged,
		sooner:   make(chan struct{}, 1),
	}
}

// add begins to look after c, which has just opened.
func (p *pacer) add(c *client) {
	c.pace = pace{nextPing: math.MaxInt64, index: -1}
	if p.interval == 0 && p.patience == 0 {
		return
	}
	if p.interval > 0 {
		c.pace.nextPing = c.opened + p.interval
	}
	p.mu.Lock()
	defer p.mu.Unlock()
	c.pace.due = p.dueOf(c, c.sock.lastRead.Load())
	heap.Push(&p.waiting, c)
	if c.pace.index == 0 {
		select {
		case p.sooner <- struct{}{}:
		default:
		}
	}
}

// remove forgets c.
func (p *pacer) remove(c *client) {
	p.mu.Lock()
	defer p.mu.Unlock()
	if c.pace.index >= 0 {
		heap.Remove(&p.waiting, c.pace.index)
	}
}

// dueOf is when c needs a look: its next ping, or the end of the patience with it.
func (p *pacer) dueOf(c *client, heard int64) int64 {
	if p.patience == 0 {
		return c.pace.nextPing
	}
	return min(c.pace.nextPing, heard+p.patience)
}

// run works until ctx ends.
func (p *pacer) run(ctx context.Context) {
	timer := time.NewTimer(time.Hour)
	defer timer.Stop()
	for {
		timer.Reset(p.turn())
		select {
		case <-timer.C:
		case <-p.sooner:
		case <-ctx.Done():
			return
		}
	}
}

// turn looks at every client that is due and returns how long nothing is.
func (p *pacer) turn() time.Duration {
	const atOnce = 64 // clients looked at without letting others have the lock
	p.mu.Lock()
	defer p.mu.Unlock()
	for range atOnce {
		if len(p.waiting) == 0 {
			return time.Hour
		}
		now := wire.Now()
		c := p.waiting[0]
		if wait := c.pace.due - now; wait > 0 {
			return time.Duration(wait)
		}
		if p.look(c, now) {
			heap.Fix(&p.waiting, 0)
		} else {
			heap.Remove(&p.waiting, 0)
		}
	}
	return 0
}

// look does what is due for c, and reports whether to keep looking after it.
func (p *pacer) look(c *client, now int64) bool {
	heard := c.sock.lastRead.Load()
	if c.publishing.Load() {
		heard = now // it may well have spoken: the node does not read it now
	}
	if p.patience > 0 && now-heard >= p.patience {
		c.close(websocket.ClosePolicyViolation, wire.CausePongTimeout, "silent for too long", false)
		return false
	}
	if now >= c.pace.nextPing {
		// A client with unsent bytes gets no pings on top of them.
		if !c.sock.stalled() && c.control(websocket.PingMessage, nil) == nil {
			p.pinged()
		}
		// Pings that were missed are left out, not made up for.
		c.pace.nextPing += p.interval * (1 + (now-c.pace.nextPing)/p.interval)
	}
	c.pace.due = p.dueOf(c, heard)
	return true
}

// paceHeap orders clients by the time they are due; it implements heap.Interface.
type paceHeap []*client

func (h paceHeap) Len() int           { return len(h) }
func (h paceHeap) Less(i, j int) bool { return h[i].pace.due < h[j].pace.due }
func (h paceHeap) Swap(i, j int) {
	h[i], h[j] = h[j], h[i]
	h[i].pace.index, h[j].pace.index = i, j
}

// Push implements heap.Interface.
func (h *paceHeap) Push(x any) {
	c := x.(*client)
	c.pace.index = len(*h)
	*h = append(*h, c)
}

// Pop implements heap.Interface.
func (h *paceHeap) Pop() any {
	last := len(*h) - 1
	c := (*h)[last]
	(*h)[last] = nil
	*h = (*h)[:last]
	c.pace.index = -1
	return c
}

package loadgen

import (
	"container/heap"
	"sync"
	"time"

	"wsrig/internal/wire"
)

// pinger sends the clients' pings, each due a whole number of intervals after its
// client's 101. One goroutine serves all clients.
type pinger struct {
	mu    sync.Mutex
	queue pingQueue
	wake  chan struct{}
	stop  chan struct{}
	wg    sync.WaitGroup
}

type pingDue struct {
	at    int64 // wire time
	every int64
	c     *client
}

type pingQueue []pingDue

func (q pingQueue) Len() int           { return len(q) }
func (q pingQueue) Less(i, j int) bool { return q[i].at < q[j].at }
func (q pingQueue) Swap(i, j int)      { q[i], q[j] = q[j], q[i] }
func (q *pingQueue) Push(x any)        { *q = append(*q, x.(pingDue)) }
func (q *pingQueue) Pop() any {
	old := *q
	x := old[len(old)-1]
	*q = old[:len(old)-1]
	return x
}

func newPinger() *pinger {
	p := &pinger{wake: make(chan struct{}, 1), stop: make(chan struct{})}
	p.wg.Go(p.run)
	return p
}

// add begins to ping a client if its keepalive says so.
func (p *pinger) add(c *client, k Keepalive) {
	if k.Kind != KeepaliveClient {
		return
	}
	every := k.Every.Nanoseconds()
	due := c.openedAt + every
	if now := wire.Now(); due < now { // keepalive began later than the 101
		due += (now - due + every - 1) / every * every
	}
	p.mu.Lock()
	heap.Push(&p.queue, pingDue{due, every, c})
	p.mu.Unlock()
	p.poke()
}

// reset replaces every client's keepalive.
func (p *pinger) reset(clients []*client, k Keepalive) {
	p.mu.Lock()
	p.queue = nil
	p.mu.Unlock()
	for _, c := range clients {
		p.add(c, k)
	}
}

func (p *pinger) poke() {
	select {
	case p.wake <- struct{}{}:
	default:
	}
}

func (p *pinger) close() {
	close(p.stop)
	p.wg.Wait()
}

func (p *pinger) run() {
	timer := time.NewTimer(time.Hour)
	defer timer.Stop()
	for {
		timer.Reset(p.pingDue())
		select {
		case <-p.stop:
			return
		case <-p.wake:
		case <-timer.C:
		}
	}
}

// pingDue pings every client whose time has come and returns the time to the next.
func (p *pinger) pingDue() time.Duration {
	for {
		p.mu.Lock()
		if len(p.queue) == 0 {
			p.mu.Unlock()
			return time.Hour
		}
		next := p.queue[0]
		if wait := next.at - wire.Now(); wait > 0 {
			p.mu.Unlock()
			return time.Duration(wait)
		}
		heap.Pop(&p.queue)
		p.mu.Unlock()
		// An error means that the connection has ended; its reader knows.
		if !next.c.openNow() || next.c.conn.Ping() != nil {
			continue
		}
		next.at += next.every
		p.mu.Lock()
		heap.Push(&p.queue, next)
		p.mu.Unlock()
	}
}

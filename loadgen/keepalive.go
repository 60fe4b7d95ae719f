package loadgen

import (
	"container/heap"
	"fmt"
	"sync"
	"time"

	"wsrig/internal/wire"
)

func (k Keepalive) validate() error {
	switch k.Kind {
	case "", KeepaliveNone, KeepaliveNode:
		return nil
	case KeepaliveClient:
		if k.Every < minPingEvery {
			return fmt.Errorf("keepalive: a ping every %s; use %s or more", k.Every, minPingEvery)
		}
		return nil
	default:
		return fmt.Errorf("unknown keepalive %q; use %s, %s or %s", k.Kind, KeepaliveNone, KeepaliveClient, KeepaliveNode)
	}
}

// minPingEvery is the shortest interval between two pings of a client.
const minPingEvery = time.Millisecond

// pinger sends the clients' pings, each due a whole number of intervals after its
// client's 101. One goroutine keeps the times of all clients; a ping is written on
// a goroutine of its own, because a connection that takes no more bytes blocks its
// writer for up to a second, and must not make the others' pings late.
type pinger struct {
	mu     sync.Mutex
	queue  pingQueue
	round  uint64 // counts resets: a ping of an earlier round is not repeated
	closed bool
	wake   chan struct{}
	stop   chan struct{}
	wg     sync.WaitGroup
}

// pingDue is a client's next ping.
type pingDue struct {
	at    int64 // wire time
	every int64 // ns
	round uint64
	c     *client
}

// pingQueue is a heap by time.
type pingQueue []pingDue

func (q pingQueue) Len() int           { return len(q) }
func (q pingQueue) Less(i, j int) bool { return q[i].at < q[j].at }
func (q pingQueue) Swap(i, j int)      { q[i], q[j] = q[j], q[i] }
func (q *pingQueue) Push(x any)        { *q = append(*q, x.(pingDue)) }
func (q *pingQueue) Pop() any {
	old := *q
	x := old[len(old)-1]
	old[len(old)-1] = pingDue{} // keeps no client
	*q = old[:len(old)-1]
	return x
}

func newPinger() *pinger {
	p := &pinger{wake: make(chan struct{}, 1), stop: make(chan struct{})}
	p.wg.Go(p.run)
	return p
}

// add begins to ping a client if its keepalive, which is valid, says so.
func (p *pinger) add(c *client, k Keepalive) {
	if k.Kind != KeepaliveClient {
		return
	}
	p.mu.Lock()
	defer p.mu.Unlock()
	p.push(pingDue{at: c.openedAt, every: k.Every.Nanoseconds(), round: p.round, c: c})
}

// push queues the first ping after d.at that is not over yet: those missed are not
// made up for, as a burst of pings keeps nothing alive. The lock is held.
func (p *pinger) push(d pingDue) {
	if d.round != p.round || p.closed {
		return
	}
	missed := max(0, wire.Now()-d.at) / d.every
	d.at += (missed + 1) * d.every
	heap.Push(&p.queue, d)
	if p.queue[0].at == d.at {
		p.poke()
	}
}

// reset replaces every client's keepalive.
func (p *pinger) reset(clients []*client, k Keepalive) {
	p.mu.Lock()
	p.queue = nil
	p.round++
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

// close returns when the last ping has been written.
func (p *pinger) close() {
	p.mu.Lock()
	p.closed = true
	p.mu.Unlock()
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
	p.mu.Lock()
	defer p.mu.Unlock()
	for len(p.queue) > 0 && !p.closed {
		if wait := p.queue[0].at - wire.Now(); wait > 0 {
			return time.Duration(wait)
		}
		d := heap.Pop(&p.queue).(pingDue)
		p.wg.Go(func() { p.ping(d) })
	}
	return time.Hour
}

// ping sends one ping and queues the client's next.
func (p *pinger) ping(d pingDue) {
	// An error means that the connection has ended; its reader knows.
	if !d.c.openNow() || d.c.conn.Ping() != nil {
		return
	}
	p.mu.Lock()
	defer p.mu.Unlock()
	p.push(d)
}

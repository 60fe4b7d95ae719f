package loadgen

import (
	"bytes"
	"context"
	"sync"
	"sync/atomic"
	"time"

	"wsrig/internal/wire"
)

// publisher sends one client's messages, in order: on the pacer's thread where the
// connection never waits, and else on a goroutine of its own, so that a connection
// that takes no more bytes does not hold up the schedule.
type publisher struct {
	c       *client
	prompt  bool         // its connection's SendText never waits
	queue   chan int64   // intended times
	waiting atomic.Int32 // queued and not sent yet; only the pacer adds
	log     PublishLog   // whoever sends owns it and body: the goroutine while anything waits
	body    []byte
	stuck   atomic.Bool // its connection does not take messages any more
}

// publisherQueue bounds what may wait for one connection. An arrival beyond it goes
// to another publisher.
const publisherQueue = 4096

// publishRun is one publish command under way.
type publishRun struct {
	fleet   *Fleet
	spec    PublishSpec
	turns   []*publisher      // whose turn it is, by arrival; the pacer's alone
	all     []*publisher      // those replaced too; the pacer's alone
	spare   map[int][]*client // by room; the pacer's alone
	apart   *apartPhase       // nil for a phase that counts with the others
	senders sync.WaitGroup

	arrivals atomic.Int64
	dropped  atomic.Int64
	over     atomic.Bool // what is still queued is dropped
}

// publishRun begins a publish command.
func (f *Fleet) publishRun(spec PublishSpec) *publishRun {
	r := &publishRun{fleet: f, spec: spec, apart: f.rec.apartOf(spec.Phase)}
	var chosen []*client
	chosen, r.spare = f.choosePublishers(spec.Publishers, spec.FirstTurn)
	for _, c := range chosen {
		if spec.Loop == LoopClosed {
			r.turns = append(r.turns, r.enlist(c))
		} else {
			r.turns = append(r.turns, r.start(c))
		}
	}
	return r
}

// start makes a client a publisher of the open loop.
func (r *publishRun) start(c *client) *publisher {
	p := r.enlist(c)
	r.senders.Go(func() { r.send(p) })
	return p
}

// enlist makes a client a publisher that nobody feeds yet.
func (r *publishRun) enlist(c *client) *publisher {
	_, prompt := c.conn.(PromptConn)
	p := &publisher{
		c: c, prompt: prompt, queue: make(chan int64, publisherQueue),
		log:  PublishLog{Phase: r.spec.Phase, Publisher: c.id, Room: c.room, Node: c.fleet.nodes.name(int(c.node))},
		body: bytes.Repeat([]byte{'.'}, r.spec.Size),
	}
	r.all = append(r.all, p)
	return p
}

// arrive hands the i-th arrival to the publisher whose turn it is, or to the next
// one that can take it. It never waits.
func (r *publishRun) arrive(i int, intended int64) {
	r.arrivals.Add(1)
	r.fleet.rec.at(intended).intended.Add(1)
	if r.apart != nil {
		r.apart.lag.record(wire.Now() - intended)
	}
	for k := range r.turns {
		p := r.able((i + k) % len(r.turns))
		if p == nil {
			continue
		}
		if r.hand(p, intended) {
			return
		}
	}
	r.drop(intended)
}

// inlineLag is how far behind its schedule the pacer may be and still send by itself,
// in nanoseconds. Further behind it only deals the arrivals out, so that other cores
// help.
const inlineLag = 1_000_000

// hand gives an arrival to a publisher, or returns false when its queue is full. To
// wake another goroutine takes longer than the write(2) itself, so the pacer sends
// at once where that cannot wait and nothing earlier is in the way.
func (r *publishRun) hand(p *publisher, intended int64) bool {
	if p.prompt && p.waiting.Load() == 0 && wire.Now()-intended < inlineLag {
		if !r.transmit(p, intended) {
			r.drop(intended)
		}
		return true
	}
	p.waiting.Add(1)
	select {
	case p.queue <- intended:
		return true
	default:
		p.waiting.Add(-1)
		return false
	}
}

// able is the publisher of a turn, replaced by another member of its room when its
// connection has ended or is stuck, so that the room does not fall silent. It is
// nil when the room has no member left.
func (r *publishRun) able(turn int) *publisher {
	p := r.turns[turn]
	if p.c.openNow() && !p.stuck.Load() {
		return p
	}
	for room := p.c.room; len(r.spare[room]) > 0; {
		c := r.spare[room][0]
		r.spare[room] = r.spare[room][1:]
		if c.openNow() {
			r.turns[turn] = r.start(c)
			return r.turns[turn]
		}
	}
	return nil
}

func (r *publishRun) drop(intended int64) {
	r.dropped.Add(1)
	r.fleet.rec.at(intended).dropped.Add(1)
}

// send writes a publisher's messages until its queue is closed.
func (r *publishRun) send(p *publisher) {
	for intended := range p.queue {
		if p.stuck.Load() || r.over.Load() || !r.transmit(p, intended) {
			r.drop(intended)
		}
		p.waiting.Add(-1)
	}
}

// transmit sends one message. After a false the publisher can send no more.
func (r *publishRun) transmit(p *publisher, intended int64) (sent bool) {
	rec := r.fleet.rec
	now := wire.Now()
	if r.apart == nil {
		rec.lag[publishing].record(now - intended)
	}
	wire.AppendStamp(p.body[:0], wire.Stamp{
		Run: r.spec.Phase, Publisher: p.c.id, Node: r.fleet.nodes.stamped(p.c.node), Seq: uint32(len(p.log.Sent)), Intended: intended,
	})
	if p.c.conn.SendText(p.body) != nil {
		p.stuck.Store(true)
		return false
	}
	p.log.Sent = append(p.log.Sent, now)
	rec.at(intended).sent.Add(1)
	return true
}

// end returns when every publisher has sent what was queued. What is still queued
// after a while, or when ctx has ended, is dropped.
func (r *publishRun) end(ctx context.Context, within time.Duration) {
	for _, p := range r.all {
		close(p.queue)
	}
	late := time.AfterFunc(within, func() { r.over.Store(true) })
	defer late.Stop()
	defer context.AfterFunc(ctx, func() { r.over.Store(true) })()
	r.senders.Wait()
}

// result adds up what the publishers did.
func (r *publishRun) result() PublishResult {
	res := PublishResult{Dropped: r.dropped.Load()}
	for _, p := range r.all {
		n := len(p.log.Sent)
		if n == 0 {
			continue
		}
		res.Sent += int64(n)
		if first := p.log.Sent[0]; res.First == 0 || first < res.First {
			res.First = first
		}
		res.Last = max(res.Last, p.log.Sent[n-1])
		res.Logs = append(res.Logs, p.log)
	}
	return res
}

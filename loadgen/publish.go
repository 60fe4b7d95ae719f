package loadgen

import (
	"bytes"
	"context"
	"fmt"
	"slices"
	"sync"
	"sync/atomic"
	"time"

	"wsrig/internal/wire"
)

// publisher sends one client's messages, in order, on a goroutine of its own, so
// that a connection that takes no more bytes does not hold up the schedule.
type publisher struct {
	c     *client
	queue chan int64 // intended times
	log   PublishLog
	body  []byte
	lost  atomic.Bool // its connection does not take messages any more
}

// publisherQueue bounds what may wait for one connection. An arrival beyond it is
// dropped and counted.
const publisherQueue = 4096

// Publish sends messages on a schedule that does not wait for anything, and
// returns when the last has been handed to its connection.
func (f *Fleet) Publish(ctx context.Context, spec PublishSpec, progress func(Progress)) (PublishResult, error) {
	schedule, err := NewSchedule(spec.Arrival, spec.Rate, spec.For, spec.Seed)
	if err != nil {
		return PublishResult{}, fmt.Errorf("publish: %w", err)
	}
	if spec.Size < wire.StampSize {
		return PublishResult{}, fmt.Errorf("publish: size %d; the stamp alone takes %d bytes", spec.Size, wire.StampSize)
	}
	f.addPhase(spec)
	pubs := f.publishers(spec)
	run := publishRun{fleet: f, pubs: pubs}
	res := PublishResult{Asked: spec.Rate, Due: int64(schedule.Count())}
	stop := f.report(progress, func() Progress {
		return Progress{Done: int(run.arrivals.Load()), Total: schedule.Count(), Open: int(f.openCount.Load())}
	})
	defer stop()

	var senders sync.WaitGroup
	for _, p := range pubs {
		senders.Go(func() { run.send(p, spec.Phase) })
	}
	f.sat.begin()
	err = pace(ctx, wire.Now(), schedule, run.arrive)
	for _, p := range pubs {
		close(p.queue)
	}
	senders.Wait()
	f.sat.end()

	res.Dropped = run.dropped.Load()
	f.sat.drops(res.Dropped, res.Due)
	for _, p := range pubs {
		res.Sent += int64(len(p.log.Sent))
		if len(p.log.Sent) > 0 {
			first, last := p.log.Sent[0], p.log.Sent[len(p.log.Sent)-1]
			if res.First == 0 || first < res.First {
				res.First = first
			}
			res.Last = max(res.Last, last)
			res.Logs = append(res.Logs, p.log)
		}
	}
	return res, err
}

func (f *Fleet) addPhase(spec PublishSpec) {
	grown := append(slices.Clone(*f.phases.Load()), phase{spec.Phase, spec.Grace.Nanoseconds()})
	f.phases.Store(&grown)
}

// publishers picks who publishes: clients taken in turn from each room, one from
// each unless the spec asks for another number.
func (f *Fleet) publishers(spec PublishSpec) []*publisher {
	byRoom := make(map[int][]*client)
	var rooms []int
	for _, c := range f.openClients() {
		if byRoom[c.room] == nil {
			rooms = append(rooms, c.room)
		}
		byRoom[c.room] = append(byRoom[c.room], c)
	}
	slices.Sort(rooms)
	want := spec.Publishers
	if want == 0 {
		want = len(rooms)
	}
	var pubs []*publisher
	for rank := 0; len(pubs) < want; rank++ {
		before := len(pubs)
		for _, r := range rooms {
			if rank < len(byRoom[r]) && len(pubs) < want {
				pubs = append(pubs, newPublisher(byRoom[r][rank], spec))
			}
		}
		if len(pubs) == before {
			break // every client publishes
		}
	}
	return pubs
}

func newPublisher(c *client, spec PublishSpec) *publisher {
	return &publisher{
		c: c, queue: make(chan int64, publisherQueue),
		log:  PublishLog{Phase: spec.Phase, Publisher: c.id, Room: c.room, Node: c.fleet.nodes.name(int(c.node))},
		body: bytes.Repeat([]byte{'.'}, spec.Size),
	}
}

// publishRun is one publish command under way.
type publishRun struct {
	fleet    *Fleet
	pubs     []*publisher
	arrivals atomic.Int64
	dropped  atomic.Int64
}

// arrive hands the i-th arrival to the publisher whose turn it is, or to the next
// one that is connected. It never waits.
func (r *publishRun) arrive(i int, intended int64) {
	r.arrivals.Add(1)
	iv := r.fleet.rec.at(intended)
	iv.intended.Add(1)
	for k := range r.pubs {
		p := r.pubs[(i+k)%len(r.pubs)]
		if p.lost.Load() || !p.c.openNow() {
			continue
		}
		select {
		case p.queue <- intended:
			return
		default:
		}
	}
	r.dropped.Add(1)
	iv.dropped.Add(1)
}

// send writes a publisher's messages until its queue is closed.
func (r *publishRun) send(p *publisher, phase uint32) {
	rec := r.fleet.rec
	for intended := range p.queue {
		now := wire.Now()
		iv := rec.at(intended)
		if p.lost.Load() {
			r.dropped.Add(1)
			iv.dropped.Add(1)
			continue
		}
		rec.lag.record(now - intended)
		wire.AppendStamp(p.body[:0], wire.Stamp{
			Run: phase, Publisher: p.c.id, Node: p.c.node, Seq: uint32(len(p.log.Sent)), Intended: intended,
		})
		if err := p.c.conn.SendText(p.body); err != nil {
			// The frame may be cut short: this connection sends no more.
			p.lost.Store(true)
			r.dropped.Add(1)
			iv.dropped.Add(1)
			continue
		}
		p.log.Sent = append(p.log.Sent, now)
		iv.sent.Add(1)
	}
}

// Await takes note of what all workers sent, and waits until this worker's clients
// have got what they are owed of it, or the grace is over.
func (f *Fleet) Await(ctx context.Context, spec AwaitSpec, progress func(Progress)) (AwaitResult, error) {
	f.logs = append(f.logs, spec.Logs...)
	owed := f.owed()
	stop := f.report(progress, func() Progress {
		return Progress{Done: int(min(f.received(), owed)), Total: int(owed), Open: int(f.openCount.Load())}
	})
	defer stop()
	over := time.NewTimer(spec.Grace)
	defer over.Stop()
	tick := time.NewTicker(5 * time.Millisecond)
	defer tick.Stop()
	var err error
wait:
	for f.received() < owed {
		select {
		case <-over.C:
			break wait
		case <-ctx.Done():
			err = ctx.Err()
			break wait
		case <-tick.C:
		}
	}
	return AwaitResult{Owed: owed, Received: f.received()}, err
}

// received counts the deliveries so far, without duplicates.
func (f *Fleet) received() int64 {
	var n int64
	for i := range f.rec.intervals {
		if iv := f.rec.intervals[i].Load(); iv != nil {
			n += iv.deliveries.Load()
		}
	}
	return n
}

// owed counts the deliveries that this worker's clients are owed by all logs.
func (f *Fleet) owed() int64 {
	var n int64
	for _, c := range f.clients {
		m, ok := c.membership(wire.Now())
		if !ok {
			continue
		}
		for _, l := range f.logs {
			if l.Room == m.room {
				lo, _ := slices.BinarySearch(l.Sent, m.from)
				hi, _ := slices.BinarySearch(l.Sent, m.to)
				n += int64(hi - lo)
			}
		}
	}
	return n
}

// membership is the client's time in its room so far; ok is false if it never was
// connected.
func (c *client) membership(now int64) (m membership, ok bool) {
	if c.openedAt == 0 {
		return membership{}, false
	}
	m = membership{room: c.room, from: c.openedAt, to: now}
	if c.ended.Load() {
		m.to = c.end.At
	}
	return m, true
}

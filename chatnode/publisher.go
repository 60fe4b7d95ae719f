package chatnode

import (
	"context"
	"sync"

	"github.com/redis/go-redis/v9"
)

// publication is one message on its way to Redis.
type publication struct {
	channel string
	head    []byte
}

// publisher sends publications in the order they were added. While one batch is on
// its way the next collects, so one round trip carries what has come meanwhile: a
// lone message leaves at once, and a flood needs few round trips.
type publisher struct {
	limit   int // of pending
	history int // messages of a room that Redis keeps; 0 for none
	events  busEvents

	mu      sync.Mutex
	space   sync.Cond // pending was taken, send ended, or the publisher closed
	client  *redis.Client
	pending []publication
	spare   []publication // the array that pending had before; reused
	sending bool          // a goroutine runs send
	closed  bool
}

// maxBatch bounds one round trip, and so the wait of those behind it.
const maxBatch = 512

func newPublisher(limit, history int, ev busEvents) *publisher {
	p := &publisher{limit: limit, history: history, events: ev}
	p.space.L = &p.mu
	return p
}

// use sets the client to publish with; nil while Redis is away.
func (p *publisher) use(c *redis.Client) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.client = c
}

// current is the client to talk to Redis with; nil while Redis is away.
func (p *publisher) current() *redis.Client {
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.client
}

// close makes every later add fail at once, and every waiting one. It returns when
// nothing is being sent any more.
func (p *publisher) close() {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.closed, p.client = true, nil
	p.space.Broadcast()
	for p.sending {
		p.space.Wait()
	}
}

// add queues m, and waits while the queue is full. Every round trip ends in bounded
// time (redisPatience), so the wait does too.
func (p *publisher) add(m publication) {
	p.mu.Lock()
	defer p.mu.Unlock()
	if len(p.pending) >= p.limit {
		p.events.waited()
		for len(p.pending) >= p.limit && !p.closed {
			p.space.Wait()
		}
	}
	if p.client == nil || p.closed {
		p.events.failed(1)
		return
	}
	p.pending = append(p.pending, m)
	if !p.sending {
		p.sending = true
		go p.send()
	}
}

// send publishes until nothing is pending.
func (p *publisher) send() {
	p.mu.Lock()
	defer p.mu.Unlock()
	for len(p.pending) > 0 {
		batch := p.pending
		p.pending, p.spare = p.spare[:0], nil
		client := p.client
		p.space.Broadcast()
		p.mu.Unlock()
		for rest := batch; len(rest) > 0; {
			n := min(len(rest), maxBatch)
			p.roundTrip(client, rest[:n])
			rest = rest[n:]
		}
		clear(batch)
		p.mu.Lock()
		p.spare = batch[:0]
	}
	p.sending = false
	p.space.Broadcast()
}

// roundTrip publishes batch and reports what failed. A failure after Redis took a
// message but before it said so is counted as failed too; nothing is sent twice.
func (p *publisher) roundTrip(client *redis.Client, batch []publication) {
	if client == nil {
		p.events.failed(len(batch))
		return
	}
	ctx := context.Background() // the client's own timeouts bound it
	pipe := client.Pipeline()
	if p.history > 0 {
		pipe = client.TxPipeline() // so that history has the order of the channel
	}
	for _, m := range batch {
		if p.history > 0 {
			p.remember(ctx, pipe, m)
		}
		pipe.Publish(ctx, m.channel, m.head)
	}
	cmds, err := pipe.Exec(ctx)
	if err == nil {
		return
	}
	failed := 0
	for _, c := range cmds {
		if c.Err() != nil && c.Name() == "publish" {
			failed++
		}
	}
	if failed > 0 {
		p.events.failed(failed)
		p.events.log.Warn("publish failed", "bus", "redis", "messages", failed, "error", err.Error())
	}
}

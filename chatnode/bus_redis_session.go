package chatnode

import (
	"context"
	"fmt"
	"strings"
	"sync"
	"sync/atomic"
	"time"

	"github.com/redis/go-redis/v9"

	"wsrig/internal/wire"
)

// session is the life of one subscribed connection to Redis.
type session struct {
	bus    *redisBus
	client *redis.Client
	pubsub *redis.PubSub
	heard  atomic.Int64 // wire.Now of the last thing Redis said
	wasUp  bool         // owned by receive

	once sync.Once
	why  error // what ended the session; set by end
}

func newSession(b *redisBus) *session {
	options := *b.options
	client := redis.NewClient(&options)
	s := &session{bus: b, client: client, pubsub: client.Subscribe(context.Background())}
	s.heard.Store(wire.Now())
	return s
}

// run serves the session until it breaks or ctx ends, and returns why it ended.
func (s *session) run(ctx context.Context) error {
	ctx, cancel := context.WithCancel(ctx)
	var wg sync.WaitGroup
	wg.Go(func() { s.steer(ctx) })
	s.receive(ctx)
	cancel()
	wg.Wait()
	s.bus.publisher.use(nil)
	// Errors of closing say nothing new: the connections are broken or done with.
	_ = s.client.Close()
	return s.why
}

// end breaks the session; the first reason counts. It unblocks receive.
func (s *session) end(why error) {
	s.once.Do(func() {
		s.why = why
		_ = s.pubsub.Close()
	})
}

// steer keeps the subscriptions as the rooms want them, and watches that Redis is
// there. Being the only writer, it sends commands in the order of its decisions.
func (s *session) steer(ctx context.Context) {
	ticker := time.NewTicker(redisPing)
	defer ticker.Stop()
	if err := s.apply(ctx); err != nil {
		s.end(err)
		return
	}
	// Redis answers in order: the first pong says that all rooms are subscribed.
	err := s.pubsub.Ping(ctx)
	for err == nil {
		select {
		case <-s.bus.wake:
			err = s.apply(ctx)
		case <-ticker.C:
			err = s.check(ctx)
		case <-ctx.Done():
			err = context.Cause(ctx)
		}
	}
	s.end(err)
}

// apply sends what plan says, in commands of a bounded size.
func (s *session) apply(ctx context.Context) error {
	const perCommand = 512
	subscribe, unsubscribe := s.bus.plan()
	for _, c := range []struct {
		channels []string
		send     func(context.Context, ...string) error
	}{{unsubscribe, s.pubsub.Unsubscribe}, {subscribe, s.pubsub.Subscribe}} {
		for len(c.channels) > 0 {
			n := min(len(c.channels), perCommand)
			if err := c.send(ctx, c.channels[:n]...); err != nil {
				return err
			}
			c.channels = c.channels[n:]
		}
	}
	return nil
}

// check pings Redis, and calls it away after a long silence.
func (s *session) check(ctx context.Context) error {
	silence := time.Duration(wire.Now() - s.heard.Load())
	if silence > redisPatience {
		return fmt.Errorf("redis said nothing for %v", silence.Round(time.Millisecond))
	}
	if silence > redisSilence {
		s.bus.mu.Lock()
		s.bus.setDown(fmt.Errorf("redis says nothing since %v", silence.Round(time.Second)))
		s.bus.mu.Unlock()
	}
	return s.pubsub.Ping(ctx)
}

// receive handles what Redis sends until the session ends.
func (s *session) receive(ctx context.Context) {
	for {
		msg, err := s.pubsub.Receive(ctx)
		if err != nil {
			s.end(err)
			return
		}
		s.heard.Store(wire.Now())
		switch m := msg.(type) {
		case *redis.Message:
			s.bus.events.deliver(strings.TrimPrefix(m.Channel, channelPrefix), m.Payload)
		case *redis.Subscription:
			if m.Kind == "subscribe" {
				s.bus.confirmed(m.Channel)
			}
		case *redis.Pong:
			s.up()
		}
	}
}

// up makes the session the one that publishes.
func (s *session) up() {
	if !s.wasUp {
		s.wasUp = true
		s.bus.publisher.use(s.client)
	}
	s.bus.mu.Lock()
	s.bus.setDown(nil)
	s.bus.mu.Unlock()
}

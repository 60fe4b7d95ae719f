package chatnode

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"strings"
	"sync"
	"time"

	"github.com/redis/go-redis/v9"
	"github.com/redis/go-redis/v9/maintnotifications"
)

// errBusDown is the reason for refusing handshakes while Redis is away.
var errBusDown = errors.New("bus redis is away")

// channelPrefix and a room's name make its Redis channel.
const channelPrefix = "chat:"

// Patience with Redis.
const (
	redisDialTimeout = time.Second
	// A Redis that is frozen for less than this loses nothing: it has the
	// commands in its socket and answers them when it goes on.
	redisPatience = 10 * time.Second
	// A silent Redis is pinged this often, and is called away when it has not
	// answered for redisSilence, so that no client is sent here meanwhile.
	redisPing    = time.Second
	redisSilence = 3 * time.Second
	// Between two attempts to connect; doubles from the first to the second.
	redisRetryMin = 50 * time.Millisecond
	redisRetryMax = time.Second
)

// redisBus is a bus over Redis PUBLISH and SUBSCRIBE. It lives in sessions: one
// session is one subscribed connection with its publishing connection. When either
// breaks the session ends, everything it had is closed, and a new one subscribes to
// all rooms again. go-redis would reconnect by itself, but would not tell.
type redisBus struct {
	options   *redis.Options
	events    busEvents
	publisher *publisher

	mu      sync.Mutex
	rooms   map[string]*subscription
	changed map[string]struct{} // rooms whose subscription may differ from what is wanted
	wake    chan struct{}       // capacity 1: there is something in changed
	down    error               // why no session is up; nil while one is
}

// subscription is one room's channel, as wanted and as it stands in this session.
type subscription struct {
	members int           // joins minus leaves; above 0 the channel is wanted
	asked   bool          // SUBSCRIBE was sent, and no UNSUBSCRIBE after it
	unacked int           // SUBSCRIBEs sent whose confirmation has not come
	ready   chan struct{} // closed while the last SUBSCRIBE stands confirmed
	isReady bool
}

func newRedisBus(c Config, ev busEvents) (bus, error) {
	opt, err := redis.ParseURL(c.RedisURL)
	if err != nil {
		return nil, fmt.Errorf("redis url: %w", err)
	}
	// RESP2, and none of the handshake that newer servers offer: a node needs two
	// plain connections. A publish is never retried, as it could arrive twice.
	opt.Protocol = 2
	opt.DisableIdentity = true
	opt.MaintNotificationsConfig = &maintnotifications.Config{Mode: maintnotifications.ModeDisabled}
	opt.MaxRetries = -1
	opt.DialTimeout = redisDialTimeout
	opt.DialerRetries = 1
	opt.ReadTimeout = redisPatience
	opt.WriteTimeout = redisPatience
	opt.PoolSize = 1
	return &redisBus{
		options:   opt,
		events:    ev,
		publisher: newPublisher(c.PublishQueue, c.History, ev),
		rooms:     map[string]*subscription{},
		changed:   map[string]struct{}{},
		wake:      make(chan struct{}, 1),
		down:      errors.New("not connected yet"),
	}, nil
}

func (b *redisBus) publish(room string, head []byte) {
	b.publisher.add(publication{channel: channelPrefix + room, head: head})
}

func (b *redisBus) ready() error {
	b.mu.Lock()
	defer b.mu.Unlock()
	if b.down != nil {
		return fmt.Errorf("%w: %w", errBusDown, b.down)
	}
	return nil
}

func (b *redisBus) join(ctx context.Context, room string) error {
	b.mu.Lock()
	if b.down != nil {
		err := fmt.Errorf("%w: %w", errBusDown, b.down)
		b.mu.Unlock()
		return err
	}
	sub := b.rooms[room]
	if sub == nil {
		sub = &subscription{ready: make(chan struct{})}
		b.rooms[room] = sub
	}
	sub.members++
	if sub.members == 1 {
		b.mark(room)
	}
	ready := sub.ready
	b.mu.Unlock()

	select {
	case <-ready:
		return nil
	case <-ctx.Done():
		b.leave(room)
		return fmt.Errorf("redis did not confirm the subscription of room %q in time: %w", room, context.Cause(ctx))
	}
}

func (b *redisBus) leave(room string) {
	b.mu.Lock()
	defer b.mu.Unlock()
	sub := b.rooms[room]
	sub.members--
	if sub.members == 0 {
		b.mark(room)
	}
}

// mark notes that room needs a look by the session; b.mu is held.
func (b *redisBus) mark(room string) {
	b.changed[room] = struct{}{}
	select {
	case b.wake <- struct{}{}:
	default:
	}
}

func (b *redisBus) run(ctx context.Context) {
	defer b.publisher.close()
	retry := redisRetryMin
	for ctx.Err() == nil {
		s := newSession(b)
		err := s.run(ctx)
		if s.wasUp {
			retry = redisRetryMin
		}
		b.lost(err)
		// Jitter keeps the nodes of a chat from meeting at a new Redis all at once.
		pause := retry/2 + rand.N(retry/2)
		if retry *= 2; retry > redisRetryMax {
			retry = redisRetryMax
		}
		select {
		case <-time.After(pause):
		case <-ctx.Done():
		}
	}
}

// lost records the end of a session: no room is subscribed any more.
func (b *redisBus) lost(why error) {
	b.mu.Lock()
	defer b.mu.Unlock()
	b.setDown(why)
	for room, sub := range b.rooms {
		if sub.members == 0 {
			delete(b.rooms, room)
			continue
		}
		sub.asked, sub.unacked = false, 0
		sub.unready()
		b.mark(room)
	}
}

// setDown sets the state and logs a change of it; b.mu is held. nil means up.
func (b *redisBus) setDown(why error) {
	if (b.down == nil) != (why == nil) {
		if why == nil {
			b.events.log.Info("bus up", "bus", "redis", "addr", b.options.Addr, "rooms", len(b.rooms))
		} else {
			b.events.log.Warn("bus down", "bus", "redis", "addr", b.options.Addr, "error", why.Error())
		}
	}
	b.down = why
}

// plan compares what is wanted with what was asked, for all changed rooms, and
// returns the channels to subscribe and to unsubscribe.
func (b *redisBus) plan() (subscribe, unsubscribe []string) {
	b.mu.Lock()
	defer b.mu.Unlock()
	for room := range b.changed {
		delete(b.changed, room)
		sub := b.rooms[room]
		switch {
		case sub == nil:
		case sub.members > 0 && !sub.asked:
			sub.asked = true
			sub.unacked++
			subscribe = append(subscribe, channelPrefix+room)
		case sub.members == 0 && sub.asked:
			sub.asked = false
			sub.unready()
			unsubscribe = append(unsubscribe, channelPrefix+room)
			fallthrough
		case sub.members == 0:
			if sub.unacked == 0 {
				delete(b.rooms, room)
			}
		}
	}
	return subscribe, unsubscribe
}

// confirmed takes the confirmation of one SUBSCRIBE.
func (b *redisBus) confirmed(channel string) {
	room := strings.TrimPrefix(channel, channelPrefix)
	b.mu.Lock()
	defer b.mu.Unlock()
	sub := b.rooms[room]
	if sub == nil || sub.unacked == 0 {
		return
	}
	if sub.unacked--; sub.unacked > 0 {
		return // an older SUBSCRIBE, before an UNSUBSCRIBE
	}
	switch {
	case sub.asked:
		sub.isReady = true
		close(sub.ready)
	case sub.members == 0:
		delete(b.rooms, room)
	}
}

// unready makes joins wait for the next confirmation.
func (s *subscription) unready() {
	if s.isReady {
		s.isReady = false
		s.ready = make(chan struct{})
	}
}

package chatnode

import (
	"context"
	"fmt"
	"slices"
	"time"

	"github.com/redis/go-redis/v9"
)

// historyPrefix and a room's name make the key of the list of its last messages, the
// newest first.
const historyPrefix = "chat-history:"

// historyTTL is how long Redis keeps the history of a room in which nobody speaks.
const historyTTL = time.Hour

// remember adds to a transaction what keeps m for those who come back.
func (p *publisher) remember(ctx context.Context, tx redis.Pipeliner, m publication) {
	key := historyPrefix + m.channel[len(channelPrefix):]
	tx.LPush(ctx, key, m.head)
	tx.LTrim(ctx, key, 0, int64(p.history)-1)
	tx.Expire(ctx, key, historyTTL)
}

// history implements bus. Redis publishes and remembers a message in one step, and the
// subscription stands already, so nothing falls between the list and the channel.
func (b *redisBus) history(ctx context.Context, room string) ([]string, error) {
	client := b.publisher.current()
	if client == nil {
		return nil, errBusDown
	}
	heads, err := client.LRange(ctx, historyPrefix+room, 0, -1).Result()
	if err != nil {
		return nil, fmt.Errorf("read the history of room %q from redis: %w", room, err)
	}
	slices.Reverse(heads)
	return heads, nil
}

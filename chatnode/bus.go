package chatnode

import (
	"context"
	"log/slog"
)

// bus carries messages between the nodes of a chat, per room in one order for all.
// All methods but run may be called at any time from any goroutine.
type bus interface {
	// run connects and serves until ctx ends. It is called once.
	run(ctx context.Context)
	// publish sends a message's head (wire.AppendHead) to all nodes with members
	// in room, this one included. Messages of one caller keep their order. It
	// waits while the queue to the bus is full, and reports messages that could
	// not be published to busEvents.failed. The bus keeps head.
	publish(room string, head []byte)
	// join returns nil once this node receives everything published to room from
	// now on. Every join that returned nil needs a leave. It fails when ctx ends
	// first, or at once with errBusDown while the bus is away.
	join(ctx context.Context, room string) error
	// leave takes back one join.
	leave(room string)
	// history returns the heads of a room's last messages, the oldest first, as many
	// as Config.History says and Redis still has. After a join that returned nil, a
	// message is in history or is delivered, or both.
	history(ctx context.Context, room string) ([]string, error)
	// ready is nil while messages flow, and otherwise says why not.
	ready() error
}

// busEvents is what a bus tells its node. No method of the bus may be called from
// within deliver.
type busEvents struct {
	deliver func(room, head string) // a message arrived; called by one goroutine per room at a time
	failed  func(messages int)      // these could not be published
	waited  func()                  // a publisher had to wait for the queue
	log     *slog.Logger
}

// buses is the one list of implementations.
var buses = map[string]func(Config, busEvents) (bus, error){
	"redis": newRedisBus,
	"none":  newLocalBus,
}

// localBus is the bus of a node alone: what it publishes it delivers.
type localBus struct{ events busEvents }

func newLocalBus(_ Config, ev busEvents) (bus, error) { return localBus{ev}, nil }

func (b localBus) run(ctx context.Context)                           { <-ctx.Done() }
func (b localBus) publish(room string, head []byte)                  { b.events.deliver(room, string(head)) }
func (b localBus) join(context.Context, string) error                { return nil }
func (b localBus) leave(string)                                      {}
func (b localBus) history(context.Context, string) ([]string, error) { return nil, nil }
func (b localBus) ready() error                                      { return nil }

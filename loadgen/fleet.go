package loadgen

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"runtime/debug"
	"sync"
	"sync/atomic"
	"time"

	"wsrig/internal/wire"
)

// Fleet owns the clients of one process for one trial. Its methods are the
// commands of the control API; they are called one after the other.
type Fleet struct {
	fleetState
	engine  Engine
	clients []*client
	logs    []PublishLog
	pinger  *pinger
	sat     *saturation
}

// fleetState is what a client needs of its fleet.
type fleetState struct {
	nodes     *nodeTable
	rec       *recorder
	relay     string
	phases    atomic.Pointer[[]phase]
	published []uint32 // the phases that this process has published in
	openCount atomic.Int64
	foreign   atomic.Int64
	opens     *openSampler
	closed    atomic.Pointer[closedLoop] // the one under way; nil for none
	endings   chan struct{}              // has an element after a client ended; see signalEnd
	jars      jars
	rooms     roomTable
}

// phase is one publish command, expected or run: messages of others are not counted.
type phase struct {
	id    uint32
	grace int64 // ns
}

// NewFleet begins a trial on an engine.
func NewFleet(engine Engine, spec BeginSpec) (*Fleet, error) {
	nodes, err := newNodeTable(spec.Nodes)
	if err != nil {
		return nil, err
	}
	if !isRelay(spec.Relay) {
		return nil, fmt.Errorf("unknown relay mode %q; use %s, %s or %s", spec.Relay, RelayRoom, RelayAll, RelaySelf)
	}
	start := wire.Now()
	f := &Fleet{engine: engine}
	f.nodes, f.relay = nodes, cmp.Or(spec.Relay, RelayRoom)
	f.rec = newRecorder(start, nodes)
	f.endings = make(chan struct{}, 1)
	f.phases.Store(&[]phase{})
	f.pinger = newPinger()
	f.opens = newOpenSampler(start, nodes)
	f.sat = newSaturation()
	return f, nil
}

// signalEnd wakes whoever waits for clients to end.
func (f *fleetState) signalEnd() {
	select {
	case f.endings <- struct{}{}:
	default:
	}
}

// phaseGrace tells whether a stamp's run is one of this trial's publish commands.
func (f *fleetState) phaseGrace(id uint32) (grace int64, ours bool) {
	for _, p := range *f.phases.Load() {
		if p.id == id {
			return p.grace, true
		}
	}
	return 0, false
}

// progressEvery is how often a command reports.
const progressEvery = 100 * time.Millisecond

// report calls progress regularly until the returned stop.
func (f *Fleet) report(progress func(Progress), now func() Progress) (stop func()) {
	done := make(chan struct{})
	var wg sync.WaitGroup
	wg.Go(func() {
		tick := time.NewTicker(progressEvery)
		defer tick.Stop()
		for {
			select {
			case <-done:
				return
			case <-tick.C:
				progress(now())
			}
		}
	})
	return func() {
		close(done)
		wg.Wait()
		progress(now())
	}
}

// Connect opens clients at the spec's rate, and returns when every handshake has
// ended one way or the other.
func (f *Fleet) Connect(ctx context.Context, spec ConnectSpec, progress func(Progress)) (ConnectResult, error) {
	if err := spec.validate(); err != nil {
		return ConnectResult{}, err
	}
	way, err := spec.way()
	if err != nil {
		return ConnectResult{}, fmt.Errorf("connect: %w", err)
	}
	rooms := assignRooms(spec.Total, spec.Rooms, spec.Seed)
	if f.relay == RelayRoom {
		f.rooms.add(spec.First-uint32(spec.Offset), rooms)
	}
	batch := make([]*client, spec.Clients)
	for i := range batch {
		c := &client{fleet: &f.fleetState, id: spec.First + uint32(i)}
		c.room = f.roomOf(c.id, rooms[spec.Offset+i])
		batch[i] = c
	}
	f.clients = append(f.clients, batch...)

	var mu sync.Mutex
	var finished atomic.Int64
	res := ConnectResult{Outcomes: make(map[string]int)}
	stop := f.report(progress, func() Progress {
		return Progress{Done: int(finished.Load()), Total: spec.Clients, Open: int(f.openCount.Load())}
	})
	defer stop()
	var dials sync.WaitGroup
	gate := newTurnstile(spec.InFlight)
	err = pace(ctx, wire.Now(), ConstantCount(spec.Rate, spec.Clients), func(i int, intended int64) {
		gate.enter()
		dials.Go(func() {
			defer gate.leave()
			batch[i].due = intended
			outcome := f.dial(ctx, batch[i], way)
			finished.Add(1)
			mu.Lock()
			defer mu.Unlock()
			res.Outcomes[outcome]++
		})
	})
	dials.Wait()
	// What handshakes leave behind is several times an idle client. It goes back to
	// the system now, between two steps, and not while something is measured.
	debug.FreeOSMemory()
	res.OK = res.Outcomes[outcomeOK]
	if err == nil {
		err = ctx.Err() // the last handshakes may have been cut off
	}
	return res, err
}

// dial makes one client's visit, if any, and its handshake, and records them.
func (f *Fleet) dial(ctx context.Context, c *client, way *way) (outcome string) {
	f.rec.lag[connecting].record(wire.Now() - c.due)
	f.rec.handshakeDue(c.due)
	d, err := way.prepare(ctx, c)
	if err == nil {
		err = f.engine.Dial(ctx, d, c)
	}
	if err != nil {
		outcome, cause := outcomeOther, err
		var failed *HandshakeError
		if errors.As(err, &failed) {
			outcome, cause = failed.Outcome, failed.Err
		}
		f.rec.handshakeFailed(outcome, cause, wire.Now())
		return outcome
	}
	f.pinger.add(c, way.spec.Keepalive)
	return outcomeOK
}

// roomOf is the set of clients that get what a client publishes, as a number.
func (f *Fleet) roomOf(id uint32, room int) int {
	switch f.relay {
	case RelayAll:
		return 0
	case RelaySelf:
		return int(id)
	default:
		return room
	}
}

// assignRooms spreads n clients over rooms evenly and in an order of its own, so
// that a proxy's turn-taking does not put a whole room on one node.
func assignRooms(n, rooms int, seed uint64) []int {
	all := make([]int, n)
	for i := range all {
		all[i] = i % rooms
	}
	rng := rand.New(rand.NewPCG(seed, 0x726f6f6d73))
	rng.Shuffle(n, func(i, j int) { all[i], all[j] = all[j], all[i] })
	return all
}

// Idle lets all clients be for a while and tells how many are left.
func (f *Fleet) Idle(ctx context.Context, spec IdleSpec, progress func(Progress)) (IdleResult, error) {
	if spec.Keepalive != nil {
		if err := spec.Keepalive.validate(); err != nil {
			return IdleResult{}, fmt.Errorf("idle: %w", err)
		}
		f.pinger.reset(f.openClients(), *spec.Keepalive)
	}
	begin := wire.Now()
	res := IdleResult{Start: begin, Clients: int(f.openCount.Load())}
	stop := f.report(progress, func() Progress {
		ms := int((wire.Now() - begin) / 1e6)
		total := int(spec.For.Milliseconds())
		return Progress{Done: min(ms, total), Total: total, Open: int(f.openCount.Load())}
	})
	defer stop()
	over := time.NewTimer(spec.For)
	defer over.Stop()
	var err error
wait:
	for !spec.UntilClosed || f.openCount.Load() > 0 {
		select {
		case <-over.C:
			break wait
		case <-f.endings:
		case <-ctx.Done():
			err = ctx.Err()
			break wait
		}
	}
	res.End, res.Left = wire.Now(), int(f.openCount.Load())
	return res, err
}

func (f *Fleet) openClients() []*client {
	var open []*client
	for _, c := range f.clients {
		if c.openNow() {
			open = append(open, c)
		}
	}
	return open
}

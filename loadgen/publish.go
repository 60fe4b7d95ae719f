package loadgen

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"slices"
	"time"

	"wsrig/internal/wire"
)

// Publish sends messages on a schedule that does not wait for anything, or in closed
// loop if the spec asks for that. It returns when the last has been handed to its connection, or at the latest the spec's
// grace after the schedule's end: what is still queued then is dropped.
func (f *Fleet) Publish(ctx context.Context, spec PublishSpec, progress func(Progress)) (PublishResult, error) {
	if err := f.validate(spec); err != nil {
		return PublishResult{}, fmt.Errorf("publish: %w", err)
	}
	schedule, err := NewSchedule(spec.Arrival, spec.Rate, spec.For, spec.Seed)
	if err != nil {
		return PublishResult{}, fmt.Errorf("publish: %w", err)
	}
	if err := f.Expect(ExpectSpec{Phase: spec.Phase, Grace: spec.Grace, Due: schedule.Count()}); err != nil {
		return PublishResult{}, fmt.Errorf("publish: %w", err)
	}
	f.published = append(f.published, spec.Phase)
	run := f.publishRun(spec)
	stop := f.report(progress, func() Progress {
		return Progress{Done: int(run.arrivals.Load()), Total: schedule.Count(), Open: int(f.openCount.Load())}
	})
	defer stop()
	before := len(f.sat.reasons)
	f.sat.begin()
	begin := wire.Now()
	if spec.Loop == LoopClosed {
		err = run.converse(ctx, begin)
	} else {
		err = pace(ctx, begin, schedule, run.arrive)
	}
	run.end(ctx, spec.Grace)
	f.sat.end()

	res := run.result()
	res.Phase, res.Loop, res.For, res.Begin = spec.Phase, cmp.Or(spec.Loop, LoopOpen), spec.For, begin
	res.Asked, res.Due, res.CPU = spec.Rate, int64(schedule.Count()), f.sat.share
	if run.apart != nil {
		return res, errors.Join(err, run.apart.judge(&res, f.sat, before))
	}
	f.sat.drops(res.Dropped, res.Due)
	return res, err
}

func (f *Fleet) validate(spec PublishSpec) error {
	switch {
	case spec.Size < wire.StampSize || spec.Size > messageLimit:
		return fmt.Errorf("size %d; use %d, which the stamp alone takes, to %d bytes", spec.Size, wire.StampSize, messageLimit)
	case !isLoop(spec.Loop):
		return fmt.Errorf("unknown loop %q; use %s or %s", spec.Loop, LoopOpen, LoopClosed)
	case spec.Publishers < 0:
		return fmt.Errorf("%d publishers; use 1 or more, or 0 for one in each room", spec.Publishers)
	case spec.FirstTurn < 0:
		return fmt.Errorf("first turn %d; use 0 or more", spec.FirstTurn)
	case slices.Contains(f.published, spec.Phase):
		return fmt.Errorf("phase %d is that of an earlier publish of this trial; each needs its own", spec.Phase)
	}
	return nil
}

// Expect makes the messages of a publish command count, here or in another process.
func (f *Fleet) Expect(spec ExpectSpec) error {
	if spec.Grace <= 0 {
		return fmt.Errorf("grace %s; it must be above 0", spec.Grace)
	}
	if _, known := f.phaseGrace(spec.Phase); known {
		return nil
	}
	if spec.Apart {
		f.rec.keepApart(spec.Phase) // before its messages count
	}
	grown := append(slices.Clone(*f.phases.Load()), phase{spec.Phase, spec.Grace.Nanoseconds()})
	f.phases.Store(&grown)
	f.rec.last.expect(spec.Phase, spec.Due)
	return nil
}

// choosePublishers picks who publishes: clients taken in turn from each room, one
// from each unless the spec asks for another number. The rest are spare. Workers that
// have clients in the same rooms choose as one would: each begins behind the rooms of
// those before it.
func (f *Fleet) choosePublishers(want, firstTurn int) (chosen []*client, spare map[int][]*client) {
	spare = make(map[int][]*client)
	var rooms []int
	for _, c := range f.openClients() {
		if spare[c.room] == nil {
			rooms = append(rooms, c.room)
		}
		spare[c.room] = append(spare[c.room], c)
	}
	slices.Sort(rooms)
	if want == 0 {
		want = len(rooms)
	}
	if len(rooms) > 0 {
		begin := firstTurn % len(rooms)
		rooms = slices.Concat(rooms[begin:], rooms[:begin])
	}
	for before := -1; len(chosen) < want && len(chosen) > before; {
		before = len(chosen)
		for _, r := range rooms {
			if len(spare[r]) > 0 && len(chosen) < want {
				chosen = append(chosen, spare[r][0])
				spare[r] = spare[r][1:]
			}
		}
	}
	return chosen, spare
}

// Await takes note of what all workers sent, and waits until this worker's clients
// have got what they are owed of it, or the grace is over.
func (f *Fleet) Await(ctx context.Context, spec AwaitSpec, progress func(Progress)) (AwaitResult, error) {
	f.logs = append(f.logs, spec.Logs...)
	logs, received := f.logs, f.received
	apart := f.rec.apartOf(spec.Apart)
	if apart != nil {
		logs, received = spec.Logs, apart.received.Load
	} else if spec.Apart != 0 {
		return AwaitResult{}, fmt.Errorf("await: phase %d is none that was expected apart", spec.Apart)
	}
	owed := f.owed(logs)
	stop := f.report(progress, func() Progress {
		return Progress{Done: int(min(received(), owed)), Total: int(owed), Open: int(f.openCount.Load())}
	})
	defer stop()
	over := time.NewTimer(spec.Grace)
	defer over.Stop()
	tick := time.NewTicker(5 * time.Millisecond)
	defer tick.Stop()
	var err error
wait:
	for received() < owed {
		select {
		case <-over.C:
			break wait
		case <-ctx.Done():
			err = ctx.Err()
			break wait
		case <-tick.C:
		}
	}
	if apart != nil && err == nil {
		return apart.result(owed)
	}
	return AwaitResult{Owed: owed, Received: received()}, err
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

// owed counts the deliveries that this worker's clients are owed by logs.
func (f *Fleet) owed(published []PublishLog) int64 {
	now := wire.Now()
	logs := byRoom(published)
	var n int64
	for _, c := range f.clients {
		m, ok := c.membership(now)
		if !ok {
			continue
		}
		for _, l := range logs[m.room] {
			lo, hi := m.owed(l)
			n += int64(hi - lo)
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

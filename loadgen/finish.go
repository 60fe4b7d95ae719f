package loadgen

import (
	"context"
	"fmt"
	"time"

	"wsrig/internal/wire"
)

// closeTimeout is how long a closing handshake may take.
const closeTimeout = 2 * time.Second

// Disconnect closes clients with a closing handshake (RFC 6455 section 7.1.2) and
// returns when their connections have ended.
func (f *Fleet) Disconnect(ctx context.Context, spec DisconnectSpec, progress func(Progress)) (DisconnectResult, error) {
	open := f.openClients()
	if spec.Clients > 0 && spec.Clients < len(open) {
		open = open[:spec.Clients]
	}
	left := func() int {
		n := 0
		for _, c := range open {
			if c.openNow() {
				n++
			}
		}
		return n
	}
	stop := f.report(progress, func() Progress {
		return Progress{Done: len(open) - left(), Total: len(open), Open: int(f.openCount.Load())}
	})
	defer stop()
	for _, c := range open {
		c.conn.Close(spec.Code, closeTimeout)
	}
	return DisconnectResult{Closed: len(open)}, f.awaitEnds(ctx, left)
}

// awaitEnds returns when left is 0. Every connection has a deadline of its own, so
// the wait is bounded; more than that is a defect worth an error.
func (f *Fleet) awaitEnds(ctx context.Context, left func() int) error {
	over := time.NewTimer(3 * closeTimeout)
	defer over.Stop()
	for left() > 0 {
		select {
		case <-f.endings:
		case <-over.C:
			return fmt.Errorf("%d connections did not end within %s of being closed", left(), 3*closeTimeout)
		case <-ctx.Done():
			return ctx.Err()
		}
	}
	return nil
}

// Finish ends the trial: clients that are still connected are noted as open and
// cut off, and all that was recorded is returned. The fleet is of no use after it.
func (f *Fleet) Finish(ctx context.Context) (Snapshot, error) {
	end := wire.Now()
	f.pinger.close()
	survivors := make(map[*client]bool)
	for _, c := range f.openClients() {
		survivors[c] = true
		c.conn.Abort()
	}
	err := f.awaitEnds(ctx, func() int { return int(f.openCount.Load()) })
	if err != nil {
		return Snapshot{}, err
	}
	f.engine.Wait()

	s := Snapshot{Start: f.rec.start, End: end, Engine: f.engine.Name(), Handshakes: f.rec.handshakes, Foreign: f.foreign.Load()}
	s.Open = f.opens.close()
	lost := make(buckets)
	for _, c := range f.clients {
		m, ok := c.membership(end)
		if !ok {
			continue
		}
		if survivors[c] {
			m.to = end
			c.end = End{Kind: EndOpen, At: end}
		}
		m.receipts = c.receipts
		m.settle(f.logs, lost)
		s.Closes = append(s.Closes, c.close())
	}
	s.Ledger = merge(lost, f.rec.anomalies)
	s.Saturation = f.sat.verdict(&f.rec.lag)
	err = f.encodeInto(&s)
	return s, err
}

// merge adds up two sets of buckets.
func merge(a, b buckets) []LedgerBucket {
	for start, e := range b {
		sum := a.at(start)
		sum.Duplicate += e.Duplicate
		sum.Reordered += e.Reordered
		sum.Late += e.Late
	}
	return a.sorted()
}

// encodeInto packs the histograms.
func (f *Fleet) encodeInto(s *Snapshot) (err error) {
	if s.Connect, err = f.rec.connect.encode(); err != nil {
		return err
	}
	if s.Upgrade, err = f.rec.upgrade.encode(); err != nil {
		return err
	}
	if s.Lag, err = f.rec.lag.encode(); err != nil {
		return err
	}
	if s.Pairs, err = f.rec.nodePairs(); err != nil {
		return err
	}
	s.Intervals, err = f.rec.intervalCounts()
	return err
}

// Abandon ends everything without a result, after an error.
func (f *Fleet) Abandon() {
	for _, c := range f.openClients() {
		c.conn.Abort()
	}
	f.pinger.close()
	f.engine.Wait()
	f.opens.close()
}

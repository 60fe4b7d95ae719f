package loadgen

import (
	"context"
	"errors"
	"fmt"
	"sync"
	"time"

	"wsrig/internal/wire"
)

// closeTimeout is how long a closing handshake may take.
const closeTimeout = 2 * time.Second

// Disconnect closes clients with a closing handshake (RFC 6455 section 7.1.2) and
// returns when their connections have ended.
func (f *Fleet) Disconnect(ctx context.Context, spec DisconnectSpec, progress func(Progress)) (DisconnectResult, error) {
	if spec.Clients < 0 || !sendableCode(spec.Code) {
		return DisconnectResult{}, fmt.Errorf("disconnect: %d clients with code %d; use 0 or more with 1000 to 1003, 1007 to 1014 or 3000 to 4999", spec.Clients, spec.Code)
	}
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
	var closing sync.WaitGroup
	for _, c := range open {
		// Each on its own: a connection that takes no more bytes holds its closer.
		closing.Go(func() { c.conn.Close(spec.Code, closeTimeout) })
	}
	closing.Wait()
	return DisconnectResult{Closed: len(open)}, f.awaitEnds(ctx, left)
}

// sendableCode tells whether an endpoint may put a code into a Close frame: those
// defined for it (RFC 6455 section 7.4.1, and the IANA registry that it opened)
// and those of libraries and applications (section 7.4.2).
func sendableCode(code int) bool {
	return 1000 <= code && code <= 1003 || 1007 <= code && code <= 1014 || 3000 <= code && code <= 4999
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
// cut off, and all that was recorded is returned. The fleet is of no use after it,
// even after an error.
func (f *Fleet) Finish(ctx context.Context) (Snapshot, error) {
	end := wire.Now()
	open := f.opens.close() // before the clients are cut off
	survivors := make(map[*client]bool)
	for _, c := range f.openClients() {
		survivors[c] = true
	}
	if err := errors.Join(f.cutOff(), ctx.Err()); err != nil {
		return Snapshot{}, err
	}
	s := Snapshot{
		Start: f.rec.start, End: end, Engine: f.engine.Name(), Open: open,
		Handshakes: f.rec.handshakes, Failures: f.rec.failures, FirstDue: f.rec.firstDue, LastOK: f.rec.lastOK,
		Foreign: f.foreign.Load(), Saturation: f.sat.verdict(f.rec),
	}
	logs := byRoom(f.logs)
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
		m.receipts, m.last = c.receipts, f.rec.last
		m.settle(logs[m.room], lost)
		s.Closes = append(s.Closes, c.close())
	}
	s.Ledger = merge(lost, f.rec.anomalies)
	s.LastReceipts = f.rec.last.receipts()
	return s, f.encodeInto(&s)
}

// cutOff ends every connection at once. It waits for no peer, and so not for the
// command's context either.
func (f *Fleet) cutOff() error {
	for _, c := range f.openClients() {
		c.conn.Abort()
	}
	f.pinger.close()
	if err := f.awaitEnds(context.Background(), func() int { return int(f.openCount.Load()) }); err != nil {
		return err
	}
	f.engine.Wait()
	return nil
}

// merge adds up two sets of buckets.
func merge(a, b buckets) []LedgerBucket {
	for start, e := range b {
		sum := a.at(start)
		sum.Duplicate += e.Duplicate
		sum.Reordered += e.Reordered
		sum.Late += e.Late
		sum.Misrouted += e.Misrouted
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
	lag := NewDistribution()
	for i := range f.rec.lag {
		one, err := f.rec.lag[i].encode()
		if err != nil {
			return err
		}
		if err := lag.Merge(one); err != nil {
			return err
		}
	}
	if s.Lag, err = lag.Encode("ns"); err != nil {
		return err
	}
	if s.Pairs, err = f.rec.nodePairs(); err != nil {
		return err
	}
	if s.Hops, err = f.rec.hopHistograms(); err != nil {
		return err
	}
	s.Intervals, err = f.rec.intervalCounts()
	return err
}

// Abandon ends everything without a result, after an error.
func (f *Fleet) Abandon() error {
	f.opens.close()
	return f.cutOff()
}

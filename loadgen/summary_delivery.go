package loadgen

import (
	"cmp"
	"slices"
	"time"

	"wsrig/internal/result"
)

// delivery records latency, the ledger and the rates of all publish steps.
func (s *Summary) delivery() error {
	if len(s.publishes) == 0 {
		return nil
	}
	for _, part := range []func() error{s.latency, s.hops, s.lastReceivers} {
		if err := part(); err != nil {
			return err
		}
	}
	s.rates()
	s.ledger()
	return nil
}

// latency merges the node x node histograms into all, same-node and
// cross-node. What comes from or to an unknown node is in "all" only.
func (s *Summary) latency() error {
	all, same, cross := NewDistribution(), NewDistribution(), NewDistribution()
	for _, w := range s.snapshots {
		for _, p := range w.Pairs {
			into := []*Distribution{all}
			switch {
			case p.From == "" || p.To == "":
			case p.From == p.To:
				into = append(into, same)
			default:
				into = append(into, cross)
			}
			for _, m := range into {
				if err := m.Merge(p.Latency); err != nil {
					return err
				}
			}
			if p.From != "" && p.To != "" {
				if err := s.keepPair(p); err != nil {
					return err
				}
			}
		}
	}
	for name, m := range map[string]*Distribution{
		"delivery.latency": all, "delivery.latency_same_node": same, "delivery.latency_cross_node": cross,
	} {
		if err := s.record(name, m); err != nil {
			return err
		}
	}
	n := min(same.Count(), cross.Count())
	if n > 0 {
		s.set("delivery.backplane_tax", float64(cross.Median()-same.Median())/1e9, n)
	}
	return nil
}

// keepPair keeps the latency between two nodes as a histogram "n1>n2".
func (s *Summary) keepPair(p NodePair) error {
	name := "delivery.latency " + p.From + ">" + p.To
	m := NewDistribution()
	if h, ok := s.Histograms[name]; ok {
		if err := m.Merge(h); err != nil {
			return err
		}
	}
	if err := m.Merge(p.Latency); err != nil {
		return err
	}
	enc, err := m.Encode("ns")
	s.Histograms[name] = enc
	return err
}

// rates sets asked and achieved rates side by side, over all publish steps. Every
// worker had its share of each step. Asked is what was due over the lengths of the
// steps; achieved is what was sent over the same lengths, or up to the last send
// where the generator needed longer. Rates are never averaged. A closed loop without
// a ceiling asks for no rate, and there is none asked for where it is part of the
// whole.
func (s *Summary) rates() {
	type step struct{ asked, took time.Duration }
	steps := map[uint32]step{}
	var sent, dropped, due int64
	ceiling := true
	for _, p := range s.publishes {
		ceiling = ceiling && (p.Loop != LoopClosed || p.Asked > 0)
		due += p.Due
		sent += p.Sent
		dropped += p.Dropped
		st := steps[p.Phase]
		st.asked = max(st.asked, p.For)
		st.took = max(st.took, p.For, time.Duration(p.Last-p.Begin))
		steps[p.Phase] = st
	}
	var all step
	for _, st := range steps {
		all.asked += st.asked
		all.took += st.took
	}
	s.published = all.took
	if all.asked > 0 {
		if ceiling {
			s.set("rate.asked", float64(due)/all.asked.Seconds(), due)
		}
		s.set("rate.achieved", float64(sent)/all.took.Seconds(), sent)
	}
	s.set("rate.dropped", float64(dropped), due)
	s.set("delivery.sent", float64(sent), due)
}

// ledger adds up the ledger and lays each loss to the fault in whose window
// the message was sent.
func (s *Summary) ledger() {
	var sum LedgerBucket
	losses := map[string]*result.Loss{}
	for _, w := range s.snapshots {
		for _, b := range w.Ledger {
			sum.Owed += b.Owed
			sum.Lost += b.Lost
			sum.Duplicate += b.Duplicate
			sum.Reordered += b.Reordered
			sum.Late += b.Late
			sum.Misrouted += b.Misrouted
			mark := s.markAt(b.Start)
			l := losses[mark]
			if l == nil {
				l = &result.Loss{Mark: mark}
				losses[mark] = l
			}
			l.Lost += b.Lost
			l.Duplicate += b.Duplicate
			l.Reordered += b.Reordered
			l.Late += b.Late
			l.Misrouted += b.Misrouted
			l.Deliveries += b.Owed - b.Lost
		}
	}
	for _, l := range losses {
		if l.Lost+l.Duplicate+l.Reordered+l.Late+l.Misrouted > 0 {
			s.Losses = append(s.Losses, *l)
		}
	}
	slices.SortFunc(s.Losses, func(a, b result.Loss) int { return cmp.Compare(a.Mark, b.Mark) })
	if sum.Owed+sum.Misrouted > 0 {
		s.set("delivery.misrouted", float64(sum.Misrouted), sum.Owed+sum.Misrouted)
	}
	if sum.Owed == 0 {
		return // nothing was owed: no data, which is not the same as nothing lost
	}
	received := sum.Owed - sum.Lost
	s.set("delivery.owed", float64(sum.Owed), sum.Owed)
	s.set("delivery.received", float64(received), sum.Owed)
	s.set("delivery.reach", float64(received)/float64(sum.Owed), sum.Owed)
	if s.published > 0 {
		s.set("delivery.rate", float64(received)/s.published.Seconds(), received)
	}
	s.set("delivery.lost", float64(sum.Lost), sum.Owed)
	s.set("delivery.duplicate", float64(sum.Duplicate), sum.Owed)
	s.set("delivery.reordered", float64(sum.Reordered), sum.Owed)
	s.set("delivery.late", float64(sum.Late), sum.Owed)
	unexplained := int64(0)
	if l := losses[""]; l != nil {
		unexplained = l.Lost
	}
	s.set("delivery.lost_unexplained", float64(unexplained), sum.Owed)
}

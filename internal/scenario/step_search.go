package scenario

import (
	"context"
	"fmt"
	"math"
	"strings"
	"time"

	"wsrig/internal/result"
	"wsrig/internal/wire"
	"wsrig/loadgen"
)

// Search finds the highest rate of publishing at which a service level objective
// holds: every delivery is made, no arrival is dropped, and the p99 of the delivery
// latency keeps to a bound.
type Search struct {
	From       Rate     `json:"from" wsrig:"required" eg:"100/s" doc:"the rate of the first probe, which should hold"`
	To         Rate     `json:"to" wsrig:"required" eg:"5000/s" doc:"the highest rate that is probed; a search that gets there has found no capacity"`
	For        Duration `json:"for" doc:"how long each probe publishes"`
	P99        Duration `json:"p99" wsrig:"required" eg:"50ms" doc:"bound of the delivery latency's p99; besides, every delivery must be made and no arrival dropped"`
	Precision  Share    `json:"precision" doc:"the search ends when the lowest rate that failed is no further than this above the highest that held"`
	Size       Size     `json:"size" doc:"bytes of a message's body, the stamp at its start included"`
	Publishers Count    `json:"publishers" doc:"clients that publish, in turn; one per room if not given"`
	Drain      Duration `json:"drain" doc:"how long after a probe at most to wait for its last deliveries; what has not come by then is lost to it"`
	Rest       Duration `json:"rest" doc:"pause before each further probe"`
}

func newSearch() *Search {
	return &Search{For: Duration(2 * time.Second), Precision: 0.1, Size: 128, Drain: Duration(10 * time.Second), Rest: Duration(250 * time.Millisecond)}
}

// Kind is "search".
func (s *Search) Kind() string { return "search" }

// Text is "search 100/s to 5000/s for p99 within 50ms, 2s a probe".
func (s *Search) Text() string {
	return fmt.Sprintf("search %s to %s for p99 within %s, %s a probe", s.From, s.To, s.P99, s.For)
}

// Limits of a search's precision. Below the first, probes differ by less than one
// probe does from its repetition; above the second there is nothing to bisect.
const (
	leastPrecision = 0.01
	mostPrecision  = 1
)

// Validate judges the step; see checkedStep. It fills in the publishers.
func (s *Search) Validate(p *progress) {
	p.needClients("search")
	if p.searched {
		p.fail("", "a second search in one trial; its capacity would hide the first one's: use two scenarios")
	}
	p.searched = true
	if s.From > 0 && s.To > 0 && s.To < s.From {
		p.fail("to", "the search ends at %s, below its begin at %s; swap from and to", s.To, s.From)
	}
	if s.Precision != 0 && (s.Precision < leastPrecision || s.Precision > mostPrecision) {
		p.fail("precision", "a precision of %s is out of range; use %s to %s", s.Precision, Share(leastPrecision), Share(mostPrecision))
	}
	if s.Size > 0 && int(s.Size) < wire.StampSize {
		p.fail("size", "a body of %s cannot hold the stamp that measures it; use %d or more", counted(int(s.Size), "byte"), wire.StampSize)
	}
	if s.Publishers == 0 {
		s.Publishers = Count(max(1, p.rooms))
	} else if !p.unsure && p.clients > 0 && int(s.Publishers) > p.clients {
		p.fail("publishers", "%d publishers are more than the %s that are open; use %d or fewer", s.Publishers, counted(p.clients, "client"), p.clients)
	}
	if t := p.cell.Testbed; t.Bus == "none" && t.Nodes > 1 {
		p.fail("", "search between %d nodes with bus: none cannot reach every receiver; use bus: redis or nodes: 1", t.Nodes)
	}
	s.validateSamples(p)
}

// validateSamples reports a first probe too short for its p99.
func (s *Search) validateSamples(p *progress) {
	if p.unsure || p.clients == 0 || s.From == 0 || s.For == 0 {
		return
	}
	receivers := max(1, p.clients/max(1, p.rooms))
	need := result.MinSamples("p99")
	if owed := int64(float64(s.From) * time.Duration(s.For).Seconds() * float64(receivers)); owed < need {
		p.fail("from", "%s for %s makes about %d deliveries, and a p99 stands on %d; begin higher or probe longer", s.From, s.For, owed, need)
	}
}

// run does the step; see runStep.
func (s *Search) run(ctx context.Context, t *trial) error {
	b := bracket{from: float64(s.From), to: float64(s.To), precision: float64(s.Precision)}
	open, err := t.openClients(ctx)
	if err != nil {
		return err
	}
	first := true
	t.found, err = b.search(func(rate float64) (result.Probe, error) {
		if !first {
			if err := rest(ctx, time.Duration(s.Rest)); err != nil {
				return result.Probe{}, err
			}
		}
		first = false
		p, err := s.probe(ctx, t, rate)
		if err != nil {
			return p, err
		}
		left, err := t.openClients(ctx)
		if err == nil && left < open {
			err = fmt.Errorf("%d of %d clients were disconnected by the probe at %s, so that no further one would be like it; raise the nodes' queue for slow clients by node_args, or lower to", open-left, open, Rate(rate))
		}
		return p, err
	})
	return err
}

// rest pauses.
func rest(ctx context.Context, length time.Duration) error {
	over := time.NewTimer(length)
	defer over.Stop()
	select {
	case <-over.C:
		return nil
	case <-ctx.Done():
		return context.Cause(ctx)
	}
}

// probe publishes at one rate, as a phase that stands for itself, waits until the
// system has drained, and judges.
func (s *Search) probe(ctx context.Context, t *trial, rate float64) (result.Probe, error) {
	phase := t.nextPhase()
	expect := loadgen.ExpectSpec{Phase: phase, Grace: time.Duration(s.Drain), Apart: true}
	if _, err := each[struct{}](ctx, t, loadgen.CommandExpect, nil, func(int) any { return expect }); err != nil {
		return result.Probe{}, err
	}
	before := t.nodeCPU(ctx)
	text := fmt.Sprintf("probe %s for %s", Rate(rate), s.For)
	sent, err := t.publishAmong(ctx, t.bar(text), loadgen.PublishSpec{
		Phase: phase, Rate: rate, For: time.Duration(s.For), Seed: t.seed + uint64(phase)<<32,
		Size: int(s.Size), Publishers: int(s.Publishers), Grace: time.Duration(s.Drain), Loop: loadgen.LoopOpen,
	})
	if err != nil {
		return result.Probe{}, err
	}
	await := loadgen.AwaitSpec{Grace: time.Duration(s.Drain), Apart: phase}
	for _, r := range sent {
		await.Logs = append(await.Logs, r.Logs...)
	}
	got, err := each[loadgen.AwaitResult](ctx, t, loadgen.CommandAwait, t.bar("wait for the last deliveries"), func(int) any { return await })
	if err != nil {
		return result.Probe{}, err
	}
	t.publishCPU.add(before, t.nodeCPU(ctx))
	return s.judge(rate, sent, got)
}

// judge adds up what the workers saw of a probe and says whether the objective held.
func (s *Search) judge(rate float64, sent []loadgen.PublishResult, got []loadgen.AwaitResult) (result.Probe, error) {
	p := result.Probe{Asked: rate, Bound: time.Duration(s.P99).Seconds()}
	lag, err := loadgen.LagOf(sent)
	if err != nil {
		return p, err
	}
	latency, err := loadgen.LatencyOf(got)
	if err != nil {
		return p, err
	}
	took, messages := time.Duration(s.For), int64(0)
	var doubts []string
	for _, r := range sent {
		took = max(took, time.Duration(r.Last-r.Begin))
		messages += r.Sent
		p.Dropped += r.Dropped
		p.CPU = max(p.CPU, r.CPU)
		doubts = append(doubts, r.Saturation...)
	}
	for _, r := range got {
		p.Owed += r.Owed
		p.Received += r.Received
	}
	p.Achieved = float64(messages) / took.Seconds()
	p.Lag = float64(lag.Quantile(99)) / 1e9
	if p.Owed > 0 {
		p.Reach = float64(p.Received) / float64(p.Owed)
	}
	if latency.Count() >= result.MinSamples("p99") {
		p.P99 = float64(latency.Quantile(99)) / 1e9
	}
	misses := s.misses(&p)
	switch {
	case len(misses) == 0:
		p.Verdict = result.ProbeOK
	case len(doubts) > 0: // what it missed may be the generator's doing
		p.Verdict, p.Why = result.ProbeSaturated, strings.Join(doubts, "; ")
	default:
		p.Verdict, p.Why = result.ProbeFailed, strings.Join(misses, "; ")
	}
	return p, nil
}

// misses are the parts of the objective that a probe did not keep.
func (s *Search) misses(p *result.Probe) (misses []string) {
	if p.P99 > p.Bound {
		misses = append(misses, "p99 "+result.Format(p.P99, "s"))
	}
	if p.Received < p.Owed || p.Owed == 0 {
		misses = append(misses, fmt.Sprintf("%d of %d deliveries", p.Received, p.Owed))
	}
	if p.P99 == 0 && p.Received == p.Owed {
		misses = append(misses, fmt.Sprintf("%d deliveries are too few for a p99", p.Received))
	}
	if p.Dropped > 0 {
		misses = append(misses, fmt.Sprintf("%s dropped", counted(int(p.Dropped), "arrival")))
	}
	return misses
}

// nextPhase numbers the publish commands of a trial, unlike another trial's, should
// its messages stray.
func (t *trial) nextPhase() uint32 {
	t.phases++
	return uint32(t.seed)&^phaseMask | t.phases&phaseMask
}

// phaseMask is the part of a phase's number that counts within a trial.
const phaseMask = math.MaxUint8

// measureCapacity records what the search found.
func (t *trial) measureCapacity() {
	f := &t.found
	t.result.Probes = f.probes
	if len(f.probes) == 0 {
		return
	}
	n := int64(len(f.probes))
	t.set("capacity.probes", float64(n), n)
	if f.held != nil {
		t.set("capacity.rate", f.held.Asked, n)
		t.set("capacity.p99_at", f.held.P99, f.held.Received)
		t.set("capacity.generator_cpu", f.held.CPU, 1)
	}
	switch {
	case f.why != "":
		t.result.Inconclusive = append(t.result.Inconclusive, f.why)
	case f.held == nil:
		t.result.Failed = append(t.result.Failed, fmt.Sprintf("the objective fails at the lowest rate of the search, %s: %s; lower from",
			Rate(f.failed.Asked), f.failed.Why))
	}
}

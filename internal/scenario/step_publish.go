package scenario

import (
	"context"
	"errors"
	"fmt"
	"time"

	"wsrig/internal/wire"
	"wsrig/loadgen"
)

// Publish sends messages to the rooms and counts what arrives.
type Publish struct {
	Rate       Rate         `json:"rate" wsrig:"required" eg:"50/s" doc:"arrivals of messages, of all publishers together"`
	For        Duration     `json:"for" wsrig:"required" eg:"5s" doc:"how long to publish"`
	Size       Size         `json:"size" doc:"bytes of a message's body, the stamp at its start included"`
	Publishers Count        `json:"publishers" doc:"clients that publish, in turn; one per room if not given"`
	Arrival    arrivalName  `json:"arrival" doc:"constant sends the messages evenly spaced; poisson sends them independently of each other, with the rate as their mean; for the open loop"`
	Loop       loopName     `json:"loop" doc:"open sends every message when it is due; closed has each publisher wait for its own message to come back first, with the rate as a ceiling, which hides stalls and is labelled so"`
	Grace      Duration     `json:"grace" doc:"how long after its intended time a delivery still counts as in time; what comes after it is late"`
	During     []TimedFault `json:"during,omitempty" doc:"faults that happen while the messages are sent"`
}

func newPublish() *Publish {
	return &Publish{Size: 128, Arrival: loadgen.ArrivalConstant, Loop: loadgen.LoopOpen, Grace: Duration(2 * time.Second)}
}

// loopName is open or closed.
type loopName string

// UnmarshalText reads the name of a loop.
func (l *loopName) UnmarshalText(text []byte) error {
	s := string(text)
	if s != loadgen.LoopOpen && s != loadgen.LoopClosed {
		return fmt.Errorf("unknown loop %q%s", s, orOneOf(s, []string{loadgen.LoopOpen, loadgen.LoopClosed}, "use open or closed"))
	}
	*l = loopName(s)
	return nil
}

// arrivalName is constant or poisson.
type arrivalName string

// UnmarshalText reads the name of an arrival schedule.
func (a *arrivalName) UnmarshalText(text []byte) error {
	s := string(text)
	if s != loadgen.ArrivalConstant && s != loadgen.ArrivalPoisson {
		return fmt.Errorf("unknown arrival %q%s", s, orOneOf(s, []string{loadgen.ArrivalConstant, loadgen.ArrivalPoisson}, "use constant or poisson"))
	}
	*a = arrivalName(s)
	return nil
}

// Kind is "publish".
func (s *Publish) Kind() string { return "publish" }

// Text is "publish 50/s for 5s, 128 bytes each", with ", closed loop" or ", poisson
// arrivals" behind it where they are so.
func (s *Publish) Text() string {
	text := fmt.Sprintf("publish %s for %s, %s each", s.Rate, s.For, counted(int(s.Size), "byte"))
	if s.Loop == loadgen.LoopClosed {
		text += ", closed loop"
	}
	if s.Arrival == loadgen.ArrivalPoisson {
		text += ", poisson arrivals"
	}
	return text
}

// Validate judges the step; see checkedStep. It fills in the publishers.
func (s *Publish) Validate(p *progress) {
	p.needClients("publish")
	if int(s.Size) < wire.StampSize {
		p.fail("size", "a body of %s cannot hold the stamp that measures it; use %d or more", counted(int(s.Size), "byte"), wire.StampSize)
	}
	if s.Publishers == 0 {
		s.Publishers = Count(max(1, p.rooms))
	} else if !p.unsure && p.clients > 0 && int(s.Publishers) > p.clients {
		p.fail("publishers", "%d publishers are more than the %s that are open; use %d or fewer",
			s.Publishers, counted(p.clients, "client"), p.clients)
	}
	if s.Rate > 0 && s.For > 0 && s.due() < 1 {
		p.fail("rate", "%s for %s publishes nothing; raise the rate or publish longer", s.Rate, s.For)
	}
	if s.Loop == loadgen.LoopClosed && s.Arrival == loadgen.ArrivalPoisson {
		p.fail("arrival", "arrival: poisson says nothing in a closed loop, where answers bring about the messages; use loop: open")
	}
	if t := p.cell.Testbed; t.Bus == "none" && t.Nodes > 1 {
		p.fail("", "publish between %d nodes with bus: none cannot reach every receiver; use bus: redis or nodes: 1", t.Nodes)
	}
	validateDuring(p, s.During, s.For)
}

// due is how many messages the step sends, if nothing keeps it from it.
func (s *Publish) due() float64 { return float64(s.Rate) * time.Duration(s.For).Seconds() }

// run does the step; see runStep.
func (s *Publish) run(ctx context.Context, t *trial) error {
	phase := t.nextPhase()
	expect := loadgen.ExpectSpec{Phase: phase, Grace: time.Duration(s.Grace), Due: mostArrivals(s.Arrival, s.Rate, s.For)}
	if _, err := each[struct{}](ctx, t, loadgen.CommandExpect, nil, func(int) any { return expect }); err != nil {
		return err
	}
	before := t.nodeCPU(ctx)
	results, err := s.publish(ctx, t, phase)
	if err != nil {
		return err
	}
	await := loadgen.AwaitSpec{Grace: time.Duration(s.Grace)}
	for _, r := range results {
		await.Logs = append(await.Logs, r.Logs...)
	}
	t.publishes = append(t.publishes, results...)
	_, err = each[loadgen.AwaitResult](ctx, t, loadgen.CommandAwait, t.bar("wait for the last deliveries"), func(int) any { return await })
	t.publishCPU.add(before, t.nodeCPU(ctx))
	return err
}

// publish has the workers send, while the step's faults happen.
func (s *Publish) publish(ctx context.Context, t *trial, phase uint32) ([]loadgen.PublishResult, error) {
	ctx, cancel := context.WithCancelCause(ctx)
	defer cancel(nil)
	faults := make(chan error, 1)
	go func() {
		err := t.actDuring(ctx, s.During)
		if err != nil {
			cancel(err) // what the messages would show is not what was asked for
		}
		faults <- err
	}()
	results, err := t.publishAmong(ctx, t.bar(s.Text()), loadgen.PublishSpec{
		Phase: phase, Rate: float64(s.Rate), For: time.Duration(s.For), Seed: t.seed, Arrival: string(s.Arrival),
		Size: int(s.Size), Publishers: int(s.Publishers), Grace: time.Duration(s.Grace), Loop: string(s.Loop),
	})
	if err != nil {
		cancel(err)
	}
	// The fault that failed is the cause of a publish that was cut off.
	if faulty := <-faults; faulty != nil && !errors.Is(faulty, err) {
		err = errors.Join(faulty, err)
	}
	return results, err
}

package testbed

import (
	"context"
	"sync"
	"time"

	"wsrig/internal/result"
)

// Sampler records what every unit uses, until Stop.
type Sampler struct {
	tb     *Testbed
	start  time.Time
	cancel context.CancelFunc
	wg     sync.WaitGroup

	mu      sync.Mutex
	samples map[string][]result.UsageSample
}

// sampleEvery is the time between two samples of a unit.
const sampleEvery = time.Second

// Sample starts to sample tb's units. Times count from now.
func (tb *Testbed) Sample(ctx context.Context) *Sampler {
	ctx, cancel := context.WithCancel(ctx)
	s := &Sampler{tb: tb, start: time.Now(), cancel: cancel, samples: make(map[string][]result.UsageSample)}
	s.take(ctx)
	s.wg.Go(func() {
		tick := time.NewTicker(sampleEvery)
		defer tick.Stop()
		for {
			select {
			case <-ctx.Done():
				return
			case <-tick.C:
				s.take(ctx)
			}
		}
	})
	return s
}

// take samples every unit once. A unit that is just ending is left out.
func (s *Sampler) take(ctx context.Context) {
	for _, inst := range s.tb.Units() {
		u, err := inst.Usage(ctx)
		if err != nil || u.Procs == 0 {
			continue
		}
		s.mu.Lock()
		name := inst.Unit().Name
		s.samples[name] = append(s.samples[name], result.UsageSample{
			At: time.Since(s.start).Seconds(), CPU: u.CPU.Seconds(), RSS: u.RSS,
			FDs: u.FDs, Sockets: u.Sockets, Procs: u.Procs,
		})
		s.mu.Unlock()
	}
}

// Stop takes a last sample and returns all of them, by unit.
func (s *Sampler) Stop(ctx context.Context) []result.Usage {
	s.cancel()
	s.wg.Wait()
	s.take(ctx)
	s.mu.Lock()
	defer s.mu.Unlock()
	var all []result.Usage
	for _, name := range sortedNames(s.samples) {
		all = append(all, result.Usage{Unit: name, Samples: s.samples[name]})
	}
	return all
}

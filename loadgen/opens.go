package loadgen

import (
	"sync"
	"time"

	"wsrig/internal/wire"
)

// openSampler counts the connected clients, per node, once a second.
type openSampler struct {
	fleet *Fleet
	stop  chan struct{}
	wg    sync.WaitGroup

	mu      sync.Mutex
	byNode  [maxNodes]int
	samples []OpenSample
}

func newOpenSampler(f *Fleet) *openSampler {
	s := &openSampler{fleet: f, stop: make(chan struct{})}
	s.wg.Go(s.run)
	return s
}

func (s *openSampler) run() {
	tick := time.NewTicker(time.Second)
	defer tick.Stop()
	for {
		select {
		case <-s.stop:
			return
		case <-tick.C:
			s.take()
		}
	}
}

// change is called when a client of a node connects (+1) or ends (-1).
func (s *openSampler) change(node uint8, by int) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.byNode[node] += by
}

func (s *openSampler) take() {
	s.mu.Lock()
	defer s.mu.Unlock()
	sample := OpenSample{At: seconds(wire.Now() - s.fleet.rec.start), ByNode: make(map[string]int)}
	for i, n := range s.byNode {
		sample.Open += n
		if name := s.fleet.nodes.name(i); name != "" || n > 0 {
			sample.ByNode[name] = n
		}
	}
	s.samples = append(s.samples, sample)
}

// close takes a last sample and returns all.
func (s *openSampler) close() []OpenSample {
	close(s.stop)
	s.wg.Wait()
	s.take()
	return s.samples
}

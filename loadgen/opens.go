package loadgen

import (
	"sync"
	"time"

	"wsrig/internal/wire"
)

// openSampler counts the connected clients, per node, at the end of every second of
// a trial.
type openSampler struct {
	start int64 // wire time
	nodes *nodeTable
	stop  chan struct{}
	wg    sync.WaitGroup

	mu      sync.Mutex
	byNode  [maxNodes]int
	samples []OpenSample
}

func newOpenSampler(start int64, nodes *nodeTable) *openSampler {
	s := &openSampler{start: start, nodes: nodes, stop: make(chan struct{})}
	s.wg.Go(s.run)
	return s
}

func (s *openSampler) run() {
	timer := time.NewTimer(0)
	defer timer.Stop()
	for second := int64(1); ; second++ {
		end := s.start + second*intervalWidth
		timer.Reset(time.Duration(end - wire.Now()))
		select {
		case <-s.stop:
			return
		case <-timer.C:
			s.take(end)
		}
	}
}

// change is called when a client of a node connects (+1) or ends (-1).
func (s *openSampler) change(node uint8, by int) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.byNode[node] += by
}

// take samples for the wire time at, which is now or was a moment ago.
func (s *openSampler) take(at int64) {
	s.mu.Lock()
	defer s.mu.Unlock()
	sample := OpenSample{At: seconds(at - s.start), ByNode: make(map[string]int)}
	for i, n := range s.byNode {
		sample.Open += n
		if name := s.nodes.name(i); name != "" || n > 0 {
			sample.ByNode[name] = n
		}
	}
	s.samples = append(s.samples, sample)
}

// close takes a last sample and returns all.
func (s *openSampler) close() []OpenSample {
	close(s.stop)
	s.wg.Wait()
	s.take(wire.Now())
	return s.samples
}

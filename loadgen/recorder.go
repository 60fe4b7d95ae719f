package loadgen

import (
	"fmt"
	"sync"
	"sync/atomic"
	"time"

	"wsrig/internal/result"
)

// recorder takes every figure of a worker's clients. Recording a delivery takes no
// lock and, once a power of two of latency has been seen, allocates nothing.
type recorder struct {
	start     int64 // wire time of the trial's start
	nodes     *nodeTable
	latency   [maxNodes * maxNodes]atomic.Pointer[histogram] // publisher's node x receiver's node
	intervals [maxIntervals]atomic.Pointer[interval]

	connect, upgrade histogram
	hops             [hopCount]histogram
	last             *lastReceivers
	apart            atomic.Pointer[[]*apartPhase]
	lag              [actions]histogram

	mu         sync.Mutex // the rare things below
	anomalies  buckets
	handshakes map[string]int
	failures   map[string]FirstError // by outcome
	firstDue   int64                 // wire time of the first handshake due; 0 before
	lastOK     int64                 // wire time of the last 101; 0 before
}

// Actions of the generator that have an intended time.
const (
	connecting = iota
	publishing
	actions
)

const (
	// maxNodes bounds the node x node matrix; node 0 is "unknown".
	maxNodes = 64
	// maxIntervals is a trial of an hour; what comes later falls into the last.
	maxIntervals = 3600
	// intervalWidth is the length of an interval in nanoseconds.
	intervalWidth = int64(time.Second)
)

// interval is one second of traffic.
type interval struct {
	intended, sent, dropped, deliveries atomic.Int64
	latency                             histogram
}

func newRecorder(start int64, nodes *nodeTable) *recorder {
	return &recorder{start: start, nodes: nodes, last: newLastReceivers(), anomalies: make(buckets), handshakes: make(map[string]int), failures: make(map[string]FirstError)}
}

// at returns the interval of a wire time.
func (r *recorder) at(t int64) *interval {
	i := min(max((t-r.start)/intervalWidth, 0), maxIntervals-1)
	return load(&r.intervals[i])
}

// load returns what p points to, made on first use.
func load[T any](p *atomic.Pointer[T]) *T {
	if v := p.Load(); v != nil {
		return v
	}
	p.CompareAndSwap(nil, new(T))
	return p.Load()
}

// delivery records that a message due at intended reached a receiver at wire time
// at. Intervals are by intended time: a message belongs to the second it was due.
func (r *recorder) delivery(from, to uint8, intended, at int64) {
	load(&r.latency[int(from)*maxNodes+int(to)]).record(at - intended)
	iv := r.at(intended)
	iv.deliveries.Add(1)
	iv.latency.record(at - intended)
}

// anomaly records a delivery that did not go as it should, by its intended time.
func (r *recorder) anomaly(a arrival, late bool, intended int64) {
	r.mu.Lock()
	defer r.mu.Unlock()
	b := r.anomalies.at(intended)
	switch a {
	case duplicate:
		b.Duplicate++
	case reordered:
		b.Reordered++
	}
	if late {
		b.Late++
	}
}

// misrouted records a delivery into another room than its publisher's, by its
// intended time.
func (r *recorder) misrouted(intended int64) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.anomalies.at(intended).Misrouted++
}

// NodePair is the delivery latency from one node's publishers to one node's receivers.
type NodePair struct {
	From    string           `json:"from"` // "" is unknown
	To      string           `json:"to"`
	Latency result.Histogram `json:"latency"`
}

func (r *recorder) nodePairs() ([]NodePair, error) {
	var pairs []NodePair
	for i := range r.latency {
		h := r.latency[i].Load()
		if h == nil {
			continue
		}
		enc, err := h.encode()
		if err != nil {
			return nil, err
		}
		pairs = append(pairs, NodePair{From: r.nodes.name(i / maxNodes), To: r.nodes.name(i % maxNodes), Latency: enc})
	}
	return pairs, nil
}

// IntervalCount is one interval as the control API carries it.
type IntervalCount struct {
	Index      int               `json:"index"` // seconds since the trial's start
	Intended   int64             `json:"intended"`
	Sent       int64             `json:"sent"`
	Dropped    int64             `json:"dropped"`
	Deliveries int64             `json:"deliveries"`
	Latency    *result.Histogram `json:"latency,omitempty"`
}

func (r *recorder) intervalCounts() ([]IntervalCount, error) {
	var all []IntervalCount
	for i := range r.intervals {
		iv := r.intervals[i].Load()
		if iv == nil {
			continue
		}
		c := IntervalCount{
			Index: i, Intended: iv.intended.Load(), Sent: iv.sent.Load(),
			Dropped: iv.dropped.Load(), Deliveries: iv.deliveries.Load(),
		}
		if c.Deliveries > 0 {
			enc, err := iv.latency.encode()
			if err != nil {
				return nil, err
			}
			c.Latency = &enc
		}
		all = append(all, c)
	}
	return all, nil
}

// nodeTable numbers the nodes. Number 0 is "unknown". Names that the run did not
// announce get the next free numbers, which only this process knows.
type nodeTable struct {
	announced int
	mu        sync.RWMutex
	names     []string
}

func newNodeTable(announced []string) (*nodeTable, error) {
	if len(announced) >= maxNodes {
		return nil, fmt.Errorf("%d nodes are more than this build measures; use up to %d", len(announced), maxNodes-1)
	}
	return &nodeTable{announced: len(announced), names: append([]string{""}, announced...)}, nil
}

// index returns the number of a node, 0 for no name or a full table.
func (t *nodeTable) index(name string) uint8 {
	if name == "" {
		return 0
	}
	t.mu.Lock()
	defer t.mu.Unlock()
	for i, n := range t.names {
		if n == name {
			return uint8(i)
		}
	}
	if len(t.names) == maxNodes {
		return 0
	}
	t.names = append(t.names, name)
	return uint8(len(t.names) - 1)
}

// stamped is the number of a node that a stamp may carry to another process: one
// that the run announced. When it announced none there is one process only.
func (t *nodeTable) stamped(i uint8) uint8 {
	if t.announced > 0 && int(i) > t.announced {
		return 0
	}
	return i
}

func (t *nodeTable) name(i int) string {
	t.mu.RLock()
	defer t.mu.RUnlock()
	if i >= len(t.names) {
		return ""
	}
	return t.names[i]
}

package loadgen

import (
	"fmt"
	"math"
	"slices"
	"time"

	"wsrig/internal/result"
)

// Summary is what a trial's workers measured together.
type Summary struct {
	Start      int64   // wire time of the first worker's begin
	Duration   float64 // seconds
	Metrics    map[string]result.Metric
	Histograms map[string]result.Histogram
	Intervals  []result.Interval
	Handshakes map[string]int
	Failures   map[string]string // by outcome of a handshake, the first error seen
	Losses     []result.Loss
	Saturation []string // reasons to doubt the generator
	Foreign    int64
	Closes     []Close
	ClosedLoop bool // a publish step was in closed loop

	snapshots []Snapshot
	publishes []PublishResult
	markAt    func(at int64) string
	published time.Duration // how long the publish steps took
}

// Summarize merges the workers' records, exactly: histograms are added up, and
// percentiles are taken of the sums. publishes are the results of all publish
// commands. markAt names what happened to the system at a wire time ("" for
// nothing), to lay losses to it; nil is nothing ever.
func Summarize(snapshots []Snapshot, publishes []PublishResult, markAt func(at int64) string) (*Summary, error) {
	if len(snapshots) == 0 {
		return nil, fmt.Errorf("nothing was recorded: there was no worker")
	}
	if markAt == nil {
		markAt = func(int64) string { return "" }
	}
	s := &Summary{
		Start: snapshots[0].Start, Metrics: map[string]result.Metric{}, Histograms: map[string]result.Histogram{},
		Handshakes: map[string]int{}, Failures: map[string]string{}, snapshots: snapshots, publishes: publishes, markAt: markAt,
	}
	for _, w := range snapshots {
		s.Start = min(s.Start, w.Start)
		s.Saturation = append(s.Saturation, w.Saturation...)
		s.Foreign += w.Foreign
		s.Closes = append(s.Closes, w.Closes...)
	}
	for _, p := range publishes {
		s.ClosedLoop = s.ClosedLoop || p.Loop == LoopClosed
	}
	for _, w := range snapshots {
		s.Duration = max(s.Duration, seconds(w.End-s.Start))
	}
	for _, part := range []func() error{s.handshakes, s.delivery, s.intervals} {
		if err := part(); err != nil {
			return nil, err
		}
	}
	return s, nil
}

func (s *Summary) set(name string, value float64, n int64) { result.Set(s.Metrics, name, value, n) }

// record keeps a merged histogram under a metric's name: its figures and itself.
func (s *Summary) record(name string, d *Distribution) error {
	return d.Record(s.Metrics, s.Histograms, name, "ns")
}

// intervals adds up the workers' seconds.
func (s *Summary) intervals() error {
	byIndex := map[int]*result.Interval{}
	latency := map[int]*Distribution{}
	for _, w := range s.snapshots {
		for _, c := range w.Intervals {
			iv := byIndex[c.Index]
			if iv == nil {
				iv = &result.Interval{Start: float64(c.Index)}
				byIndex[c.Index], latency[c.Index] = iv, NewDistribution()
			}
			iv.Intended += c.Intended
			iv.Sent += c.Sent
			iv.Dropped += c.Dropped
			iv.Deliveries += c.Deliveries
			if c.Latency != nil {
				if err := latency[c.Index].Merge(*c.Latency); err != nil {
					return err
				}
			}
		}
		for i, o := range openBySecond(w.Open) {
			iv := byIndex[i]
			if iv == nil {
				iv = &result.Interval{Start: float64(i)}
				byIndex[i], latency[i] = iv, NewDistribution()
			}
			iv.Open += o.Open
			for node, n := range o.ByNode {
				if iv.ByNode == nil {
					iv.ByNode = map[string]int{}
				}
				iv.ByNode[node] += n
			}
		}
	}
	for i, iv := range byIndex {
		if d := latency[i]; d.Count() > 0 {
			enc, err := d.Encode("ns")
			if err != nil {
				return err
			}
			iv.Latency = &enc
		}
		s.Intervals = append(s.Intervals, *iv)
	}
	slices.SortFunc(s.Intervals, func(a, b result.Interval) int { return int(a.Start - b.Start) })
	return nil
}

// openBySecond gives each second the last sample taken in it, its end included.
func openBySecond(samples []OpenSample) map[int]OpenSample {
	bySecond := make(map[int]OpenSample, len(samples))
	for _, o := range samples {
		bySecond[max(0, int(math.Ceil(o.At))-1)] = o
	}
	return bySecond
}

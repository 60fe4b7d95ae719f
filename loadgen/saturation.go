package loadgen

import (
	"fmt"
	"runtime/metrics"
	"syscall"
	"time"

	"wsrig/internal/wire"
)

// Limits beyond which the generator itself is in doubt, and with it the figures.
const (
	// maxMessageLag is how late the 99th of 100 messages may leave. Every delivery
	// latency holds it.
	maxMessageLag = 25 * time.Millisecond
	// maxHandshakeLag is the same for handshakes. Their own latency shows it, and
	// nothing else depends on it, unless the ramp was not kept at all.
	maxHandshakeLag = 250 * time.Millisecond
	// maxCPUShare is how much of the cores it may use the generator may need while
	// it publishes; above it, queueing in the generator is likely.
	maxCPUShare = 0.90
	// maxGCPause is the longest stop of the world while it publishes.
	maxGCPause = 25 * time.Millisecond
	// maxDroppedShare is how many arrivals may go unsent.
	maxDroppedShare = 0.001
)

// saturation watches the generator while it publishes.
type saturation struct {
	wall, cpu int64 // at begin, ns
	pauses    *metrics.Float64Histogram
	share     float64 // of the cores it may use, from the last begin to the last end
	reasons   []string
}

func newSaturation() *saturation { return &saturation{} }

func (s *saturation) begin() {
	s.wall, s.cpu, s.pauses = wire.Now(), cpuTime(), gcPauses()
}

func (s *saturation) end() {
	wall := max(1, wire.Now()-s.wall)
	s.share = float64(cpuTime()-s.cpu) / float64(wall) / float64(usableCores())
	if wall > int64(100*time.Millisecond) && s.share > maxCPUShare {
		s.reasons = append(s.reasons, fmt.Sprintf("the generator used %.0f %% of its %d cores while it published (limit %.0f %%)",
			s.share*100, usableCores(), maxCPUShare*100))
	}
	if p := longestPause(s.pauses, gcPauses()); p > maxGCPause.Seconds() {
		s.reasons = append(s.reasons, fmt.Sprintf("garbage collection stopped the generator for up to %.0f ms (limit %s)", p*1000, maxGCPause))
	}
}

func (s *saturation) drops(dropped, due int64) {
	if float64(dropped) > maxDroppedShare*float64(due) {
		s.reasons = append(s.reasons, fmt.Sprintf("%d of %d arrivals were never sent (limit %.1f %%)", dropped, due, maxDroppedShare*100))
	}
}

// lateness judges the schedule lag of one kind of action. The kinds are judged
// apart, so that many handshakes in time do not hide late messages.
func (s *saturation) lateness(what string, lag *histogram, limit time.Duration) {
	h := lag.hdr()
	if p99 := time.Duration(h.ValueAtQuantile(99)); h.TotalCount() > 0 && p99 > limit {
		s.reasons = append(s.reasons, fmt.Sprintf("%s left late: schedule lag p99 %s (limit %s)", what, p99.Round(time.Millisecond/10), limit))
	}
}

// verdict adds what is known only at the end and returns all reasons.
func (s *saturation) verdict(r *recorder) []string {
	s.lateness("handshakes", &r.lag[connecting], maxHandshakeLag)
	s.lateness("messages", &r.lag[publishing], maxMessageLag)
	return s.reasons
}

// cpuTime is the CPU this process has used, user and system, in nanoseconds.
func cpuTime() int64 {
	var ru syscall.Rusage
	if err := syscall.Getrusage(syscall.RUSAGE_SELF, &ru); err != nil {
		return 0 // cannot fail with these arguments (getrusage(2))
	}
	return ru.Utime.Nano() + ru.Stime.Nano()
}

// gcPauses reads the distribution of stop-the-world pauses so far.
func gcPauses() *metrics.Float64Histogram {
	sample := []metrics.Sample{{Name: "/sched/pauses/total/gc:seconds"}}
	metrics.Read(sample)
	if sample[0].Value.Kind() != metrics.KindFloat64Histogram {
		return nil
	}
	return sample[0].Value.Float64Histogram()
}

// longestPause is the lower bound, in seconds, of the longest pause between two
// readings.
func longestPause(before, after *metrics.Float64Histogram) float64 {
	if before == nil || after == nil {
		return 0
	}
	longest := 0.0
	for i, n := range after.Counts {
		if n > before.Counts[i] {
			longest = max(longest, after.Buckets[i])
		}
	}
	return longest
}

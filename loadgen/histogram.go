package loadgen

import (
	"math/bits"
	"sync/atomic"

	"github.com/HdrHistogram/hdrhistogram-go"

	"wsrig/internal/result"
)

// With 3 significant digits a value falls into one of 2,048 steps of its power of
// two (HdrHistogram, "sub-bucket count").
const (
	subBits  = 11
	subCount = 1 << subBits
	subHalf  = subCount / 2
	powers   = 30 // 2^(30+10) ns is above result.HistMax
)

// histogram counts values on any number of goroutines without a lock, in exactly
// the buckets of HdrHistogram. It allocates a power of two's counters when the
// first value falls there, and nothing after that. The zero value is empty.
type histogram struct {
	powers [powers]atomic.Pointer[[subCount]atomic.Int64]
	// lo is stored inverted so that 0 means "none yet"; hi as it is.
	lo, hi atomic.Int64
}

// record counts v, in nanoseconds. Values outside the shape's range count at its ends.
func (h *histogram) record(v int64) {
	v = min(max(v, result.HistMin), result.HistMax)
	power := max(0, bits.Len64(uint64(v))-subBits)
	counters := h.powers[power].Load()
	if counters == nil {
		counters = new([subCount]atomic.Int64)
		if !h.powers[power].CompareAndSwap(nil, counters) {
			counters = h.powers[power].Load()
		}
	}
	counters[v>>power].Add(1)
	raise(&h.hi, v)
	raise(&h.lo, result.HistMax+1-v)
}

// raise sets a to v if v is larger.
func raise(a *atomic.Int64, v int64) {
	for old := a.Load(); v > old; old = a.Load() {
		if a.CompareAndSwap(old, v) {
			return
		}
	}
}

// extremes are the exact smallest and largest value; zeros when empty.
func (h *histogram) extremes() (lo, hi int64) {
	if h.hi.Load() == 0 {
		return 0, 0
	}
	return result.HistMax + 1 - h.lo.Load(), h.hi.Load()
}

// hdr copies the counts into an HdrHistogram, exactly.
func (h *histogram) hdr() *hdrhistogram.Histogram {
	s := result.NewHDR().Export()
	for power := range h.powers {
		counters := h.powers[power].Load()
		if counters == nil {
			continue
		}
		for sub := range counters {
			if n := counters[sub].Load(); n > 0 {
				s.Counts[(power+1)*subHalf+sub-subHalf] += n
			}
		}
	}
	return hdrhistogram.Import(s)
}

// encode packs the histogram for the control API and run.json.
func (h *histogram) encode() (result.Histogram, error) {
	lo, hi := h.extremes()
	return result.Encode(h.hdr(), "ns", lo, hi)
}

package loadgen

import (
	"math/bits"
	"sync/atomic"

	"github.com/HdrHistogram/hdrhistogram-go"

	"wsrig/internal/result"
)

// With 3 significant digits HdrHistogram resolves 2,048 steps ("sub-bucket count"):
// values below that count one by one, and each power of two above it has 1,024 steps
// of its own. Counters number them all in ascending order of value.
const (
	subBits = 11
	// chunkSize is the steps of one power of two.
	chunkSize = 1 << (subBits - 1)
	// chunks reach up to 2^40 ns, which is above result.HistMax.
	chunks = 40 - subBits + 2
)

// histogram counts values on any number of goroutines without a lock, in exactly
// the buckets of HdrHistogram. It allocates a power of two's counters, 8 KiB, when
// the first value falls there, and nothing after that. The zero value is empty.
type histogram struct {
	counters [chunks]atomic.Pointer[[chunkSize]atomic.Int64]
	// lo is stored inverted so that 0 means "none yet"; hi as it is.
	lo, hi atomic.Int64
}

// record counts v, in nanoseconds. Values outside the shape's range count at its ends.
func (h *histogram) record(v int64) {
	v = min(max(v, result.HistMin), result.HistMax)
	power := max(0, bits.Len64(uint64(v))-subBits)
	i := power*chunkSize + int(v>>power)
	load(&h.counters[i/chunkSize])[i%chunkSize].Add(1)
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
	for c := range h.counters {
		counters := h.counters[c].Load()
		if counters == nil {
			continue
		}
		for i := range counters {
			if n := counters[i].Load(); n > 0 {
				s.Counts[c*chunkSize+i] = n
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

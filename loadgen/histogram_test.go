package loadgen

import (
	"math/rand/v2"
	"slices"
	"sync"
	"testing"

	"github.com/HdrHistogram/hdrhistogram-go"

	"wsrig/internal/result"
	"wsrig/internal/wire"
)

// spread returns values over the whole range of the histogram, its ends and the
// borders of every power of two included.
func spread(n int, seed uint64) []int64 {
	rng := rand.New(rand.NewPCG(seed, 1))
	values := []int64{result.HistMin, 2, 1023, 1024, 2047, 2048, 2049, 4095, 4096, result.HistMax - 1, result.HistMax}
	for power := range 39 {
		border := int64(1) << power
		values = append(values, border, max(1, border-1), border+1)
	}
	for range n {
		values = append(values, min(result.HistMax, 1+rng.Int64N(1<<(1+rng.IntN(40)))))
	}
	return values
}

func reference(t testing.TB, values []int64) *hdrhistogram.Histogram {
	t.Helper()
	h := result.NewHDR()
	for _, v := range values {
		if err := h.RecordValue(v); err != nil {
			t.Fatal(err)
		}
	}
	return h
}

func TestHistogramHasTheBucketsOfHdrHistogram(t *testing.T) {
	values := spread(100_000, 7)
	var h histogram
	for _, v := range values {
		h.record(v)
	}
	got, want := h.hdr().Export(), reference(t, values).Export()
	for i, n := range want.Counts {
		if got.Counts[i] != n {
			t.Fatalf("bucket %d holds %d values, in HdrHistogram %d", i, got.Counts[i], n)
		}
	}
	if lo, hi := h.extremes(); lo != slices.Min(values) || hi != slices.Max(values) {
		t.Errorf("extremes %d and %d, want %d and %d", lo, hi, slices.Min(values), slices.Max(values))
	}
}

func TestHistogramCountsWhatIsOutOfRangeAtItsEnds(t *testing.T) {
	var h histogram
	if lo, hi := h.extremes(); lo != 0 || hi != 0 {
		t.Errorf("an empty histogram has extremes %d and %d", lo, hi)
	}
	for _, v := range []int64{-1 << 62, -5, 0, result.HistMax + 1, 1<<63 - 1} {
		h.record(v)
	}
	if lo, hi := h.extremes(); lo != result.HistMin || hi != result.HistMax {
		t.Errorf("extremes %d and %d", lo, hi)
	}
	ends := []int64{result.HistMin, result.HistMin, result.HistMin, result.HistMax, result.HistMax}
	if !slices.Equal(h.hdr().Export().Counts, reference(t, ends).Export().Counts) {
		t.Error("the counts are not three at the lower end and two at the upper")
	}
}

func TestHistogramLosesNothingUnderConcurrency(t *testing.T) {
	const writers, each = 8, 20_000
	var h histogram
	var all []int64
	var wg sync.WaitGroup
	for w := range writers {
		values := spread(each, uint64(w))
		all = append(all, values...)
		wg.Go(func() {
			for _, v := range values {
				h.record(v)
			}
		})
	}
	wg.Wait()
	if !slices.Equal(h.hdr().Export().Counts, reference(t, all).Export().Counts) {
		t.Error("the counts differ from those of the same values recorded one after the other")
	}
	enc, err := h.encode()
	if err != nil {
		t.Fatal(err)
	}
	if enc.Count != int64(len(all)) || enc.Min != result.HistMin || enc.Max != result.HistMax {
		t.Errorf("encoded as %d values from %d to %d", enc.Count, enc.Min, enc.Max)
	}
}

func TestHistogramRecordDoesNotAllocate(t *testing.T) {
	var h histogram
	values := spread(1000, 3)
	for _, v := range values {
		h.record(v)
	}
	i := 0
	if n := testing.AllocsPerRun(1000, func() { h.record(values[i%len(values)]); i++ }); n != 0 {
		t.Errorf("%v allocations a value once every power of two was seen, want 0", n)
	}
}

// receiver is a connected client of a fleet, in a room with one publisher.
func receiver(t testing.TB) (c *client, frame func(seq uint32) []byte) {
	t.Helper()
	f, err := NewFleet(NewPortable(), BeginSpec{Nodes: []string{"n1", "n2"}})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := f.Abandon(); err != nil {
			t.Error(err)
		}
	})
	if err := f.Expect(ExpectSpec{Phase: 9, Grace: soon}); err != nil {
		t.Fatal(err)
	}
	c = &client{fleet: &f.fleetState, id: 1, node: 1}
	buf := make([]byte, 0, 512)
	return c, func(seq uint32) []byte {
		b := append(buf, `{"room":"r0","body":"`...)
		b = wire.AppendStamp(b, wire.Stamp{Run: 9, Publisher: 2, Node: 2, Seq: seq, Intended: wire.Now() - 100_000})
		return append(b, `....."}`...)
	}
}

func TestRecordPathOfADeliveryDoesNotAllocate(t *testing.T) {
	c, frame := receiver(t)
	const warm, runs = 5000, 2000
	seq := uint32(0)
	deliver := func() { c.Text(frame(seq), wire.Now()); c.Heard(wire.Now()); seq++ }
	for range warm {
		deliver()
	}
	// AllocsPerRun averages, and rounds down: a new second or power of two of latency
	// may allocate its counters once, a delivery may not.
	if n := testing.AllocsPerRun(runs, deliver); n != 0 {
		t.Errorf("%v allocations a delivery, want 0", n)
	}
	if got := c.receipts[pubKey{9, 2}].next; got != seq || c.fleet.foreign.Load() != 0 {
		t.Errorf("the ledger stands at %d after %d deliveries, %d of them foreign", got, seq, c.fleet.foreign.Load())
	}
}

func BenchmarkHistogramRecord(b *testing.B) {
	var h histogram
	b.ReportAllocs()
	for i := int64(0); b.Loop(); i++ {
		h.record(200_000 + i&0xffff)
	}
}

func BenchmarkHistogramRecordParallel(b *testing.B) {
	var h histogram
	b.ReportAllocs()
	b.RunParallel(func(pb *testing.PB) {
		for i := int64(0); pb.Next(); i++ {
			h.record(200_000 + i&0xffff)
		}
	})
}

// BenchmarkDelivery is all that happens to a message once it has been read.
func BenchmarkDelivery(b *testing.B) {
	c, frame := receiver(b)
	b.ReportAllocs()
	for seq := uint32(0); b.Loop(); seq++ {
		c.Text(frame(seq), wire.Now())
	}
}

package wire

import "testing"

// The kernel's reading lies between two of Now, but for how closely the two clocks
// are aligned, and they do not drift apart.
func TestNowIsTheKernelsClock(t *testing.T) {
	const aligned = 5_000 // ns
	for range 1000 {
		before := Now()
		kernel := monotonic()
		if after := Now(); kernel < before-aligned || kernel > after+aligned {
			t.Fatalf("the kernel says %d between %d and %d", kernel, before, after)
		}
	}
}

func BenchmarkNow(b *testing.B) {
	for b.Loop() {
		Now()
	}
}

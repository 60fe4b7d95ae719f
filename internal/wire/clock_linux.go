package wire

import "time"

// The runtime reads CLOCK_MONOTONIC too, but without entering the kernel (vdso(7)),
// several times faster, and the time is read a few times for every message. It only
// counts from a moment of its own; epoch is that moment on the kernel's clock.
var (
	started = time.Now()
	epoch   = epochOf(started)
)

func now() int64 { return epoch + int64(time.Since(started)) }

// epochOf is the wire time of a moment: the kernel is asked between two readings of
// the runtime's clock, and of several such tries the one counts whose readings are
// closest, which tells the moment to half their distance.
func epochOf(moment time.Time) (at int64) {
	closest := time.Duration(1 << 62)
	for range 32 {
		before := time.Since(moment)
		kernel := monotonic()
		if apart := time.Since(moment) - before; apart < closest {
			closest, at = apart, kernel-int64(before+apart/2)
		}
	}
	return at
}

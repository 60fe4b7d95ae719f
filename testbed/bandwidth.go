package testbed

import (
	"fmt"
	"time"
)

// A quota is kept by the kernel's CFS bandwidth control: the processes of a control
// group may run for so much CPU time in each period, and stand still for the rest of
// it (cgroup v1: sched-bwc.rst; v2: cgroup-v2.rst, cpu.max).
const (
	// quotaPeriod is a tenth of the kernel's default: with 100 ms a unit that has
	// used up its share stands still for up to 100 ms, and a p99 is no figure of the
	// unit any more but of the period.
	quotaPeriod = 10 * time.Millisecond
	// leastQuota is the kernel's smallest quota; smaller shares get longer periods.
	leastQuota = time.Millisecond
	// longestPeriod is the kernel's longest.
	longestPeriod = time.Second
)

// LeastCPU is the smallest CPU limit of a unit, in cores: the kernel's smallest
// quota in its longest period.
const LeastCPU = float64(leastQuota) / float64(longestPeriod)

// bandwidth is the period and the CPU time in each that make a number of cores.
func bandwidth(cores float64) (period, slice time.Duration, err error) {
	if !(cores >= LeastCPU && cores <= 1024) {
		return 0, 0, fmt.Errorf("a CPU limit of %g cores is out of range; use %g to 1024", cores, LeastCPU)
	}
	period = quotaPeriod
	if float64(period)*cores < float64(leastQuota) {
		period = time.Duration(float64(leastQuota) / cores).Round(time.Microsecond)
	}
	return period, max(leastQuota, time.Duration(float64(period)*cores)), nil
}

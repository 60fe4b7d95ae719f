//go:build !linux

package budget

import (
	"runtime"

	"github.com/shirou/gopsutil/v4/mem"
)

// Read reads this machine's facts: cores, descriptors and memory. The rest is
// unknown on systems other than Linux, and there is one loopback address: others
// have to be configured first.
func Read() (Machine, error) {
	m := Machine{Cores: runtime.NumCPU(), LoopbackAddrs: 1}
	m.FDSoft, m.FDHard = descriptors()
	if v, err := mem.VirtualMemory(); err == nil {
		m.MemoryTotal, m.MemoryAvailable = Known(clamp(v.Total)), Known(clamp(v.Available))
	}
	return m, nil
}

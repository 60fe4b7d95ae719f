//go:build !linux

package testbed

import (
	"strconv"

	"github.com/shirou/gopsutil/v4/host"
	ps "github.com/shirou/gopsutil/v4/process"
)

// processSpace is the boot that numbers of processes are of, by its time.
func processSpace() (string, error) {
	at, err := host.BootTime()
	return strconv.FormatUint(at, 10) + "/", err
}

// startOf is when a process was started, in milliseconds of the calendar.
func startOf(pid int) (string, error) {
	p, err := ps.NewProcess(int32(pid))
	if err != nil {
		return "", err
	}
	at, err := p.CreateTime()
	return strconv.FormatInt(at, 10), err
}

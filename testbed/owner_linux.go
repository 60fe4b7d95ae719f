package testbed

import (
	"fmt"
	"os"
	"strconv"
	"strings"
)

// processSpace is the boot and the namespace that numbers of processes are of
// (random(4), boot_id; pid_namespaces(7)).
func processSpace() (string, error) {
	boot, err := os.ReadFile("/proc/sys/kernel/random/boot_id")
	if err != nil {
		return "", err
	}
	space, err := os.Readlink("/proc/self/ns/pid")
	if err != nil {
		return "", err
	}
	return strings.TrimSpace(string(boot)) + "/" + strings.Trim(strings.TrimPrefix(space, "pid:"), "[]"), nil
}

// startOf is when a process was started, in clock ticks since the boot
// (proc_pid_stat(5), field 22).
func startOf(pid int) (string, error) {
	s, ok := readStat(pid, strconv.Itoa(pid))
	if !ok || s.over() {
		return "", fmt.Errorf("it does not run: %w", os.ErrProcessDone)
	}
	return strconv.FormatInt(s.start, 10), nil
}

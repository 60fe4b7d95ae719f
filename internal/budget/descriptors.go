package budget

import (
	"context"
	"os/exec"
	"strconv"
	"strings"
	"syscall"
	"time"
)

// descriptors reads RLIMIT_NOFILE. The soft limit is asked of a child: the Go runtime
// has raised this process's own at its start, and gives children the one from before.
func descriptors() (soft, hard Fact) {
	var rl syscall.Rlimit
	if err := syscall.Getrlimit(syscall.RLIMIT_NOFILE, &rl); err != nil {
		return Fact{}, Fact{}
	}
	hard = Known(clamp(uint64(rl.Max)))
	ctx, cancel := context.WithTimeout(context.Background(), 5*time.Second)
	defer cancel()
	out, err := exec.CommandContext(ctx, "sh", "-c", "ulimit -Sn").Output()
	if err != nil {
		return Fact{}, hard
	}
	switch text := strings.TrimSpace(string(out)); text {
	case "unlimited":
		return hard, hard
	default:
		n, err := strconv.ParseInt(text, 10, 64)
		if err != nil {
			return Fact{}, hard
		}
		return Known(n), hard
	}
}

// clamp makes RLIM_INFINITY a number that sums and products below can hold.
func clamp(n uint64) int64 { return int64(min(n, 1<<50)) }

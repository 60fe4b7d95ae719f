package nginx

import (
	"context"
	"fmt"
	"io"
	"net/http"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"time"

	"wsrig/testbed"
)

const (
	// statusPath is where shipped variants and rewritten files have stub_status.
	statusPath   = "/stub_status"
	adminTimeout = 3 * time.Second
)

// StatsPlace is where a person reads the statistics of a shipped variant, on its admin port.
func (Driver) StatsPlace(_, admin string) string { return "http://" + admin + statusPath }

var activeLine = regexp.MustCompile(`Active connections: (\d+)`)

// active asks stub_status for the client connections of all workers, those of
// earlier configurations too, without the one that asks.
func active(ctx context.Context, inst testbed.Instance) (int, error) {
	addr := inst.Unit().Ports[portAdmin].Host
	if addr == "" {
		return 0, fmt.Errorf("nginx: unit %s has no %q port", inst.Unit().Name, portAdmin)
	}
	ctx, cancel := context.WithTimeout(ctx, adminTimeout)
	defer cancel()
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, "http://"+addr+statusPath, nil)
	if err != nil {
		return 0, fmt.Errorf("nginx statistics: %w", err)
	}
	// A connection kept open would be counted the next time.
	client := http.Client{Transport: &http.Transport{DisableKeepAlives: true}}
	resp, err := client.Do(req)
	if err != nil {
		return 0, fmt.Errorf("nginx statistics: %w", err)
	}
	defer resp.Body.Close()
	page, err := io.ReadAll(io.LimitReader(resp.Body, 4096))
	if err != nil {
		return 0, fmt.Errorf("nginx statistics: %w", err)
	}
	m := activeLine.FindSubmatch(page)
	if resp.StatusCode != http.StatusOK || m == nil {
		return 0, fmt.Errorf("nginx statistics: status %d with %.100q", resp.StatusCode, page)
	}
	n, err := strconv.Atoi(string(m[1]))
	if err != nil {
		return 0, fmt.Errorf("nginx statistics: %w", err)
	}
	return max(0, n-1), nil
}

// Stats reads stub_status and the master's child processes. Nginx does not tell
// sessions by upstream, so ByNode is nil. Where its processes are not on this host, as in
// the virtual machine of a Docker Desktop, they are not counted.
func (Driver) Stats(ctx context.Context, inst testbed.Instance) (testbed.ProxyStats, error) {
	open, err := active(ctx, inst)
	if err != nil {
		return testbed.ProxyStats{}, err
	}
	if inst.PID() == 0 {
		return testbed.ProxyStats{Open: open}, nil
	}
	w, err := readWorkers(inst)
	if err != nil {
		return testbed.ProxyStats{}, err
	}
	return testbed.ProxyStats{Open: open, Processes: len(w.current), Old: len(w.old)}, nil
}

// workers are the master's worker processes, by process id.
type workers struct {
	current []int
	old     []int // shutting down: they keep what is open and take nothing new
	// settled: the master sleeps, so it has started all it is to start, and each of
	// its children has a title.
	settled bool
}

// readWorkers looks at the master's children and at the titles Nginx gives them.
func readWorkers(inst testbed.Instance) (workers, error) {
	master := inst.PID()
	if master == 0 {
		return workers{}, fmt.Errorf("nginx: the processes of unit %s are not on this host and cannot be counted", inst.Unit().Name)
	}
	// Looked at before the children: what a sleeping master has not started, it will not
	// until it is told to.
	asleep, err := sleeps(master)
	if err != nil {
		return workers{}, err
	}
	lists, err := filepath.Glob(fmt.Sprintf("/proc/%d/task/*/children", master))
	if err != nil || len(lists) == 0 {
		return workers{}, fmt.Errorf("nginx: the master process %d is gone, or this kernel lists no child processes in /proc", master)
	}
	w := workers{settled: asleep}
	for _, list := range lists {
		children, err := os.ReadFile(list)
		if err != nil {
			return workers{}, fmt.Errorf("nginx: %w", err)
		}
		for child := range strings.FieldsSeq(string(children)) {
			pid, err := strconv.Atoi(child)
			if err != nil {
				return workers{}, fmt.Errorf("nginx: %s: %w", list, err)
			}
			title, err := os.ReadFile(fmt.Sprintf("/proc/%d/cmdline", pid))
			switch {
			case err != nil: // it ended meanwhile
			case strings.Contains(string(title), "worker process is shutting down"):
				w.old = append(w.old, pid)
			case strings.Contains(string(title), "nginx: worker process"):
				w.current = append(w.current, pid)
			case strings.Contains(string(title), "nginx: master process"):
				w.settled = false // just forked
			}
		}
	}
	slices.Sort(w.current)
	slices.Sort(w.old)
	return w, nil
}

// sleeps tells whether a process waits in the kernel: the state after its name in
// parentheses (proc(5), /proc/pid/stat).
func sleeps(pid int) (bool, error) {
	stat, err := os.ReadFile(fmt.Sprintf("/proc/%d/stat", pid))
	if err != nil {
		return false, fmt.Errorf("nginx: the master process is gone: %w", err)
	}
	_, state, found := strings.Cut(string(stat[strings.LastIndexByte(string(stat), ')')+1:]), " ")
	return found && strings.HasPrefix(state, "S"), nil
}

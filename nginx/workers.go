package nginx

import (
	"context"
	"fmt"
	"net"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"

	"wsrig/testbed"
)

// Workers counts the client connections of each worker process. Nginx tells only
// their sum, so the kernel is asked: the established sockets at the clients' port
// (proc(5), /proc/pid/net/tcp), and which process has each open (/proc/pid/fd). Processes
// that are not on this host cannot be told apart, and none are returned.
func (Driver) Workers(ctx context.Context, inst testbed.Instance) ([]testbed.WorkerProcess, error) {
	if inst.PID() == 0 {
		return nil, nil
	}
	all, err := readWorkers(inst)
	if err != nil {
		return nil, err
	}
	_, text, err := net.SplitHostPort(inst.Unit().Ports[portClients].Listen)
	if err != nil {
		return nil, fmt.Errorf("nginx: the clients' port: %w", err)
	}
	port, err := strconv.ParseUint(text, 10, 16)
	if err != nil {
		return nil, fmt.Errorf("nginx: the clients' port: %w", err)
	}
	sockets, err := established(inst.PID(), port)
	if err != nil {
		return nil, err
	}
	var workers []testbed.WorkerProcess
	for _, pid := range slices.Concat(all.current, all.old) {
		if ctx.Err() != nil {
			return nil, fmt.Errorf("nginx: %w", context.Cause(ctx))
		}
		open, err := countSockets(pid, sockets)
		if os.IsNotExist(err) {
			continue // an old worker ended meanwhile
		}
		if err != nil {
			return nil, fmt.Errorf("nginx: worker %d: %w", pid, err)
		}
		workers = append(workers, testbed.WorkerProcess{PID: pid, Old: slices.Contains(all.old, pid), Open: open})
	}
	return workers, nil
}

// established is the set of sockets, by inode, that serve clients at a port in the
// network of a process.
func established(pid int, port uint64) (map[string]bool, error) {
	const tcpEstablished = "01" // include/net/tcp_states.h of Linux
	sockets := map[string]bool{}
	for _, table := range []string{"tcp", "tcp6"} {
		path := fmt.Sprintf("/proc/%d/net/%s", pid, table)
		text, err := os.ReadFile(path)
		if os.IsNotExist(err) && table == "tcp6" {
			continue // a kernel without IPv6
		}
		if err != nil {
			return nil, fmt.Errorf("nginx: sockets: %w", err)
		}
		for line := range strings.Lines(string(text)) {
			cols := strings.Fields(line)
			if len(cols) < 10 || cols[3] != tcpEstablished {
				continue
			}
			_, local, _ := strings.Cut(cols[1], ":")
			if n, err := strconv.ParseUint(local, 16, 16); err == nil && n == port {
				sockets[cols[9]] = true
			}
		}
	}
	return sockets, nil
}

// countSockets counts the descriptors of a process that are among sockets.
func countSockets(pid int, sockets map[string]bool) (int, error) {
	dir := fmt.Sprintf("/proc/%d/fd", pid)
	entries, err := os.ReadDir(dir)
	if err != nil {
		return 0, err
	}
	n := 0
	for _, e := range entries {
		target, err := os.Readlink(filepath.Join(dir, e.Name()))
		if err != nil {
			continue // closed meanwhile
		}
		if inode, ok := strings.CutPrefix(target, "socket:["); ok && sockets[strings.TrimSuffix(inode, "]")] {
			n++
		}
	}
	return n, nil
}

package haproxy

import (
	"bufio"
	"fmt"
	"net/netip"
	"os"
	"regexp"
	"strconv"
	"strings"

	"wsrig/testbed"
)

// logLine is a connection's line in the formats of "option httplog" and "option
// tcplog" (configuration manual, sections 8.2.2 and 8.2.3): client port, frontend,
// backend, server, timers of which the last is the total, and the termination state
// of four or two characters. Text of HTTP lines between the two is skipped.
var logLine = regexp.MustCompile(`^(\S*?:\d+) \[[^\]]*\] ([^ /~]+)~? ([^ /]+)/(\S+) [-0-9/]*?(-?\d+) (?:-?\d+ \d+ \S+ \S+ ([A-Za-z-]{4})|\d+ ([A-Za-z-]{2})) \d+/`)

// Terminations reads HAProxy's own word on how each connection ended, by the client's
// TCP address; the state's letters are explained in the configuration manual,
// section 8.5. Only lines of the clients' frontend count, since behind it the client
// is HAProxy itself. A user's file with a log-format of its own tells nothing.
func (Driver) Terminations(inst testbed.Instance) (map[netip.AddrPort]testbed.Termination, error) {
	running, err := readRunning(inst)
	if err != nil {
		return nil, err
	}
	log, err := os.Open(inst.LogPath())
	if err != nil {
		return nil, fmt.Errorf("haproxy: %w", err)
	}
	defer log.Close()
	ends := map[netip.AddrPort]testbed.Termination{}
	lines := bufio.NewScanner(log)
	lines.Buffer(nil, 1<<20)
	for lines.Scan() {
		if client, t, ok := running.termination(lines.Text()); ok {
			ends[client] = t
		}
	}
	if err := lines.Err(); err != nil {
		return nil, fmt.Errorf("haproxy: %s: %w", inst.LogPath(), err)
	}
	return ends, nil
}

func (r running) termination(line string) (client netip.AddrPort, t testbed.Termination, ok bool) {
	m := logLine.FindStringSubmatch(strings.TrimSpace(line))
	if m == nil || m[2] != r.front {
		return client, t, false
	}
	client, err := netip.ParseAddrPort(m[1])
	if err != nil {
		return client, t, false
	}
	total, err := strconv.Atoi(m[5])
	if err != nil {
		return client, t, false
	}
	t.Flags, t.After = m[6]+m[7], float64(total)/1000
	if name, isNode := r.nodes[m[3]+"/"+m[4]]; isNode {
		t.Node = name
	}
	return client, t, true
}

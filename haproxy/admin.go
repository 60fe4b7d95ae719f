package haproxy

import (
	"context"
	"encoding/csv"
	"fmt"
	"io"
	"net"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"time"

	"wsrig/testbed"
)

// adminTimeout bounds one question to a statistics socket.
const adminTimeout = 3 * time.Second

// ask sends one command to a command line of HAProxy and reads the whole answer
// (management manual, section 9.3). Closing the writing side ends the dialogue.
func ask(ctx context.Context, inst testbed.Instance, port, command string) (string, error) {
	addr := inst.Unit().Ports[port].Host
	if addr == "" {
		return "", fmt.Errorf("haproxy: unit %s has no %q port", inst.Unit().Name, port)
	}
	ctx, cancel := context.WithTimeout(ctx, adminTimeout)
	defer cancel()
	conn, err := new(net.Dialer).DialContext(ctx, "tcp", addr)
	if err != nil {
		return "", fmt.Errorf("haproxy %s port: %w", port, err)
	}
	defer conn.Close()
	deadline, _ := ctx.Deadline()
	if err := conn.SetDeadline(deadline); err != nil {
		return "", fmt.Errorf("haproxy %s port: %w", port, err)
	}
	if _, err := io.WriteString(conn, command+"\n"); err != nil {
		return "", fmt.Errorf("haproxy %s port: %w", port, err)
	}
	if tcp, ok := conn.(*net.TCPConn); ok {
		if err := tcp.CloseWrite(); err != nil {
			return "", fmt.Errorf("haproxy %s port: %w", port, err)
		}
	}
	answer, err := io.ReadAll(conn)
	if err != nil {
		return "", fmt.Errorf("haproxy %s port, %q: %w", port, command, err)
	}
	return string(answer), nil
}

// WithStatsPage is a shipped variant that also serves HAProxy's own page of statistics
// (configuration manual, stats uri), where clients connect. No variant has it: it is for
// people, and nothing that is measured.
func (Driver) WithStatsPage(src testbed.Source) testbed.Source {
	const bind = "    bind {{.Listen}}\n"
	src.Text = strings.Replace(src.Text, bind, bind+"    stats enable\n    stats uri "+statsPage+"\n    stats refresh 5s\n", 1)
	return src
}

// statsPage is the path of the page, as in the demo of compose.yaml.
const statsPage = "/proxy"

// StatsPlace says how a person reads the statistics of a variant of WithStatsPage, by
// its clients' and its admin port. The latter speaks HAProxy's command language
// (management manual, 9.3).
func (Driver) StatsPlace(clients, admin string) string {
	return "http://" + clients + statsPage + ", or echo 'show stat' | socat - TCP:" + admin
}

// processes is what the master says of its workers.
type processes struct {
	master  int
	reloads int // of the master, failed ones included
	failed  int // reloads since the last good one that did not load
	workers []int
	old     []int
}

// showProc asks the master for its workers (management manual, "show proc").
func showProc(ctx context.Context, inst testbed.Instance) (processes, error) {
	answer, err := ask(ctx, inst, portMaster, "show proc")
	if err != nil {
		return processes{}, err
	}
	return parseProc(answer)
}

func parseProc(answer string) (processes, error) {
	var p processes
	old := false
	for line := range strings.Lines(answer) {
		if strings.HasPrefix(line, "#") {
			old = strings.HasPrefix(line, "# old")
			continue
		}
		cols := strings.Fields(line)
		if len(cols) < 3 {
			continue
		}
		pid, err := strconv.Atoi(cols[0])
		if err != nil {
			return p, fmt.Errorf("haproxy show proc: %q is no process id", cols[0])
		}
		switch cols[1] {
		case "master":
			p.master = pid
			p.reloads, _ = strconv.Atoi(cols[2])
			if len(cols) > 4 && cols[3] == "[failed:" {
				p.failed, _ = strconv.Atoi(strings.TrimSuffix(cols[4], "]"))
			}
		case "worker":
			if old {
				p.old = append(p.old, pid)
			} else {
				p.workers = append(p.workers, pid)
			}
		}
	}
	if p.master == 0 {
		return p, fmt.Errorf("haproxy show proc: no master in %.200q", answer)
	}
	return p, nil
}

// serving tells whether the worker that answers on the statistics socket is one of
// workers; nil once it is.
func serving(ctx context.Context, inst testbed.Instance, workers []int) error {
	info, err := ask(ctx, inst, portAdmin, "show info")
	if err != nil {
		return err
	}
	for line := range strings.Lines(info) {
		if value, ok := strings.CutPrefix(line, "Pid: "); ok {
			pid, err := strconv.Atoi(strings.TrimSpace(value))
			for _, w := range workers {
				if err == nil && w == pid {
					return nil
				}
			}
			return fmt.Errorf("haproxy: process %s answers on the statistics socket, not one of %v", strings.TrimSpace(value), workers)
		}
	}
	return fmt.Errorf("haproxy show info: no Pid in %.200q", info)
}

// Stats sums the workers of all configurations: a worker that an earlier reload left
// with its WebSockets is asked through the master (management manual, "@!<pid>"),
// and no longer has a socket of its own. Open counts the sessions of the frontend
// that listens on the clients' port.
func (Driver) Stats(ctx context.Context, inst testbed.Instance) (testbed.ProxyStats, error) {
	running, err := readRunning(inst)
	if err != nil {
		return testbed.ProxyStats{}, err
	}
	procs, err := showProc(ctx, inst)
	if err != nil {
		return testbed.ProxyStats{}, err
	}
	stats := testbed.ProxyStats{ByNode: map[string]int{}, Processes: len(procs.workers), Old: len(procs.old)}
	for _, name := range running.nodes {
		stats.ByNode[name] = 0
	}
	for _, pid := range append(append([]int{}, procs.workers...), procs.old...) {
		table, err := ask(ctx, inst, portMaster, fmt.Sprintf("@!%d show stat", pid))
		if err == nil {
			err = running.count(table, &stats)
		}
		if err != nil {
			// An old worker may end between the two questions.
			if again, e := showProc(ctx, inst); e == nil && !contains(again, pid) {
				stats.Old = len(again.old)
				continue
			}
			return testbed.ProxyStats{}, fmt.Errorf("worker %d: %w", pid, err)
		}
	}
	return stats, nil
}

func contains(p processes, pid int) bool {
	for _, have := range append(append([]int{}, p.workers...), p.old...) {
		if have == pid {
			return true
		}
	}
	return false
}

// running is the configuration an instance works with, as far as statistics and
// logs need it.
type running struct {
	front string            // the clients' frontend
	nodes map[string]string // "backend/server" to the node's name
}

// readRunning reads the instance's configuration file, which may have changed since
// it was started.
func readRunning(inst testbed.Instance) (running, error) {
	path := filepath.Join(inst.Dir(), configName)
	text, err := os.ReadFile(path)
	if err != nil {
		return running{}, fmt.Errorf("haproxy: the running configuration: %w", err)
	}
	f, err := parse(configName, string(text))
	if err != nil {
		return running{}, err
	}
	names := map[string]string{}
	for line := range strings.Lines(string(text)) {
		if list, ok := strings.CutPrefix(line, nodesMark); ok {
			for _, pair := range strings.Fields(list) {
				name, addr, _ := strings.Cut(pair, "=")
				names[addr] = name
			}
		}
	}
	r := running{nodes: map[string]string{}}
	clients := inst.Unit().Ports[portClients].Listen
	for _, s := range f.sections {
		for _, b := range s.binds() {
			if b.addr == clients {
				r.front = s.name
			}
		}
		for _, sv := range s.servers() {
			if !s.isProxy() || f.hop(sv) != nil {
				continue
			}
			name, ok := names[sv.addr]
			if !ok {
				name = sv.name
			}
			r.nodes[s.name+"/"+sv.name] = name
		}
	}
	if r.front == "" {
		return r, fmt.Errorf("%s: no frontend listens on %s", path, clients)
	}
	return r, nil
}

// count adds the sessions of one worker. table is CSV with a header line
// (management manual, section 9.1).
func (r running) count(table string, stats *testbed.ProxyStats) error {
	rows, err := csv.NewReader(strings.NewReader(strings.TrimPrefix(strings.TrimSpace(table), "# "))).ReadAll()
	if err != nil {
		return fmt.Errorf("haproxy show stat: %w", err)
	}
	col := map[string]int{}
	for i, row := range rows {
		if i == 0 {
			for j, name := range row {
				col[name] = j
			}
			for _, name := range []string{"pxname", "svname", "scur"} {
				if _, ok := col[name]; !ok {
					return fmt.Errorf("haproxy show stat: no column %s", name)
				}
			}
			continue
		}
		proxy, member := row[col["pxname"]], row[col["svname"]]
		n, err := strconv.Atoi(row[col["scur"]])
		if err != nil {
			continue // a listener's row has no sessions of its own
		}
		if proxy == r.front && member == "FRONTEND" {
			stats.Open += n
		} else if name, ok := r.nodes[proxy+"/"+member]; ok {
			stats.ByNode[name] += n
		}
	}
	if len(rows) == 0 {
		return fmt.Errorf("haproxy show stat: empty answer")
	}
	return nil
}

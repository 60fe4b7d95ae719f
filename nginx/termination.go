package nginx

import (
	"bufio"
	"errors"
	"fmt"
	"io/fs"
	"net/netip"
	"os"
	"path/filepath"
	"regexp"
	"strconv"

	"wsrig/testbed"
)

// logLine is a line of the shipped variants' log_format: the client's address and
// port, the status, the seconds it lasted and the upstream address.
var logLine = regexp.MustCompile(`^(\S+:\d+) \[[^\]]*\] ".*" (\d{3}) (\d+\.\d+) (\S+)`)

// memberLine is a member of the pool in a shipped variant, named in a comment.
var memberLine = regexp.MustCompile(`(?m)^\s*server (\S+?)[ ;].*# (\S+)$`)

// Terminations reads from the access log how long each tunnel lasted and which node
// carried it, by the client's TCP address. Nginx does not tell who ended it:
// Flags is empty. A user's file with a log format of its own tells nothing.
func (Driver) Terminations(inst testbed.Instance) (map[netip.AddrPort]testbed.Termination, error) {
	config, err := os.ReadFile(filepath.Join(inst.Dir(), configName))
	if err != nil {
		return nil, fmt.Errorf("nginx: the running configuration: %w", err)
	}
	names := map[string]string{}
	for _, m := range memberLine.FindAllStringSubmatch(string(config), -1) {
		names[m[1]] = m[2]
	}
	ends := map[netip.AddrPort]testbed.Termination{}
	log, err := os.Open(filepath.Join(inst.Dir(), "access.log"))
	if errors.Is(err, fs.ErrNotExist) {
		return ends, nil
	}
	if err != nil {
		return nil, fmt.Errorf("nginx: %w", err)
	}
	defer log.Close()
	lines := bufio.NewScanner(log)
	lines.Buffer(nil, 1<<20)
	for lines.Scan() {
		m := logLine.FindStringSubmatch(lines.Text())
		if m == nil || m[2] != "101" {
			continue
		}
		client, err1 := netip.ParseAddrPort(m[1])
		after, err2 := strconv.ParseFloat(m[3], 64)
		if err1 == nil && err2 == nil {
			ends[client] = testbed.Termination{Node: names[m[4]], After: after}
		}
	}
	if err := lines.Err(); err != nil {
		return nil, fmt.Errorf("nginx: access.log: %w", err)
	}
	return ends, nil
}

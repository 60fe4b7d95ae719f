package scenario

import (
	"bufio"
	"fmt"
	"maps"
	"net/netip"
	"os"
	"strings"

	"wsrig/internal/wire"
	"wsrig/loadgen"
	"wsrig/testbed"
)

// Who moved first to end a connection. A client that sees the end of its stream
// without a close frame cannot tell a crash of the node from an idle timeout of the
// proxy: it takes the node's log, the proxy's log and what was done to the units.
const (
	byClient  = "client"
	byNode    = "node"
	byProxy   = "proxy"
	byUnknown = "unknown"
)

// Causes that the blame table finds, beside those that a node states itself.
const (
	causeAsked   = "asked"        // the client closed
	causeIdle    = "idle timeout" // the proxy closed after the silence it grants
	causeKilled  = "killed"       // the unit was killed
	causeReload  = "reload"       // the proxy closed after a reload
	causeUnknown = "unknown"
)

// idleSlack is how far the silence may be from the declared timeout for a close to
// be laid to it, as a share; slackMin is the least, in seconds.
const (
	idleSlack = 0.15
	slackMin  = 0.5
)

// evidence is what is known about a trial's ends beside what the clients saw.
type evidence struct {
	nodes    map[string]wire.Closed                 // by client name
	proxy    map[netip.AddrPort]testbed.Termination // by client address
	declared float64                                // idle timeout in seconds; 0 is none
	marks    []faultMark
	direct   bool
}

// faultMark is something done to a unit, in wire time.
type faultMark struct {
	verb, unit string
	text       string
	start, end int64
}

// gather reads the units' logs.
func (t *trial) gather() (evidence, error) {
	e := evidence{nodes: map[string]wire.Closed{}, direct: t.tb.Proxy == nil}
	for _, n := range t.tb.Nodes {
		if err := readClosed(n.LogPath(), e.nodes); err != nil {
			return e, fmt.Errorf("%s: %w", n.Unit().Name, err)
		}
	}
	for _, p := range t.tb.Proxies {
		ends, err := t.tb.Spec.Proxy.Terminations(p)
		if err != nil {
			return e, fmt.Errorf("%s: read how tunnels ended: %w", p.Unit().Name, err)
		}
		if e.proxy == nil {
			e.proxy = map[netip.AddrPort]testbed.Termination{}
		}
		maps.Copy(e.proxy, ends)
	}
	if t.declared != nil {
		e.declared = t.declared.IdleTimeout
	}
	e.marks = t.faults
	return e, nil
}

// readClosed collects a node's records of ended connections from its log.
func readClosed(path string, into map[string]wire.Closed) error {
	f, err := os.Open(path)
	if err != nil {
		return fmt.Errorf("read log: %w", err)
	}
	defer f.Close()
	lines := bufio.NewScanner(f)
	lines.Buffer(nil, 1<<20)
	for lines.Scan() {
		if c, ok := wire.ParseClosed(lines.Bytes()); ok {
			into[c.Name] = c
		}
	}
	if err := lines.Err(); err != nil {
		return fmt.Errorf("read log %s: %w", path, err)
	}
	return nil
}

// blame fills in who ended a connection and why: By, Cause, Flags and NodeCause.
func (e evidence) blame(c *loadgen.Close) {
	if c.Kind == loadgen.EndOpen {
		return
	}
	node, nodeKnows := e.nodes[c.Client]
	if nodeKnows {
		c.NodeCause = node.Cause
	}
	if t, ok := e.proxy[c.Local]; ok {
		c.Flags = t.Flags
	}
	switch {
	case c.ByClient:
		c.By, c.Cause = byClient, causeAsked
	case nodeKnows && node.By == wire.ByNode:
		c.By, c.Cause = byNode, node.Cause
	case e.killed(c.Node, c.EndedAt):
		c.By, c.Cause = byNode, causeKilled
	case e.killed("proxy", c.EndedAt):
		c.By, c.Cause = byProxy, causeKilled
	case e.direct:
		c.By, c.Cause = byUnknown, causeUnknown
	case nodeKnows:
		// Neither the client nor the node began it, so what is between them did.
		c.By, c.Cause = byProxy, e.proxyCause(c)
	default:
		c.By, c.Cause = byUnknown, causeUnknown
	}
}

// proxyCause tells why a proxy closed a tunnel. HAProxy says so itself: the first
// two characters of the termination state are who ended it and in which phase
// ("cD": client-side timeout, "sD": server-side timeout, both in the data phase; "K":
// by an operator or hard-stop; HAProxy 2.6 configuration manual, section 8.5).
func (e evidence) proxyCause(c *loadgen.Close) string {
	silence := min(c.ReadSilence, c.WriteSilence)
	idle := e.declared > 0 && abs(silence-e.declared) <= max(slackMin, idleSlack*e.declared)
	switch {
	case strings.HasPrefix(c.Flags, "cD"), strings.HasPrefix(c.Flags, "sD"):
		return causeIdle
	case c.Flags == "" && idle:
		return causeIdle
	case e.did(Reload, "proxy", c.EndedAt):
		return causeReload
	case strings.HasPrefix(c.Flags, "K"):
		return "ended by the operator"
	case strings.HasPrefix(c.Flags, "D"):
		return "server marked down"
	case strings.HasPrefix(c.Flags, "U"):
		return "backup server gave way"
	default:
		return causeUnknown
	}
}

// killed tells whether a unit was killed or restarted close before a moment.
func (e evidence) killed(unit string, at int64) bool {
	return e.did(Kill, unit, at) || e.did(Restart, unit, at)
}

// did tells whether a fault was under way at a moment, or had ended within the
// last two seconds.
func (e evidence) did(verb, unit string, at int64) bool {
	const early, after = 50_000_000, 2_000_000_000 // ns
	for _, m := range e.marks {
		if m.verb == verb && m.unit == unit && at >= m.start-early && at <= m.end+after {
			return true
		}
	}
	return false
}

func abs(x float64) float64 { return max(x, -x) }

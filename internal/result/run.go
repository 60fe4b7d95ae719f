package result

import (
	"encoding/json"
	"time"
)

// Schema is the version of run.json that this build writes.
const Schema = 1

// Run is the whole of run.json.
type Run struct {
	Schema      int             `json:"schema"`
	Scenario    string          `json:"scenario"` // name of the scenario
	Environment Environment     `json:"environment"`
	Plan        json.RawMessage `json:"plan"` // scenario.Plan with every default filled in and the seed fixed
	Marks       []Mark          `json:"marks"`
	Cells       []Cell          `json:"cells"`
	Checks      []Check         `json:"checks"`
	Verdict     Verdict         `json:"verdict"`
}

// Environment is where and how the run was made. Two runs are comparable only
// when their environments are.
type Environment struct {
	RunID    string            `json:"run_id"`
	Started  time.Time         `json:"started"`
	Ended    time.Time         `json:"ended"`
	Command  []string          `json:"command"` // repeats the run
	Wsrig    string            `json:"wsrig"`   // version of this program
	Go       string            `json:"go"`
	OS       string            `json:"os"`
	Kernel   string            `json:"kernel"`
	CPU      string            `json:"cpu"`
	Cores    int               `json:"cores"`
	Memory   uint64            `json:"memory_bytes"`
	Limits   map[string]string `json:"limits"`   // descriptors, ephemeral ports, ...
	Runtime  string            `json:"runtime"`  // process or docker
	Bus      string            `json:"bus"`      // none, redis or miniredis
	Versions map[string]string `json:"versions"` // of haproxy, nginx, redis-server
	// Sides says, of a run that compares two trees, what each side is: "base" to
	// "main (commit 1a2b3c4d5e6f)". nil for others.
	Sides map[string]string `json:"sides,omitempty"`
	// Alpha is the level of significance at which such a run compares them; 0 for others.
	Alpha float64 `json:"alpha,omitempty"`
	// SelfNoise was measured just before the run; nil where it could not be.
	SelfNoise *SelfNoise `json:"self_noise,omitempty"`
}

// The two sides of a comparison.
const (
	SideBase = "base" // what was there before: the baseline
	SideHead = "head" // what is judged against it: the candidate
)

// Mark is something that happened to the testbed, on the clock of the trial.
type Mark struct {
	Cell  string  `json:"cell"`
	Trial int     `json:"trial"`
	Step  int     `json:"step"` // index into the cell's steps
	Kind  string  `json:"kind"` // step kind, or the fault: kill, stop, continue, restart, reload, add, network disconnect, reconnect
	Text  string  `json:"text"` // for people: "kill n1"
	Start float64 `json:"start_s"`
	End   float64 `json:"end_s"`
}

// Cell is one point of the scenario's matrix.
type Cell struct {
	ID       string            `json:"id"`             // unique within the run: "haproxy:short-tunnel keepalive=none"
	Proxy    string            `json:"proxy"`          // "haproxy:short-tunnel", "direct"; of a side "base:haproxy:short-tunnel"
	Side     string            `json:"side,omitempty"` // SideBase or SideHead in a run that compares two trees
	Params   map[string]string `json:"params"`
	NodeCmd  []string          `json:"node_cmd,omitempty"` // what ran as the nodes instead of wsrig chatnode
	Declared *Declared         `json:"declared,omitempty"` // nil for direct
	Config   []ConfigFile      `json:"config,omitempty"`   // as the proxy was given it
	Trials   []Trial           `json:"trials"`
	Metrics  map[string]Metric `json:"metrics"` // medians over the trials
}

// Declared is what a proxy configuration promises to an idle tunnel.
type Declared struct {
	IdleTimeout float64 `json:"idle_timeout_s"` // 0 means that nothing limits it
	Directive   string  `json:"directive"`      // the one that won: "timeout tunnel"
	Where       string  `json:"where"`          // "haproxy.cfg:14 (backend chat)"; "built-in default" if it is in no file
	Why         string  `json:"why"`            // the rule, in a sentence
}

// ConfigFile is one file the proxy was started with.
type ConfigFile struct {
	Name   string `json:"name"`
	SHA256 string `json:"sha256"` // of Original, so that a run-time address does not change it
	Text   string `json:"text"`   // as rendered for the testbed
	// Original is the file before addresses were put in: the shipped variant's
	// template, or the user's own file.
	Original string `json:"original"`
}

// Trial is one run of a cell.
type Trial struct {
	Index    int       `json:"index"` // from 1
	Started  time.Time `json:"started"`
	Duration float64   `json:"duration_s"`
	Seed     uint64    `json:"seed"`
	// ClosedLoop says that messages waited for those before them: the latencies
	// lack what a stall kept from being sent, and are never compared with open loop.
	ClosedLoop bool                 `json:"closed_loop,omitempty"`
	Metrics    map[string]Metric    `json:"metrics"`
	Histograms map[string]Histogram `json:"histograms,omitempty"`
	Intervals  []Interval           `json:"intervals,omitempty"`
	Closes     []CloseGroup         `json:"closes,omitempty"`
	Losses     []Loss               `json:"losses,omitempty"`
	Handshakes map[string]int       `json:"handshakes,omitempty"` // outcome ("101", "HTTP 503", "refused", "timeout", ...) to count
	// HandshakeErrors are the first error of each outcome but the 101.
	HandshakeErrors map[string]string `json:"handshake_errors,omitempty"`
	Views           []View            `json:"views,omitempty"`
	Balance         []Balance         `json:"balance,omitempty"` // one for each connect step
	Probes          []Probe           `json:"probes,omitempty"`  // of the search, in order
	Usage           []Usage           `json:"usage,omitempty"`
	Inconclusive    []string          `json:"inconclusive,omitempty"` // reasons this trial proves nothing
	Failed          []string          `json:"failed,omitempty"`       // checks every trial makes: views that disagree, a unit that died
}

// Metric is one figure. A metric without data is absent, never zero.
type Metric struct {
	Value  float64 `json:"value"`
	Unit   string  `json:"unit"`
	Better string  `json:"better" jsonschema:"enum=lower,enum=higher,enum=neither"` // lower, higher or neither
	N      int64   `json:"n"`                                                       // samples behind the value; in a cell, their sum over the trials
}

// Interval is one second of a trial's traffic.
type Interval struct {
	Start      float64        `json:"start_s"`
	Open       int            `json:"open"` // clients connected at its end
	Intended   int64          `json:"intended"`
	Sent       int64          `json:"sent"`
	Dropped    int64          `json:"dropped"` // arrivals the generator never sent
	Deliveries int64          `json:"deliveries"`
	Latency    *Histogram     `json:"latency,omitempty"` // delivery latency in nanoseconds, by intended time
	ByNode     map[string]int `json:"by_node,omitempty"` // clients connected per node
}

// CloseGroup is a set of clients whose connections ended alike.
type CloseGroup struct {
	By     string     `json:"by"`    // who moved first: client, node, proxy, network, unknown
	Kind   string     `json:"kind"`  // close frame, FIN, RST, silent (no end seen: the client gave up)
	Code   int        `json:"code"`  // close code of the frame, 0 without one
	Cause  string     `json:"cause"` // idle timeout, drain, killed, slow consumer, asked, ...
	Flags  string     `json:"flags"` // proxy's own termination state (HAProxy log), if it tells
	Count  int        `json:"count"`
	After  *Histogram `json:"after"`  // milliseconds from the 101 to the end
	Silent *Histogram `json:"silent"` // milliseconds from the last byte in either direction to the end
}

// Loss counts messages that did not arrive as sent, by what was going on.
type Loss struct {
	Mark       string `json:"mark"` // text of the mark in whose window they fell; "" is unexplained
	Lost       int64  `json:"lost"`
	Duplicate  int64  `json:"duplicate"`
	Reordered  int64  `json:"reordered"`
	Late       int64  `json:"late"`
	Misrouted  int64  `json:"misrouted,omitempty"`
	Deliveries int64  `json:"deliveries"`
}

// View is the number of open connections as one party counts them, at one moment.
type View struct {
	At     string         `json:"at"` // after which step: "connect"
	Step   int            `json:"step"`
	Client int            `json:"client"`
	Node   map[string]int `json:"node"`            // empty: the nodes do not tell
	Proxy  *int           `json:"proxy,omitempty"` // nil: direct, or the proxy does not tell
}

// Nodes is what the nodes count together; ok is false where they do not tell.
func (v View) Nodes() (count int, ok bool) {
	for _, n := range v.Node {
		count += n
	}
	return count, len(v.Node) > 0
}

// Usage is one unit's use of the machine over a trial.
type Usage struct {
	Unit    string        `json:"unit"` // n1, redis, proxy, worker1
	Samples []UsageSample `json:"samples"`
}

// UsageSample is a unit at one moment, with all of its processes together.
type UsageSample struct {
	At      float64 `json:"at_s"`  // since the start of the trial
	CPU     float64 `json:"cpu_s"` // seconds of CPU used so far
	RSS     uint64  `json:"rss_bytes"`
	FDs     int     `json:"fds"`
	Sockets int     `json:"sockets"`
	Procs   int     `json:"procs"`
}

// Check is one promise, judged in one cell.
type Check struct {
	Cell string `json:"cell"`
	Expr string `json:"expr"`
	// OK is nil when the check could not be judged: a metric it needs has no data,
	// or too few samples. That makes the run inconclusive.
	OK   *bool  `json:"ok"`
	Got  string `json:"got"`
	Want string `json:"want"`
}

// Verdict statuses.
const (
	Pass         = "pass"
	Fail         = "fail"
	Inconclusive = "inconclusive"
	Error        = "error"
)

// Verdict is the outcome of the whole run.
type Verdict struct {
	Status  string   `json:"status" jsonschema:"enum=pass,enum=fail,enum=inconclusive,enum=error"`
	Reasons []string `json:"reasons"` // empty for a pass
}

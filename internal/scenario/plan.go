package scenario

import (
	"encoding/json"
	"strings"
	"time"

	"wsrig/testbed"
)

// Plan is a scenario with its flags applied, every default filled in, its matrix
// spelled out as cells, and its seed fixed. It is saved with the result, and is
// all that the Runner reads.
type Plan struct {
	Scenario string      `json:"scenario"`
	Summary  string      `json:"summary"`
	Source   string      `json:"source"` // the scenario's text
	File     string      `json:"file"`   // where it came from
	Seed     uint64      `json:"seed"`
	Trials   int         `json:"trials"`
	Parallel int         `json:"parallel"` // cells that run at the same time, each on a testbed of its own
	Cells    []CellPlan  `json:"cells"`
	Checks   []CheckPlan `json:"checks"`
}

// CellPlan is one point of the matrix.
type CellPlan struct {
	ID      string            `json:"id"` // "haproxy:short-tunnel keepalive=client-ping 500ms"
	Proxy   ProxyRef          `json:"proxy"`
	Params  map[string]string `json:"params"` // what vary set
	Testbed TestbedPlan       `json:"testbed"`
	Steps   []Step            `json:"-"` // in JSON as {"connect": {...}}; see MarshalJSON
}

// ProxyRef names a proxy configuration as --proxy and proxies: do.
type ProxyRef struct {
	Side    string `json:"side,omitempty"`    // result.SideBase or SideHead where two trees are compared
	Driver  string `json:"driver"`            // "" for direct
	Variant string `json:"variant,omitempty"` // shipped variant
	File    string `json:"file,omitempty"`    // or a user's own file
	// Path is the file that is read in the tree of Side, which need not outlive the run;
	// the result holds its text. "" reads File, or the variant in this program.
	Path string `json:"-"`
	// Program is the version to run it with; the zero one is the runtime's own.
	Program testbed.Program `json:"program,omitzero"`
}

// String is "direct", "haproxy:short-tunnel", "haproxy:path/to/haproxy.cfg" or, with a
// program, "haproxy:short-tunnel@image=haproxy:3.2"; and of a side "base:haproxy:short-tunnel".
func (p ProxyRef) String() string {
	name := p.Driver + ":" + p.Variant
	switch {
	case p.Driver == "":
		name = "direct"
	case p.File != "":
		name = p.Driver + ":" + p.File
	}
	switch {
	case p.Program.Image != "":
		name += atImage + p.Program.Image
	case p.Program.Binary != "":
		name += atBinary + p.Program.Binary
	}
	if p.Side != "" {
		return p.Side + ":" + name
	}
	return name
}

// FilePath is the path of a user's own file: "#frontend", behind it, picks one of
// several in the file.
func (p ProxyRef) FilePath() string {
	path, _, _ := strings.Cut(p.File, "#")
	return path
}

// TestbedPlan is what the testbed: block of a scenario asks for.
type TestbedPlan struct {
	Nodes       int           `json:"nodes"`
	Bus         string        `json:"bus"`                    // redis or none
	NodePing    time.Duration `json:"node_ping"`              // 0: the nodes send no pings
	NodeCPU     float64       `json:"node_cpu,omitempty"`     // cores that each node may use; 0: no limit
	NodeMemory  uint64        `json:"node_memory,omitempty"`  // bytes that each node may use; 0: no limit
	NodeArgs    []string      `json:"node_args,omitempty"`    // more options for wsrig chatnode
	NodeCmd     []string      `json:"node_cmd,omitempty"`     // what runs instead of wsrig chatnode
	ProxyCPU    float64       `json:"proxy_cpu,omitempty"`    // cores that the proxy may use; 0: no limit
	ProxyMemory uint64        `json:"proxy_memory,omitempty"` // bytes that the proxy may use; 0: no limit
	ProxyPort   int           `json:"proxy_port,omitempty"`   // fixed port of the proxy; 0 takes a free one
	// Size is how it is spread over processes and addresses to fit on the machine. It
	// is no part of a scenario: the command fits each plan to where it runs.
	Size testbed.Size `json:"size,omitzero"`
}

// CheckPlan is a promise that every cell it applies to must keep.
type CheckPlan struct {
	Expr string `json:"expr"`
	Line int    `json:"line"`
	File string `json:"file,omitempty"` // the baseline that has it; "" is the scenario itself
}

// Step is one thing that a trial does. Each kind has a file step_<kind>.go and a
// line in the steps table.
type Step interface {
	Kind() string // connect, idle, publish, search, wait, disconnect, fault
	// Text describes the step for people and marks: "connect 200 clients at 200/s".
	Text() string
}

// MarshalJSON writes the steps as they stand in a scenario file.
func (c CellPlan) MarshalJSON() ([]byte, error) {
	type plain CellPlan
	steps := make([]map[string]Step, len(c.Steps))
	for i, s := range c.Steps {
		steps[i] = map[string]Step{s.Kind(): s}
	}
	return json.Marshal(struct {
		plain
		Steps []map[string]Step `json:"steps"`
	}{plain(c), steps})
}

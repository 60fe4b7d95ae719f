package scenario

import (
	"fmt"
	"reflect"

	"wsrig/testbed"
)

// File is a scenario as written: the keys of the YAML file, with the file's own
// defaults. Resolve makes a Plan of it.
type File struct {
	Name     string       `json:"name" wsrig:"required" eg:"my-scenario" doc:"name of the scenario: a-z, 0-9 and -, the same as its file's"`
	Summary  string       `json:"summary" wsrig:"required" eg:"what it answers" doc:"the question it answers, in one sentence"`
	Testbed  TestbedBlock `json:"testbed" doc:"what runs behind the proxy"`
	Proxies  []string     `json:"proxies" eg:"[direct]" doc:"proxy configurations, one cell or more each: direct, DRIVER:VARIANT, or a path to a file of your own, from the working directory"`
	Vary     variations   `json:"vary" doc:"knobs and their values; every combination is a cell for each proxy"`
	Trials   Count        `json:"trials" doc:"runs of each cell"`
	Parallel Count        `json:"parallel" doc:"cells that run at the same time, for scenarios that mostly wait"`
	Steps    stepList     `json:"steps" wsrig:"required" eg:"[connect: {clients: 100}]" doc:"what a trial does, in order"`
	Checks   []string     `json:"checks" doc:"what must hold in every cell"`

	path string // where it came from
	text string
	// What the semantic checks need to know of the decoding.
	at     map[string]position
	broken map[string]bool
}

// TestbedBlock is the testbed: key of a scenario.
type TestbedBlock struct {
	Nodes       Count    `json:"nodes" doc:"chat nodes behind the proxy"`
	Bus         busName  `json:"bus" doc:"what carries messages between nodes: redis or none"`
	NodeCPU     Share    `json:"node_cpu" doc:"CPU that each node may use, in shares of one core, so that a node is the limit and not the machine; takes root, for Linux control groups, or --runtime docker"`
	NodeMemory  Memory   `json:"node_memory" doc:"memory that each node may use; past it the kernel kills it; takes root or --runtime docker"`
	NodeArgs    []string `json:"node_args" doc:"more options for wsrig chatnode"`
	NodeCmd     nodeCmd  `json:"node_cmd" doc:"what runs as the nodes: wsrig (its own chatnode), node-chat (a peer on Node.js), or a command of your own, which gets HOST, PORT, NODE_NAME and REDIS_URL in its environment"`
	ProxyCPU    Share    `json:"proxy_cpu" doc:"CPU that the proxy may use, as node_cpu"`
	ProxyMemory Memory   `json:"proxy_memory" doc:"memory that the proxy may use, as node_memory"`
	ProxyPort   int      `json:"proxy_port" doc:"fixed port that clients connect to; 0 takes a free one"`
}

func newFile() *File { return &File{Testbed: defaultTestbed, Trials: 1, Parallel: 1} }

var defaultTestbed = TestbedBlock{Nodes: 2, Bus: "redis", NodeCmd: testbed.Self}

// busName is redis or none.
type busName string

// UnmarshalText reads the name of a bus.
func (b *busName) UnmarshalText(text []byte) error {
	if s := string(text); s != "redis" && s != "none" {
		return fmt.Errorf("unknown bus %q%s", s, orOneOf(s, []string{"redis", "none"}, "use redis or none"))
	}
	*b = busName(text)
	return nil
}

// Limits of a file. The parser's time grows with the square of the nesting, so
// the number of tokens is bounded before it starts.
const (
	maxText   = 1 << 20 // bytes
	maxTokens = 10_000
	maxNodes  = 64
	maxTrials = 1000
	maxCells  = 500
	maxAtOnce = 64
	maxItems  = 200 // of steps, of checks
)

// Parse reads a scenario and checks everything that does not depend on the flags
// or the installed proxies. name is its file's name, for messages. The error is
// Problems: every mistake in the text at once.
func Parse(name string, text []byte) (*File, error) {
	f, problems := decode(name, text)
	if f != nil {
		_, more := f.resolve(Options{}, false)
		problems = append(problems, more...)
	}
	if err := problems.err(); err != nil {
		return nil, err
	}
	return f, nil
}

// Load reads a scenario and resolves it with the flags, so that the mistakes in
// the text and those in the flags are reported together. The error is Problems.
func Load(name string, text []byte, o Options) (*Plan, error) {
	f, problems := decode(name, text)
	var plan *Plan
	if f != nil {
		var more Problems
		plan, more = f.resolve(o, true)
		problems = append(problems, more...)
	}
	if err := problems.err(); err != nil {
		return nil, err
	}
	return plan, nil
}

// decode reads the text as far as it can be read. The File is nil when there is
// nothing to judge further; where it is broken it says so.
func decode(name string, text []byte) (*File, Problems) {
	root, problems := parseYAML(name, text)
	if len(problems) > 0 {
		return nil, problems
	}
	d := &decoder{file: name, at: map[string]position{}, broken: map[string]bool{}}
	f := newFile()
	f.path, f.text, f.at, f.broken = name, string(text), d.at, d.broken
	if !isMap(root) {
		d.fail(root, "", "a scenario is a map; begin with name: %s", "my-scenario")
		return nil, d.problems
	}
	d.value(root, reflect.ValueOf(f).Elem(), "")
	f.checkHead(d)
	return f, d.problems
}

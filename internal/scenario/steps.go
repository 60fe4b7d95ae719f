package scenario

import (
	"fmt"
	"maps"
	"reflect"
	"slices"
	"strings"

	"github.com/goccy/go-yaml/ast"

	"wsrig/testbed"
)

// checkedStep is a step that can judge itself before anything runs.
type checkedStep interface {
	Step
	// Validate reports what cannot work, by p.fail, and tells p what the step
	// does to the clients and units that later steps rely on.
	Validate(p *progress)
}

// stepKind is a line of the steps table.
type stepKind struct {
	doc     string
	example string
	new     func() checkedStep // with every default filled in
}

// steps is the one table of steps. To add a step, add its step_<kind>.go and a
// line here.
var steps = map[string]stepKind{
	"connect": {"opens clients, open loop at a rate, and waits for their handshakes",
		"{clients: 100}", func() checkedStep { return newConnect() }},
	"idle": {"lets the clients sit, and records when and how they are closed",
		"{for: 15s}", func() checkedStep { return newIdle() }},
	"publish": {"sends messages open loop and counts their deliveries",
		"{rate: 50/s, for: 5s}", func() checkedStep { return newPublish() }},
	"wait": {"does nothing for a while; the clients stay as they are",
		"{for: 5s}", func() checkedStep { return new(Wait) }},
	"search": {"finds the highest rate at which deliveries keep to a latency bound, by probing",
		"{from: 100/s, to: 5000/s, p99: 50ms}", func() checkedStep { return newSearch() }},
	"disconnect": {"closes clients with a close frame",
		"{}", func() checkedStep { return newDisconnect() }},
	"fault": {"hurts a unit: exactly one of kill, stop, continue, restart, reload, add, disconnect, reconnect",
		"{stop: n1, for: 1s}", func() checkedStep { return new(Fault) }},
}

func stepNames() []string { return slices.Sorted(maps.Keys(steps)) }

// stepList is the steps: key.
type stepList []Step

func (l *stepList) decodeYAML(d *decoder, n ast.Node, path string) {
	d.list(n, path, func(item ast.Node, itemPath string) {
		if len(*l) == maxItems {
			if !d.broken[path] {
				d.fail(item, path, "more steps than the limit of %d; use several scenarios", maxItems)
			}
			return
		}
		d.at[itemPath] = place(item)
		*l = append(*l, d.step(item, itemPath))
	})
	if seq, ok := n.(*ast.SequenceNode); ok && len(seq.Values) == 0 {
		d.fail(n, path, "there are no steps; begin with - connect: {clients: 100}")
	}
}

// step decodes one item of steps:. It returns nil for one that cannot be told.
func (d *decoder) step(n ast.Node, path string) Step {
	n = d.plain(n, path)
	if n == nil {
		return nil
	}
	if s, ok := n.(*ast.StringNode); ok {
		if kind, known := steps[s.Value]; known {
			d.fail(n, path, "the step %s stands alone; write - %s: %s", s.Value, s.Value, kind.example)
			return nil
		}
	}
	if !isMap(n) {
		d.fail(n, path, "a step is a map of one key; write - connect: {clients: 100}")
		return nil
	}
	var step checkedStep
	d.mapping(n, path, func(key string, k, val ast.Node, valPath string) {
		kind, known := steps[key]
		if !known {
			d.fail(k, path, "unknown step %q%s", key, orOneOf(key, stepNames(), "use one of "+strings.Join(stepNames(), ", ")))
			return
		}
		s := kind.new()
		d.value(val, reflect.ValueOf(s).Elem(), valPath)
		if d.at[valPath] = place(k); step != nil {
			d.fail(k, path, "a second step in one list item; begin a new item with - %s", key)
			return
		}
		step = s
	})
	if step == nil {
		if m, ok := n.(*ast.MappingNode); ok && len(m.Values) == 0 {
			d.fail(n, path, "a step is a map of one key; write - connect: {clients: 100}")
		}
		return nil
	}
	return step
}

// brokenUnder tells whether anything at path or below could not be read.
func (d *decoder) brokenUnder(path string) bool { return brokenUnder(d.broken, path) }

func brokenUnder(broken map[string]bool, path string) bool {
	for p := range broken {
		if rest, ok := strings.CutPrefix(p, path); ok && (rest == "" || rest[0] == '.' || rest[0] == '[') {
			return true
		}
	}
	return false
}

// progress is what a cell's steps have led to, as far as can be known before they
// run. Validate methods read and move it.
type progress struct {
	cell    *CellPlan
	runtime *testbed.Abilities // nil while it is not judged
	proxies string             // where direct was asked for; "" while abilities are not judged
	path    string             // of the step that is validated: "steps[2].idle"

	clients   int    // open, if nothing closed them on the way
	rooms     int    // in use
	connected bool   // there was a connect
	closedBy  string // path of the disconnect that left no client
	searched  bool   // there was a search
	kinds     map[string]bool
	units     map[string]unitState
	added     int // nodes, by faults
	pings     *pings
	torn      bool // the current step could not be read in full
	// unsure is set once a step could not be read: what follows may look
	// impossible only because of that.
	unsure bool

	where  func(path string) position
	report func(path, message string)
}

// pings is the keepalive that the cell's clients began with, and who asked for it.
type pings struct {
	keepalive Keepalive
	path      string
}

// fail reports a mistake in a field of the current step, or in the step itself
// when field is "".
func (p *progress) fail(field, format string, args ...any) {
	path := p.path
	if field != "" {
		path = join(path, field)
	}
	p.report(path, fmt.Sprintf(format, args...))
}

// needClients reports a step that has no clients to work on.
func (p *progress) needClients(kind string) {
	switch {
	case p.unsure || p.clients > 0:
	case p.closedBy != "":
		p.fail("", "%s needs clients, and the disconnect at %s closed all of them; connect again before it", kind, p.where(p.closedBy))
	case !p.connected:
		p.fail("", "%s needs clients, and no step before it connects any; put a connect before it", kind)
	}
}

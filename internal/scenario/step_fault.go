package scenario

import (
	"context"
	"fmt"
	"strings"
	"time"
)

// Fault hurts a unit of the testbed. Exactly one of its verbs is given; its value
// is a unit: n1 and up, proxy, or redis.
type Fault struct {
	Kill       string   `json:"kill,omitempty" eg:"n1" doc:"unit to kill, all its processes at once, as a crash would (SIGKILL)"`
	Stop       string   `json:"stop,omitempty" eg:"n1" doc:"unit to freeze (SIGSTOP), until a continue or for the time given"`
	Continue   string   `json:"continue,omitempty" eg:"n1" doc:"unit to thaw (SIGCONT)"`
	Restart    string   `json:"restart,omitempty" eg:"redis" doc:"unit to end if it runs, and start again on the same ports"`
	Reload     string   `json:"reload,omitempty" eg:"proxy" doc:"unit to load its configuration again: proxy"`
	Add        string   `json:"add,omitempty" eg:"node" doc:"what to add: node. It starts the next node, and the proxy gets its configuration rendered anew with it, and reloads"`
	Disconnect string   `json:"disconnect,omitempty" eg:"n1" doc:"unit to take off the network, as a pulled cable would, until a reconnect or for the time given; takes --runtime docker"`
	Reconnect  string   `json:"reconnect,omitempty" eg:"n1" doc:"unit to bring back to the network, with the address it had"`
	For        Duration `json:"for,omitzero" doc:"with stop or disconnect: how long it lasts; then the unit goes on by itself"`
}

// Verbs of a Fault.
const (
	Kill     = "kill"
	Stop     = "stop"
	Continue = "continue"
	Restart  = "restart"
	Reload   = "reload"
	Add      = "add"

	CutOff    = "disconnect" // a unit; Disconnect is the step for clients
	Reconnect = "reconnect"
)

// anyNode is what can be added.
const anyNode = "node"

// unitState is what faults have done to a unit.
type unitState string

const (
	running unitState = ""
	stopped unitState = "stopped"
	killed  unitState = "killed"
	offline unitState = "disconnected"
)

// verbs lists the verbs that are given, with their units.
func (s *Fault) verbs() [][2]string {
	var given [][2]string
	for _, v := range [][2]string{{Kill, s.Kill}, {Stop, s.Stop}, {Continue, s.Continue}, {Restart, s.Restart}, {Reload, s.Reload}, {Add, s.Add}, {CutOff, s.Disconnect}, {Reconnect, s.Reconnect}} {
		if v[1] != "" {
			given = append(given, v)
		}
	}
	return given
}

// Action is the verb and the unit of the fault.
func (s *Fault) Action() (verb, unit string) {
	given := s.verbs()
	if len(given) == 0 {
		return "", ""
	}
	return given[0][0], given[0][1]
}

// Kind is "fault".
func (s *Fault) Kind() string { return "fault" }

// Text is "kill n1" or "stop n1 for 1s".
func (s *Fault) Text() string {
	verb, unit := s.Action()
	text := verb + " " + unit
	if s.For > 0 {
		text += " for " + s.For.String()
	}
	return text
}

// Validate judges the step; see checkedStep.
func (s *Fault) Validate(p *progress) {
	given := s.verbs()
	if len(given) != 1 {
		var words []string
		for _, v := range given {
			words = append(words, v[0])
		}
		switch {
		case len(words) == 0 && p.torn: // the verb may be what could not be read
		case len(words) == 0:
			p.fail("", "a fault needs one of kill, stop, continue, restart, reload, add, disconnect or reconnect; write {kill: n1}")
		default:
			p.fail("", "a fault has one verb, not %s; make a step of each", strings.Join(words, " and "))
		}
		p.unsure = true
		return
	}
	verb, unit := given[0][0], given[0][1]
	if s.For > 0 && !lasts(verb) {
		p.fail("for", "for goes with stop or disconnect, not with %s; leave it out", verb)
	}
	if verb == Add {
		p.addNode(unit)
		return
	}
	if !p.knownUnit(verb, unit) {
		return
	}
	if verb == Reload {
		p.kinds[Reload] = true
	}
	if rt := p.runtime; rt != nil && !rt.Disconnect && (verb == CutOff || verb == Reconnect) {
		p.fail(verb, "the %s runtime cannot %s a unit: all units share this machine's network; use --runtime docker, or stop: %s, which freezes it", rt.Runtime, verb, unit)
		return
	}
	if verb == Reload && unit != "proxy" {
		p.fail(verb, "%s cannot reload, only the proxy can; write reload: proxy, or restart: %s", unit, unit)
		return
	}
	if unit == "proxy" && p.cell.Proxy.Driver == "" && p.proxies != "" {
		p.fail(verb, "%s: proxy needs a proxy, and %s; remove direct or this step", verb, p.proxies)
		return
	}
	p.moveUnit(verb, unit, s.For > 0)
}

// addNode applies an add to what is known of the testbed.
func (p *progress) addNode(what string) {
	switch {
	case what != anyNode:
		p.fail(Add, "%q cannot be added, only a node can; write add: %s", what, anyNode)
	case p.cell.Testbed.Nodes+p.added >= maxNodes:
		p.fail(Add, "one more node is above the limit of %d; remove this step or use fewer nodes", maxNodes)
	case p.cell.Proxy.File != "" && p.proxies != "":
		p.fail(Add, "%s lists its nodes itself, so none can be added to it; use a shipped variant, or remove this step", p.cell.Proxy.File)
	default:
		p.added++
	}
}

// knownUnit tells whether the testbed of the cell has the unit.
func (p *progress) knownUnit(verb, unit string) bool {
	nodes := make([]string, p.cell.Testbed.Nodes+p.added)
	for i := range nodes {
		nodes[i] = fmt.Sprintf("n%d", i+1)
		if unit == nodes[i] {
			return true
		}
	}
	switch {
	case unit == "proxy":
		return true
	case unit == "redis" && p.cell.Testbed.Bus == "redis":
		return true
	case unit == "redis":
		p.fail(verb, "%s: redis needs bus: redis, and the testbed has bus: %s; change the bus or remove this step", verb, p.cell.Testbed.Bus)
	case isNodeName(unit):
		p.fail(verb, "there is no node %s, the testbed has %s (n1 to n%d); raise nodes or name one of them", unit, counted(len(nodes), "node"), len(nodes))
	default:
		all := append(nodes, "proxy", "redis")
		p.fail(verb, "unknown unit %q%s", unit, orOneOf(unit, all, fmt.Sprintf("use n1 to n%d, proxy or redis", len(nodes))))
	}
	return false
}

func isNodeName(s string) bool {
	digits, ok := strings.CutPrefix(s, "n")
	return ok && digits != "" && strings.Trim(digits, "0123456789") == ""
}

// moveUnit applies a fault to what is known of the unit, and reports one that
// cannot do what it says.
func (p *progress) moveUnit(verb, unit string, thaws bool) {
	state := p.units[unit]
	switch {
	case p.unsure:
	case verb == Reconnect && state != offline:
		p.fail(verb, "%s is not disconnected here, so there is nothing to reconnect; put a disconnect before it or remove it", unit)
	case verb != Reconnect && state == offline:
		p.fail(verb, "%s is disconnected; reconnect it first", unit)
	case verb == Restart:
	case verb == CutOff && state == stopped:
		p.fail(verb, "%s is stopped; continue it first", unit)
	case verb == Continue && state != stopped:
		p.fail(verb, "%s is not stopped here, so there is nothing to continue; put a stop before it or remove it", unit)
	case verb == Stop && state == stopped:
		p.fail(verb, "%s is stopped already; continue it first", unit)
	case verb == Reload && state == stopped:
		p.fail(verb, "%s is stopped and cannot reload; continue it first", unit)
	case verb != Continue && state == killed:
		p.fail(verb, "%s is killed already; restart it first", unit)
	}
	switch {
	case verb == Kill:
		p.units[unit] = killed
	case verb == Stop && !thaws:
		p.units[unit] = stopped
	case verb == CutOff && !thaws:
		p.units[unit] = offline
	case verb == Continue, verb == Restart, verb == Reconnect:
		p.units[unit] = running
	}
}

// run does the step; see runStep.
func (s *Fault) run(ctx context.Context, t *trial) (err error) {
	bar := t.bar(s.Text())
	defer func() { bar.End(err) }()
	return s.act(ctx, t)
}

// act does the fault and notes what it means for the balance.
func (s *Fault) act(ctx context.Context, t *trial) error {
	verb, unit := s.Action()
	if verb == Add {
		var err error
		if unit, err = t.tb.AddNode(ctx); err != nil {
			return err
		}
	} else if err := s.hurt(ctx, t); err != nil {
		return err
	}
	t.noteFault(verb, unit, s.For > 0)
	return nil
}

func (s *Fault) hurt(ctx context.Context, t *trial) error {
	switch verb, unit := s.Action(); verb {
	case Kill:
		return t.tb.Kill(ctx, unit)
	case Stop:
		return s.hold(ctx, unit, t.tb.Freeze, t.tb.Continue)
	case Continue:
		return t.tb.Continue(ctx, unit)
	case Restart:
		return t.tb.Restart(ctx, unit)
	case Reload:
		return t.tb.Reload(ctx)
	case CutOff:
		return s.hold(ctx, unit, t.tb.Disconnect, t.tb.Reconnect)
	case Reconnect:
		return t.tb.Reconnect(ctx, unit)
	default:
		return fmt.Errorf("unknown fault %q", verb)
	}
}

// lasts tells whether a fault goes on until it is undone.
func lasts(verb string) bool { return verb == Stop || verb == CutOff }

// hold does a fault that lasts and, if the step says for how long, undoes it then.
func (s *Fault) hold(ctx context.Context, unit string, begin, end func(context.Context, string) error) error {
	if err := begin(ctx, unit); err != nil || s.For == 0 {
		return err
	}
	over := time.NewTimer(time.Duration(s.For))
	defer over.Stop()
	select {
	case <-over.C:
	case <-ctx.Done():
		return context.Cause(ctx)
	}
	return end(ctx, unit)
}

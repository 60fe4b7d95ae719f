package scenario

import (
	"cmp"
	"fmt"
	"reflect"
	"slices"
)

// cells spells out the matrix: for each proxy, every combination of the knobs'
// values, the last knob turning fastest.
func (r *resolution) cells() []judgedCell {
	varied, fixed := r.variations()
	proxies := r.proxies()
	total := len(proxies)
	for _, v := range varied {
		if total *= len(v.values); total > maxCells {
			p := r.file.where("vary")
			r.problems = append(r.problems, Problem{r.file.path, p.line, p.column,
				fmt.Sprintf("the proxies (%d) times the values of vary make more than the limit of %d cells; vary less", len(proxies), maxCells)})
			varied = nil // the first values alone still show what else is wrong
			break
		}
	}
	var cells []judgedCell
	for _, p := range proxies {
		for i := range combinations(varied) {
			cells = append(cells, r.cell(p, fixed, combination(varied, i)))
		}
	}
	return cells
}

func combinations(varied []variation) int {
	n := 1
	for _, v := range varied {
		n *= len(v.values)
	}
	return n
}

// combination is the i-th choice of one value for each knob.
func combination(varied []variation, i int) []variation {
	chosen := make([]variation, len(varied))
	for k := len(varied) - 1; k >= 0; k-- {
		n := len(varied[k].values)
		chosen[k] = variation{varied[k].knob, varied[k].values[i%n : i%n+1]}
		i /= n
	}
	return chosen
}

// cell makes one cell and judges it.
func (r *resolution) cell(p chosenProxy, fixed, chosen []variation) judgedCell {
	t := r.file.Testbed
	c := &CellPlan{
		ID:     p.ref.String(),
		Proxy:  p.ref,
		Params: map[string]string{},
		Testbed: TestbedPlan{Nodes: int(t.Nodes), Bus: string(t.Bus), NodeCPU: float64(t.NodeCPU), NodeMemory: uint64(t.NodeMemory), NodeArgs: t.NodeArgs, NodeCmd: t.NodeCmd.words(),
			ProxyPort: t.ProxyPort, ProxyCPU: float64(t.ProxyCPU), ProxyMemory: uint64(t.ProxyMemory)},
		Steps: make([]Step, len(r.file.Steps)),
	}
	for i, s := range r.file.Steps {
		c.Steps[i] = clone(s)
	}
	for _, v := range slices.Concat(fixed, chosen) {
		if err := knobs[v.knob].apply(c, v.values[0].text); err != nil {
			panic("scenario: a value of " + v.knob + " was accepted and is not: " + err.Error())
		}
	}
	for _, v := range chosen {
		c.ID += " " + v.knob + "=" + v.values[0].text
		c.Params[v.knob] = v.values[0].text
	}
	if c.Testbed.Nodes > maxNodes && c.Testbed.Nodes != int(t.Nodes) {
		r.nodesProblem(slices.Concat(fixed, chosen))
		c.Testbed.Nodes = maxNodes
	}
	return r.judge(c, p)
}

// nodesProblem reports a nodes knob above the limit, where it was turned.
func (r *resolution) nodesProblem(turned []variation) {
	for _, v := range turned {
		if v.knob != "nodes" {
			continue
		}
		s := v.values[0]
		message := fmt.Sprintf("%s nodes are above the limit of %d; use %d or fewer", s.text, maxNodes, maxNodes)
		if s.flag != "" {
			r.flagProblem(s.flag, "%s", message)
			continue
		}
		p := r.file.where(s.path)
		r.problems = append(r.problems, Problem{r.file.path, p.line, p.column, message})
	}
}

// clone copies a step, so that the knobs of one cell do not turn another's.
func clone(s Step) Step {
	if s == nil {
		return nil
	}
	v := reflect.New(reflect.TypeOf(s).Elem())
	v.Elem().Set(reflect.ValueOf(s).Elem())
	return v.Interface().(Step)
}

// judge goes through the steps of a cell and reports what cannot work.
func (r *resolution) judge(c *CellPlan, from chosenProxy) judgedCell {
	f := r.file
	p := &progress{cell: c, runtime: r.options.Runtime, kinds: map[string]bool{}, units: map[string]unitState{}, where: f.where}
	if r.abilities {
		p.proxies = from.from
	}
	p.report = func(path, message string) {
		if f.broken[path] && p.torn {
			return
		}
		at := f.where(path)
		problem := Problem{f.path, at.line, at.column, message}
		if _, known := r.faults[problem]; !known {
			r.order = append(r.order, problem)
		}
		r.faults[problem] = append(r.faults[problem], c.ID)
	}
	if rt := r.options.Runtime; rt != nil && !rt.Binaries && len(c.Testbed.NodeCmd) > 0 {
		p.report("testbed.node_cmd", fmt.Sprintf("%s is a program of this machine, which the %s runtime cannot run; use --runtime process, or node_cmd: wsrig", c.Testbed.NodeCmd[0], rt.Runtime))
	}
	if len(c.Testbed.NodeCmd) > 0 && len(c.Testbed.NodeArgs) > 0 {
		p.report("testbed.node_args", fmt.Sprintf("node_args are options of wsrig chatnode, and the nodes are %s; remove them, or use node_cmd: wsrig", c.Testbed.NodeCmd[0]))
	}
	p.unsure = brokenUnder(f.broken, "vary") || f.broken["steps"] || brokenUnder(f.broken, "testbed")
	for i, s := range c.Steps {
		item := fmt.Sprintf("steps[%d]", i)
		if p.torn = r.torn[i]; p.torn {
			p.unsure = true
		}
		if s == nil {
			continue
		}
		p.path = join(item, s.Kind())
		p.kinds[s.Kind()] = true
		s.(checkedStep).Validate(p)
	}
	if p.pings != nil && p.pings.keepalive.By == NodePing {
		c.Testbed.NodePing = p.pings.keepalive.Every
	}
	return judgedCell{c, p.kinds, p.unsure, r.abilities && c.Proxy.Driver == ""}
}

// tellFaults reports the mistakes found in cells, each once, with the cell where
// it is not in all of them.
func (r *resolution) tellFaults(cells int) {
	for _, p := range r.order {
		in := r.faults[p]
		switch others := len(in) - 1; {
		case len(in) == cells:
		case others == 0:
			p.Message += fmt.Sprintf(" (in the cell %q)", in[0])
		default:
			p.Message += fmt.Sprintf(" (in the cell %q and %s)", in[0], cmp.Or(map[int]string{1: "1 other"}[others], fmt.Sprintf("%d others", others)))
		}
		r.problems = append(r.problems, p)
	}
}

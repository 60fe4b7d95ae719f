package scenario

import (
	"encoding"
	"fmt"
	"maps"
	"slices"
	"strings"

	"github.com/goccy/go-yaml/ast"
)

// knob is something that vary: and --set can turn in a cell.
type knob struct {
	doc   string // what it sets, for the reference
	needs string // kind of the step it is part of; "" for the testbed
	// apply parses text and sets it in c wherever the knob is used.
	apply func(c *CellPlan, text string) error
}

// knobs is the one table of what can vary. To add a knob, add a line here.
var knobs = map[string]knob{
	"keepalive": {"keepalive of every connect", "connect", set(func(s *Connect, v Keepalive) { s.Keepalive = v })},
	"clients":   {"clients of every connect", "connect", set(func(s *Connect, v Count) { s.Clients = v })},
	"rate":      {"rate of every connect", "connect", set(func(s *Connect, v Rate) { s.Rate = v })},
	"rooms":     {"rooms of every connect", "connect", set(func(s *Connect, v Count) { s.Rooms = v })},
	"sources":   {"sources of every connect", "connect", set(func(s *Connect, v Count) { s.Sources = v })},

	"publish_rate": {"rate of every publish", "publish", set(func(s *Publish, v Rate) { s.Rate = v })},
	"loop":         {"loop of every publish", "publish", set(func(s *Publish, v loopName) { s.Loop = v })},
	"size":         {"size of every publish", "publish", set(func(s *Publish, v Size) { s.Size = v })},

	"idle": {"for of every idle", "idle", set(func(s *Idle, v Duration) { s.For = v })},

	"nodes": {"nodes of the testbed", "", func(c *CellPlan, text string) error {
		var v Count
		if err := v.UnmarshalText([]byte(text)); err != nil {
			return err
		}
		c.Testbed.Nodes = int(v)
		return nil
	}},
	"node_cpu": {"node_cpu of the testbed", "", func(c *CellPlan, text string) (err error) {
		c.Testbed.NodeCPU, err = parseCPU(text)
		return err
	}},
	"node_memory": {"node_memory of the testbed", "", func(c *CellPlan, text string) (err error) {
		c.Testbed.NodeMemory, err = parseMemory(text)
		return err
	}},
	"proxy_cpu": {"proxy_cpu of the testbed", "", func(c *CellPlan, text string) (err error) {
		c.Testbed.ProxyCPU, err = parseCPU(text)
		return err
	}},
	"proxy_memory": {"proxy_memory of the testbed", "", func(c *CellPlan, text string) (err error) {
		c.Testbed.ProxyMemory, err = parseMemory(text)
		return err
	}},
	"node_cmd": {"node_cmd of the testbed", "", func(c *CellPlan, text string) error {
		var v nodeCmd
		if err := v.UnmarshalText([]byte(text)); err != nil {
			return err
		}
		c.Testbed.NodeCmd = v.words()
		return nil
	}},
	"bus": {"bus of the testbed", "", func(c *CellPlan, text string) error {
		var v busName
		if err := v.UnmarshalText([]byte(text)); err != nil {
			return err
		}
		c.Testbed.Bus = string(v)
		return nil
	}},
}

// set makes the apply function of a knob that sits in every step of one kind.
func set[S Step, V any, P interface {
	*V
	encoding.TextUnmarshaler
}](put func(S, V)) func(*CellPlan, string) error {
	return func(c *CellPlan, text string) error {
		var v V
		if err := P(&v).UnmarshalText([]byte(text)); err != nil {
			return err
		}
		for _, s := range c.Steps {
			if step, ok := s.(S); ok {
				put(step, v)
			}
		}
		return nil
	}
}

func knobNames() []string { return slices.Sorted(maps.Keys(knobs)) }

// unknownKnob is the message about a name that is no knob.
func unknownKnob(name string) string {
	return fmt.Sprintf("unknown knob %q%s", name, orOneOf(name, knobNames(), "use one of "+strings.Join(knobNames(), ", ")))
}

// variation is one line of vary:, or one --set.
type variation struct {
	knob   string
	values []setting
}

// setting is one value of a knob, as written, and where that was.
type setting struct {
	text string
	path string // in the file, or ""
	flag string // or the flag it came from
}

// variations is the vary: key, in the order of the file.
type variations []variation

func (vs *variations) decodeYAML(d *decoder, n ast.Node, path string) {
	d.mapping(n, path, func(key string, k, val ast.Node, valPath string) {
		d.at[valPath] = place(k)
		if _, ok := knobs[key]; !ok {
			d.fail(k, valPath, "%s", unknownKnob(key))
			return
		}
		v := variation{knob: key}
		if val = d.plain(val, valPath); val == nil {
			return
		}
		d.list(val, valPath, func(item ast.Node, itemPath string) {
			d.at[itemPath] = place(item)
			if item = d.plain(item, itemPath); item == nil {
				return
			}
			d.text(item, itemPath, func(text string) error {
				text = strings.Join(strings.Fields(text), " ")
				for _, other := range v.values {
					if other.text == text {
						return fmt.Errorf("the value %s is here twice; remove one", text)
					}
				}
				if err := knobs[key].apply(&CellPlan{}, text); err != nil {
					return err
				}
				v.values = append(v.values, setting{text: text, path: itemPath})
				return nil
			})
		})
		if _, list := val.(*ast.SequenceNode); list && len(v.values) == 0 && !d.brokenUnder(valPath) {
			d.fail(k, valPath, "%s varies over nothing; list at least one value", key)
		}
		if len(v.values) > 0 {
			*vs = append(*vs, v)
		}
	})
}

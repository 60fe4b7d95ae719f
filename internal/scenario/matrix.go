package scenario

import (
	"fmt"
	"maps"
	"slices"
	"strings"

	"wsrig/testbed"
)

// chosenProxy is a proxy of the matrix.
type chosenProxy struct {
	ref  ProxyRef
	from string // where direct was asked for, as part of a sentence
}

// proxies reads the proxies of the flags or, without any, of the file.
func (r *resolution) proxies() []chosenProxy {
	specs, flag := r.file.Proxies, false
	if len(r.options.Proxies) > 0 {
		specs, flag = r.options.Proxies, true
	}
	if len(specs) == 0 {
		if brokenUnder(r.file.broken, "proxies") {
			return []chosenProxy{{ref: ProxyRef{Driver: "unknown"}}}
		}
		return []chosenProxy{{from: "no proxies are listed, which means direct"}}
	}
	var chosen []chosenProxy
	first := make(map[string]bool)
	for i, spec := range specs {
		path := fmt.Sprintf("proxies[%d]", i)
		if !flag && r.file.broken[path] {
			continue
		}
		fail := func(message string) {
			if flag {
				r.flagProblem("--proxy "+spec, "%s", message)
			} else {
				p := r.file.where(path)
				r.problems = append(r.problems, Problem{r.file.path, p.line, p.column, message})
			}
		}
		ref, err := parseProxy(spec, r.options.Catalog)
		if err != nil {
			fail(err.Error())
			// Its cells still show what else is wrong; what it is, nobody knows.
			ref = ProxyRef{Driver: "unknown", Variant: spec}
		}
		from := fmt.Sprintf("the proxies at %s have direct", r.file.where(path))
		if flag {
			from = "--proxy has direct"
		}
		sides, err := r.sides(ref)
		if err != nil {
			fail(err.Error())
		}
		for _, ref := range sides {
			for _, ref := range r.versions(ref) {
				if err := r.canRun(ref.Program); err != nil {
					fail(err.Error())
				}
				if first[ref.String()] {
					fail(fmt.Sprintf("the proxy %s is here twice; remove one", spec))
					continue
				}
				first[ref.String()] = true
				chosen = append(chosen, chosenProxy{ref, from})
			}
		}
	}
	return chosen
}

// versions are a configuration with each of the programs that the flags give its
// driver, unless it names one itself.
func (r *resolution) versions(ref ProxyRef) []ProxyRef {
	programs := r.options.Programs[ref.Driver]
	if ref.Program != (testbed.Program{}) || len(programs) == 0 {
		return []ProxyRef{ref}
	}
	refs := make([]ProxyRef, len(programs))
	for i, p := range programs {
		refs[i] = ref
		refs[i].Program = p
	}
	return refs
}

// canRun tells whether the runtime can run a program.
func (r *resolution) canRun(p testbed.Program) error {
	rt := r.options.Runtime
	switch {
	case rt == nil:
		return nil
	case p.Image != "" && !rt.Images:
		return fmt.Errorf("the image %s needs containers, which the %s runtime has not; use --runtime docker", p.Image, rt.Runtime)
	case p.Binary != "" && !rt.Binaries:
		return fmt.Errorf("%s is a program of this machine, which the %s runtime cannot run; use --runtime process, or name an image", p.Binary, rt.Runtime)
	}
	return nil
}

// variations are the file's, with what --set says in their place. A knob that is
// only set, not varied, is in fixed: it is no part of a cell's name.
func (r *resolution) variations() (varied, fixed []variation) {
	varied = slices.Clone([]variation(r.file.Vary))
	for _, name := range slices.Sorted(maps.Keys(r.options.Set)) {
		flag := "--set " + name + "=" + r.options.Set[name]
		k, ok := knobs[name]
		if !ok {
			r.flagProblem(flag, "%s", unknownKnob(name))
			continue
		}
		text := strings.Join(strings.Fields(r.options.Set[name]), " ")
		if err := k.apply(&CellPlan{}, text); err != nil {
			r.flagProblem(flag, "%v", err)
			continue
		}
		if !r.used(k) {
			r.flagProblem(flag, "no step uses %s, which is the %s; leave it out", name, k.doc)
		}
		v := variation{name, []setting{{text: text, flag: flag}}}
		if i := slices.IndexFunc(varied, func(o variation) bool { return o.knob == name }); i >= 0 {
			varied[i] = v
		} else {
			fixed = append(fixed, v)
		}
	}
	for _, v := range r.file.Vary {
		if k := knobs[v.knob]; !r.used(k) {
			p := r.file.where("vary." + v.knob)
			r.problems = append(r.problems, Problem{r.file.path, p.line, p.column,
				fmt.Sprintf("no step uses %s, which is the %s; add a step %s or leave it out", v.knob, k.doc, k.needs)})
		}
	}
	return varied, fixed
}

// used tells whether a step of the file has the knob. While steps could not be
// read, it may.
func (r *resolution) used(k knob) bool {
	return k.needs == "" || slices.ContainsFunc(r.file.Steps, func(s Step) bool { return s == nil || s.Kind() == k.needs })
}

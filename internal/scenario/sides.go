package scenario

import (
	"errors"
	"fmt"
	"io/fs"
)

// Tree is one side of a comparison: where its proxy configurations come from.
type Tree struct {
	Side string // result.SideBase or SideHead
	// Find gives the file that a reference names in the tree. A tree without it is an
	// error that wraps fs.ErrNotExist.
	Find func(ProxyRef) (string, error)
	// Nodes says that the nodes of the sides differ too, so that direct, which has
	// nothing else, is compared as well. Without, it is one control for both sides.
	Nodes bool
}

// sides spells a proxy out for every tree. A shipped configuration that only one side
// has is a cell of that side alone: a variant that was added cannot be compared, and is
// no mistake. A proxy asked for by a flag is: there it is all that is asked for.
func (r *resolution) sides(ref ProxyRef) ([]ProxyRef, error) {
	if len(r.options.Trees) == 0 || ref.Driver == "" && !r.options.Trees[0].Nodes || ref.Driver == "unknown" {
		return []ProxyRef{ref}, nil
	}
	var refs []ProxyRef
	var absent error
	for _, tree := range r.options.Trees {
		one := ref
		one.Side = tree.Side
		if ref.Driver != "" {
			path, err := tree.Find(ref)
			if errors.Is(err, fs.ErrNotExist) {
				absent = fmt.Errorf("%s has no %s: %w", tree.Side, ref, err)
				continue
			}
			if err != nil {
				return nil, fmt.Errorf("%s of %s: %w", tree.Side, ref, err)
			}
			one.Path = path
		}
		refs = append(refs, one)
	}
	if len(refs) == 0 && absent != nil {
		return nil, fmt.Errorf("neither side has it: %w; name a file that both have, shipped or your own", absent)
	}
	if absent != nil && len(r.options.Proxies) > 0 {
		return nil, absent
	}
	return refs, nil
}

// tellUnpaired reports a comparison in which no cell of one side has one of the other.
func (r *resolution) tellUnpaired(cells []CellPlan) {
	if len(r.options.Trees) == 0 || len(r.problems) > 0 {
		return
	}
	sides := map[string]string{} // by proxy
	for _, c := range cells {
		ref := c.Proxy
		ref.Side = ""
		if side, ok := sides[ref.String()]; ok && side != c.Proxy.Side {
			return
		}
		sides[ref.String()] = c.Proxy.Side
	}
	r.flagProblem("--base", "no proxy is on both sides, so there is nothing to compare; name one that both have with --proxy, or compare the chat nodes too with --node")
}

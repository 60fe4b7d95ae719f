package scenario

import (
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"wsrig/haproxy"
	"wsrig/internal/result"
)

// twoVariants is a catalog with one variant of each proxy.
type twoVariants struct{}

func (twoVariants) Drivers() []string { return []string{"haproxy", "nginx"} }
func (twoVariants) Variants(d string) []string {
	return map[string][]string{"haproxy": {"short-tunnel"}, "nginx": {"short-read"}}[d]
}

// treeOf is a side that has some files, by the reference's name.
func treeOf(side string, nodes bool, has map[string]string) Tree {
	return Tree{Side: side, Nodes: nodes, Find: func(ref ProxyRef) (string, error) {
		if path, ok := has[ref.String()]; ok {
			return path, nil
		}
		return "", &fs.PathError{Op: "find", Path: ref.String(), Err: fs.ErrNotExist}
	}}
}

func cellIDs(p *Plan) []string {
	var ids []string
	for _, c := range p.Cells {
		ids = append(ids, c.ID)
	}
	return ids
}

func TestEveryProxyIsACellOfEachSide(t *testing.T) {
	both := map[string]string{"haproxy:short-tunnel": "x.cfg", "nginx:short-read": "x.conf"}
	one := map[string]string{"nginx:short-read": "x.conf"}
	none := map[string]string{}
	for _, row := range []struct {
		name       string
		proxies    []string
		base, head map[string]string
		nodes      bool
		want       []string
		err        string
	}{
		{"direct is one control", nil, both, both, false, []string{"direct", "base:haproxy:short-tunnel", "head:haproxy:short-tunnel", "base:nginx:short-read", "head:nginx:short-read"}, ""},
		{"direct too, where nodes differ", nil, both, both, true, []string{"base:direct", "head:direct", "base:haproxy:short-tunnel", "head:haproxy:short-tunnel", "base:nginx:short-read", "head:nginx:short-read"}, ""},
		{"a new variant has no base", nil, one, both, false, []string{"direct", "head:haproxy:short-tunnel", "base:nginx:short-read", "head:nginx:short-read"}, ""},
		{"which leaves nothing to compare", nil, none, both, false, nil, "no proxy is on both sides, so there is nothing to compare"},
		{"nor does direct alone", []string{"direct"}, both, both, false, nil, "no proxy is on both sides, so there is nothing to compare"},
		{"direct alone, where nodes differ", []string{"direct"}, none, none, true, []string{"base:direct", "head:direct"}, ""},
		{"unless it was asked for", []string{"haproxy:short-tunnel"}, one, both, false, nil, "base has no haproxy:short-tunnel"},
		{"a variant in neither tree", nil, none, none, false, nil, "neither side has it: head has no haproxy:short-tunnel"},
	} {
		t.Run(row.name, func(t *testing.T) {
			plan, err := Load("x.yaml", []byte("name: x\nsummary: x\nproxies: [direct, haproxy:short-tunnel, nginx:short-read]\nsteps: [connect: {clients: 1}]\n"), Options{
				Catalog: twoVariants{}, Proxies: row.proxies,
				Trees: []Tree{treeOf(result.SideBase, row.nodes, row.base), treeOf(result.SideHead, row.nodes, row.head)},
			})
			if row.err != "" {
				if err == nil || !strings.Contains(err.Error(), row.err) {
					t.Fatalf("error %v, want one with %q", err, row.err)
				}
				return
			}
			if err != nil {
				t.Fatal(err)
			}
			if got := cellIDs(plan); !slices.Equal(got, row.want) {
				t.Errorf("cells %q, want %q", got, row.want)
			}
		})
	}
}

func TestSidesDoTheSameWork(t *testing.T) {
	seed := func(side, id string) uint64 {
		p := &Plan{Seed: 3, Cells: []CellPlan{{ID: id, Proxy: ProxyRef{Side: side}}}}
		return seedOf(p, &p.Cells[0], 1)
	}
	if b, h := seed("base", "base:haproxy:x idle=1s"), seed("head", "head:haproxy:x idle=1s"); b != h {
		t.Errorf("base draws from %d and head from %d: only the trees may differ", b, h)
	}
	if a, b := seed("base", "base:haproxy:x"), seed("base", "base:haproxy:y"); a == b {
		t.Error("two cells draw the same")
	}
}

func TestSourceOfASideIsTheFileInItsTree(t *testing.T) {
	path := filepath.Join(t.TempDir(), "other.cfg")
	if err := os.WriteFile(path, []byte("global\n# of the base\n"), 0o644); err != nil {
		t.Fatal(err)
	}
	for _, row := range []struct {
		ref  ProxyRef
		name string
		own  bool
	}{
		{ProxyRef{Side: "base", Driver: "haproxy", Variant: "short-tunnel", Path: path}, "short-tunnel", false},
		{ProxyRef{Side: "base", Driver: "haproxy", File: "deploy/h.cfg", Path: path}, "deploy/h.cfg", true},
	} {
		src, err := Source(haproxy.Driver{}, row.ref)
		if err != nil {
			t.Fatal(err)
		}
		if src.Name != row.name || src.Own != row.own || !strings.Contains(src.Text, "of the base") {
			t.Errorf("%s gives %+v, want %s (own: %v) with the text of %s", row.ref, src, row.name, row.own, path)
		}
	}
}

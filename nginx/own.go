package nginx

import (
	"fmt"
	"path/filepath"
	"slices"
	"strconv"
	"strings"

	"wsrig/testbed"
	"wsrig/testbed/conftext"
)

// move is the plan for a user's own file in the testbed: which address becomes which
// port, and which upstream addresses are nodes.
type move struct {
	f      *file
	server *directive // the block that WebSocket clients use
	ws     *directive // its listen that gets the clients' port; nil when it has none
	hops   []string   // every other address that the file listens on, by first appearance
	nodes  []string   // distinct addresses behind server, by first appearance
}

// planMove reads a user's own file and what it includes. The clients' port goes to
// the first listen of their server block without ssl, since the rig speaks ws://, or
// else to its first one. That block then has the port to itself, whatever other
// blocks shared it by server_name: clients of the rig ask for an address.
func planMove(src testbed.Source) (*move, error) {
	f, err := parse(fileName(src), ownDir(src), src.Text)
	if err != nil {
		return nil, err
	}
	for _, d := range f.main.named("stream", "mail") {
		return nil, fmt.Errorf("%s:%d: a %s block is not supported in a testbed: take it out", d.in.name, d.line, d.name)
	}
	m := &move{f: f}
	if m.server, err = f.clientFacing(choice(src)); err != nil {
		return nil, err
	}
	for _, l := range m.server.named("listen") {
		if m.ws == nil || hasArg(m.ws, "ssl") && !hasArg(l, "ssl") {
			m.ws = l
		}
	}
	if err := m.findNodes(m.server, nil); err != nil {
		return nil, err
	}
	for _, s := range f.servers() {
		ls := s.named("listen")
		for _, l := range ls {
			if l != m.ws {
				m.addHop(listenAddress(l.arg(0)))
			}
		}
		if len(ls) == 0 && s != m.server {
			m.addHop(listens(s)[0])
		}
	}
	return m, nil
}

func (m *move) addHop(addr string) {
	if !slices.Contains(m.hops, addr) {
		m.hops = append(m.hops, addr)
	}
}

// findNodes follows the WebSocket clients' way through server blocks to the nodes.
func (m *move) findNodes(server *directive, above []*directive) error {
	if slices.Contains(above, server) {
		return fmt.Errorf("%s:%d: this server block passes requests back to itself", server.in.name, server.line)
	}
	above = append(slices.Clone(above), server)
	for _, pass := range webSocketPasses(server) {
		members, err := m.f.members(pass)
		if err != nil {
			return err
		}
		for _, a := range members {
			if hop := m.f.hop(a); hop != nil {
				if err := m.findNodes(hop, above); err != nil {
					return err
				}
			} else if !slices.Contains(m.nodes, a.text) {
				m.nodes = append(m.nodes, a.text)
			}
		}
	}
	return nil
}

func hasArg(d *directive, arg string) bool {
	return slices.ContainsFunc(d.args, func(w word) bool { return w.text == arg })
}

func hopName(i int) string { return "hop" + strconv.Itoa(i+1) }

// rewriting puts the testbed's addresses in; its edits are kept with the files.
type rewriting struct {
	*move
	in    testbed.RenderInput
	spare int // servers pointed at any node so far
	cache int // cache folders so far
}

// rewrite returns the main file with all edits made and all includes in their places.
func (m *move) rewrite(in testbed.RenderInput) (string, error) {
	name := m.f.main.in.name
	if len(m.nodes) != len(in.Nodes) {
		return "", fmt.Errorf("%s: its clients reach %d upstream addresses (%s), and the testbed has %d nodes: ask for %d",
			name, len(m.nodes), strings.Join(m.nodes, ", "), len(in.Nodes), len(m.nodes))
	}
	r := &rewriting{move: m, in: in}
	if err := r.main(); err != nil {
		return "", err
	}
	for _, s := range m.f.servers() {
		r.server(s)
	}
	m.f.main.walk(r.address)
	m.f.main.walk(r.path)
	return spliced(m.f.main), nil
}

// spliced is a file's text with its edits, and with what it includes in place.
func spliced(top *directive) string {
	edits := slices.Clone(top.in.edits)
	var visit func(d *directive)
	visit = func(d *directive) {
		for _, c := range d.children {
			if c.name != "include" {
				visit(c)
				continue
			}
			if isMimeTypes(c) {
				path := c.arg(0)
				if !filepath.IsAbs(path) {
					path = filepath.Join(c.in.dir, path)
				}
				edits = append(edits, conftext.Edit{Start: c.args[0].at, End: c.args[0].end, New: path})
				continue
			}
			var texts []string
			for _, included := range c.children {
				texts = append(texts, "# from "+included.in.name+"\n"+strings.TrimSpace(spliced(included)))
			}
			edits = append(edits, conftext.Edit{Start: c.at, End: c.end, New: strings.Join(texts, "\n")})
		}
	}
	visit(top)
	return conftext.Apply(top.in.text, edits)
}

// listenAddr is where the testbed puts an address the file listens on.
func (r *rewriting) listenAddr(addr string) string {
	return r.in.Ports[hopName(slices.Index(r.hops, addr))].Inside()
}

// memberAddr is where the testbed puts an upstream address: a server block of the
// same file, a node, or for one that WebSocket clients do not reach any node, so that
// no request of a trial leaves the testbed.
func (r *rewriting) memberAddr(a address) string {
	if hop := r.f.hop(a); hop != nil {
		for _, l := range listens(hop) {
			if reaches(a.text, l) && slices.Contains(r.hops, l) {
				return r.listenAddr(l)
			}
		}
	}
	if i := slices.Index(r.nodes, a.text); i >= 0 {
		return r.in.Nodes[i].Addr
	}
	r.spare++
	return r.in.Nodes[(r.spare-1)%len(r.in.Nodes)].Addr
}

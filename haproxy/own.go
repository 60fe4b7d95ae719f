package haproxy

import (
	"fmt"
	"slices"
	"strconv"
	"strings"

	"wsrig/testbed"
	"wsrig/testbed/conftext"
)

// move is the plan for a user's own file in the testbed: which address becomes
// which port, and which servers are nodes.
type move struct {
	f     *file
	front *section
	ws    bind     // the address clients get
	hops  []string // every other address that the file listens on, by first appearance
	nodes []string // distinct server addresses behind front, by first appearance
}

// planMove reads a user's own file. The clients' port goes to the first bind of
// their frontend without ssl, since the rig speaks ws://, or else to its first one.
func planMove(src testbed.Source) (*move, error) {
	f, err := parse(fileName(src), src.Text)
	if err != nil {
		return nil, err
	}
	if err := f.unsupported(); err != nil {
		return nil, err
	}
	m := &move{f: f}
	if m.front, err = f.clientFacing(choice(src)); err != nil {
		return nil, err
	}
	binds := m.front.binds()
	m.ws = binds[0]
	for _, b := range binds {
		if !slices.ContainsFunc(b.by.words, func(w word) bool { return w.text == "ssl" }) {
			m.ws = b
			break
		}
	}
	_, nodes := f.reach(m.front, handshake{})
	slices.SortStableFunc(nodes, func(a, b server) int { return a.by.num - b.by.num })
	for _, sv := range nodes {
		if !slices.Contains(m.nodes, sv.addr) {
			m.nodes = append(m.nodes, sv.addr)
		}
	}
	for _, s := range f.sections {
		for _, addr := range s.listened() {
			if addr != m.ws.addr && !slices.Contains(m.hops, addr) {
				m.hops = append(m.hops, addr)
			}
		}
	}
	return m, nil
}

// listened lists the addresses of a section that must move to ports of the testbed.
// Those of peers and mailers are dialled, not listened on: they move too, so that a
// trial talks to nobody outside.
func (s *section) listened() []string {
	var addrs []string
	switch s.kind {
	case "frontend", "listen":
		for _, b := range s.binds() {
			addrs = append(addrs, b.addr)
		}
	case "peers", "mailers":
		for _, l := range s.lines {
			switch {
			case l.starts("bind") && len(l.words) > 1:
				addrs = append(addrs, l.arg(1))
			case slices.Contains(peerWords, l.arg(0)) && len(l.words) > 2:
				addrs = append(addrs, l.arg(2))
			}
		}
	}
	return addrs
}

// peerWords are the keywords of peers and mailers whose second argument is an address.
var peerWords = []string{"peer", "server", "mailer"}

// unsupported refuses what cannot run in a testbed, or would run something else.
func (f *file) unsupported() error {
	for _, s := range f.sections {
		switch s.kind {
		case "program", "ring", "log-forward":
			return fmt.Errorf("%s:%d: section %s is not supported in a testbed: take it out", f.name, s.head.num, s.kind)
		}
		for _, l := range s.lines {
			switch l.arg(0) {
			case "server-template":
				return fmt.Errorf("%s:%d: server-template is not supported: write its servers out", f.name, l.num)
			case "nbproc":
				return fmt.Errorf("%s:%d: nbproc is not supported (HAProxy 2.5 removed it): use nbthread", f.name, l.num)
			case "dispatch":
				return fmt.Errorf("%s:%d: dispatch is not supported: write a server", f.name, l.num)
			}
		}
	}
	return nil
}

func hopName(i int) string { return "hop" + strconv.Itoa(i+1) }

// rewrite puts the testbed's addresses in.
func (m *move) rewrite(in testbed.RenderInput) (string, error) {
	if len(m.nodes) != len(in.Nodes) {
		return "", fmt.Errorf("%s: its clients reach %d server addresses (%s), and the testbed has %d nodes: ask for %d",
			m.f.name, len(m.nodes), strings.Join(m.nodes, ", "), len(in.Nodes), len(m.nodes))
	}
	r := &rewriting{move: m, in: in}
	for _, s := range m.f.sections {
		switch {
		case s.kind == "global":
			r.global(s)
		case s.kind == "peers" || s.kind == "mailers":
			r.peers(s)
		case s.isProxy() || s.kind == "defaults":
			r.proxy(s)
		}
	}
	r.logFront()
	text := conftext.Apply(m.f.text, r.edits)
	if m.f.find("", "global") == nil {
		text = "global\n" + strings.Join(r.globalLines(), "\n") + "\n\n" + text
	}
	if !strings.HasSuffix(text, "\n") {
		text += "\n"
	}
	return text + nodeComment(in.Nodes), nil
}

// nodesMark starts the comment that tells the reader of statistics and logs which
// node stands behind a server's address; a user's own names say nothing of nodes.
const nodesMark = "# nodes of the testbed:"

func nodeComment(nodes []testbed.NodeAddr) string {
	s := nodesMark
	for _, n := range nodes {
		s += " " + n.Name + "=" + n.Addr
	}
	return s + "\n"
}

// rewriting collects the edits.
type rewriting struct {
	*move
	in    testbed.RenderInput
	edits []conftext.Edit
}

func (r *rewriting) replace(w word, with string) {
	r.edits = append(r.edits, conftext.Edit{Start: w.at, End: w.end, New: with})
}

// drop removes a whole line with its newline.
func (r *rewriting) drop(l *line) {
	end := min(l.end+1, len(r.f.text))
	if strings.HasPrefix(r.f.text[l.end:], "\r\n") {
		end = l.end + 2
	}
	r.edits = append(r.edits, conftext.Edit{Start: l.at, End: end})
}

// insert puts a line after the head of a section.
func (r *rewriting) insert(s *section, text string) {
	r.edits = append(r.edits, conftext.Edit{Start: s.head.end, End: s.head.end, New: "\n" + text})
}

// listenAddr is where the testbed puts an address the file listens on. One where HAProxy
// does not listen, such as a bind in a backend, which it ignores, stays as it is.
func (r *rewriting) listenAddr(addr string) string {
	i := slices.Index(r.hops, addr)
	switch {
	case addr == r.ws.addr:
		return r.in.Ports[portClients].Listen
	case i < 0:
		return addr
	}
	return r.in.Ports[hopName(i)].Inside()
}

// serverAddr is where the testbed puts a server: a hop of the same file, a node, or
// for a server that WebSocket clients do not reach any node, so that no health check
// of a trial leaves the testbed.
func (r *rewriting) serverAddr(sv server, spare int) string {
	if hop := r.f.hop(sv); hop != nil {
		for _, b := range hop.binds() {
			if sameAddress(sv.addr, b.addr) {
				return r.listenAddr(b.addr)
			}
		}
	}
	if i := slices.Index(r.nodes, sv.addr); i >= 0 {
		return r.in.Nodes[i].Addr
	}
	return r.in.Nodes[spare%len(r.in.Nodes)].Addr
}

package haproxy

import (
	"fmt"
	"net"
	"slices"
	"strings"
)

// bind is one address that a frontend listens on. A bind line may hold several.
type bind struct {
	in   *section
	by   *line
	addr string
}

// server is one member of a pool.
type server struct {
	in   *section
	by   *line
	name string
	addr string
}

// binds lists the section's addresses in file order.
func (s *section) binds() []bind {
	var found []bind
	for _, l := range s.lines {
		if l.starts("bind") && len(l.words) > 1 {
			for addr := range strings.SplitSeq(l.arg(1), ",") {
				found = append(found, bind{s, l, addr})
			}
		}
	}
	return found
}

// servers lists the section's members in file order.
func (s *section) servers() []server {
	var found []server
	for _, l := range s.lines {
		if l.starts("server") && len(l.words) > 2 {
			found = append(found, server{s, l, l.arg(1), l.arg(2)})
		}
	}
	return found
}

// isProxy tells whether the section carries traffic.
func (s *section) isProxy() bool {
	return s.kind == "frontend" || s.kind == "backend" || s.kind == "listen"
}

// hop returns the frontend of this same file that a server's address leads to, or
// nil when it leads to a node.
func (f *file) hop(sv server) *section {
	for _, s := range f.sections {
		if s.kind != "frontend" && s.kind != "listen" {
			continue
		}
		if slices.ContainsFunc(s.binds(), func(b bind) bool { return sameAddress(sv.addr, b.addr) }) {
			return s
		}
	}
	return nil
}

// sameAddress tells whether dialling server reaches bind: the same socket path, or
// the same port and the same host, where a bind on every address is reached from
// any loopback one.
func sameAddress(server, bind string) bool {
	server, bind = bareAddress(server), bareAddress(bind)
	if server == bind {
		return true
	}
	sh, sp, err1 := net.SplitHostPort(server)
	bh, bp, err2 := net.SplitHostPort(bind)
	if err1 != nil || err2 != nil || sp != bp {
		return false
	}
	anyHost := bh == "" || bh == "*" || bh == "0.0.0.0" || bh == "::"
	loopback := sh == "localhost" || sh == "" || (net.ParseIP(sh) != nil && net.ParseIP(sh).IsLoopback())
	return anyHost && loopback || sh == "localhost" && (bh == "127.0.0.1" || bh == "::1")
}

// bareAddress strips the family prefixes of the manual's section 11 and writes
// HAProxy's unbracketed ":::80" in the usual way.
func bareAddress(addr string) string {
	for _, p := range []string{"ipv4@", "ipv6@", "tcp@", "tcp4@", "tcp6@", "unix@"} {
		addr = strings.TrimPrefix(addr, p)
	}
	if i := strings.LastIndexByte(addr, ':'); i > 0 && !strings.HasPrefix(addr, "[") && strings.Contains(addr[:i], ":") {
		return "[" + addr[:i] + "]" + addr[i:]
	}
	return addr
}

// reach lists the backends that a handshake entering at front may pass, hops
// included, in the order they are met, with the servers that are nodes.
func (f *file) reach(front *section, h handshake) (backends []*section, nodes []server) {
	seen := map[*section]bool{}
	var enter func(*section)
	enter = func(front *section) {
		if seen[front] {
			return
		}
		seen[front] = true
		for _, r := range f.routes(front, h) {
			if slices.Contains(backends, r.to) {
				continue
			}
			backends = append(backends, r.to)
			for _, sv := range r.to.servers() {
				if next := f.hop(sv); next != nil {
					enter(next)
				} else {
					nodes = append(nodes, sv)
				}
			}
		}
	}
	enter(front)
	return backends, nodes
}

// clientFacing chooses the frontend that clients use: it leads to nodes and no
// server of this file leads to it. Where several do, choice must name one.
func (f *file) clientFacing(choice string) (*section, error) {
	targets := map[*section]bool{}
	for _, s := range f.sections {
		if s.isProxy() {
			for _, sv := range s.servers() {
				targets[f.hop(sv)] = true
			}
		}
	}
	var fronts []*section
	var names []string
	for _, s := range f.sections {
		if len(s.binds()) == 0 || s.kind != "frontend" && s.kind != "listen" {
			continue
		}
		if _, nodes := f.reach(s, handshake{}); len(nodes) == 0 || targets[s] && s.name != choice {
			continue
		}
		fronts, names = append(fronts, s), append(names, s.name)
	}
	if choice != "" {
		for _, s := range fronts {
			if s.name == choice {
				return s, nil
			}
		}
		return nil, fmt.Errorf("%s: no frontend %q that leads to a server; there are: %s", f.name, choice, strings.Join(names, ", "))
	}
	switch len(fronts) {
	case 0:
		return nil, fmt.Errorf("%s: no frontend or listen section has a bind and leads to a server", f.name)
	case 1:
		return fronts[0], nil
	}
	return nil, fmt.Errorf("%s: %d frontends lead to servers (%s): name the one that WebSocket clients use, as in %s#%s",
		f.name, len(fronts), strings.Join(names, ", "), f.name, names[0])
}

package nginx

import (
	"fmt"
	"net"
	"slices"
	"strings"
)

// http returns the file's http block.
func (f *file) http() (*directive, error) {
	if blocks := f.main.named("http"); len(blocks) == 1 {
		return blocks[0], nil
	}
	return nil, fmt.Errorf("%s: want one http block, found %d", f.main.in.name, len(f.main.named("http")))
}

// servers lists the server blocks of http.
func (f *file) servers() []*directive {
	http, err := f.http()
	if err != nil {
		return nil
	}
	return http.named("server")
}

// address is where a proxy_pass or an upstream's server goes.
type address struct {
	by       *directive
	arg      int    // the argument that holds it
	from, to int    // the part of that argument's text
	text     string // host:port, with the port written out, or unix:path
	https    bool
}

// target reads a proxy_pass. name is the upstream, or "" when the address stands in
// the directive itself; then addr is it.
func (f *file) target(pass *directive) (upstream *directive, addr address, err error) {
	raw := pass.arg(0)
	scheme, rest, ok := strings.Cut(raw, "://")
	if !ok || scheme != "http" && scheme != "https" {
		return nil, addr, fmt.Errorf("%s:%d: proxy_pass %s: only http:// and https:// addresses can be followed", pass.in.name, pass.line, raw)
	}
	host := rest
	if strings.HasPrefix(rest, "unix:") {
		if i := strings.IndexByte(rest[len("unix:"):], ':'); i >= 0 {
			host = rest[:len("unix:")+i]
		}
	} else if i := strings.IndexByte(rest, '/'); i >= 0 {
		host = rest[:i]
	}
	if strings.Contains(host, "$") {
		return nil, addr, fmt.Errorf("%s:%d: proxy_pass %s: an address from a variable cannot be followed: write an upstream", pass.in.name, pass.line, raw)
	}
	if http, err := f.http(); err == nil {
		for _, u := range http.named("upstream") {
			if u.arg(0) == host {
				return u, address{by: pass, https: scheme == "https"}, nil
			}
		}
	}
	from := len(scheme) + len("://")
	port := "80"
	if scheme == "https" {
		port = "443"
	}
	return nil, address{pass, 0, from, from + len(host), withPort(host, port), scheme == "https"}, nil
}

// members lists the addresses a proxy_pass may go to.
func (f *file) members(pass *directive) ([]address, error) {
	upstream, addr, err := f.target(pass)
	if err != nil {
		return nil, err
	}
	if upstream == nil {
		return []address{addr}, nil
	}
	var found []address
	for _, s := range upstream.named("server") {
		found = append(found, address{s, 0, 0, len(s.arg(0)), withPort(s.arg(0), "80"), false})
	}
	if len(found) == 0 {
		return nil, fmt.Errorf("%s:%d: %s has no server", upstream.in.name, upstream.line, upstream.title())
	}
	return found, nil
}

func withPort(host, port string) string {
	if strings.HasPrefix(host, "unix:") {
		return host
	}
	if _, _, err := net.SplitHostPort(host); err == nil {
		return host
	}
	return net.JoinHostPort(strings.Trim(host, "[]"), port)
}

// listens lists what a server block listens on, by the manual's rule that a bare port
// is every address and a bare address is port 80. One without listen is *:80.
func listens(server *directive) []string {
	var found []string
	for _, l := range server.named("listen") {
		found = append(found, listenAddress(l.arg(0)))
	}
	if len(found) == 0 {
		found = append(found, "*:80")
	}
	return found
}

func listenAddress(arg string) string {
	if strings.HasPrefix(arg, "unix:") {
		return arg
	}
	if strings.Trim(arg, "0123456789") == "" {
		return "*:" + arg
	}
	addr := withPort(arg, "80")
	return strings.Replace(addr, "0.0.0.0:", "*:", 1)
}

// reaches tells whether dialling addr gets to something that listens on l.
func reaches(addr, l string) bool {
	if addr == l {
		return true
	}
	ah, ap, err1 := net.SplitHostPort(addr)
	lh, lp, err2 := net.SplitHostPort(l)
	if err1 != nil || err2 != nil || ap != lp {
		return false
	}
	local := ah == "localhost" || net.ParseIP(ah) != nil && net.ParseIP(ah).IsLoopback()
	return local && (lh == "*" || lh == "::" || ah == "localhost" && (lh == "127.0.0.1" || lh == "::1"))
}

// hop returns the server block of this same file that addr leads to, nil for a node.
func (f *file) hop(addr address) *directive {
	for _, s := range f.servers() {
		if slices.ContainsFunc(listens(s), func(l string) bool { return reaches(addr.text, l) }) {
			return s
		}
	}
	return nil
}

// webSocketPasses lists the proxy_pass directives of a server block that WebSocket
// clients can get through: those in locations that forward Upgrade, or all of them
// when none does.
func webSocketPasses(server *directive) []*directive {
	var upgrading, all []*directive
	server.walk(func(d *directive) {
		if d.name != "location" {
			return
		}
		passes := proxyPasses(d)
		all = append(all, passes...)
		if forwardsUpgrade(d) {
			upgrading = append(upgrading, passes...)
		}
	})
	if len(upgrading) > 0 {
		return upgrading
	}
	return all
}

// clientFacing chooses the server block that WebSocket clients use: no proxy_pass of
// this file leads to it, and it has a proxy_pass, if any block does one that forwards
// Upgrade. Where several are left, choice must name one by a server_name or an address.
func (f *file) clientFacing(choice string) (*directive, error) {
	if _, err := f.http(); err != nil {
		return nil, err
	}
	targets := map[*directive]bool{}
	f.main.walk(func(d *directive) {
		if d.name == "proxy_pass" {
			members, err := f.members(d)
			for _, m := range members {
				if hop := f.hop(m); err == nil && hop != nil {
					targets[hop] = true
				}
			}
		}
	})
	var fronts, upgrading []*directive
	for _, s := range f.servers() {
		if passes := webSocketPasses(s); len(passes) > 0 && !targets[s] {
			fronts = append(fronts, s)
			if slices.ContainsFunc(passes, func(p *directive) bool { return forwardsUpgrade(p.outer()) }) {
				upgrading = append(upgrading, s)
			}
		}
	}
	if choice == "" && len(upgrading) > 0 {
		fronts = upgrading
	}
	return f.choose(fronts, choice)
}

func (f *file) choose(fronts []*directive, choice string) (*directive, error) {
	var names []string
	for _, s := range fronts {
		called := listens(s)
		for _, n := range s.named("server_name") {
			for _, a := range n.args {
				called = append(called, a.text)
			}
		}
		if choice != "" && slices.Contains(called, choice) {
			return s, nil
		}
		names = append(names, called[len(called)-1])
	}
	name := f.main.in.name
	switch {
	case choice != "":
		return nil, fmt.Errorf("%s: no server block %q that proxies; there are: %s", name, choice, strings.Join(names, ", "))
	case len(fronts) == 0:
		return nil, fmt.Errorf("%s: no server block has a location with proxy_pass", name)
	case len(fronts) > 1:
		return nil, fmt.Errorf("%s: %d server blocks proxy (%s): name the one that WebSocket clients use, as in %s#%s",
			name, len(fronts), strings.Join(names, ", "), name, names[0])
	}
	return fronts[0], nil
}

package haproxy

import (
	"slices"
	"strings"

	"wsrig/testbed/conftext"
)

// globalDrops are the lines of global that would touch the system: who the process
// runs as, where it is locked in, that it leaves the foreground.
var globalDrops = []string{"daemon", "chroot", "user", "group", "uid", "gid", "pidfile", "master-worker"}

func (r *rewriting) globalLines() []string {
	return []string{
		"    log stdout format raw local0",
		"    stats socket ipv4@" + r.in.Ports[portAdmin].Listen + " level admin expose-fd listeners",
	}
}

// global drops what touches the system and points log and statistics at the testbed.
// A file may have several global sections; only the first gets the new lines.
func (r *rewriting) global(s *section) {
	for _, l := range s.lines {
		if slices.Contains(globalDrops, l.arg(0)) || l.starts("log") || l.starts("stats", "socket") {
			r.drop(l)
		}
	}
	if s == r.f.find("", "global") {
		r.insert(s, strings.Join(r.globalLines(), "\n"))
	}
}

// peers moves the addresses of peers and mailers to ports where nobody answers.
func (r *rewriting) peers(s *section) {
	for _, l := range s.lines {
		switch {
		case l.starts("bind") && len(l.words) > 1:
			r.replace(l.words[1], r.listenAddr(l.arg(1)))
		case slices.Contains(peerWords, l.arg(0)) && len(l.words) > 2:
			r.replace(l.words[2], r.listenAddr(l.arg(2)))
		}
	}
}

// proxy rewrites the addresses of a proxy section and the lines that hold only in
// the place the file comes from.
func (r *rewriting) proxy(s *section) {
	logged := false
	for i, l := range s.lines {
		switch {
		case l.starts("bind") && len(l.words) > 1:
			r.bind(l)
		case l.starts("server") && len(l.words) > 2:
			sv := server{s, l, l.arg(1), l.arg(2)}
			r.replace(l.words[2], r.serverAddr(sv, i))
			if r.f.hop(sv) == nil {
				r.strip(l, serverDrops)
			}
		case l.starts("default-server"):
			r.strip(l, serverDrops)
		case l.starts("source"):
			r.drop(l) // the address is not on this machine
		case l.starts("option", "httpchk"), l.starts("http-check"), l.starts("option", "external-check"):
			r.drop(l) // the nodes do not answer the user's health URL; a TCP check remains
		case l.starts("log") && l.arg(1) != "global":
			if logged {
				r.drop(l)
			} else {
				r.edits = append(r.edits, conftext.Edit{Start: l.words[0].at, End: l.words[len(l.words)-1].end, New: "log global"})
			}
			logged = true
		case l.starts("log", "global"):
			logged = true
		}
	}
}

// bindDrops are bind options, with the number of their arguments, that name things
// of another machine or of a socket file, or that make clients speak the PROXY protocol.
var bindDrops = map[string]int{
	"interface": 1, "namespace": 1, "user": 1, "group": 1, "uid": 1, "gid": 1, "mode": 1, "v4v6": 0, "v6only": 0,
}

var clientBindDrops = map[string]int{"accept-proxy": 0, "accept-netscaler-cip": 1}

func (r *rewriting) bind(l *line) {
	var moved []string
	for addr := range strings.SplitSeq(l.arg(1), ",") {
		moved = append(moved, r.listenAddr(addr))
	}
	r.replace(l.words[1], strings.Join(moved, ","))
	r.strip(l, bindDrops)
	if l == r.ws.by {
		r.strip(l, clientBindDrops)
	}
}

// serverDrops are server options, with the number of their arguments, that do not
// hold toward a node of the testbed, which speaks plain HTTP on one port and has its
// address written out.
var serverDrops = map[string]int{
	"port": 1, "addr": 1, "agent-check": 0, "agent-port": 1, "agent-addr": 1, "agent-inter": 1, "agent-send": 1,
	"source": 1, "usesrc": 1, "interface": 1, "namespace": 1, "socks4": 1,
	"resolvers": 1, "resolve-prefer": 1, "resolve-net": 1, "resolve-opts": 1, "init-addr": 1,
	"send-proxy": 0, "send-proxy-v2": 0, "send-proxy-v2-ssl": 0, "send-proxy-v2-ssl-cn": 0, "proxy-v2-options": 1, "check-send-proxy": 0,
	"ssl": 0, "check-ssl": 0, "verify": 1, "verifyhost": 1, "ca-file": 1, "crl-file": 1, "crt": 1, "sni": 1, "check-sni": 1,
	"alpn": 1, "check-alpn": 1, "npn": 1, "ciphers": 1, "ciphersuites": 1, "ssl-min-ver": 1, "ssl-max-ver": 1, "no-tls-tickets": 0,
}

// strip removes options with their arguments and the blanks before them.
func (r *rewriting) strip(l *line, options map[string]int) {
	first := map[string]int{"default-server": 1, "bind": 2, "server": 3}[l.arg(0)]
	for i := first; i < len(l.words); i++ {
		args, ok := options[l.words[i].text]
		if !ok {
			continue
		}
		last := min(i+args, len(l.words)-1)
		r.edits = append(r.edits, conftext.Edit{Start: l.words[i-1].end, End: l.words[last].end})
		i = last
	}
}

// logFront makes the clients' frontend log how each connection ended.
func (r *rewriting) logFront() {
	var lines []string
	if r.front.last("log") == nil {
		lines = append(lines, "    log global")
	}
	if r.front.last("option", "httplog") == nil && r.front.last("option", "tcplog") == nil && r.front.last("log-format") == nil {
		lines = append(lines, "    option "+r.front.mode()+"log")
	}
	if len(lines) > 0 {
		r.insert(r.front, strings.Join(lines, "\n"))
	}
}

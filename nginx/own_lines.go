package nginx

import (
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"

	"wsrig/testbed/conftext"
)

func (r *rewriting) replace(d *directive, arg int, with string) {
	d.in.edits = append(d.in.edits, conftext.Edit{Start: d.args[arg].at, End: d.args[arg].end, New: with})
}

// drop removes a directive, and its line when nothing else stands there.
func (r *rewriting) drop(d *directive) {
	text, at, end := d.in.text, d.at, d.end
	lineAt := strings.LastIndexByte(text[:at], '\n') + 1
	rest := strings.TrimLeft(text[end:], " \t\r")
	if strings.TrimSpace(text[lineAt:at]) == "" && strings.HasPrefix(rest, "\n") {
		at, end = lineAt, len(text)-len(rest)+1
	}
	d.in.edits = append(d.in.edits, conftext.Edit{Start: at, End: end})
}

// insert puts lines at the start of a block.
func (r *rewriting) insert(block *directive, lines ...string) {
	indent := "    "
	if block.outer() != nil && block.outer().outer() != nil {
		indent += "    "
	}
	text := ""
	for _, l := range lines {
		text += "\n" + indent + l
	}
	block.in.edits = append(block.in.edits, conftext.Edit{Start: block.body, End: block.body, New: text})
}

// dropParams removes parameters of a directive, from the second word on.
func (r *rewriting) dropParams(d *directive, drop func(string) bool) {
	for i := 1; i < len(d.args); i++ {
		if drop(d.args[i].text) {
			d.in.edits = append(d.in.edits, conftext.Edit{Start: d.args[i-1].end, End: d.args[i].end})
		}
	}
}

// mainDrops are the lines of the main level that would touch the system or are given
// on the command line of the testbed.
var mainDrops = []string{"user", "pid", "daemon", "master_process", "lock_file", "working_directory"}

// tempPaths must lie in the testbed: their built-in places belong to the system.
var tempPaths = []string{"client_body_temp_path", "proxy_temp_path", "fastcgi_temp_path", "uwsgi_temp_path", "scgi_temp_path"}

// main rewrites the main level and adds to http what every testbed needs.
func (r *rewriting) main() error {
	top := r.f.main
	for _, d := range top.named(mainDrops...) {
		r.drop(d)
	}
	head := "pid nginx.pid;\n"
	if len(top.named("error_log")) == 0 {
		head += "error_log stderr;\n"
	}
	top.in.edits = append(top.in.edits, conftext.Edit{New: head})
	http, err := r.f.http()
	if err != nil {
		return err
	}
	if len(http.named("access_log")) == 0 {
		r.insert(http, "access_log access.log;")
	}
	for _, name := range tempPaths {
		if len(http.named(name)) == 0 {
			r.insert(http, name+" "+strings.TrimSuffix(name, "_path")+";")
		}
	}
	// The inner location shuts out rules of the user's http block, such as deny all.
	r.insert(http, fmt.Sprintf("server { listen %s; location = %s { stub_status; access_log off; allow all; auth_basic off; } }",
		r.in.Ports[portAdmin].Listen, statusPath))
	return nil
}

// server moves what a server block listens on.
func (r *rewriting) server(s *directive) {
	ls := s.named("listen")
	if len(ls) == 0 {
		addr := r.in.Ports[portClients].Listen
		if s != r.move.server {
			addr = r.listenAddr(listens(s)[0])
		}
		r.insert(s, "listen "+addr+";")
	}
	for _, l := range ls {
		if l == r.ws {
			r.replace(l, 0, r.in.Ports[portClients].Listen)
		} else {
			r.replace(l, 0, r.listenAddr(listenAddress(l.arg(0))))
		}
		r.dropParams(l, func(p string) bool {
			// The rig's clients do not speak the PROXY protocol.
			return strings.HasPrefix(p, "ipv6only=") || p == "proxy_protocol" && l == r.ws
		})
	}
}

// address rewrites where requests go.
func (r *rewriting) address(d *directive) {
	switch d.name {
	case "proxy_pass":
		upstream, a, err := r.f.target(d)
		switch {
		case err != nil: // not on the WebSocket clients' way, or planMove had refused it
		case upstream == nil:
			r.replace(d, 0, "http://"+r.memberAddr(a)+d.arg(0)[a.to:])
		case a.https && r.f.upstreamOfNodes(upstream):
			r.replace(d, 0, "http"+strings.TrimPrefix(d.arg(0), "https")) // nodes speak plain HTTP
		}
	case "server":
		if d.body == 0 && d.outer() != nil && d.outer().name == "upstream" && len(d.args) > 0 {
			r.replace(d, 0, r.memberAddr(address{by: d, text: withPort(d.arg(0), "80")}))
			r.dropParams(d, func(p string) bool { return p == "resolve" || strings.HasPrefix(p, "service=") })
		}
	case "proxy_bind":
		r.drop(d) // the address is not on this machine
	}
}

// upstreamOfNodes tells whether no member of an upstream is a server block of this file.
func (f *file) upstreamOfNodes(upstream *directive) bool {
	return !slices.ContainsFunc(upstream.named("server"), func(s *directive) bool {
		return f.hop(address{text: withPort(s.arg(0), "80")}) != nil
	})
}

// configRelative are directives whose path is relative to the configuration's own
// directory, which is another one in the testbed.
var configRelative = []string{
	"ssl_certificate", "ssl_certificate_key", "ssl_client_certificate", "ssl_trusted_certificate", "ssl_dhparam", "ssl_crl",
	"ssl_password_file", "ssl_session_ticket_key", "proxy_ssl_certificate", "proxy_ssl_certificate_key",
	"proxy_ssl_trusted_certificate", "proxy_ssl_crl", "auth_basic_user_file",
}

// moduleDirs are the places where distributions keep what load_module names relatively.
var moduleDirs = []string{"/usr/share/nginx", "/usr/lib/nginx", "/usr/lib64/nginx", "/etc/nginx"}

// path keeps every file that Nginx writes in the testbed, and names those it reads
// absolutely.
func (r *rewriting) path(d *directive) {
	if len(d.args) == 0 {
		return
	}
	first := d.arg(0)
	relative := !filepath.IsAbs(first) && !strings.Contains(first, "$")
	switch {
	case d.name == "error_log":
		r.replace(d, 0, "stderr")
	case d.name == "access_log":
		if first != "off" {
			r.replace(d, 0, "access.log")
		}
	case slices.Contains(tempPaths, d.name):
		r.replace(d, 0, strings.TrimSuffix(d.name, "_path"))
	case strings.HasSuffix(d.name, "_cache_path"):
		r.cache++
		r.replace(d, 0, fmt.Sprintf("cache%d", r.cache))
		r.dropParams(d, func(p string) bool { return strings.HasPrefix(p, "temp_path=") })
	case slices.Contains(configRelative, d.name) && relative && first != "off" && !strings.HasPrefix(first, "data:") && !strings.HasPrefix(first, "engine:"):
		r.replace(d, 0, filepath.Join(d.in.dir, first))
	case d.name == "load_module" && relative:
		for _, dir := range moduleDirs {
			if path := filepath.Join(dir, first); isFile(path) {
				r.replace(d, 0, path)
				return
			}
		}
	}
}

func isFile(path string) bool {
	info, err := os.Stat(path)
	return err == nil && info.Mode().IsRegular()
}

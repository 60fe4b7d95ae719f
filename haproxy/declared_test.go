package haproxy

import (
	"strconv"
	"strings"
	"testing"
	"time"

	"wsrig/testbed"
	"wsrig/testbed/proxytest"
)

func TestDeclaredFollowsTheManual(t *testing.T) {
	const backend = "\nbackend b\n server s 10.0.0.1:80\n"
	for _, row := range []struct {
		says, text       string
		idle             float64
		directive, where string
	}{
		{"a time without a unit is milliseconds",
			"defaults\n timeout client 2500\n timeout server 50s\nfrontend f\n bind :80\n default_backend b" + backend, 2.5, "timeout client", "x.cfg:2 (defaults)"},
		{"nothing set: no limit",
			"defaults\n mode http\nfrontend f\n bind :80\n default_backend b" + backend, 0, "", "nowhere"},
		{"timeout client 0 is none: timeout server ends it",
			"defaults\n timeout client 0\n timeout server 1m\nfrontend f\n bind :80\n default_backend b" + backend, 60, "timeout server", "x.cfg:3 (defaults, for backend b)"},
		{"a frontend's timeout tunnel is ignored",
			"defaults\n timeout client 9s\n timeout server 9s\nfrontend f\n timeout tunnel 1s\n bind :80\n default_backend b" + backend, 9, "timeout client", "x.cfg:2 (defaults)"},
		{"a named defaults applies to what follows it, like an anonymous one",
			"defaults a\n timeout tunnel 1s\ndefaults b\n timeout tunnel 2s\nfrontend f\n bind :80\n default_backend b" + backend, 2, "timeout tunnel", "x.cfg:4 (defaults b, for backend b)"},
		{"from chooses another defaults, and defaults inherit by from",
			"defaults a\n timeout tunnel 1s\ndefaults c from a\n timeout client 3s\ndefaults d\nfrontend f\n bind :80\n default_backend b\nbackend b from c\n server s 10.0.0.1:80\n", 1, "timeout tunnel", "x.cfg:2 (defaults a, for backend b)"},
		{"a defaults without from inherits nothing",
			"defaults a\n timeout tunnel 1s\ndefaults c\n timeout client 3s\nfrontend f\n bind :80\n default_backend b" + backend, 3, "timeout client", "x.cfg:4 (defaults c)"},
		{"a listen section is both sides",
			"listen l\n bind :80\n timeout client 4s\n timeout server 3s\n server s 10.0.0.1:80\n", 3, "timeout server", "x.cfg:4 (listen l)"},
		{"the last line of a section rules",
			"listen l\n bind :80\n timeout tunnel 4s\n timeout tunnel 3s\n server s 10.0.0.1:80\n", 3, "timeout tunnel", "x.cfg:4 (listen l)"},
		{"the backend is the one that an upgrade of this path goes to",
			"defaults\n mode http\nfrontend f\n bind :80\n acl up hdr(Upgrade) -i websocket\n use_backend b if up { path_beg /ws }\n default_backend c\nbackend b\n timeout tunnel 7s\n server s 10.0.0.1:80\nbackend c\n timeout tunnel 1s\n server s 10.0.0.2:80\n", 7, "timeout tunnel", "x.cfg:9 (backend b)"},
		{"a negated condition and an alternative",
			"defaults\n mode http\nfrontend f\n bind :80\n use_backend c if !{ path -m beg /ws } or FALSE\n default_backend b\nbackend b\n timeout tunnel 7s\n server s 10.0.0.1:80\nbackend c\n timeout tunnel 1s\n server s 10.0.0.2:80\n", 7, "timeout tunnel", "x.cfg:8 (backend b)"},
		{"a condition that cannot be judged does not matter when both ways agree",
			"defaults\n mode http\n timeout tunnel 5s\nfrontend f\n bind :80\n use_backend c if { src 10.0.0.0/8 }\n default_backend b\nbackend b\n server s 10.0.0.1:80\nbackend c\n server s 10.0.0.2:80\n", 5, "timeout tunnel", "x.cfg:3 (defaults, for backend c)"},
		{"set-timeout beats the directive",
			"defaults\n mode http\nfrontend f\n bind :80\n default_backend b\nbackend b\n timeout tunnel 1h\n http-request set-timeout tunnel 3s if { path /ws }\n server s 10.0.0.1:80\n", 3, "timeout tunnel", "x.cfg:8 (backend b)"},
		{"quotes, tabs, comments and carriage returns",
			"defaults # x\r\n\ttimeout\ttunnel \"3s\"#y\r\nfrontend f\r\n bind :80\r\n default_backend b" + backend, 3, "timeout tunnel", "x.cfg:2 (defaults, for backend b)"},
	} {
		d, err := Driver{}.Declared(testbed.Config{Source: testbed.Source{Name: "x.cfg", Text: row.text, Own: true}}, "/ws?room=1")
		if err != nil || d.IdleTimeout != row.idle || d.Directive != row.directive || d.Where != row.where || d.Why == "" {
			t.Errorf("%s: %+v, %v, want %v by %q at %s", row.says, d, err, row.idle, row.directive, row.where)
		}
	}
}

func TestDeclaredRefusesToGuess(t *testing.T) {
	const two = "\nbackend b\n timeout tunnel 7s\n server s 10.0.0.1:80\nbackend c\n timeout tunnel 1s\n server s 10.0.0.2:80\n"
	for _, row := range []struct{ says, text, want string }{
		{"two backends by the client's address", "frontend f\n mode http\n bind :80\n use_backend c if { src 10.0.0.0/8 }\n default_backend b" + two, "x.cfg:4: whether /ws goes to backend c (1s) or backend b (7s)"},
		{"set-timeout by a cookie", "listen l\n mode http\n bind :80\n http-request set-timeout tunnel 1s if { req.cook(x) -m found }\n server s 10.0.0.1:80\n", "x.cfg:4: set-timeout tunnel hangs on a condition"},
		{"no time", "listen l\n bind :80\n timeout tunnel 5sec\n server s 10.0.0.1:80\n", `x.cfg:3: timeout tunnel: "5sec" is no time`},
		{"too long a time", "listen l\n bind :80\n timeout tunnel 25d\n server s 10.0.0.1:80\n", "x.cfg:3: timeout tunnel: \"25d\" is more than"},
	} {
		d, err := Driver{}.Declared(testbed.Config{Source: testbed.Source{Name: "x.cfg", Text: row.text, Own: true}}, "/ws")
		if err == nil || !strings.Contains(err.Error(), row.want) {
			t.Errorf("%s: %+v, %v, want %q", row.says, d, err, row.want)
		}
	}
}

func TestDeclaredOfShippedVariantsNamesTheLineOfTheVariantsFile(t *testing.T) {
	for name, want := range map[string]struct {
		idle      float64
		directive string
	}{
		"round-robin": {3600, "timeout tunnel"}, "leastconn": {3600, "timeout tunnel"}, "source-hash": {3600, "timeout tunnel"},
		"short-tunnel": {2, "timeout tunnel"}, "no-tunnel": {2, "timeout client"},
	} {
		src, err := Driver{}.Load(name)
		if err != nil {
			t.Fatal(err)
		}
		cfg, err := Driver{}.Render(src, fixedInput(t, src, 5))
		if err != nil {
			t.Fatal(err)
		}
		d, err := Driver{}.Declared(cfg, "/ws")
		if err != nil || d.IdleTimeout != want.idle || d.Directive != want.directive {
			t.Errorf("%s: %+v, %v, want %+v", name, d, err, want)
		}
		holdsLine(t, src, d.Where, d.Directive)
	}
}

// holdsLine checks that the line a place names has the directive on it.
func holdsLine(t *testing.T, src testbed.Source, where, directive string) {
	t.Helper()
	for i, l := range strings.Split(src.Text, "\n") {
		if strings.HasPrefix(strings.TrimSpace(l), directive+" ") && strings.HasPrefix(where, src.Name+".cfg:"+strconv.Itoa(i+1)+" ") {
			return
		}
	}
	t.Errorf("%s: %q is not a line with %s", src.Name, where, directive)
}

// TestDeclaredAgreesWithHAProxyWhereTheManualIsTerse holds the less known rules
// against the real proxy.
func TestDeclaredAgreesWithHAProxyWhereTheManualIsTerse(t *testing.T) {
	t.Parallel()
	const rest = "\n timeout connect 1s\n"
	for _, row := range []struct{ says, text string }{
		{"a named defaults applies to what follows it", "defaults early\n timeout tunnel 9s\ndefaults late\n mode http\n timeout client 2s\n timeout server 9s" + rest + "frontend f\n bind :80\n default_backend b\nbackend b\n server s 10.0.0.1:80\n"},
		{"a frontend's timeout tunnel is ignored", "defaults\n mode http\n timeout client 2s\n timeout server 9s" + rest + "frontend f\n timeout tunnel 9s\n bind :80\n default_backend b\nbackend b\n server s 10.0.0.1:80\n"},
		{"set-timeout tunnel beats the directive", "defaults\n mode http\n timeout client 9s\n timeout server 9s\n timeout tunnel 9s" + rest + "listen l\n bind :80\n http-request set-timeout tunnel 2s\n server s 10.0.0.1:80\n"},
		{"timeout client 0 is none, timeout server ends it", "defaults\n mode http\n timeout client 0\n timeout server 2000" + rest + "listen l\n bind :80\n server s 10.0.0.1:80\n"},
		{"fin timeouts do not count", "defaults\n mode http\n timeout client-fin 1s\n timeout server-fin 1s\n timeout tunnel 2s\n timeout client 9s\n timeout server 9s" + rest + "listen l\n bind :80\n server s 10.0.0.1:80\n"},
	} {
		t.Run(row.says, func(t *testing.T) {
			t.Parallel()
			proxytest.Need(t, "haproxy")
			src := testbed.Source{Name: "x.cfg", FileName: configName, Text: row.text, Own: true}
			_, cfg, addr := proxytest.Run(t, Driver{}, src, proxytest.StartNodes(t, 1))
			if d, err := (Driver{}).Declared(cfg, "/ws"); err != nil || d.IdleTimeout != 2 {
				t.Errorf("declared %+v, %v, want 2 s", d, err)
			}
			proxytest.Dial(t, addr, "/ws").Closed(t, "FIN", 2*time.Second)
		})
	}
}

package haproxy

import (
	"fmt"
	"os"
	"strings"
	"testing"

	"wsrig/testbed"
)

// FuzzOwnFile reads anything as a user's file: nothing panics, and a file that can be
// moved into the testbed is parsed again afterwards, clients' frontend and all.
func FuzzOwnFile(f *testing.F) {
	for _, name := range []string{"testdata/own.cfg", "testdata/idle/two-hops.cfg", "testdata/idle/tunnel-zero.cfg"} {
		text, err := os.ReadFile(name)
		if err != nil {
			f.Fatal(err)
		}
		f.Add(string(text))
	}
	f.Add("listen a\n bind :1,:2 ssl\n server s \"x y\" check port\n use_backend b if ! { path\n")
	f.Fuzz(func(t *testing.T, text string) {
		src := testbed.Source{Name: "x.cfg", FileName: configName, Text: text, Own: true}
		// Its error is a fine answer to most texts; only a panic is not.
		_, _ = Driver{}.Declared(testbed.Config{Source: src}, "/ws")
		_, _ = Driver{}.Balance(testbed.Config{Source: src}, "/ws")
		m, err := planMove(src)
		if err != nil {
			return
		}
		in := testbed.RenderInput{Ports: map[string]testbed.Port{}}
		names, err := Driver{}.Ports(src)
		if err != nil {
			t.Fatalf("planned, and then: %v", err)
		}
		for i, name := range names {
			in.Ports[name] = testbed.Port{Listen: fmt.Sprintf("127.0.0.1:%d", 10001+i)}
		}
		for i := range m.nodes {
			in.Nodes = append(in.Nodes, testbed.NodeAddr{Name: fmt.Sprintf("n%d", i), Addr: fmt.Sprintf("127.1.0.1:%d", 10001+i)})
		}
		cfg, err := Driver{}.Render(src, in)
		if err != nil {
			t.Fatalf("planned, and then: %v", err)
		}
		again, err := parse("again.cfg", cfg.Text)
		if err != nil {
			t.Fatalf("%v\n%s", err, cfg.Text)
		}
		front := again.find(m.front.name, m.front.kind)
		if front == nil || !strings.Contains(cfg.Text, in.Ports[portClients].Listen) {
			t.Fatalf("the clients' frontend is lost:\n%s", cfg.Text)
		}
	})
}

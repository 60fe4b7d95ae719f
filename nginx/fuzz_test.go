package nginx

import (
	"fmt"
	"os"
	"strings"
	"testing"

	"wsrig/testbed"
)

// FuzzOwnFile reads anything as a user's file: nothing panics, and a file that can be
// moved into the testbed is parsed again afterwards and has the clients' address.
func FuzzOwnFile(f *testing.F) {
	for _, name := range []string{"testdata/own/nginx.conf", "testdata/own/conf.d/chat.conf", "testdata/idle/read-or-send.conf"} {
		text, err := os.ReadFile(name)
		if err != nil {
			f.Fatal(err)
		}
		f.Add(string(text))
	}
	f.Add("http{server{location ~ ( {proxy_pass 'http://\\'';}}}")
	f.Fuzz(func(t *testing.T, text string) {
		if strings.Contains(text, "include") {
			return // includes read files, which is not what is fuzzed
		}
		src := testbed.Source{Name: "x.conf", FileName: configName, Text: text, Own: true}
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
			if len(in.Nodes) == 0 {
				return
			}
			t.Fatalf("planned, and then: %v", err)
		}
		if _, err := parse("again.conf", "", cfg.Text); err != nil {
			t.Fatalf("%v\n%s", err, cfg.Text)
		}
		if !strings.Contains(cfg.Text, in.Ports[portClients].Listen) {
			t.Fatalf("the clients' address is not there:\n%s", cfg.Text)
		}
	})
}

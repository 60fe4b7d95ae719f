package haproxy

import (
	"flag"
	"fmt"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"wsrig/testbed"
	"wsrig/testbed/proxytest"
)

var update = flag.Bool("update", false, "write the golden files anew")

// golden compares text with a file of testdata/golden.
func golden(t *testing.T, name, text string) {
	t.Helper()
	path := filepath.Join("testdata", "golden", name)
	if *update {
		if err := os.WriteFile(path, []byte(text), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	want, err := os.ReadFile(path)
	if err != nil {
		t.Fatalf("%v (make it with -update)", err)
	}
	if text != string(want) {
		t.Errorf("%s differs (see it with -update and git diff):\n%s", path, text)
	}
}

// fixedInput has n nodes and, for golden files, ports that never change.
func fixedInput(t *testing.T, src testbed.Source, n int) testbed.RenderInput {
	t.Helper()
	names, err := Driver{}.Ports(src)
	if err != nil {
		t.Fatal(err)
	}
	in := testbed.RenderInput{Ports: map[string]testbed.Port{}, MaxClients: 200, Dir: "/testbed/proxy"}
	for i, name := range names {
		addr := fmt.Sprintf("127.0.0.1:%d", 30001+i)
		in.Ports[name] = testbed.Port{Listen: addr, Peer: addr, Host: addr}
	}
	for i := range n {
		in.Nodes = append(in.Nodes, testbed.NodeAddr{Name: fmt.Sprintf("n%d", i+1), Addr: fmt.Sprintf("127.0.0.1:%d", 31001+i)})
	}
	return in
}

func TestShippedVariantsRenderAsTheirGoldenFiles(t *testing.T) {
	for _, name := range slices.Sorted(maps.Keys(Driver{}.Variants())) {
		src, err := Driver{}.Load(name)
		if err != nil {
			t.Fatal(err)
		}
		in := fixedInput(t, src, 2)
		in.Nodes[1].Weight = 3
		cfg, err := Driver{}.Render(src, in)
		if err != nil {
			t.Fatal(err)
		}
		if cfg.Diff != "" {
			t.Errorf("%s: a shipped variant has a diff", name)
		}
		golden(t, name+".cfg", cfg.Text)
	}
}

func TestOwnFileIsMovedIntoTheTestbedAndKeepsTheRest(t *testing.T) {
	src := own(t, "own.cfg")
	if n, err := (Driver{}).Nodes(src); n != 3 || err != nil {
		t.Errorf("Nodes = %d, %v: app1, app2 and web1; web2 has the address of app1", n, err)
	}
	in := fixedInput(t, src, 3)
	cfg, err := Driver{}.Render(src, in)
	if err != nil {
		t.Fatal(err)
	}
	golden(t, "own.cfg", cfg.Text)
	golden(t, "own.diff", cfg.Diff)
	again, err := Driver{}.Render(src, in)
	if err != nil || again.Text != cfg.Text {
		t.Errorf("rendered twice, two texts (%v)", err)
	}
}

func TestOwnFileServesAndIsCountedByNode(t *testing.T) {
	t.Parallel()
	proxytest.Need(t, "haproxy")
	inst, cfg, addr := proxytest.Run(t, Driver{}, own(t, "own.cfg"), proxytest.StartNodes(t, 3))
	clients, byNode := proxytest.DialMany(t, addr, "/ws", 4)
	if byNode["n1"] != 2 || byNode["n2"] != 2 {
		t.Errorf("clients went to %v, want two each on the servers of backend realtime", byNode)
	}
	stats, err := Driver{}.Stats(t.Context(), inst)
	if err != nil {
		t.Fatal(err)
	}
	if stats.Open != 4 || !maps.Equal(stats.ByNode, map[string]int{"n1": 2, "n2": 2, "n3": 0}) {
		t.Errorf("stats %+v, want four clients on n1 and n2", stats)
	}
	d, err := Driver{}.Declared(cfg, "/ws")
	if err != nil || d.IdleTimeout != 3600 || d.Where != "own.cfg:53 (backend realtime)" || !strings.Contains(d.Why, "smallest of 2 hops") {
		t.Errorf("declared %+v, %v", d, err)
	}
	clients[0].Conn.Close()
	wantFlags(t, inst, clients[0].Local, "--")
}

func TestOwnFilesThatCannotBeMovedSayWhy(t *testing.T) {
	const good = "defaults\n mode http\nfrontend f\n bind :80\n default_backend b\nbackend b\n server s 10.0.0.1:80\n"
	for _, row := range []struct{ says, name, text, want string }{
		{"no proxy at all", "x.cfg", "global\n daemon\n", "x.cfg: no frontend or listen section"},
		{"text before any section", "x.cfg", "bind :80\n", `x.cfg:1: "bind" stands before any section`},
		{"an open quote", "x.cfg", "global\n log \"x\n", "x.cfg:2: a quote"},
		{"a conditional block", "x.cfg", ".if defined(X)\n", "x.cfg:1: .if"},
		{"an unknown defaults", "x.cfg", "frontend f from nowhere\n", `x.cfg:1: no defaults section "nowhere"`},
		{"server-template", "x.cfg", good + " server-template s 3 x.internal:80\n", "x.cfg:8: server-template"},
		{"nbproc", "x.cfg", "global\n nbproc 4\n" + good, "x.cfg:2: nbproc"},
		{"a program", "x.cfg", good + "program p\n command true\n", "x.cfg:8: section program"},
		{"two frontends for clients", "x.cfg", good + "frontend g\n bind :81\n default_backend b\n", "2 frontends lead to servers (f, g): name the one that WebSocket clients use, as in x.cfg#f"},
		{"a frontend that is not there", "x.cfg#h", good, `no frontend "h" that leads to a server; there are: f`},
	} {
		_, err := Driver{}.Nodes(testbed.Source{Name: row.name, FileName: configName, Text: row.text, Own: true})
		if err == nil || !strings.Contains(err.Error(), row.want) {
			t.Errorf("%s: %v, want %q", row.says, err, row.want)
		}
	}
	chosen := testbed.Source{Name: "x.cfg#g", FileName: configName, Own: true, Text: good + "frontend g\n bind :81\n default_backend b\n"}
	if n, err := (Driver{}).Nodes(chosen); n != 1 || err != nil {
		t.Errorf("frontend chosen by name: %d, %v", n, err)
	}
	_, err := Driver{}.Render(chosen, fixedInput(t, chosen, 3))
	if err == nil || !strings.Contains(err.Error(), "1 server addresses (10.0.0.1:80), and the testbed has 3 nodes") {
		t.Errorf("wrong number of nodes: %v", err)
	}
	bad := fixedInput(t, chosen, 1)
	delete(bad.Ports, "hop1")
	if _, err := (Driver{}).Render(chosen, bad); err == nil || !strings.Contains(err.Error(), `port "hop1" is not reserved`) {
		t.Errorf("missing port: %v", err)
	}
}

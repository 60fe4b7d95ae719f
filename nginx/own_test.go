package nginx

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

// golden compares text with a file of testdata/golden. The folder of the test, which
// differs between machines, is written as HERE.
func golden(t *testing.T, name, text string) {
	t.Helper()
	here, err := filepath.Abs("testdata")
	if err != nil {
		t.Fatal(err)
	}
	text = strings.ReplaceAll(text, here, "HERE")
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
	in := testbed.RenderInput{Ports: map[string]testbed.Port{}, MaxClients: 200}
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
		golden(t, name+".conf", cfg.Text)
	}
}

func TestOwnFileIsMovedIntoTheTestbedAndKeepsTheRest(t *testing.T) {
	src := own(t, "own/nginx.conf")
	if n, err := (Driver{}).Nodes(src); n != 2 || err != nil {
		t.Errorf("Nodes = %d, %v: the two servers of the location that forwards Upgrade", n, err)
	}
	in := fixedInput(t, src, 2)
	cfg, err := Driver{}.Render(src, in)
	if err != nil {
		t.Fatal(err)
	}
	golden(t, "own.conf", cfg.Text)
	golden(t, "own.diff", cfg.Diff)
	again, err := Driver{}.Render(src, in)
	if err != nil || again.Text != cfg.Text {
		t.Errorf("rendered twice, two texts (%v)", err)
	}
}

func TestOwnFileServes(t *testing.T) {
	t.Parallel()
	proxytest.Need(t, "nginx")
	inst, cfg, addr := proxytest.Run(t, Driver{}, own(t, "own/nginx.conf"), proxytest.StartNodes(t, 2))
	clients, _ := proxytest.DialMany(t, addr, "/ws", 4)
	for _, c := range clients {
		if err := c.Echo("through a file of my own"); err != nil {
			t.Error(err)
		}
	}
	if stats, err := (Driver{}).Stats(t.Context(), inst); err != nil || stats.Open != 4 || stats.Processes != 2 || stats.ByNode != nil {
		t.Errorf("stats %+v, %v, want four clients and two workers", stats, err)
	}
	d, err := Driver{}.Declared(cfg, "/live")
	if err != nil || d.IdleTimeout != 90 || d.Where != "conf.d/chat.conf:11 (location ~ ^/(ws|live)$)" {
		t.Errorf("declared %+v, %v", d, err)
	}
}

func TestAHopInsideTheFileMovesWithItsServerBlock(t *testing.T) {
	t.Parallel()
	proxytest.Need(t, "nginx")
	const forward = "proxy_http_version 1.1; proxy_set_header Upgrade $http_upgrade; proxy_set_header Connection upgrade;"
	src := testbed.Source{Name: "x.conf", FileName: configName, Own: true, Text: `events {}
http {
  server { listen 443; location / { proxy_pass http://127.0.0.1:8081; proxy_read_timeout 1h; ` + forward + ` } }
  server { listen 8081; location / { proxy_pass http://10.0.0.1:3000; proxy_read_timeout 2s; ` + forward + ` } }
}
`}
	if ports, err := (Driver{}).Ports(src); err != nil || !slices.Equal(ports, []string{"ws", "admin", "hop1"}) {
		t.Errorf("ports %v, %v", ports, err)
	}
	_, cfg, addr := proxytest.Run(t, Driver{}, src, proxytest.StartNodes(t, 1))
	d, err := Driver{}.Declared(cfg, "/ws")
	if err != nil || d.IdleTimeout != 2 || d.Where != "x.conf:4 (location /)" || !strings.Contains(d.Why, "smallest of 2 hops") {
		t.Errorf("declared %+v, %v", d, err)
	}
	proxytest.Dial(t, addr, "/ws").Closed(t, "FIN", 2e9)
}

func TestOwnFilesThatCannotBeMovedSayWhy(t *testing.T) {
	const server = "server { listen 80; server_name a; location / { proxy_pass http://10.0.0.1; } }\n"
	for _, row := range []struct{ says, name, text, want string }{
		{"an open block", "x.conf", "http {\n", "x.conf:2: the file ends inside http"},
		{"a missing semicolon", "x.conf", "events {}\nhttp { access_log off }", "x.conf:2: access_log is not ended by ;"},
		{"an open quote", "x.conf", "\n\nuser 'x;", "x.conf:3: a quote ' is not closed"},
		{"too many blocks", "x.conf", strings.Repeat("a {", 200), "x.conf:1: blocks nest more than 100 deep"},
		{"no http", "x.conf", "events {}", "x.conf: want one http block"},
		{"a missing include", "x.conf", "include nowhere.conf;", "x.conf:1: include nowhere.conf: there is no file"},
		{"a stream", "x.conf", "http {" + server + "}\nstream {}", "x.conf:3: a stream block is not supported"},
		{"no proxy", "x.conf", "http { server { listen 80; } }", "no server block has a location with proxy_pass"},
		{"two server blocks for clients", "x.conf", "http {" + server + strings.Replace(server, "name a", "name b", 1) + "}", "2 server blocks proxy (a, b): name the one that WebSocket clients use, as in x.conf#a"},
		{"a server block that is not there", "x.conf#c", "http {" + server + "}", `no server block "c" that proxies; there are: a`},
		{"an address from a variable", "x.conf", "http { server { location / { proxy_pass http://$up; } } }", "x.conf:1: proxy_pass http://$up: an address from a variable"},
		{"a loop", "x.conf#b", "http { server { listen 80; server_name b; location / { proxy_pass http://127.0.0.1:81; } }\nserver { listen 81; location / { proxy_pass http://127.0.0.1:81; } } }", "x.conf:2: this server block passes requests back to itself"},
	} {
		_, err := Driver{}.Nodes(testbed.Source{Name: row.name, FileName: configName, Text: row.text, Own: true})
		if err == nil || !strings.Contains(err.Error(), row.want) {
			t.Errorf("%s: %v, want %q", row.says, err, row.want)
		}
	}
	chosen := testbed.Source{Name: "x.conf#b", FileName: configName, Own: true, Text: "http {" + server + strings.Replace(server, "name a", "name b", 1) + "}"}
	_, err := Driver{}.Render(chosen, fixedInput(t, chosen, 3))
	if err == nil || !strings.Contains(err.Error(), "1 upstream addresses (10.0.0.1:80), and the testbed has 3 nodes") {
		t.Errorf("wrong number of nodes: %v", err)
	}
}

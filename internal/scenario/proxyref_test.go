package scenario_test

import (
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"testing"

	"wsrig/internal/scenario"
)

func TestOwnFiles(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	const (
		haproxy = "# my proxy, once an http { } of nginx\nglobal\n  maxconn 10\nfrontend in\n  bind :80\n"
		nginx   = "events {}\nhttp { server { listen 80; } }\n"
	)
	for name, text := range map[string]string{
		"edge.cfg": haproxy, "edge.conf": nginx, "swapped.conf": haproxy, "site/proxy": nginx,
		"haproxy.txt": "include other\n", "plain.cfg": "include other\n", "plain.conf": "include other\n", "none.txt": "hello\n", "blank.cfg": " \n",
	} {
		path := filepath.Join(dir, name)
		if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(path, []byte(text), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	if err := syscall.Mkfifo(filepath.Join(dir, "pipe.cfg"), 0o644); err != nil {
		t.Fatal(err)
	}
	for _, row := range []struct{ sentence, spec, want string }{
		{"told by its text and suffix", "DIR/edge.cfg", "haproxy:DIR/edge.cfg"},
		{"told by its text and suffix", "DIR/edge.conf", "nginx:DIR/edge.conf"},
		{"the text outweighs the suffix", "DIR/swapped.conf", "haproxy:DIR/swapped.conf"},
		{"told by its text alone", "DIR/site/proxy", "nginx:DIR/site/proxy"},
		{"told by its name", "DIR/haproxy.txt", "haproxy:DIR/haproxy.txt"},
		{"told by its suffix", "DIR/plain.cfg", "haproxy:DIR/plain.cfg"},
		{"told by its suffix", "DIR/plain.conf", "nginx:DIR/plain.conf"},
		{"said outright", "nginx:DIR/none.txt", "nginx:DIR/none.txt"},
		{"not to be told", "DIR/none.txt", "--proxy DIR/none.txt: DIR/none.txt does not tell which proxy it is for; write DRIVER:DIR/none.txt with one of haproxy, nginx"},
		{"an unknown driver", "ngnix:DIR/none.txt", `--proxy ngnix:DIR/none.txt: there is no driver "ngnix" for DIR/none.txt; did you mean "nginx"?`},
		{"an empty file", "DIR/blank.cfg", "--proxy DIR/blank.cfg: the proxy's configuration DIR/blank.cfg is empty"},
		{"a folder", "haproxy:DIR/site", "--proxy haproxy:DIR/site: the proxy's configuration DIR/site is not a regular file; give the file itself"},
		{"a pipe that nobody writes to is not waited for", "DIR/pipe.cfg", "--proxy DIR/pipe.cfg: the proxy's configuration DIR/pipe.cfg is not a regular file; give the file itself"},
	} {
		plan, err := scenario.Load("f", []byte("name: x\nsummary: y\n"+steps("connect: {clients: 1}")),
			scenario.Options{Proxies: []string{strings.ReplaceAll(row.spec, "DIR", dir)}, Catalog: shelf{}})
		var got string
		if err != nil {
			got = err.Error()
		} else {
			got = plan.Cells[0].Proxy.String()
		}
		if want := strings.ReplaceAll(row.want, "DIR", dir); got != want {
			t.Errorf("%s: %s\n got %s\nwant %s", row.sentence, row.spec, got, want)
		}
	}
}

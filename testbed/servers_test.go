package testbed_test

import (
	"context"
	"fmt"
	"io"
	"net"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"

	"wsrig/testbed"
)

// patience is how long anything may take that is not a wait by itself.
const patience = 20 * time.Second

// need skips the test when a program is not installed; in CI that is a failure.
func need(t *testing.T, binaries ...string) {
	t.Helper()
	for _, b := range binaries {
		if _, err := exec.LookPath(b); err != nil {
			if os.Getenv("CI") != "" {
				t.Fatalf("%s must be installed in CI: %v", b, err)
			}
			t.Skipf("%s is not installed", b)
		}
	}
}

func newRuntime(t *testing.T) *testbed.ProcessRuntime {
	t.Helper()
	rt, err := testbed.NewProcessRuntime("", filepath.Join(t.TempDir(), "logs"))
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		work, err := rt.Dir("x")
		if err != nil {
			t.Error(err)
		}
		ctx, cancel := context.WithTimeout(context.Background(), patience)
		defer cancel()
		if err := rt.Close(ctx); err != nil {
			t.Errorf("Close: %v", err)
		}
		nothingRunsIn(t, filepath.Dir(work))
	})
	return rt
}

// nothingRunsIn checks that no process works below a directory, which is how units
// of one runtime are told from those of tests that run at the same time.
func nothingRunsIn(t *testing.T, dir string) {
	t.Helper()
	for _, p := range runningIn(t, dir) {
		t.Errorf("left in %s: process %s", dir, p)
	}
}

func runningIn(t *testing.T, dir string) (processes []string) {
	t.Helper()
	links, err := filepath.Glob("/proc/[0-9]*/cwd")
	if err != nil {
		t.Fatal(err)
	}
	for _, l := range links {
		// A removed directory is shown with "(deleted)" behind it.
		if cwd, err := os.Readlink(l); err == nil && strings.HasPrefix(cwd, dir) {
			proc := filepath.Dir(l)
			args, _ := os.ReadFile(filepath.Join(proc, "cmdline"))
			processes = append(processes, fmt.Sprintf("%s %q", filepath.Base(proc), args))
		}
	}
	return processes
}

func testContext(t *testing.T) context.Context {
	ctx, cancel := context.WithTimeout(t.Context(), patience)
	t.Cleanup(cancel)
	return ctx
}

func reserve(t *testing.T, rt testbed.Runtime, unit string, number int) testbed.Port {
	t.Helper()
	ports, err := rt.Reserve(t.Context(), unit, map[string]int{"main": number})
	if err != nil {
		t.Fatal(err)
	}
	return ports["main"]
}

func number(t *testing.T, addr string) int {
	t.Helper()
	_, p, err := net.SplitHostPort(addr)
	if err != nil {
		t.Fatal(err)
	}
	n, err := strconv.Atoi(p)
	if err != nil {
		t.Fatal(err)
	}
	return n
}

// server is a real program that binds one port.
type server struct {
	binary string
	unit   func(port testbed.Port) testbed.Unit
	reload testbed.Signal // "" if it has none
	reply  func(context.Context, string) error
}

var servers = map[string]server{
	"redis":   {binary: "redis-server", unit: redisUnit, reply: redisReplies},
	"nginx":   {binary: "nginx", unit: nginxUnit, reload: testbed.SigHup, reply: httpReplies},
	"haproxy": {binary: "haproxy", unit: haproxyUnit, reload: testbed.SigUsr2, reply: httpReplies},
}

func redisUnit(port testbed.Port) testbed.Unit {
	host, p, _ := net.SplitHostPort(port.Listen)
	return testbed.Unit{
		Binary: "redis-server", Args: []string{"--bind", host, "--port", p, "--save", "", "--appendonly", "no"},
	}
}

func nginxUnit(port testbed.Port) testbed.Unit {
	conf := fmt.Sprintf(`daemon off; pid nginx.pid; error_log stderr; worker_processes 2;
events { worker_connections 64; }
http {
	access_log off;
	client_body_temp_path t1; proxy_temp_path t2; fastcgi_temp_path t3; uwsgi_temp_path t4; scgi_temp_path t5;
	server { listen %s; location / { return 200 "ok"; } }
}
`, port.Listen)
	return testbed.Unit{
		Binary: "nginx", Args: []string{"-p", ".", "-e", "stderr", "-c", "nginx.conf"},
		Files: []testbed.File{{Name: "nginx.conf", Data: []byte(conf)}},
	}
}

func haproxyUnit(port testbed.Port) testbed.Unit {
	conf := fmt.Sprintf(`defaults
	mode http
	timeout client 5s
	timeout server 5s
	timeout connect 5s
frontend f
	bind %s
	http-request return status 200 content-type text/plain string ok
`, port.Listen)
	return testbed.Unit{
		Binary: "haproxy", Args: []string{"-W", "-f", "haproxy.cfg"},
		Files: []testbed.File{{Name: "haproxy.cfg", Data: []byte(conf)}},
	}
}

// launch starts a real server on a reserved port of rt.
func launch(ctx context.Context, rt testbed.Runtime, name string, port testbed.Port) (testbed.Instance, error) {
	s := servers[name]
	u := s.unit(port)
	u.Name, u.Ports, u.StopGrace = name, map[string]testbed.Port{"main": port}, 5*time.Second
	u.Ready = func(ctx context.Context, _ testbed.Instance) error { return s.reply(ctx, port.Host) }
	return rt.Start(ctx, u)
}

func startServer(t *testing.T, rt testbed.Runtime, name string, port testbed.Port) testbed.Instance {
	t.Helper()
	inst, err := launch(testContext(t), rt, name, port)
	if err != nil {
		t.Fatal(err)
	}
	return inst
}

func httpReplies(ctx context.Context, addr string) error {
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, "http://"+addr+"/", nil)
	if err != nil {
		return err
	}
	req.Close = true
	resp, err := http.DefaultClient.Do(req)
	if err != nil {
		return err
	}
	defer resp.Body.Close()
	if body, err := io.ReadAll(resp.Body); err != nil || string(body) != "ok" {
		return fmt.Errorf("got %s, %q, %v", resp.Status, body, err)
	}
	return nil
}

func redisReplies(ctx context.Context, addr string) error {
	conn, err := new(net.Dialer).DialContext(ctx, "tcp", addr)
	if err != nil {
		return err
	}
	defer conn.Close()
	conn.SetDeadline(time.Now().Add(patience))
	if _, err := io.WriteString(conn, "PING\r\n"); err != nil {
		return err
	}
	reply := make([]byte, len("+PONG\r\n"))
	if _, err := io.ReadFull(conn, reply); err != nil || string(reply) != "+PONG\r\n" {
		return fmt.Errorf("got %q, %v", reply, err)
	}
	return nil
}

// workers are the child processes of an instance's first process.
func workers(t *testing.T, inst testbed.Instance) []string {
	t.Helper()
	pid := strconv.Itoa(inst.PID())
	list, err := os.ReadFile("/proc/" + pid + "/task/" + pid + "/children")
	if err != nil {
		t.Fatal(err)
	}
	return strings.Fields(string(list))
}

// eventually polls, since neither a kernel nor a proxy tells when it is done.
func eventually(t *testing.T, what string, ok func() bool) {
	t.Helper()
	for end := time.Now().Add(patience); !ok(); time.Sleep(5 * time.Millisecond) {
		if time.Now().After(end) {
			t.Fatalf("still not after %s: %s", patience, what)
		}
	}
}

// reload reloads a server and returns when none of its old workers is left. A signal
// that meets a HAProxy master which still starts is lost, so it is sent again.
func reload(t *testing.T, inst testbed.Instance, s server) {
	t.Helper()
	old := workers(t, inst)
	if len(old) == 0 {
		t.Fatalf("%s has no workers to replace", inst.Unit().Name)
	}
	var sent time.Time
	eventually(t, inst.Unit().Name+" has new workers only", func() bool {
		now := workers(t, inst)
		if slices.Equal(now, old) && time.Since(sent) > time.Second {
			if err := inst.Signal(s.reload); err != nil {
				t.Error(err)
			}
			sent = time.Now()
		}
		return len(now) == len(old) && !slices.ContainsFunc(now, func(pid string) bool { return slices.Contains(old, pid) })
	})
}

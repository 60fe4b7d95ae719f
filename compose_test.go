package wsrig_test

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"maps"
	"net"
	"net/http"
	"os"
	"os/exec"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/gorilla/websocket"
)

// composePatience bounds each command and each wait of a test with containers.
const composePatience = 2 * time.Minute

// TestComposeUp brings compose.yaml up as a person would, with each proxy: clients are
// spread over the nodes in turn and are one chat, a node that is stopped says goodbye
// and is left out, and takes part again once it is started.
func TestComposeUp(t *testing.T) {
	compose := needCompose(t)
	image := packImage(t)
	for _, profile := range []string{"haproxy", "nginx"} {
		t.Run(profile, func(t *testing.T) {
			p := composeUp(t, compose, image, profile)
			nodes := p.spread(t, 8)
			if want := map[string]int{"n1": 2, "n2": 2, "n3": 2, "n4": 2}; !maps.Equal(nodes, want) {
				t.Errorf("eight clients are on %v, want two on each node", nodes)
			}
			p.checkContainers(t)
			p.checkPage(t)
			p.checkChat(t)

			second := p.joinOn(t, "n2")
			p.run(t, "stop", "n2")
			if code := closeCode(t, second); code != websocket.CloseServiceRestart {
				t.Errorf("the client of the stopped node got close code %d, want %d", code, websocket.CloseServiceRestart)
			}
			if nodes := p.spread(t, 6); nodes["n2"] != 0 || len(nodes) != 3 {
				t.Errorf("with n2 stopped six clients are on %v, want them on the other three", nodes)
			}
			p.run(t, "start", "n2")
			p.joinOn(t, "n2")
		})
	}
}

// needCompose returns the command of compose. Without Docker the test is skipped; where
// Docker is, CI must not skip it.
func needCompose(t *testing.T) []string {
	t.Helper()
	skip := t.Skipf
	if os.Getenv("CI") != "" {
		skip = t.Fatalf
	}
	if _, err := exec.LookPath("docker"); err != nil {
		t.Skip("docker is not installed")
	}
	if out, err := exec.CommandContext(t.Context(), "docker", "info").CombinedOutput(); err != nil {
		skip("docker does not answer: %v\n%s", err, out)
	}
	for _, c := range [][]string{{"docker", "compose"}, {"docker-compose"}} {
		if exec.CommandContext(t.Context(), c[0], append(c[1:], "version")...).Run() == nil {
			return c
		}
	}
	skip("neither docker compose nor docker-compose is installed")
	return nil
}

// packImage makes the image of this tree with make image, and removes it at the end.
func packImage(t *testing.T) string {
	t.Helper()
	image := fmt.Sprintf("wsrig-test:%d", os.Getpid())
	ctx, cancel := context.WithTimeout(t.Context(), 2*composePatience)
	defer cancel()
	if out, err := exec.CommandContext(ctx, "make", "image", "IMAGE="+image).CombinedOutput(); err != nil {
		t.Fatalf("make image: %v\n%s", err, out)
	}
	t.Cleanup(func() { docker(t, "rmi", "--force", image) })
	var conf []struct {
		Config struct {
			User        string
			Entrypoint  []string
			Healthcheck struct{ Test []string }
		}
		RootFS struct{ Layers []string }
	}
	if err := json.Unmarshal([]byte(docker(t, "image", "inspect", image)), &conf); err != nil || len(conf) != 1 {
		t.Fatalf("%d images, %v", len(conf), err)
	}
	c := conf[0].Config
	if c.User != "65534:65534" || !slices.Equal(c.Entrypoint, []string{"/wsrig"}) || !slices.Contains(c.Healthcheck.Test, "healthcheck") {
		t.Errorf("the image runs as %q, %q, and is checked by %q", c.User, c.Entrypoint, c.Healthcheck.Test)
	}
	if n := len(conf[0].RootFS.Layers); n != 1 {
		t.Errorf("the image has %d layers, want the binary alone", n)
	}
	return image
}

// docker runs a docker command of a few seconds and returns what it prints.
func docker(t *testing.T, args ...string) string {
	t.Helper()
	ctx, cancel := context.WithTimeout(context.WithoutCancel(t.Context()), composePatience)
	defer cancel()
	out, err := exec.CommandContext(ctx, "docker", args...).Output()
	if err != nil {
		var exit *exec.ExitError
		errors.As(err, &exit)
		t.Errorf("docker %s: %v\n%s", strings.Join(args, " "), err, exit.Stderr)
	}
	return string(out)
}

// project is a running compose project.
type project struct {
	command []string
	name    string
	env     []string
	addr    string
}

// composeUp starts the project and ends it with the test, which fails if anything of it
// is left then.
func composeUp(t *testing.T, compose []string, image, profile string) *project {
	t.Helper()
	p := &project{command: compose, name: fmt.Sprintf("wsrigtest%d%s", os.Getpid(), profile), addr: freeAddr(t)}
	_, port, _ := net.SplitHostPort(p.addr)
	p.env = append(os.Environ(), "WSRIG_IMAGE="+image, "WSRIG_PORT="+port, "COMPOSE_PROFILES="+profile,
		"REDIS_IMAGE="+imageOf(t, "redis", "redis:7.4-alpine"))
	switch profile {
	case "haproxy":
		p.env = append(p.env, "HAPROXY_IMAGE="+imageOf(t, "haproxy", "haproxy:3.2-alpine"))
	case "nginx":
		p.env = append(p.env, "NGINX_IMAGE="+imageOf(t, "nginx", "nginx:1.28-alpine"))
	}
	t.Cleanup(func() {
		if t.Failed() {
			t.Logf("the containers' logs:\n%s", p.run(t, "logs", "--no-color", "--tail", "20"))
		}
		p.run(t, "down", "--volumes", "--timeout", "2")
		label := "label=com.docker.compose.project=" + p.name
		for _, kind := range [][]string{{"ps", "--all", "--quiet"}, {"network", "ls", "--quiet"}, {"volume", "ls", "--quiet"}} {
			if left := docker(t, append(kind, "--filter", label)...); left != "" {
				t.Errorf("docker %s: left behind: %s", kind[0], left)
			}
		}
	})
	p.run(t, "up", "--detach", "--no-build")
	return p
}

// imageOf is what is on this machine: what the variable of compose.yaml names, the
// default, or the stand-in that testbed/standin/build.sh makes.
func imageOf(t *testing.T, name, official string) string {
	t.Helper()
	if image := os.Getenv(strings.ToUpper(name) + "_IMAGE"); image != "" {
		return image
	}
	for _, image := range []string{official, "wsrig-standin/" + name + ":latest"} {
		if exec.CommandContext(t.Context(), "docker", "image", "inspect", image).Run() == nil {
			return image
		}
	}
	if os.Getenv("CI") == "" {
		t.Skipf("there is no image %s; pull it, or make a stand-in with testbed/standin/build.sh", official)
	}
	return official // compose pulls it, or fails
}

// freeAddr is an address that nobody uses now. Docker binds it itself, so it cannot be held.
func freeAddr(t *testing.T) string {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	return l.Addr().String()
}

func (p *project) run(t *testing.T, args ...string) string {
	t.Helper()
	ctx, cancel := context.WithTimeout(context.WithoutCancel(t.Context()), composePatience)
	defer cancel()
	all := slices.Concat(p.command[1:], []string{"--project-name", p.name}, args)
	cmd := exec.CommandContext(ctx, p.command[0], all...)
	cmd.Env = p.env
	out, err := cmd.CombinedOutput()
	if err != nil {
		t.Errorf("%s %s: %v\n%s", p.command[0], strings.Join(all, " "), err, out)
	}
	return string(out)
}

// join connects a client, trying until the proxy takes one, and returns its node.
func (p *project) join(t *testing.T) (*websocket.Conn, string) {
	t.Helper()
	url := "ws://" + p.addr + "/ws?room=lobby"
	for deadline := time.Now().Add(composePatience); ; time.Sleep(100 * time.Millisecond) {
		ws, resp, err := websocket.DefaultDialer.Dial(url, nil)
		if err == nil {
			t.Cleanup(func() { ws.Close() })
			return ws, resp.Header.Get("X-Chat-Node")
		}
		if time.Now().After(deadline) {
			t.Fatalf("no handshake succeeds at %s: %v", url, err)
		}
	}
}

// spread connects clients, after a first one that waits for the proxy, and counts them
// by their node.
func (p *project) spread(t *testing.T, clients int) map[string]int {
	t.Helper()
	p.join(t)
	nodes := map[string]int{}
	for range clients {
		_, node := p.join(t)
		nodes[node]++
	}
	return nodes
}

// joinOn connects clients until one is on the node.
func (p *project) joinOn(t *testing.T, node string) *websocket.Conn {
	t.Helper()
	for deadline := time.Now().Add(composePatience); time.Now().Before(deadline); time.Sleep(100 * time.Millisecond) {
		ws, on := p.join(t)
		if on == node {
			return ws
		}
		ws.Close()
	}
	t.Fatalf("no client came to node %s", node)
	return nil
}

// checkChat has a client on one node speak and one on another hear.
func (p *project) checkChat(t *testing.T) {
	t.Helper()
	a, b := p.joinOn(t, "n1"), p.joinOn(t, "n3")
	if err := a.WriteMessage(websocket.TextMessage, []byte("across")); err != nil {
		t.Fatal(err)
	}
	_ = b.SetReadDeadline(time.Now().Add(composePatience))
	_, frame, err := b.ReadMessage()
	var m struct{ Node, Body string }
	if err != nil || json.Unmarshal(frame, &m) != nil || m.Node != "n1" || m.Body != "across" {
		t.Errorf("the client of n3 heard %s, %v", frame, err)
	}
}

// checkPage reads the page and the statistics through the proxy.
func (p *project) checkPage(t *testing.T) {
	t.Helper()
	for path, want := range map[string]string{"/": "<title>wsrig chat</title>", "/proxy": ""} {
		client := http.Client{Timeout: composePatience}
		resp, err := client.Get("http://" + p.addr + path)
		if err != nil {
			t.Fatal(err)
		}
		body, err := io.ReadAll(resp.Body)
		resp.Body.Close()
		if err != nil || resp.StatusCode != http.StatusOK || !strings.Contains(string(body), want) {
			t.Errorf("%s answers %s, %v: %.300s", path, resp.Status, err, body)
		}
	}
}

// checkContainers looks at every container: nothing runs as root, nothing but the proxy
// is published, and that on 127.0.0.1 only.
func (p *project) checkContainers(t *testing.T) {
	t.Helper()
	ids := strings.Fields(docker(t, "ps", "--quiet", "--filter", "label=com.docker.compose.project="+p.name))
	if len(ids) != 6 {
		t.Fatalf("%d containers run, want redis, four nodes and the proxy", len(ids))
	}
	var all []struct {
		Name       string
		Config     struct{ User string }
		HostConfig struct {
			ReadonlyRootfs bool
			PortBindings   map[string][]struct{ HostIP string }
		}
	}
	if err := json.Unmarshal([]byte(docker(t, append([]string{"inspect"}, ids...)...)), &all); err != nil {
		t.Fatal(err)
	}
	published := 0
	for _, c := range all {
		if user, _, _ := strings.Cut(c.Config.User, ":"); user == "" || user == "0" || user == "root" {
			t.Errorf("%s runs as %q", c.Name, c.Config.User)
		}
		if !c.HostConfig.ReadonlyRootfs {
			t.Errorf("%s can write to its root file system", c.Name)
		}
		for port, bindings := range c.HostConfig.PortBindings {
			for _, b := range bindings {
				if published++; b.HostIP != "127.0.0.1" {
					t.Errorf("%s publishes %s on %q", c.Name, port, b.HostIP)
				}
			}
		}
	}
	if published != 1 {
		t.Errorf("%d ports are published, want that of the proxy", published)
	}
}

// closeCode reads until the connection ends; 0 is an end without a close frame.
func closeCode(t *testing.T, ws *websocket.Conn) int {
	t.Helper()
	_ = ws.SetReadDeadline(time.Now().Add(composePatience))
	for {
		if _, _, err := ws.ReadMessage(); err != nil {
			var ce *websocket.CloseError
			if errors.As(err, &ce) {
				return ce.Code
			}
			t.Logf("the connection ended with %v", err)
			return 0
		}
	}
}

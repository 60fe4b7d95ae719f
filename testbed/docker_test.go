package testbed_test

import (
	"cmp"
	"context"
	"io"
	"net"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"wsrig/testbed"
	"wsrig/testbed/dockertest"
	"wsrig/testbed/runtimetest"
)

// docker connects with the stand-in images and a static build of this test's program.
func docker(t *testing.T) *testbed.Docker {
	t.Helper()
	dockertest.Need(t)
	return dockertest.Connect(t, dockertest.Build(t, "test", "-c", "."))
}

func TestDockerRuntimeConforms(t *testing.T) {
	d := docker(t)
	runtimetest.Conformance(t, func(t *testing.T, logDir string) (testbed.Runtime, error) {
		return d.NewRuntime(t.Context(), logDir)
	})
}

// dockerRuntime is a runtime for one test, closed at its end.
func dockerRuntime(t *testing.T, d *testbed.Docker) *testbed.DockerRuntime {
	t.Helper()
	rt, err := d.NewRuntime(t.Context(), filepath.Join(t.TempDir(), "logs"))
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		ctx, cancel := context.WithTimeout(context.Background(), patience)
		defer cancel()
		if err := rt.Close(ctx); err != nil {
			t.Error(err)
		}
	})
	return rt
}

// startRedis starts the Redis of the stand-in image, in a network that it could share
// unless that is "".
func startRedis(t *testing.T, rt testbed.Runtime, network string) testbed.Instance {
	t.Helper()
	ports, err := rt.Reserve(t.Context(), cmp.Or(network, "redis"), map[string]int{"redis": 0})
	if err != nil {
		t.Fatal(err)
	}
	_, number, err := net.SplitHostPort(ports["redis"].Listen)
	if err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithTimeout(t.Context(), patience)
	defer cancel()
	inst, err := rt.Start(ctx, testbed.Unit{
		Name: "redis", Role: testbed.RoleRedis, Network: network, Binary: "redis-server", Ports: ports, StopGrace: patience,
		Args:  []string{"--port", number, "--bind", "0.0.0.0", "--save", "", "--protected-mode", "no"},
		Ready: func(_ context.Context, inst testbed.Instance) error { return ping(inst.Unit().Ports["redis"].Host) },
	})
	if err != nil {
		t.Fatal(err)
	}
	return inst
}

// ping has Redis answer, at most a second later.
func ping(addr string) error {
	conn, err := net.DialTimeout("tcp", addr, time.Second)
	if err != nil {
		return err
	}
	defer conn.Close()
	if err := conn.SetDeadline(time.Now().Add(time.Second)); err != nil {
		return err
	}
	if _, err := conn.Write([]byte("PING\r\n")); err != nil {
		return err
	}
	_, err = conn.Read(make([]byte, 16))
	return err
}

func TestPortsAreOnLoopbackOnly(t *testing.T) {
	inst := startRedis(t, dockerRuntime(t, docker(t)), "")
	host := inst.Unit().Ports["redis"].Host
	if err := ping(host); err != nil {
		t.Fatalf("it does not serve on %s: %v", host, err)
	}
	_, number, err := net.SplitHostPort(host)
	if err != nil {
		t.Fatal(err)
	}
	addrs, err := net.InterfaceAddrs()
	if err != nil {
		t.Fatal(err)
	}
	tried := 0
	for _, a := range addrs {
		ip := a.(*net.IPNet).IP
		if ip.IsLoopback() || ip.To4() == nil {
			continue
		}
		tried++
		if conn, err := net.DialTimeout("tcp", net.JoinHostPort(ip.String(), number), time.Second); err == nil {
			conn.Close()
			t.Errorf("port %s is open on %s too", number, ip)
		}
	}
	if tried == 0 {
		t.Error("this machine has no other address to try, not even that of the private network")
	}
	// What the daemon itself says.
	out, err := exec.CommandContext(t.Context(), "docker", "ps", "--filter", "publish="+number, "--format", "{{.Ports}}").CombinedOutput()
	if err != nil {
		t.Fatalf("docker ps: %v\n%s", err, out)
	}
	if got := strings.TrimSpace(string(out)); got != "127.0.0.1:"+number+"->"+number+"/tcp" {
		t.Errorf("published: %q", got)
	}
}

func TestADisconnectedUnitIsBackWithItsAddress(t *testing.T) {
	rt := dockerRuntime(t, docker(t))
	inst := startRedis(t, rt, "")
	unit, ok := inst.(testbed.Networked)
	if !ok {
		t.Fatal("a container cannot be disconnected")
	}
	addr := inst.Unit().Ports["redis"]
	conn, err := net.DialTimeout("tcp", addr.Peer, time.Second)
	if err != nil {
		t.Skipf("the private network cannot be reached from here: %v", err)
	}
	defer conn.Close()
	ctx, cancel := context.WithTimeout(t.Context(), patience)
	defer cancel()
	if err := unit.Disconnect(ctx); err != nil {
		t.Fatal(err)
	}
	for _, a := range []string{addr.Host, addr.Peer} {
		if err := ping(a); err == nil {
			t.Errorf("%s answers although the unit is disconnected", a)
		}
	}
	if inst.Exit() != nil {
		t.Errorf("the disconnected unit has ended: %v", inst.Exit())
	}
	if err := unit.Reconnect(ctx); err != nil {
		t.Fatal(err)
	}
	for _, a := range []string{addr.Host, addr.Peer} {
		if err := ping(a); err != nil {
			t.Errorf("%s after the reconnect: %v", a, err)
		}
	}
	// The connection from before was not closed, and goes on.
	if err := conn.SetDeadline(time.Now().Add(patience)); err != nil {
		t.Fatal(err)
	}
	if _, err := conn.Write([]byte("PING\r\n")); err != nil {
		t.Fatal(err)
	}
	if _, err := conn.Read(make([]byte, 16)); err != nil {
		t.Errorf("the connection from before the disconnect: %v", err)
	}
}

func TestADynamicProgramIsRefused(t *testing.T) {
	d := dockertest.Connect(t, "/bin/sh")
	rt := dockerRuntime(t, d)
	err := rt.Lookup(t.Context(), testbed.Unit{Name: "n1", Binary: testbed.Self})
	if err == nil || !strings.Contains(err.Error(), "dynamically") || !strings.Contains(err.Error(), "make build") {
		t.Errorf("got %v, want the reason and the fix", err)
	}
}

func TestAnImageThatIsNotThere(t *testing.T) {
	d := docker(t)
	rt := dockerRuntime(t, d)
	unit := testbed.Unit{Name: "proxy", Binary: "haproxy", Image: "wsrig-no-such-image:1"}
	if err := rt.Lookup(t.Context(), unit); err == nil || !strings.Contains(err.Error(), unit.Image) {
		t.Errorf("an image that is not there: %v", err)
	}
	// Nothing listens on port 1. What --image takes is not the image's own name.
	unit = testbed.Unit{Name: "proxy", Binary: "haproxy", Image: "127.0.0.1:1/team/lts:3"}
	err := d.Provide(t.Context(), []testbed.Unit{unit}, io.Discard)
	if err == nil || !strings.Contains(err.Error(), "pull "+unit.Image) || !strings.Contains(err.Error(), "--image haproxy=IMAGE") {
		t.Errorf("an image that cannot be pulled: %v", err)
	}
	unit = testbed.Unit{Name: "proxy", Binary: "wsrig-no-such-program", Image: dockertest.Images(t)["haproxy"]}
	if _, err := rt.Run(t.Context(), unit, ""); err == nil || !strings.Contains(err.Error(), "does not have it") {
		t.Errorf("a program that the image lacks: %v", err)
	}
	unit = testbed.Unit{Name: "proxy", Binary: "/usr/sbin/haproxy"}
	if err := rt.Lookup(t.Context(), unit); err == nil || !strings.Contains(err.Error(), "--runtime process") {
		t.Errorf("a program of this machine: %v", err)
	}
}

func TestUnitsEndWithTheirNetwork(t *testing.T) {
	rt := dockerRuntime(t, docker(t))
	inst := startRedis(t, rt, "pair")
	ctx, cancel := context.WithTimeout(t.Context(), patience)
	defer cancel()
	_, number, err := net.SplitHostPort(inst.Unit().Ports["redis"].Listen)
	if err != nil {
		t.Fatal(err)
	}
	out, err := exec.CommandContext(ctx, "docker", "ps", "--quiet", "--filter", "publish="+number).Output()
	keeper := strings.TrimSpace(string(out))
	if err != nil || keeper == "" {
		t.Fatalf("no container publishes port %s (%v)", number, err)
	}
	if out, err := exec.CommandContext(ctx, "docker", "kill", keeper).CombinedOutput(); err != nil {
		t.Fatalf("docker kill: %v\n%s", err, out)
	}
	select {
	case <-inst.Done():
	case <-ctx.Done():
		t.Fatal("the unit goes on without a network")
	}
	if e := inst.Exit(); e.Asked || !strings.Contains(e.Error(), "the network of redis is gone: pair ended: signal: killed") {
		t.Errorf("it ended like this: %v", e)
	}
}

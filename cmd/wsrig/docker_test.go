package main

import (
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"testing"

	"wsrig/testbed/dockertest"
)

// inDocker is a static wsrig and the environment to run it in, with the images of
// dockertest.
func inDocker(t *testing.T, tmp string) (wsrig string, env []string) {
	t.Helper()
	var images []string
	for name, image := range dockertest.Images(t) {
		images = append(images, name+"="+image)
	}
	return dockertest.Build(t, "build", "."), append(os.Environ(), "TMPDIR="+tmp, imagesVariable+"="+strings.Join(images, ","))
}

// scratch is a working directory with a scenario in it, and a folder for temporary files.
func scratch(t *testing.T, text string) (dir, tmp string) {
	t.Helper()
	dir = t.TempDir()
	tmp = filepath.Join(dir, "tmp")
	if err := os.MkdirAll(tmp, 0o755); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(filepath.Join(dir, "interrupted.yaml"), []byte(text), 0o644); err != nil {
		t.Fatal(err)
	}
	return dir, tmp
}

// runIn runs a command to its end and wants one of the exit codes.
func runIn(t *testing.T, dir string, env []string, codes, name string, args ...string) string {
	t.Helper()
	cmd := exec.CommandContext(t.Context(), name, args...)
	cmd.Dir, cmd.Env = dir, env
	out, err := cmd.CombinedOutput()
	if cmd.ProcessState == nil {
		t.Fatal(err)
	}
	if code := cmd.ProcessState.ExitCode(); !slices.Contains(strings.Split(codes, ","), strconv.Itoa(code)) {
		t.Fatalf("%s: exit code %d, want %s; it printed:\n%s", strings.Join(args, " "), code, codes, out)
	}
	return string(out)
}

// everyFault is a short scenario with each kind of fault, for a runtime that can do all.
const everyFault = `name: every-fault
summary: Does the testbed survive what is done to it?
testbed: {nodes: 2, bus: redis, node_memory: 256MiB, proxy_cpu: 100%}
steps:
  - connect: {clients: 20, rate: 50/s, rooms: 2}
  - publish: {rate: 10/s, for: 2s, during: [{at: 500ms, reload: proxy}]}
  - fault: {stop: n1, for: 300ms}
  - fault: {disconnect: n2, for: 300ms}
  - fault: {disconnect: n1}
  - fault: {reconnect: n1}
  - fault: {restart: n2}
  - fault: {add: node}
  - fault: {kill: n1}
  - fault: {restart: n1}
  - connect: {clients: 20, rate: 50/s, rooms: 2}
checks:
  - handshake.failed == 0
`

func TestTheSameScenariosRunInContainers(t *testing.T) {
	dir, tmp := scratch(t, everyFault)
	own, err := filepath.Abs("../../nginx/testdata/own/nginx.conf") // which includes files beside it
	if err != nil {
		t.Fatal(err)
	}
	wsrig, env := inDocker(t, tmp)
	for _, row := range []struct{ name, proxies string }{
		{"smoke", "direct,haproxy:round-robin," + own},
		{"./interrupted.yaml", "haproxy:leastconn,nginx:least-conn"},
	} {
		out := runIn(t, dir, env, "0,3", wsrig, "run", row.name, "--runtime", "docker", "--proxy", row.proxies)
		for _, want := range []string{"docker runtime", "haproxy image " + dockertest.Images(t)["haproxy"]} {
			if !strings.Contains(strings.Join(strings.Fields(out), " "), want) {
				t.Errorf("%s: the report does not say %q:\n%s", row.name, want, out)
			}
		}
		if left := leftBehind(tmp); len(left) > 0 {
			t.Errorf("%s: left behind: %v", row.name, left)
		}
	}
}

func TestVersionsAreComparedSideBySide(t *testing.T) {
	dir, tmp := scratch(t, "")
	wsrig, env := inDocker(t, tmp)
	images := dockertest.Images(t)
	const second = "wsrig-second/haproxy:test"
	if out, err := exec.Command("docker", "tag", images["haproxy"], second).CombinedOutput(); err != nil {
		t.Fatalf("docker tag: %v\n%s", err, out)
	}
	t.Cleanup(func() {
		if out, err := exec.Command("docker", "rmi", second).CombinedOutput(); err != nil {
			t.Errorf("docker rmi: %v\n%s", err, out)
		}
	})
	out := runIn(t, dir, env, "0,3", wsrig, "run", "versions", "--runtime", "docker", "--proxy", "haproxy:round-robin",
		"--image", "haproxy="+images["haproxy"], "--image", "haproxy="+second, "--image", "redis="+images["redis"])
	for _, image := range []string{images["haproxy"], second} {
		if !strings.Contains(out, "haproxy:round-robin@image="+image) {
			t.Errorf("no cell with %s:\n%s", image, out)
		}
	}
}

// TestAKilledRunIsTakenDown kills wsrig run and has wsrig down remove what it left, and
// nothing of a run that lives.
func TestAKilledRunIsTakenDown(t *testing.T) {
	for _, runtime := range []string{"process", "docker"} {
		t.Run(runtime, func(t *testing.T) {
			needProxy(t, "haproxy")
			dir, tmp := scratch(t, strings.Replace(interrupted, "PROXY", "haproxy:round-robin", 1))
			wsrig, env := wsrigBinary, append(os.Environ(), "TMPDIR="+tmp)
			if runtime == "docker" {
				wsrig, env = inDocker(t, tmp)
			}
			run := startRun(t, dir, env, wsrig, "run", "./interrupted.yaml", "--runtime", runtime)
			run.awaitLine(t, "connect")
			if out := runIn(t, dir, env, "0", wsrig, "down"); !strings.Contains(out, "in use: folder "+tmp) {
				t.Errorf("down does not name the live run:\n%s", out)
			}
			if err := run.cmd.Process.Kill(); err != nil {
				t.Fatal(err)
			}
			<-run.done
			if left := leftBehind(tmp); len(left) == 0 {
				t.Error("the killed run left nothing, so this test shows nothing")
			}
			out := runIn(t, dir, env, "0", wsrig, "down")
			if !strings.Contains(out, "removed: folder "+tmp) {
				t.Errorf("down printed:\n%s", out)
			}
			if left := leftBehind(tmp); len(left) > 0 {
				t.Errorf("left behind: %v", left)
			}
			again := runIn(t, dir, env, "0", wsrig, "down")
			if strings.Contains(again, tmp) || runtime == "docker" && strings.Contains(again, "of process "+strconv.Itoa(run.cmd.Process.Pid)) {
				t.Errorf("down, once more:\n%s", again)
			}
		})
	}
}

// TestAKilledUpIsTakenDown kills wsrig up, whose logs go with the rest.
func TestAKilledUpIsTakenDown(t *testing.T) {
	needProxy(t, "haproxy")
	dir, tmp := scratch(t, "")
	env := append(os.Environ(), "TMPDIR="+tmp, "DOCKER_HOST=unix://"+filepath.Join(dir, "none.sock"))
	up := startRun(t, dir, env, wsrigBinary, "up", "--nodes", "1", "--bus", "none", "--port", "0")
	up.awaitLine(t, "Ctrl-C ends all of it")
	if err := up.cmd.Process.Kill(); err != nil {
		t.Fatal(err)
	}
	<-up.done
	if out := runIn(t, dir, env, "0", wsrigBinary, "down"); !strings.Contains(out, "removed: folder "+tmp) {
		t.Errorf("down printed:\n%s", out)
	}
	if left := leftBehind(tmp); len(left) > 0 {
		t.Errorf("left behind: %v", left)
	}
}

func TestDownAllEndsALiveRun(t *testing.T) {
	needProxy(t, "haproxy")
	dir, tmp := scratch(t, strings.Replace(interrupted, "PROXY", "haproxy:round-robin", 1))
	env := append(os.Environ(), "TMPDIR="+tmp, "DOCKER_HOST=unix://"+filepath.Join(dir, "none.sock"))
	run := startRun(t, dir, env, wsrigBinary, "run", "./interrupted.yaml")
	run.awaitLine(t, "connect")
	out := runIn(t, dir, env, "0", wsrigBinary, "down", "--all")
	if !strings.Contains(out, "ending: folder "+tmp) {
		t.Errorf("down --all does not name what it ends:\n%s", out)
	}
	if code := run.exitCode(t); code != exitInterrupted {
		t.Errorf("exit code %d, want %d", code, exitInterrupted)
	}
	if left := leftBehind(tmp); len(left) > 0 {
		t.Errorf("left behind: %v", left)
	}
}

package main

import (
	"net"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
)

// TestADaemonThatCannotBeUsedIsToldWithItsFix runs against sockets that behave as
// such daemons do.
func TestADaemonThatCannotBeUsedIsToldWithItsFix(t *testing.T) {
	for _, row := range []struct {
		sentence string
		serve    func(t *testing.T, l net.Listener)
		mode     os.FileMode
		stranger bool // run as a user who may not open the socket
		want     string
	}{
		{"it does not answer", func(*testing.T, net.Listener) {}, 0o777, false, "no answer within"},
		{"it is too old", servesOldAPI, 0o777, false, "install Docker 20.10 or newer"},
		{"this user may not use it", func(*testing.T, net.Listener) {}, 0o600, true, "usermod -aG docker"},
	} {
		t.Run(row.sentence, func(t *testing.T) {
			t.Parallel()
			// Not below the test's name: a socket's path is short, and others may reach it.
			dir, err := os.MkdirTemp("", "d-")
			if err != nil {
				t.Fatal(err)
			}
			t.Cleanup(func() { os.RemoveAll(dir) })
			if err := os.Chmod(dir, 0o777); err != nil {
				t.Fatal(err)
			}
			socket := filepath.Join(dir, "s")
			l, err := net.Listen("unix", socket)
			if err != nil {
				t.Fatal(err)
			}
			t.Cleanup(func() { l.Close() })
			if err := os.Chmod(socket, row.mode); err != nil {
				t.Fatal(err)
			}
			row.serve(t, l)
			cmd := exec.CommandContext(t.Context(), wsrigBinary, "run", "smoke", "--runtime", "docker")
			cmd.Dir, cmd.Env = dir, append(os.Environ(), "DOCKER_HOST=unix://"+socket, "TMPDIR="+dir, "HOME="+dir)
			if row.stranger {
				if os.Geteuid() != 0 {
					t.Skip("needs root, to be another user")
				}
				cmd.Path = readableCopy(t, dir)
				cmd.SysProcAttr = &syscall.SysProcAttr{Credential: &syscall.Credential{Uid: 65534, Gid: 65534}}
			}
			out, _ := cmd.CombinedOutput() // its status is looked at
			if code := cmd.ProcessState.ExitCode(); code != exitTestbed || !strings.Contains(string(out), row.want) {
				t.Errorf("exit code %d, want %d and %q; it printed:\n%s", code, exitTestbed, row.want, out)
			}
		})
	}
}

// servesOldAPI answers as Docker 18.09 does, whose API is 1.39.
func servesOldAPI(t *testing.T, l net.Listener) {
	s := &http.Server{Handler: http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		w.Header().Set("Api-Version", "1.39")
		w.Header().Set("Ostype", "linux")
		if strings.HasSuffix(r.URL.Path, "/_ping") {
			return
		}
		http.Error(w, `{"message":"client version 1.41 is too new. Maximum supported API version is 1.39"}`, http.StatusBadRequest)
	})}
	done := make(chan struct{})
	go func() {
		defer close(done)
		_ = s.Serve(l) // ends with Close
	}()
	t.Cleanup(func() { s.Close(); <-done })
}

// readableCopy is the program where every user may run it.
func readableCopy(t *testing.T, dir string) string {
	t.Helper()
	program, err := os.ReadFile(wsrigBinary)
	if err != nil {
		t.Fatal(err)
	}
	path := filepath.Join(dir, "wsrig")
	if err := os.WriteFile(path, program, 0o755); err != nil {
		t.Fatal(err)
	}
	return path
}

// TestWithoutADaemon hides the socket, and has the library look for one by itself, as it
// does where DOCKER_HOST is not set.
func TestWithoutADaemon(t *testing.T) {
	const hide = "mount -t tmpfs none /run && exec "
	if out, err := exec.Command("unshare", "-m", "sh", "-c", hide+"true").CombinedOutput(); err != nil {
		t.Skipf("needs the right to mount, to hide the daemon: %v: %s", err, out)
	}
	dir := t.TempDir()
	for _, row := range []struct{ sentence, path, want string }{
		{"Docker is not installed", dir, "install Docker 20.10 or newer"},
		{"Docker is installed and not started", withDocker(t), "start it (service docker start"},
	} {
		t.Run(row.sentence, func(t *testing.T) {
			cmd := exec.CommandContext(t.Context(), "unshare", "-m", "sh", "-c", hide+"env PATH="+row.path+" "+wsrigBinary+" run smoke --runtime docker")
			cmd.Dir, cmd.Env = dir, append(os.Environ(), "DOCKER_HOST=", "TMPDIR="+dir, "HOME="+dir)
			out, _ := cmd.CombinedOutput() // its status is looked at
			text := string(out)
			if code := cmd.ProcessState.ExitCode(); code != exitTestbed || !strings.Contains(text, "there is none: DOCKER_HOST is not set") || !strings.Contains(text, row.want) {
				t.Errorf("exit code %d, want %d and %q; it printed:\n%s", code, exitTestbed, row.want, text)
			}
		})
	}
}

// withDocker is a folder with a docker command.
func withDocker(t *testing.T) string {
	t.Helper()
	dir := t.TempDir()
	if err := os.WriteFile(filepath.Join(dir, "docker"), []byte("#!/bin/sh\n"), 0o755); err != nil {
		t.Fatal(err)
	}
	return dir
}

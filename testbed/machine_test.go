package testbed_test

import (
	"errors"
	"io/fs"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"wsrig/testbed"
)

// machine stands in for a computer with apt: a PATH of small scripts that write down
// how they are called, and the few files an install looks at.
type machine struct {
	t         *testing.T
	bin, root string
	installer *testbed.Installer
}

// say records a call together with whether services may start at that moment.
const say = `if [ -e "$MACHINE/policy-rc.d" ]; then p=forbidden; else p=allowed; fi
echo "$(basename "$0") $* [$p]" >> "$MACHINE/calls"
`

// bring does what unpacking does: there are the programs and their init scripts.
const bring = `for p in haproxy redis-server; do for f in "$MACHINE/init.d/$p" "${0%/*}/$p"; do
	[ -e "$f" ] || { echo '#!/bin/sh' > "$f"; chmod 755 "$f"; }
done; done`

func newMachine(t *testing.T, uid int) *machine {
	t.Helper()
	need(t, "sh")
	m := &machine{t: t, bin: t.TempDir(), root: t.TempDir()}
	for _, dir := range []string{"init.d", "installed"} {
		if err := os.Mkdir(filepath.Join(m.root, dir), 0o755); err != nil {
			t.Fatal(err)
		}
	}
	// The scripts need some ordinary programs, and nothing else is to be found.
	for _, name := range []string{"sh", "env", "basename", "chmod", "rm", "touch", "sleep", "true"} {
		path, err := exec.LookPath(name)
		if err != nil {
			t.Fatal(err)
		}
		if err := os.Symlink(path, filepath.Join(m.bin, name)); err != nil {
			t.Fatal(err)
		}
	}
	t.Setenv("PATH", m.bin)
	t.Setenv("MACHINE", m.root)
	m.script("apt-get", say+`case "$*" in *--download-only*) ;; *) `+bring+` ;; esac`)
	m.script("dpkg-query", `eval last=\${$#}
if [ -e "$MACHINE/installed/$last" ]; then echo installed; else echo "no packages found" >&2; exit 1; fi`)
	m.script("systemctl", say)
	m.script("update-rc.d", say)
	m.script("sudo", `echo "sudo $*" >> "$MACHINE/sudo-calls"; shift; exec "$@"`)
	m.installer = testbed.NewInstaller(os.Stderr)
	m.installer.UID = func() int { return uid }
	m.installer.PolicyFile = filepath.Join(m.root, "policy-rc.d")
	m.installer.InitDir = filepath.Join(m.root, "init.d")
	m.installer.SystemdDir = filepath.Join(m.root, "systemd")
	return m
}

func (m *machine) script(name, text string) {
	m.t.Helper()
	if err := os.WriteFile(filepath.Join(m.bin, name), []byte("#!/bin/sh\n"+text+"\n"), 0o755); err != nil {
		m.t.Fatal(err)
	}
}

func (m *machine) remove(name string) {
	m.t.Helper()
	if err := os.Remove(filepath.Join(m.bin, name)); err != nil {
		m.t.Fatal(err)
	}
}

func (m *machine) touch(name, text string) {
	m.t.Helper()
	if err := os.WriteFile(filepath.Join(m.root, name), []byte(text), 0o755); err != nil {
		m.t.Fatal(err)
	}
}

// calls are the lines written by the scripts, shortened to what tests look at.
func (m *machine) calls() []string {
	m.t.Helper()
	text, err := os.ReadFile(filepath.Join(m.root, "calls"))
	if err != nil && !errors.Is(err, fs.ErrNotExist) {
		m.t.Fatal(err)
	}
	var calls []string
	for line := range strings.Lines(string(text)) {
		line = strings.TrimSpace(line)
		switch {
		case strings.Contains(line, "--download-only"):
			line = "download " + line[strings.LastIndex(line, " install ")+len(" install "):]
		case strings.Contains(line, " install "):
			line = "install " + line[strings.LastIndex(line, " install ")+len(" install "):]
		case strings.Contains(line, " update"):
			line = "update"
		}
		calls = append(calls, line)
	}
	return calls
}

func (m *machine) wantCalls(want ...string) {
	m.t.Helper()
	if got := m.calls(); strings.Join(got, "\n") != strings.Join(want, "\n") {
		m.t.Errorf("calls:\n  %s\nwant:\n  %s", strings.Join(got, "\n  "), strings.Join(want, "\n  "))
	}
}

func (m *machine) wantNoPolicy() {
	m.t.Helper()
	if _, err := os.Stat(m.installer.PolicyFile); !errors.Is(err, fs.ErrNotExist) {
		m.t.Errorf("the file that forbids services to start is left (%v)", err)
	}
}

package testbed_test

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"wsrig/testbed"
)

var twoNeeds = []testbed.Need{{Binary: "haproxy", Package: "haproxy"}, testbed.RedisNeed}

func TestInstallKeepsServicesOff(t *testing.T) {
	const download, install = "download haproxy redis-server [forbidden]", "install haproxy redis-server [forbidden]"
	for _, c := range []struct {
		name    string
		uid     int
		prepare func(*machine)
		want    []string
	}{
		{"root, systemd runs", 0, func(m *machine) { m.touch("systemd", "") }, []string{download, install,
			"systemctl stop haproxy [forbidden]", "systemctl disable haproxy [forbidden]",
			"systemctl stop redis-server [forbidden]", "systemctl disable redis-server [forbidden]"}},
		{"root in a container, systemd does not run", 0, func(*machine) {}, []string{download, install,
			"systemctl disable haproxy [forbidden]", "systemctl disable redis-server [forbidden]"}},
		{"root, no systemd at all", 0, func(m *machine) { m.remove("systemctl") }, []string{download, install,
			"update-rc.d haproxy disable [forbidden]", "update-rc.d redis-server disable [forbidden]"}},
		{"a user whose sudo asks for no password", 1000, func(*machine) {}, []string{download, install,
			"systemctl disable haproxy [forbidden]", "systemctl disable redis-server [forbidden]"}},
		{"a package that was there before keeps its service", 0, func(m *machine) { m.touch("installed/haproxy", "") }, []string{download, install,
			"systemctl disable redis-server [forbidden]"}},
		{"package lists that are too old are read first", 0, func(m *machine) {
			m.script("apt-get", say+`case "$*" in
*update*) touch "$MACHINE/updated" ;;
*) [ -e "$MACHINE/updated" ] || exit 100 ;;
esac
`+bring)
		}, []string{download, "update", download, install,
			"systemctl disable haproxy [forbidden]", "systemctl disable redis-server [forbidden]"}},
	} {
		t.Run(c.name, func(t *testing.T) {
			m := newMachine(t, c.uid)
			c.prepare(m)
			if err := m.installer.Install(testContext(t), twoNeeds); err != nil {
				t.Fatal(err)
			}
			m.wantCalls(c.want...)
			m.wantNoPolicy()
		})
	}
}

func TestInstallUsesSudoForAllThatNeedsRoot(t *testing.T) {
	m := newMachine(t, 1000)
	if err := m.installer.Install(testContext(t), twoNeeds); err != nil {
		t.Fatal(err)
	}
	text, err := os.ReadFile(filepath.Join(m.root, "sudo-calls"))
	if err != nil {
		t.Fatal(err)
	}
	for _, want := range []string{"sudo -n true", "sudo -n env DEBIAN_FRONTEND=noninteractive apt-get", "sudo -n sh -c", "sudo -n rm -f", "sudo -n systemctl disable haproxy"} {
		if !strings.Contains(string(text), want) {
			t.Errorf("no call of %q in:\n%s", want, text)
		}
	}
}

func TestInstallLeavesAForeignPolicyAlone(t *testing.T) {
	for _, booted := range []bool{false, true} {
		t.Run(fmt.Sprintf("systemd runs: %v", booted), func(t *testing.T) {
			m := newMachine(t, 0)
			if booted {
				m.touch("systemd", "")
			}
			const policy = "#!/bin/sh\nexit 0 # somebody else's\n"
			m.touch("policy-rc.d", policy)
			// It allows services to start, so that they have to be stopped.
			m.touch("init.d/haproxy", "#!/bin/sh\n"+say)
			if err := m.installer.Install(testContext(t), twoNeeds[:1]); err != nil {
				t.Fatal(err)
			}
			if got, err := os.ReadFile(m.installer.PolicyFile); string(got) != policy {
				t.Errorf("the policy is now %q (%v)", got, err)
			}
			stop := "haproxy stop [forbidden]"
			if booted {
				stop = "systemctl stop haproxy [forbidden]"
			}
			m.wantCalls("download haproxy [forbidden]", "install haproxy [forbidden]", stop, "systemctl disable haproxy [forbidden]")
		})
	}
}

func TestInstallSaysWhatToDoWhereItMayNot(t *testing.T) {
	const command = "apt-get install -y --no-install-recommends haproxy redis-server"
	for _, c := range []struct {
		name    string
		prepare func(*machine)
		why     string
		command string
	}{
		{"sudo asks for a password", func(m *machine) { m.script("sudo", "exit 1") }, "password", "sudo " + command},
		{"no sudo", func(m *machine) { m.remove("sudo") }, "no sudo", command + "   (as root)"},
		{"no apt", func(m *machine) { m.remove("apt-get") }, "no apt-get", ""},
	} {
		t.Run(c.name, func(t *testing.T) {
			m := newMachine(t, 1000)
			c.prepare(m)
			err := m.installer.Install(testContext(t), twoNeeds)
			var cannot *testbed.CannotInstallError
			if !errors.As(err, &cannot) {
				t.Fatalf("got %v, want a *CannotInstallError", err)
			}
			if !strings.Contains(cannot.Why, c.why) || cannot.Command != c.command || len(cannot.Missing) != 2 {
				t.Errorf("got %+v", cannot)
			}
			for _, want := range []string{"haproxy, redis-server", c.command, "docker", "--proxy direct"} {
				if !strings.Contains(err.Error(), want) {
					t.Errorf("the message lacks %q:\n%v", want, err)
				}
			}
			m.wantCalls()
			m.wantNoPolicy()
		})
	}
}

func TestInstallThatFailsCleansUp(t *testing.T) {
	for _, c := range []struct{ name, apt, want string }{
		{"nothing can be downloaded", say + `case "$*" in *update*) ;; *) exit 100 ;; esac`, "download"},
		{"the package lists cannot be read", say + "exit 100", "apt-get update"},
		{"unpacking fails halfway", say + `case "$*" in *--download-only*) ;; *) touch "$MACHINE/init.d/haproxy"; exit 100 ;; esac`, "exit status 100"},
		{"apt succeeds without the program", say, "not in PATH"},
	} {
		t.Run(c.name, func(t *testing.T) {
			m := newMachine(t, 0)
			m.script("apt-get", c.apt)
			err := m.installer.Install(testContext(t), twoNeeds)
			if err == nil || !strings.Contains(err.Error(), c.want) {
				t.Errorf("the error lacks %q: %v", c.want, err)
			}
			m.wantNoPolicy()
			if c.want == "exit status 100" {
				m.wantCalls("download haproxy redis-server [forbidden]", "install haproxy redis-server [forbidden]", "systemctl disable haproxy [forbidden]")
			}
		})
	}
	t.Run("a half-written policy goes too", func(t *testing.T) {
		m := newMachine(t, 0)
		m.remove("chmod")
		if err := m.installer.Install(testContext(t), twoNeeds); err == nil {
			t.Error("the policy could not be written, and there is no error")
		}
		m.wantCalls()
		m.wantNoPolicy()
	})
	t.Run("dpkg-query does not work", func(t *testing.T) {
		m := newMachine(t, 0)
		m.script("dpkg-query", "exit 2")
		// Not knowing what was there before, it could turn off somebody's service.
		if err := m.installer.Install(testContext(t), twoNeeds); err == nil || !strings.Contains(err.Error(), "dpkg-query") {
			t.Errorf("got %v", err)
		}
		m.wantCalls()
	})
}

func TestInstallThatIsInterrupted(t *testing.T) {
	for _, c := range []struct {
		name, apt string
		want      []string
	}{
		{"while it downloads: at once", say + `touch "$MACHINE/reached"; exec sleep 60`, []string{"download haproxy [forbidden]"}},
		{"while it unpacks: when that is done", say + `case "$*" in *--download-only*) exit 0 ;; esac
touch "$MACHINE/reached"; sleep 1; touch "$MACHINE/init.d/haproxy"; echo unpacked >> "$MACHINE/calls"`,
			[]string{"download haproxy [forbidden]", "install haproxy [forbidden]", "unpacked", "systemctl disable haproxy [forbidden]"}},
	} {
		t.Run(c.name, func(t *testing.T) {
			m := newMachine(t, 0)
			m.script("apt-get", c.apt)
			ctx, cancel := context.WithCancelCause(testContext(t))
			interrupt := errors.New("interrupted by a person")
			go func() {
				for ctx.Err() == nil {
					if _, err := os.Stat(filepath.Join(m.root, "reached")); err == nil {
						cancel(interrupt)
					}
					time.Sleep(5 * time.Millisecond)
				}
			}()
			if err := m.installer.Install(ctx, twoNeeds[:1]); err == nil {
				t.Error("no error")
			} else if len(c.want) == 1 && !errors.Is(err, interrupt) {
				t.Errorf("got %v, want %v", err, interrupt)
			}
			m.wantCalls(c.want...)
			m.wantNoPolicy()
		})
	}
}

func TestMissingAndCommand(t *testing.T) {
	newMachine(t, 0)
	needs := []testbed.Need{{Binary: "sh", Package: "dash"}, {Binary: "nginx", Package: "nginx"}, {Binary: "nginx", Package: "nginx"}, testbed.RedisNeed}
	missing := testbed.Missing(needs)
	if len(missing) != 2 || missing[0].Binary != "nginx" || missing[1] != testbed.RedisNeed {
		t.Errorf("missing are %v", missing)
	}
	if got, want := testbed.Command(missing, true), "sudo apt-get install -y --no-install-recommends nginx redis-server"; got != want {
		t.Errorf("got %q, want %q", got, want)
	}
}

func TestWithSystemPrograms(t *testing.T) {
	for path, want := range map[string]string{
		"":                              "",
		"/opt/tools":                    "/opt/tools",
		"/usr/local/bin:/usr/bin:/bin":  "/usr/local/bin:/usr/bin:/bin:/usr/local/sbin:/usr/sbin:/sbin",
		"/usr/sbin:/usr/bin:/sbin:/bin": "/usr/sbin:/usr/bin:/sbin:/bin",
	} {
		if got := testbed.WithSystemPrograms(path); got != want {
			t.Errorf("%q becomes %q, want %q", path, got, want)
		}
	}
}

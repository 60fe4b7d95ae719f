package testbed

import (
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"
)

// strayUnit is a process group that works in dir, as a unit whose rig is dead.
func strayUnit(t *testing.T, dir string) *exec.Cmd {
	t.Helper()
	// The shell ignores TERM and so does the sleep that it starts.
	cmd := exec.Command("sh", "-c", `trap "" TERM; echo up; while :; do sleep 1; done`)
	cmd.Dir, cmd.SysProcAttr = dir, &syscall.SysProcAttr{Setpgid: true}
	out, err := cmd.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		_ = syscall.Kill(-cmd.Process.Pid, syscall.SIGKILL) // gone, unless the test failed
		_ = cmd.Wait()
	})
	if _, err := out.Read(make([]byte, 2)); err != nil {
		t.Fatal(err)
	}
	return cmd
}

// deadOwner is a process that has ended.
func deadOwner(t *testing.T) Owner {
	t.Helper()
	cmd := exec.Command("sleep", "60")
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	o, err := findProcess(cmd.Process.Pid)
	if err != nil {
		t.Fatal(err)
	}
	if !o.Alive() {
		t.Errorf("%v runs and counts as dead", o)
	}
	_ = cmd.Process.Kill()
	_ = cmd.Wait() // killed
	if o.Alive() {
		t.Errorf("%v has ended and counts as alive", o)
	}
	return o
}

// leftIn makes a working directory with a record, below a folder for temporary files
// of the test's own.
func leftIn(t *testing.T, owner Owner) (dir string) {
	t.Helper()
	t.Setenv("TMPDIR", t.TempDir())
	dir, err := os.MkdirTemp("", workPrefix)
	if err != nil {
		t.Fatal(err)
	}
	if err := writeRecord(dir, record{Owner: owner}); err != nil {
		t.Fatal(err)
	}
	return dir
}

// removeLeftovers finds what is left, removes all of it and tells of what kinds it was.
func removeLeftovers(t *testing.T) (kinds []string) {
	t.Helper()
	found, err := Leftovers(t.Context(), nil)
	if err != nil {
		t.Fatal(err)
	}
	for _, l := range found {
		kinds = append(kinds, l.Kind)
		if l.Live() {
			t.Errorf("%s counts as in use", l)
		}
		if err := l.Remove(t.Context()); err != nil {
			t.Error(err)
		}
	}
	return kinds
}

func TestUnitsOfADeadRunAreEnded(t *testing.T) {
	dir := leftIn(t, deadOwner(t))
	cmd := strayUnit(t, dir)
	if err := recordUnit(dir, "n1", cmd.Process.Pid); err != nil {
		t.Fatal(err)
	}
	ended := make(chan error, 1)
	go func() { ended <- cmd.Wait() }()
	if got := strings.Join(removeLeftovers(t), " "); got != "unit folder" {
		t.Errorf("found %q, want the unit and the folder", got)
	}
	select {
	case <-ended:
	case <-time.After(10 * time.Second):
		t.Error("the unit still runs")
	}
	if _, err := os.Stat(dir); !os.IsNotExist(err) {
		t.Errorf("the folder is left: %v", err)
	}
}

func TestAStrangerWithTheNumberOfAUnitIsLeftAlone(t *testing.T) {
	dir := leftIn(t, deadOwner(t))
	// The number of the unit's first process was given to a process elsewhere.
	stranger := strayUnit(t, t.TempDir())
	now, err := findProcess(stranger.Process.Pid)
	if err != nil {
		t.Fatal(err)
	}
	earlier := now
	earlier.Start = "1"
	if err := writeRecord(dir, record{Owner: deadOwner(t), Units: map[string]Owner{"n1": earlier}}); err != nil {
		t.Fatal(err)
	}
	if got := strings.Join(removeLeftovers(t), " "); got != "folder" {
		t.Errorf("found %q, want the folder only", got)
	}
	if !now.Alive() {
		t.Error("the stranger was killed")
	}
}

func TestALiveRunIsKnownAsSuch(t *testing.T) {
	self, err := thisProcess()
	if err != nil {
		t.Fatal(err)
	}
	dir := leftIn(t, self)
	// Not of this program: nobody knows whose it is.
	nobodys := filepath.Join(os.TempDir(), workPrefix+"nobodys")
	if err := os.Mkdir(nobodys, 0o755); err != nil {
		t.Fatal(err)
	}
	found, err := Leftovers(t.Context(), nil)
	if err != nil || len(found) != 1 || !found[0].Live() || found[0].Name != dir {
		t.Errorf("found %v, error %v; want the folder %s, in use", found, err, dir)
	}
	elsewhere := self
	elsewhere.Space = self.Space + "1"
	if !elsewhere.Alive() {
		t.Error("a process of another namespace cannot be looked at, and counts as dead")
	}
	before := self
	before.Space = "another-boot/1"
	if before.Alive() {
		t.Error("a process of an earlier boot counts as alive")
	}
}

func TestAnOwnerReadsBack(t *testing.T) {
	o, err := thisProcess()
	if err != nil {
		t.Fatal(err)
	}
	if got, err := parseOwner(o.String()); err != nil || got != o {
		t.Errorf("%q reads back as %v, error %v", o, got, err)
	}
	for _, bad := range []string{"", "1", "x y z", "0 a b", "1 a b c"} {
		if got, err := parseOwner(bad); err == nil {
			t.Errorf("%q reads as %v", bad, got)
		}
	}
}

package testbed

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"strconv"
	"syscall"
	"time"

	"golang.org/x/sys/unix"
)

// setProcessGroup makes cmd the head of a process group and lets the kernel end it
// when the thread that starts it does.
func setProcessGroup(cmd *exec.Cmd) {
	cmd.SysProcAttr = &syscall.SysProcAttr{Setpgid: true, Pdeathsig: syscall.SIGTERM}
}

// awaitExit returns when cmd's process has ended, and leaves it to be waited for, so
// that its number is not given to another process yet (waitid(2), WNOWAIT).
func awaitExit(cmd *exec.Cmd) {
	for {
		err := unix.Waitid(unix.P_PID, cmd.Process.Pid, nil, unix.WEXITED|unix.WNOWAIT, nil)
		switch {
		case err == nil:
			return
		case !errors.Is(err, unix.EINTR):
			_ = cmd.Wait()
			return
		}
	}
}

// procStat is what the rig reads of /proc/PID/stat (proc_pid_stat(5)).
type procStat struct {
	pid     int
	state   byte
	group   int
	threads int
	cpu     time.Duration // with that of children it has waited for
	start   int64         // clock ticks since the boot
	rss     uint64        // bytes
}

// clockTick is the unit of times in /proc, USER_HZ: 1/100 s on every Linux that Go
// runs on (time(7)).
const clockTick = time.Second / 100

// readStat reads one process, or one thread of it, by its directory below /proc; ok
// is false when it is gone.
func readStat(pid int, dir string) (s procStat, ok bool) {
	text, err := os.ReadFile("/proc/" + dir + "/stat")
	if err != nil {
		return procStat{}, false
	}
	// The fields behind the command, which may itself hold spaces and brackets.
	fields := bytes.Fields(text[bytes.LastIndexByte(text, ')')+1:])
	if len(fields) < 22 {
		return procStat{}, false
	}
	number := func(i int) int64 {
		n, err := strconv.ParseInt(string(fields[i]), 10, 64)
		ok = ok && err == nil
		return n
	}
	ok = true
	s = procStat{pid: pid, state: fields[0][0], group: int(number(2)), threads: int(number(17))}
	s.cpu = time.Duration(number(11)+number(12)+number(13)+number(14)) * clockTick
	s.start = number(19)
	s.rss = uint64(number(21)) * uint64(os.Getpagesize())
	return s, ok
}

// over tells whether a process has ended. One whose first thread is a zombie has not
// as long as others of its threads are on their way out, and hold its sockets.
func (s procStat) over() bool { return (s.state == 'Z' || s.state == 'X') && s.threads <= 1 }

// groupStats reads every process of a group that has not ended. Zombies are left
// out: orphans are reaped by whatever adopted them, in its own time.
func groupStats(pgid int) ([]procStat, error) {
	proc, err := os.Open("/proc")
	if err != nil {
		return nil, err
	}
	defer proc.Close()
	names, err := proc.Readdirnames(-1)
	if err != nil {
		return nil, err
	}
	var members []procStat
	for _, name := range names {
		pid, err := strconv.Atoi(name)
		if err != nil {
			continue
		}
		if s, ok := readStat(pid, name); ok && s.group == pgid && !s.over() {
			members = append(members, s)
		}
	}
	return members, nil
}

// groupAlive tells whether the group has a process that has not ended.
func groupAlive(pgid int) bool {
	if errors.Is(syscall.Kill(-pgid, 0), syscall.ESRCH) {
		return false
	}
	members, err := groupStats(pgid)
	return err != nil || len(members) > 0
}

// groupStopped tells whether every thread of the group has stopped.
func groupStopped(pgid int) bool {
	members, err := groupStats(pgid)
	if err != nil {
		return false
	}
	for _, m := range members {
		dir := strconv.Itoa(m.pid) + "/task"
		threads, err := os.ReadDir("/proc/" + dir)
		if err != nil {
			continue // killed meanwhile
		}
		for _, thread := range threads {
			if s, ok := readStat(m.pid, dir+"/"+thread.Name()); ok && s.state != 'T' && s.state != 'Z' && s.state != 'X' {
				return false
			}
		}
	}
	return true
}

// groupUsage adds up what the processes of a group use. CPU of workers that have
// ended is in their parent's count, so a reload does not make it fall.
func groupUsage(_ context.Context, pgid int) (Usage, error) {
	members, err := groupStats(pgid)
	if err != nil {
		return Usage{}, fmt.Errorf("read /proc: %w", err)
	}
	var u Usage
	for _, m := range members {
		fds, sockets := descriptors(m.pid)
		u.CPU += m.cpu
		u.RSS += m.rss
		u.FDs += fds
		u.Sockets += sockets
		u.Procs++
	}
	return u, nil
}

// descriptors counts the open descriptors of a process and the sockets among them;
// both are 0 for a process of another user.
func descriptors(pid int) (fds, sockets int) {
	dir := "/proc/" + strconv.Itoa(pid) + "/fd"
	d, err := os.Open(dir)
	if err != nil {
		return 0, 0
	}
	defer d.Close()
	names, err := d.Readdirnames(-1)
	if err != nil {
		return 0, 0
	}
	// One buffer for all: there are tens of thousands, once a second.
	var target [len("socket:")]byte
	for _, n := range names {
		if k, err := unix.Readlink(dir+"/"+n, target[:]); err == nil && string(target[:k]) == "socket:" {
			sockets++
		}
	}
	return len(names), sockets
}

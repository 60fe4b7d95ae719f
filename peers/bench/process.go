//go:build linux

package main

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"syscall"
	"time"

	"golang.org/x/sys/unix"
)

// process is a program and its children, in a process group of their own.
type process struct {
	name  string
	out   string // file of what it printed on standard output
	log   string // and on standard error
	cmd   *exec.Cmd
	ended chan struct{}
	err   error // how it ended; valid once ended is closed
}

// command is a program to start.
type command struct {
	name string
	core int // the only one it may use; anyCore for all
	argv []string
	env  []string // added to this process's
}

// anyCore does not pin a program.
const anyCore = -1

// start starts a program on its core. It dies with this process, and end ends it.
func (b *bench) start(c command) (*process, error) {
	out, err := os.CreateTemp(b.dir, c.name+"-*.out")
	if err != nil {
		return nil, err
	}
	defer out.Close()
	log, err := os.CreateTemp(b.dir, c.name+"-*.log")
	if err != nil {
		return nil, err
	}
	defer log.Close()
	argv := c.argv
	if c.core != anyCore {
		argv = append([]string{"taskset", "-c", strconv.Itoa(c.core)}, argv...)
	}
	p := &process{name: c.name, out: out.Name(), log: log.Name(), ended: make(chan struct{})}
	p.cmd = exec.Command(argv[0], argv[1:]...)
	p.cmd.Dir, p.cmd.Env = b.dir, append(os.Environ(), c.env...)
	p.cmd.Stdout, p.cmd.Stderr = out, log
	p.cmd.SysProcAttr = &syscall.SysProcAttr{Setpgid: true, Pdeathsig: syscall.SIGKILL}
	if err := p.cmd.Start(); err != nil {
		return nil, fmt.Errorf("start %s: %w", c.name, err)
	}
	go func() {
		p.err = p.cmd.Wait()
		close(p.ended)
	}()
	return p, nil
}

// quitWithin is how long a process may take to end once asked.
const quitWithin = 10 * time.Second

// end ends the process and its children: first politely, if ask is set. Its group's
// id is its own, and no other process can have it before it has been waited for.
func (p *process) end(ask bool) {
	select {
	case <-p.ended:
	default:
		if ask {
			_ = p.cmd.Process.Signal(syscall.SIGTERM) // it may have ended meanwhile
			select {
			case <-p.ended:
			case <-time.After(quitWithin):
			}
		}
	}
	group := p.cmd.Process.Pid
	_ = syscall.Kill(-group, syscall.SIGKILL) // fails when nothing is left
	<-p.ended
	// Its children are this process's now (see adopt), killed, and soon to be waited for.
	for over := time.Now().Add(quitWithin); time.Now().Before(over); time.Sleep(time.Millisecond) {
		if _, err := unix.Wait4(-group, nil, unix.WNOHANG, nil); err == unix.ECHILD {
			return
		}
	}
}

// adopt makes this process the parent of those whose parent has ended, so that what a
// generator's scripts leave behind can be waited for (PR_SET_CHILD_SUBREAPER, prctl(2)).
func adopt() error { return unix.Prctl(unix.PR_SET_CHILD_SUBREAPER, 1, 0, 0, 0) }

// over tells whether the process has ended by itself, and with what on its lips.
func (p *process) over() error {
	select {
	case <-p.ended:
		text := "exit status 0"
		if p.err != nil {
			text = p.err.Error()
		}
		return fmt.Errorf("%s ended early: %s; its last lines: %s", p.name, text, p.lastLines())
	default:
		return nil
	}
}

// lastLines is the end of what the process printed.
func (p *process) lastLines() string {
	text, err := os.ReadFile(p.log)
	if err == nil && len(bytes.TrimSpace(text)) == 0 {
		text, err = os.ReadFile(p.out)
	}
	if err != nil {
		return err.Error()
	}
	lines := strings.Split(strings.TrimSpace(string(text)), "\n")
	return strings.Join(lines[max(0, len(lines)-3):], " | ")
}

// listening waits for the line in which a server of this project says where it
// listens.
func (p *process) listening(ctx context.Context) (addr string, err error) {
	err = await(ctx, 10*time.Second, p.name+" to listen", func() (bool, error) {
		text, err := os.ReadFile(p.out)
		if err != nil {
			return false, err
		}
		line, _, whole := bytes.Cut(text, []byte("\n"))
		var l struct{ Msg, Addr string }
		if whole && json.Unmarshal(line, &l) == nil && l.Msg == "listening" {
			addr = l.Addr
			return true, nil
		}
		return false, p.over()
	})
	return addr, err
}

// await asks ok again and again until it is true, fails, or the time is over.
func await(ctx context.Context, within time.Duration, what string, ok func() (bool, error)) error {
	over := time.NewTimer(within)
	defer over.Stop()
	tick := time.NewTicker(50 * time.Millisecond)
	defer tick.Stop()
	for {
		if done, err := ok(); done || err != nil {
			return err
		}
		select {
		case <-tick.C:
		case <-over.C:
			return fmt.Errorf("waited %s for %s", within, what)
		case <-ctx.Done():
			return ctx.Err()
		}
	}
}

// rest does nothing for a while.
func rest(ctx context.Context, d time.Duration) error {
	t := time.NewTimer(d)
	defer t.Stop()
	select {
	case <-t.C:
		return nil
	case <-ctx.Done():
		return ctx.Err()
	}
}

// usage is what a process and its children have taken.
type usage struct {
	rss float64 // resident bytes now
	cpu float64 // seconds so far, user and system
	at  time.Time
}

// clockTicks is the unit of the CPU times of proc(5): USER_HZ, 100 on every Linux.
const clockTicks = 100

// usage sums over the process group.
func (p *process) usage() (usage, error) {
	stats, err := filepath.Glob("/proc/[0-9]*/stat")
	if err != nil {
		return usage{}, err
	}
	u, group := usage{at: time.Now()}, strconv.Itoa(p.cmd.Process.Pid)
	found := false
	for _, path := range stats {
		text, err := os.ReadFile(path)
		if err != nil {
			continue // it ended meanwhile
		}
		// The name, in parentheses, may hold anything; fields are counted behind it.
		fields := strings.Fields(string(text[bytes.LastIndexByte(text, ')')+1:]))
		if len(fields) < 22 || fields[2] != group || fields[0] == "Z" {
			continue // another's, or ended and not yet waited for
		}
		found = true
		for _, i := range []int{11, 12} { // utime and stime
			n, err := strconv.ParseFloat(fields[i], 64)
			if err != nil {
				return usage{}, fmt.Errorf("%s: %w", path, err)
			}
			u.cpu += n / clockTicks
		}
		pages, err := strconv.ParseFloat(fields[21], 64)
		if err != nil {
			return usage{}, fmt.Errorf("%s: %w", path, err)
		}
		u.rss += pages * float64(os.Getpagesize())
	}
	if !found {
		return usage{}, errors.Join(fmt.Errorf("%s is gone", p.name), p.over())
	}
	return u, nil
}

// cores is how many cores were used between two readings.
func cores(from, to usage) float64 {
	return (to.cpu - from.cpu) / to.at.Sub(from.at).Seconds()
}

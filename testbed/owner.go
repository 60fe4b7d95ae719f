package testbed

import (
	"fmt"
	"os"
	"strconv"
	"strings"
)

// Owner is a process, named so that no later one is taken for it: numbers of
// processes are used again.
type Owner struct {
	PID   int    `json:"pid"`   // as its own namespace numbers it
	Space string `json:"space"` // which boot and which namespace of processes
	Start string `json:"start"` // when it was started, as the kernel counts
}

// thisProcess is this very process.
func thisProcess() (Owner, error) { return findProcess(os.Getpid()) }

// findProcess is the process that has a number now.
func findProcess(pid int) (Owner, error) {
	space, err := processSpace()
	if err != nil {
		return Owner{}, fmt.Errorf("tell processes apart: %w", err)
	}
	start, err := startOf(pid)
	if err != nil {
		return Owner{}, fmt.Errorf("process %d: %w", pid, err)
	}
	return Owner{pid, space, start}, nil
}

// String is "PID SPACE START", which parseOwner reads.
func (o Owner) String() string { return fmt.Sprintf("%d %s %s", o.PID, o.Space, o.Start) }

func parseOwner(s string) (Owner, error) {
	f := strings.Fields(s)
	if len(f) != 3 {
		return Owner{}, fmt.Errorf("%q names no process", s)
	}
	pid, err := strconv.Atoi(f[0])
	if err != nil || pid <= 0 {
		return Owner{}, fmt.Errorf("%q names no process", s)
	}
	return Owner{pid, f[1], f[2]}, nil
}

// foreign tells whether the process is of another namespace of this boot, as within a
// container, where its number means nothing here.
func (o Owner) foreign() bool {
	space, err := processSpace()
	if err != nil {
		return true
	}
	boot, _, _ := strings.Cut(space, "/")
	return o.Space != space && strings.HasPrefix(o.Space, boot+"/")
}

// Alive tells whether the process still runs. One that cannot be looked at from here
// counts as alive.
func (o Owner) Alive() bool {
	if o.foreign() {
		return true
	}
	now, err := findProcess(o.PID)
	return err == nil && now == o
}

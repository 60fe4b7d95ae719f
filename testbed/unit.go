package testbed

import (
	"context"
	"fmt"
	"net"
	"strconv"
	"time"
)

// Role is the part a unit plays.
type Role string

// The roles of units.
const (
	RoleRedis  Role = "redis"
	RoleNode   Role = "node"
	RoleProxy  Role = "proxy"
	RoleWorker Role = "worker"
)

// Self as a Unit's Binary stands for this program itself.
const Self = "wsrig"

// Unit is one program as it is asked for, on any runtime.
type Unit struct {
	Name   string // unique within the testbed: redis, n1, proxy, worker1
	Role   Role
	Binary string   // a name looked up in PATH, or a path; Self for this program
	Image  string   // container image instead of the docker runtime's own for Binary
	Args   []string // addresses come from Runtime.Reserve
	Env    []string // KEY=value, beside PATH, HOME, LANG and TMPDIR, or what the image sets
	Files  []File   // written into the unit's directory before it starts
	// WorkDir is where the program starts: "" in the unit's directory, else there,
	// relative to this program's.
	WorkDir string
	Reads   []string // directories of this machine that its files name; a container gets them read-only
	// Network names a network that the unit shares with others: they have one address,
	// and all their ports are reserved under this name. "" is one of its own.
	Network string
	Ports   map[string]Port
	Ready   func(context.Context, Instance) error // one probe; nil once it serves
	// StopSignal ends the unit in an orderly way ("": TERM); StopGrace later it is
	// killed, with 0 at once.
	StopSignal Signal
	StopGrace  time.Duration
	Limits     UnitLimits
}

// setStopSignal fills in the stop signal, which must be one there is.
func (u *Unit) setStopSignal() error {
	if u.StopSignal == "" {
		u.StopSignal = SigTerm
	}
	if _, ok := signals[u.StopSignal]; !ok {
		return fmt.Errorf("%s: unknown stop signal %q", u.Name, u.StopSignal)
	}
	return nil
}

// UnitLimits bound what a unit may use of the machine. A runtime that cannot keep a
// limit refuses to start the unit.
type UnitLimits struct {
	CPU    float64 // cores, all processes of the unit together; 0 sets no limit
	Memory uint64  // bytes, all processes of the unit together; 0 sets no limit
}

// File is a file of a unit. Name is relative to the unit's directory.
type File struct {
	Name string
	Data []byte
}

// Port is a reserved port of a unit.
type Port struct {
	Listen string // what the unit binds, host:port
	Peer   string // what other units dial
	Host   string // what this program dials; on loopback
}

// Inside is the port on the unit's own loopback, for addresses of a configuration that
// both ends of are within the unit.
func (p Port) Inside() string {
	_, number := splitAddr(p.Listen)
	return net.JoinHostPort("127.0.0.1", strconv.Itoa(number))
}

// Signal is a signal by its operator's name.
type Signal string

// The signals that drivers and faults send.
const (
	SigTerm Signal = "TERM"
	SigKill Signal = "KILL"
	SigQuit Signal = "QUIT"
	SigHup  Signal = "HUP"
	SigUsr1 Signal = "USR1"
	SigUsr2 Signal = "USR2"
	SigStop Signal = "STOP"
	SigCont Signal = "CONT"
)

// Runtime is where units run. Implementations are safe for concurrent use.
type Runtime interface {
	// Name is process or docker.
	Name() string
	// Sources gives n different addresses that clients within the named network, see
	// Unit.Network, may connect from; n is at most MaxSources. Of 1 or fewer there are
	// none: the kernel chooses. It comes before any Reserve.
	Sources(ctx context.Context, network string, n int) ([]string, error)
	// Reserve binds free ports for a unit, or for a network that units share, and keeps them until Close, so that no
	// other program can take them in between. want maps a port's name to a fixed
	// port number, or to 0 for any free one. On error none is kept.
	Reserve(ctx context.Context, unit string, want map[string]int) (map[string]Port, error)
	// Dir is the directory that unit will work in; it exists from now on.
	Dir(unit string) (string, error)
	// Lookup tells whether u's program is there; a *MissingBinaryError if not.
	Lookup(ctx context.Context, u Unit) error
	// Run of Programs takes a directory by Dir, or "" for none.
	Programs
	// Start starts u and waits until it is ready, dead, or ctx ends. On any
	// error nothing of the unit is left running. The error of a unit that died
	// is an *ExitError, that of one that lives and does not serve a
	// *NotReadyError. Two units that run have two names.
	Start(ctx context.Context, u Unit) (Instance, error)
	// Close ends every instance that is left and frees all ports and files.
	Close(ctx context.Context) error
}

// Instance is a unit that was started.
type Instance interface {
	Unit() Unit
	// Dir is the unit's directory.
	Dir() string
	// LogPath is the file with everything the unit printed.
	LogPath() string
	// PID is the unit's first process, or 0 where there is none on this host.
	PID() int
	// OwnPID is the number of the first process as the unit itself sees it: PID, or 1
	// in a container.
	OwnPID() int
	// Signal sends s to the unit's first process (STOP, CONT and KILL: to all of
	// its processes, as a crash or a freeze of the machine would). After STOP all of
	// them stand still.
	Signal(s Signal) error
	// Done is closed when the unit has ended: its first process by itself or by a
	// signal, and with it, killed, whatever other process of it was left.
	Done() <-chan struct{}
	// Exit says how it ended; nil while it runs.
	Exit() *ExitError
	// Expect says that the unit is about to end on purpose.
	Expect()
	// Restart starts the unit again with the same ports, after it ended or was
	// stopped, and waits until it is ready.
	Restart(ctx context.Context) error
	// Stop ends it: StopSignal, then KILL after StopGrace. Stopping twice is fine.
	Stop(ctx context.Context) error
	// Usage samples all of its processes.
	Usage(ctx context.Context) (Usage, error)
}

// Usage is one sample of what a unit uses, all of its processes together.
type Usage struct {
	CPU     time.Duration // used so far, user and system
	RSS     uint64        // bytes
	FDs     int
	Sockets int
	Procs   int
}

// ExitError is the end of a unit: what a person needs to see why.
type ExitError struct {
	Unit    string
	Status  string   // "exit status 1", "signal: killed"
	Tail    []string // last lines of its log
	LogPath string
	Asked   bool // somebody asked for it: Expect or Stop came first
}

// Error names the unit, how it ended, and the end of its log.
func (e *ExitError) Error() string {
	s := fmt.Sprintf("%s ended: %s; log: %s", e.Unit, e.Status, e.LogPath)
	for _, l := range e.Tail {
		s += "\n    | " + l
	}
	return s
}

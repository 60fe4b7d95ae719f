package testbed

import (
	"errors"
	"fmt"
	"net"
	"os"
	"runtime"
	"slices"
	"strconv"
	"syscall"

	psnet "github.com/shirou/gopsutil/v4/net"
	ps "github.com/shirou/gopsutil/v4/process"
)

// holdsPorts: a second socket may bind a port that a first one has bound and does
// not listen on, if both set SO_REUSEADDR (socket(7)). So says Linux only; BSD and
// macOS would refuse the unit.
const holdsPorts = runtime.GOOS == "linux"

// reservePort binds a port of 127.0.0.1 and does not listen on it. The unit can
// still bind it, while the kernel gives it to nobody who asks for a free one, be it
// to listen or to connect from. The descriptor holds the reservation. Where ports
// cannot be held fd is -1, and the port was merely free.
func reservePort(number int) (fd int, addr string, err error) {
	if number < 0 || number > 65535 {
		return -1, "", fmt.Errorf("%d is no port number; use 1 to 65535, or 0 for any free one", number)
	}
	fd, err = bindExclusive(number)
	if errors.Is(err, syscall.EADDRINUSE) {
		return -1, "", fmt.Errorf("127.0.0.1:%d is in use%s; choose another port, or 0 for any free one", number, portOwner(number))
	}
	if err != nil {
		return -1, "", fmt.Errorf("reserve port %d: %w", number, err)
	}
	sa, err := syscall.Getsockname(fd)
	if err != nil {
		return -1, "", fmt.Errorf("reserve port %d: %w", number, errors.Join(os.NewSyscallError("getsockname", err), syscall.Close(fd)))
	}
	if !holdsPorts {
		if err := syscall.Close(fd); err != nil {
			return -1, "", fmt.Errorf("reserve port %d: %w", number, os.NewSyscallError("close", err))
		}
		fd = -1
	}
	return fd, net.JoinHostPort("127.0.0.1", strconv.Itoa(sa.(*syscall.SockaddrInet4).Port)), nil
}

// bindExclusive binds a port that no other socket has bound, and only then lets
// others bind it too. A HAProxy that listens would share the port with the unit's
// without a word (SO_REUSEPORT), and a second rig may hold it just as this one does.
func bindExclusive(number int) (fd int, err error) {
	fd, err = bindLoopback(number, false)
	if !errors.Is(err, syscall.EADDRINUSE) || number == 0 {
		return fd, err
	}
	// Connections of an earlier run in TIME_WAIT forbid the bind as well, which is
	// what SO_REUSEADDR is for. They are on the kernel's list; a socket that is
	// bound and neither listens nor is connected is not.
	fd, err = bindLoopback(number, true)
	if err != nil {
		return -1, err
	}
	if conns, listErr := psnet.Connections("tcp"); listErr == nil &&
		!slices.ContainsFunc(conns, func(c psnet.ConnectionStat) bool { return int(c.Laddr.Port) == number }) {
		return -1, errors.Join(syscall.EADDRINUSE, syscall.Close(fd))
	}
	return fd, nil
}

// bindLoopback returns a socket bound to 127.0.0.1 with SO_REUSEADDR set, before the
// bind or, to be the only one, after it.
func bindLoopback(number int, shared bool) (fd int, err error) {
	// A process that is forked in between must not inherit the socket.
	syscall.ForkLock.RLock()
	fd, err = syscall.Socket(syscall.AF_INET, syscall.SOCK_STREAM, 0)
	if err == nil {
		syscall.CloseOnExec(fd)
	}
	syscall.ForkLock.RUnlock()
	if err != nil {
		return -1, os.NewSyscallError("socket", err)
	}
	reuse := func() error {
		return os.NewSyscallError("setsockopt", syscall.SetsockoptInt(fd, syscall.SOL_SOCKET, syscall.SO_REUSEADDR, 1))
	}
	bind := func() error {
		return os.NewSyscallError("bind", syscall.Bind(fd, &syscall.SockaddrInet4{Port: number, Addr: [4]byte{127, 0, 0, 1}}))
	}
	steps := []func() error{bind, reuse}
	if shared {
		slices.Reverse(steps)
	}
	for _, step := range steps {
		if err := step(); err != nil {
			return -1, errors.Join(err, syscall.Close(fd))
		}
	}
	return fd, nil
}

// portOwner names the process that listens on a port, as far as this user may see.
func portOwner(number int) string {
	conns, err := psnet.Connections("tcp")
	if err != nil {
		return ""
	}
	listens := false
	for _, c := range conns {
		if c.Status != "LISTEN" || int(c.Laddr.Port) != number || !coversLoopback(c.Laddr.IP) {
			continue
		}
		listens = true
		if c.Pid == 0 {
			continue // another user's, or shared with a process that is listed too
		}
		if p, err := ps.NewProcess(c.Pid); err == nil {
			if name, err := p.Name(); err == nil {
				return fmt.Sprintf(" by %s (process %d)", name, c.Pid)
			}
		}
		return fmt.Sprintf(" by process %d", c.Pid)
	}
	if !listens {
		return " by a socket that does not listen, perhaps of another rig that is about to start"
	}
	return ""
}

// coversLoopback tells whether a listener on ip takes connections to 127.0.0.1.
func coversLoopback(ip string) bool {
	addr := net.ParseIP(ip)
	return addr == nil || addr.IsUnspecified() || addr.Equal(net.IPv4(127, 0, 0, 1))
}

package testbed

import (
	"errors"
	"fmt"
	"net"
	"os"
	"strconv"
	"syscall"

	psnet "github.com/shirou/gopsutil/v4/net"
	ps "github.com/shirou/gopsutil/v4/process"
)

// reservePort binds a loopback port and does not listen on it. With SO_REUSEADDR
// on both sides another socket may bind the same port as long as this one does
// not listen (socket(7)), so the unit gets the port, while the kernel hands it to
// nobody who asks for a free one. The descriptor holds the reservation.
func reservePort(number int) (fd int, addr string, err error) {
	if number < 0 || number > 65535 {
		return 0, "", fmt.Errorf("%d is no port number; use 1 to 65535, or 0 for any free one", number)
	}
	fd, err = syscall.Socket(syscall.AF_INET, syscall.SOCK_STREAM, 0)
	if err != nil {
		return 0, "", fmt.Errorf("reserve a port: %w", os.NewSyscallError("socket", err))
	}
	syscall.CloseOnExec(fd)
	defer func() {
		if err != nil {
			syscall.Close(fd)
		}
	}()
	if err = syscall.SetsockoptInt(fd, syscall.SOL_SOCKET, syscall.SO_REUSEADDR, 1); err != nil {
		return 0, "", fmt.Errorf("reserve a port: %w", os.NewSyscallError("setsockopt", err))
	}
	err = syscall.Bind(fd, &syscall.SockaddrInet4{Port: number, Addr: [4]byte{127, 0, 0, 1}})
	if errors.Is(err, syscall.EADDRINUSE) {
		return 0, "", fmt.Errorf("127.0.0.1:%d is in use%s; choose another port, or 0 for any free one", number, portOwner(number))
	}
	if err != nil {
		return 0, "", fmt.Errorf("reserve port %d: %w", number, os.NewSyscallError("bind", err))
	}
	sa, err := syscall.Getsockname(fd)
	if err != nil {
		return 0, "", fmt.Errorf("reserve a port: %w", os.NewSyscallError("getsockname", err))
	}
	return fd, net.JoinHostPort("127.0.0.1", strconv.Itoa(sa.(*syscall.SockaddrInet4).Port)), nil
}

// portOwner names the process that listens on a port, as far as this user may see.
func portOwner(number int) string {
	conns, err := psnet.Connections("tcp")
	if err != nil {
		return ""
	}
	for _, c := range conns {
		if c.Status != "LISTEN" || int(c.Laddr.Port) != number || c.Pid == 0 {
			continue
		}
		if p, err := ps.NewProcess(c.Pid); err == nil {
			if name, err := p.Name(); err == nil {
				return fmt.Sprintf(" by %s (process %d)", name, c.Pid)
			}
		}
		return fmt.Sprintf(" by process %d", c.Pid)
	}
	return ""
}

package loadgen

import "golang.org/x/sys/unix"

// bindWithoutPort makes a bind to an address leave the choice of the port to the
// connect that follows, so that one address serves as many connections as there are
// ports for each destination, not in all (ip(7), IP_BIND_ADDRESS_NO_PORT).
func bindWithoutPort(fd int) error {
	return unix.SetsockoptInt(fd, unix.IPPROTO_IP, unix.IP_BIND_ADDRESS_NO_PORT, 1)
}

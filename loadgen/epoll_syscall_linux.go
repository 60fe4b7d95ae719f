package loadgen

import (
	"unsafe"

	"golang.org/x/sys/unix"
)

// The descriptors here do not block, so a read or write need not be announced to the
// Go scheduler, which would look for another thread to run meanwhile.

// readNow is read(2) on a descriptor that does not block.
func readNow(fd int, b []byte) (int, error) { return syscallNow(unix.SYS_READ, fd, b) }

// writeNow is write(2) on a descriptor that does not block.
func writeNow(fd int, b []byte) (int, error) { return syscallNow(unix.SYS_WRITE, fd, b) }

func syscallNow(number uintptr, fd int, b []byte) (int, error) {
	n, _, errno := unix.RawSyscall(number, uintptr(fd), uintptr(unsafe.Pointer(unsafe.SliceData(b))), uintptr(len(b)))
	if errno != 0 {
		return -1, errno
	}
	return int(n), nil
}

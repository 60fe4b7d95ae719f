//go:build linux

package main

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net"
	"os"
	"path/filepath"
	"strconv"
	"sync"
	"syscall"
	"time"

	"golang.org/x/sys/unix"
)

// The ceiling of fan-out: one small write(2) to each of many sockets in turn, and
// nothing else. The commands "bench drain" and "bench write ADDRESS SOCKETS BYTES" are
// its two sides, each a process on its core.

// writeFor is how long is written.
const writeFor = 4 * time.Second

// written is what the writing side prints.
type written struct {
	Writes  int64   `json:"writes"`
	CPU     float64 `json:"cpu_s"`
	Seconds float64 `json:"seconds"`
}

// drainAll accepts connections and reads them empty until ctx ends. It spins and never
// sleeps: the writer would pay for waking it up.
func drainAll(ctx context.Context, b *bench) (err error) {
	l, err := new(net.ListenConfig).Listen(ctx, "tcp", "127.0.0.1:0")
	if err != nil {
		return err
	}
	defer context.AfterFunc(ctx, func() { l.Close() })()
	epfd, err := unix.EpollCreate1(unix.EPOLL_CLOEXEC)
	if err != nil {
		return errors.Join(fmt.Errorf("epoll_create1: %w", err), l.Close())
	}
	if err := json.NewEncoder(b.out).Encode(map[string]string{"msg": "listening", "addr": l.Addr().String()}); err != nil {
		return errors.Join(err, l.Close(), unix.Close(epfd))
	}
	var emptying sync.WaitGroup
	emptying.Go(func() { readEmpty(ctx, epfd) })
	var files []*os.File // keeps the descriptors from being closed
	for err == nil {
		var f *os.File
		if f, err = acceptInto(epfd, l); err == nil {
			files = append(files, f)
		}
	}
	if ctx.Err() != nil {
		err = nil // told to stop
	}
	emptying.Wait()
	for _, f := range files {
		err = errors.Join(err, f.Close())
	}
	return errors.Join(err, unix.Close(epfd))
}

// acceptInto adds the next connection to an epoll set.
func acceptInto(epfd int, l net.Listener) (*os.File, error) {
	c, err := l.Accept()
	if err != nil {
		return nil, err
	}
	defer c.Close() // the file has a descriptor of its own
	f, err := c.(*net.TCPConn).File()
	if err != nil {
		return nil, err
	}
	fd := int(f.Fd())
	err = unix.SetNonblock(fd, true)
	if err == nil {
		err = unix.EpollCtl(epfd, unix.EPOLL_CTL_ADD, fd, &unix.EpollEvent{Events: unix.EPOLLIN, Fd: int32(fd)})
	}
	if err != nil {
		return nil, errors.Join(err, f.Close())
	}
	return f, nil
}

// readEmpty reads what has come, everywhere, until ctx ends.
func readEmpty(ctx context.Context, epfd int) {
	events, buffer := make([]unix.EpollEvent, 256), make([]byte, 64<<10)
	for ctx.Err() == nil {
		n, err := unix.EpollWait(epfd, events, 0)
		if err != nil && err != unix.EINTR {
			return // the set is gone
		}
		for _, e := range events[:max(n, 0)] {
			// At its end a connection leaves the set; else it would be told again.
			if n, err := unix.Read(int(e.Fd), buffer); n == 0 || err != nil && err != unix.EAGAIN && err != unix.EINTR {
				_ = unix.EpollCtl(epfd, unix.EPOLL_CTL_DEL, int(e.Fd), nil)
			}
		}
	}
}

// writeRoundRobin connects and writes.
func writeRoundRobin(ctx context.Context, b *bench) (err error) {
	if len(b.args) != 3 {
		return errors.New("write needs an address, a number of sockets and a number of bytes")
	}
	to, err := net.ResolveTCPAddr("tcp4", b.args[0])
	if err != nil {
		return err
	}
	n, err := strconv.Atoi(b.args[1])
	if err != nil || n < 1 {
		return fmt.Errorf("%q is no number of sockets", b.args[1])
	}
	size, err := strconv.Atoi(b.args[2])
	if err != nil || size < 1 {
		return fmt.Errorf("%q is no number of bytes", b.args[2])
	}
	sockets, err := connectAll(to, n)
	defer func() {
		for _, fd := range sockets {
			err = errors.Join(err, unix.Close(fd))
		}
	}()
	if err != nil {
		return err
	}
	message := make([]byte, size)
	var w written
	cpu, start := ownCPU(), time.Now()
	for ctx.Err() == nil && time.Since(start) < writeFor {
		for _, fd := range sockets {
			if _, err := unix.Write(fd, message); err != nil {
				return fmt.Errorf("write: %w", err)
			}
		}
		w.Writes += int64(n)
	}
	w.CPU, w.Seconds = ownCPU()-cpu, time.Since(start).Seconds()
	return json.NewEncoder(b.out).Encode(w)
}

// connectAll opens blocking sockets, as the plainest program would.
func connectAll(to *net.TCPAddr, n int) (sockets []int, err error) {
	addr := &unix.SockaddrInet4{Port: to.Port, Addr: [4]byte(to.IP.To4())}
	for range n {
		fd, err := unix.Socket(unix.AF_INET, unix.SOCK_STREAM|unix.SOCK_CLOEXEC, 0)
		if err != nil {
			return sockets, fmt.Errorf("socket: %w", err)
		}
		sockets = append(sockets, fd)
		err = unix.SetsockoptInt(fd, unix.IPPROTO_TCP, unix.TCP_NODELAY, 1)
		if err == nil {
			err = unix.Connect(fd, addr)
		}
		if err != nil {
			return sockets, fmt.Errorf("connect: %w", err)
		}
	}
	return sockets, nil
}

// ownCPU is what this process has used, in seconds.
func ownCPU() float64 {
	var ru syscall.Rusage
	if err := syscall.Getrusage(syscall.RUSAGE_SELF, &ru); err != nil {
		panic("bench: getrusage: " + err.Error()) // cannot fail with these arguments (getrusage(2))
	}
	return float64(ru.Utime.Nano()+ru.Stime.Nano()) / 1e9
}

// ceiling is the writes by each second of CPU, from the server's core to the other.
func (b *bench) ceiling(ctx context.Context, sockets, size int) (perCore float64, err error) {
	self, err := os.Executable()
	if err != nil {
		return 0, err
	}
	drain, err := b.start(command{name: "drain", core: generatorCore, argv: []string{self, "drain"}})
	if err != nil {
		return 0, err
	}
	defer drain.end(true)
	addr, err := drain.listening(ctx)
	if err != nil {
		return 0, err
	}
	write, err := b.start(command{
		name: "write", core: serverCore,
		argv: []string{filepath.Clean(self), "write", addr, strconv.Itoa(sockets), strconv.Itoa(size)},
	})
	if err != nil {
		return 0, err
	}
	defer write.end(true)
	var w written
	if err := write.answer(ctx, writeFor+30*time.Second, &w); err != nil {
		return 0, err
	}
	if w.Writes == 0 || !(w.CPU > 0) {
		return 0, errors.New("nothing was written")
	}
	return float64(w.Writes) / w.CPU, nil
}

// answer waits for a process to end and decodes what it printed.
func (p *process) answer(ctx context.Context, within time.Duration, into any) error {
	t := time.NewTimer(within)
	defer t.Stop()
	select {
	case <-p.ended:
	case <-t.C:
		return fmt.Errorf("%s did not end within %s; its last lines: %s", p.name, within, p.lastLines())
	case <-ctx.Done():
		return ctx.Err()
	}
	text, err := os.ReadFile(p.out)
	if err == nil {
		err = json.Unmarshal(text, into)
	}
	if err != nil {
		return errors.Join(fmt.Errorf("%s answered nothing that can be read: %w", p.name, err), p.over())
	}
	return nil
}

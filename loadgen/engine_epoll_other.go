//go:build !linux

package loadgen

// NewEpoll returns the portable engine: there is no epoll(7) here.
func NewEpoll() Engine { return NewPortable() }

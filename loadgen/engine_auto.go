package loadgen

import (
	"context"
	"fmt"
	"strings"
	"sync/atomic"
)

// Engines are the client engines by the names that people choose them by.
var engines = map[string]func() Engine{
	"auto":     NewAuto,
	"portable": NewPortable,
	"epoll":    NewEpoll,
}

// EngineNames are the names that NewEngine takes.
func EngineNames() string { return "auto, epoll or portable" }

// NewEngine returns a maker of an engine by name.
func NewEngine(name string) (func() Engine, error) {
	if e := engines[name]; e != nil {
		return e, nil
	}
	return nil, fmt.Errorf("unknown engine %q; use %s", name, EngineNames())
}

// auto dials with the epoll engine what that can do, and with the portable one the
// rest: wss://, and everything on systems without epoll.
type auto struct {
	epoll, portable         Engine
	usedEpoll, usedPortable atomic.Bool
}

// NewAuto returns the engine that chooses by itself.
func NewAuto() Engine { return &auto{epoll: NewEpoll(), portable: NewPortable()} }

// Name tells which engines were used.
func (a *auto) Name() string {
	var used []string
	if a.usedEpoll.Load() {
		used = append(used, a.epoll.Name())
	}
	if a.usedPortable.Load() {
		used = append(used, a.portable.Name())
	}
	if len(used) == 0 {
		return "none"
	}
	return strings.Join(used, "+")
}

// Dial implements Engine.
func (a *auto) Dial(ctx context.Context, d Dial, h Handler) error {
	if strings.HasPrefix(d.URL, "ws://") {
		a.usedEpoll.Store(true)
		return a.epoll.Dial(ctx, d, h)
	}
	a.usedPortable.Store(true)
	return a.portable.Dial(ctx, d, h)
}

// Wait implements Engine.
func (a *auto) Wait() {
	a.epoll.Wait()
	a.portable.Wait()
}

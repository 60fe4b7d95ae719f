package testbed_test

import (
	"context"
	"errors"
	"fmt"
	"net"
	"os"
	"strings"

	"wsrig/internal/result"
	"wsrig/testbed"
)

// standInProxy is a driver of a proxy that only listens, once all nodes do.
type standInProxy struct {
	testbed.Proxy // what no test here calls
	binary        string
	portsErr      error
	renderErr     error
	checkErr      error
	reloads       int
}

func (p *standInProxy) Ports(testbed.Source) ([]string, error) {
	return []string{"ws", "admin"}, p.portsErr
}

func (p *standInProxy) Render(src testbed.Source, in testbed.RenderInput) (testbed.Config, error) {
	return testbed.Config{Source: src, Text: fmt.Sprintf("rendered for %d nodes", len(in.Nodes)), Input: in}, p.renderErr
}

func (p *standInProxy) Check(_ context.Context, _ testbed.Run, _ testbed.Config, dir string) error {
	if _, err := os.Stat(dir); err != nil {
		return err
	}
	return p.checkErr
}

func (p *standInProxy) Unit(cfg testbed.Config) testbed.Unit {
	var nodes []string
	for _, n := range cfg.Input.Nodes {
		nodes = append(nodes, n.Addr)
	}
	listen := cfg.Input.Ports["ws"].Listen
	u := testbed.Unit{
		Binary: testbed.Self, Args: []string{"standinproxy", "-listen", listen, "-needs", strings.Join(nodes, ",")},
		StopGrace: patience,
		Files:     []testbed.File{{Name: "v.cfg", Data: []byte(cfg.Text)}},
		Ready:     func(ctx context.Context, _ testbed.Instance) error { return dial(ctx, listen) },
	}
	if p.binary != "" {
		u.Binary = p.binary
	}
	return u
}

func (p *standInProxy) Reload(context.Context, testbed.Instance) error { p.reloads++; return nil }

func (p *standInProxy) Declared(testbed.Config, string) (result.Declared, error) {
	return result.Declared{}, errors.New("no such path")
}

func (p *standInProxy) Stats(context.Context, testbed.Instance) (testbed.ProxyStats, error) {
	return testbed.ProxyStats{Open: 3}, nil
}

// interruptingProxy never serves, and ends the caller's patience at its first probe.
type interruptingProxy struct {
	standInProxy
	interrupt func()
}

func (p *interruptingProxy) Unit(cfg testbed.Config) testbed.Unit {
	u := p.standInProxy.Unit(cfg)
	u.Ready = func(context.Context, testbed.Instance) error {
		p.interrupt()
		return errors.New("not yet")
	}
	return u
}

func dial(ctx context.Context, addr string) error {
	conn, err := new(net.Dialer).DialContext(ctx, "tcp", addr)
	if err != nil {
		return err
	}
	return conn.Close()
}

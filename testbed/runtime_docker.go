package testbed

import (
	"context"
	"crypto/rand"
	"errors"
	"fmt"
	"net"
	"net/netip"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"sync"

	"github.com/testcontainers/testcontainers-go"
)

// DockerRuntime runs units as containers on a private network of its own. A unit
// listens on all addresses of its container, is known to the others by a fixed
// address of that network, and is published on 127.0.0.1 under the same port number.
// Its directory is mounted at the same path, so that configurations, logs and
// statistics are where they are for a local process. Containers run as this user.
type DockerRuntime struct {
	*workspace
	docker  *Docker
	run     string // id of this testbed, in names and labels
	network *testcontainers.DockerNetwork
	name    string // of the network
	subnet  netip.Prefix

	// gate is held for reading while a container is made or started, and by Close for
	// writing, so that a container is either never started or seen by Close.
	gate sync.RWMutex
	shut bool // guarded by gate

	addrs     map[string]netip.Addr // by unit or shared network; guarded by mu
	shared    map[string]*sharedNet // by name; guarded by mu
	sourced   string                // the shared network with many addresses; guarded by gate
	instances []*container          // guarded by mu

	closeOnce sync.Once
	closeErr  error
}

// NewRuntime returns a runtime with a network of its own. Units print to files in
// logDir, which stay; all else is removed by Close.
func (d *Docker) NewRuntime(ctx context.Context, logDir string) (*DockerRuntime, error) {
	space, err := newWorkspace(logDir)
	if err != nil {
		return nil, err
	}
	r := &DockerRuntime{
		workspace: space, docker: d, run: strings.ToLower(rand.Text()[:8]), addrs: map[string]netip.Addr{}, shared: map[string]*sharedNet{},
	}
	if err := writeRecord(space.workDir, record{Owner: d.owner}); err != nil {
		return nil, errors.Join(err, space.remove())
	}
	if err := r.makeNetwork(ctx); err != nil {
		return nil, errors.Join(err, space.remove())
	}
	return r, nil
}

// Name implements Runtime.
func (r *DockerRuntime) Name() string { return "docker" }

// Reserve implements Runtime. The ports are held on 127.0.0.1, where they will be
// published.
func (r *DockerRuntime) Reserve(_ context.Context, unit string, want map[string]int) (map[string]Port, error) {
	hosts, err := r.reserve(unit, want)
	if err != nil {
		return nil, err
	}
	addr, err := r.address(unit)
	if err != nil {
		return nil, err
	}
	sn := r.share(unit)
	sn.mu.Lock()
	defer sn.mu.Unlock()
	ports := make(map[string]Port, len(hosts))
	for name, host := range hosts {
		_, number := splitAddr(host)
		p := strconv.Itoa(number)
		ports[name] = Port{Listen: net.JoinHostPort("0.0.0.0", p), Peer: net.JoinHostPort(addr.String(), p), Host: host}
		sn.ports = append(sn.ports, ports[name])
	}
	return ports, nil
}

// address is the unit's in the private network: the same as long as the runtime lives,
// since proxies read their configuration once.
func (r *DockerRuntime) address(unit string) (netip.Addr, error) {
	r.mu.Lock()
	defer r.mu.Unlock()
	if a, ok := r.addrs[unit]; ok {
		return a, nil
	}
	n := firstHost + len(r.addrs)
	if n > lastHost {
		return netip.Addr{}, fmt.Errorf("%s: the private network has no address left; a testbed can have %d units", unit, lastHost-firstHost+1)
	}
	r.addrs[unit] = r.host(n)
	return r.addrs[unit], nil
}

// Lookup implements Runtime.
func (r *DockerRuntime) Lookup(ctx context.Context, u Unit) error {
	_, err := r.find(ctx, u)
	return err
}

// find is the image of a unit, which must be on this machine: Docker.Provide has seen
// to it, and a testbed must not wait for a download.
func (r *DockerRuntime) find(ctx context.Context, u Unit) (string, error) {
	if filepath.IsAbs(u.Binary) {
		return "", fmt.Errorf("%s: %s is a program of this machine, which a container does not have; name an image, or use --runtime process", u.Name, u.Binary)
	}
	image, err := r.docker.image(ctx, u)
	if err != nil || u.Binary == Self {
		return image, err
	}
	there, err := r.docker.hasImage(ctx, image)
	if err == nil && !there {
		err = &MissingBinaryError{Unit: u.Name, Binary: u.Binary, Err: fmt.Errorf("the image %s is not on this machine", image)}
	}
	return image, err
}

// Start implements Runtime.
func (r *DockerRuntime) Start(ctx context.Context, u Unit) (Instance, error) {
	image, err := r.find(ctx, u)
	if err != nil {
		return nil, err
	}
	if err := u.setStopSignal(); err != nil {
		return nil, err
	}
	if ctx.Err() != nil {
		return nil, fmt.Errorf("%s was not started: %w", u.Name, context.Cause(ctx))
	}
	keeper, err := r.keeper(ctx, u)
	if err != nil {
		return nil, err
	}
	c, err := r.create(ctx, u, image, keeper)
	if err != nil {
		return nil, err
	}
	if err := c.start(ctx); err != nil {
		// A unit of the same name may be tried again.
		return nil, errors.Join(err, c.discard(context.WithoutCancel(ctx)))
	}
	return c, nil
}

// create makes the unit's directory and its container, in the network of keeper unless
// that is nil.
func (r *DockerRuntime) create(ctx context.Context, u Unit, image string, keeper *container) (*container, error) {
	r.gate.RLock()
	defer r.gate.RUnlock()
	if r.shut {
		return nil, fmt.Errorf("%s: %w", u.Name, errClosed)
	}
	c, err := r.place(u)
	if err != nil {
		return nil, err
	}
	if c.keeper = keeper; keeper == nil {
		c.addr, err = r.address(u.Name)
	}
	if err == nil {
		c.box, err = r.docker.make(ctx, r.spec(c, image))
	}
	if err != nil {
		r.forget(c)
		return nil, fmt.Errorf("%s: %w", u.Name, err)
	}
	return c, nil
}

// place makes the unit's directory with its files.
func (r *DockerRuntime) place(u Unit) (*container, error) {
	r.mu.Lock()
	defer r.mu.Unlock()
	for i, c := range r.instances {
		if c.unit.Name != u.Name {
			continue
		}
		if c.runs() {
			return nil, fmt.Errorf("%s: a unit of this name runs already", u.Name)
		}
		// The container that had the name and the address is over.
		if err := c.terminate(context.Background()); err != nil {
			return nil, err
		}
		r.instances = slices.Delete(r.instances, i, i+1)
		break
	}
	dir, err := r.workspace.place(u)
	if err != nil {
		return nil, err
	}
	c := &container{runtime: r, unit: u, dir: dir, logPath: r.logPath(u.Name)}
	r.instances = append(r.instances, c)
	return c, nil
}

func (r *DockerRuntime) forget(c *container) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.instances = slices.DeleteFunc(r.instances, func(other *container) bool { return other == c })
}

// Run implements Runtime. The container has no network.
func (r *DockerRuntime) Run(ctx context.Context, u Unit, dir string) (string, error) {
	image, err := r.find(ctx, u)
	if err != nil {
		return "", err
	}
	r.gate.RLock()
	defer r.gate.RUnlock()
	if r.shut {
		return "", errClosed
	}
	return r.docker.runOnce(ctx, u, image, dir, r.docker.labels(r.run, u.Name))
}

// Close implements Runtime. It may be called more than once; each call returns when
// all is down.
func (r *DockerRuntime) Close(ctx context.Context) error {
	r.closeOnce.Do(func() { r.closeErr = r.close(ctx) })
	return r.closeErr
}

func (r *DockerRuntime) close(ctx context.Context) error {
	r.gate.Lock()
	r.shut = true // from here on nothing is started
	r.gate.Unlock()
	r.mu.Lock()
	r.closed = true // nor reserved or made
	all := slices.Clone(r.instances)
	r.mu.Unlock()
	var errs []error
	for _, c := range slices.Backward(all) {
		errs = append(errs, c.Stop(ctx))
	}
	removed := make(chan error)
	for _, c := range all {
		go func() { removed <- c.terminate(ctx) }()
	}
	for range all {
		errs = append(errs, <-removed)
	}
	errs = append(errs, r.removeNetwork(ctx), r.remove(), r.docker.provider.Close())
	return errors.Join(errs...)
}

// apiContext is for what must be done although the caller's time is over.
func apiContext(ctx context.Context) (context.Context, context.CancelFunc) {
	return context.WithTimeoutCause(context.WithoutCancel(ctx), apiTimeout, fmt.Errorf("the docker daemon did not answer within %s", apiTimeout))
}

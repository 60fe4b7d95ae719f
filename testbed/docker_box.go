package testbed

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"path/filepath"
	"strings"
	"syscall"
	"time"

	"github.com/containerd/errdefs"
	"github.com/moby/moby/api/pkg/stdcopy"
	api "github.com/moby/moby/api/types/container"
	"github.com/moby/moby/api/types/mount"
	"github.com/moby/moby/api/types/network"
	"github.com/moby/moby/client"
	"github.com/testcontainers/testcontainers-go"
)

// logGrace is how long the rest of an ended container's output may take to come.
const logGrace = 2 * time.Second

// boxSpec is a container as it is asked for.
type boxSpec struct {
	unit   Unit
	image  string
	dir    string // mounted and worked in; "" for none
	labels map[string]string
	name   string
	// network and endpoint are the private one; "" is none at all. Without an endpoint it
	// is that of another container.
	network  string
	endpoint *network.EndpointSettings
	// netAdmin lets the program set up its network, and nothing else: as root without any
	// other capability, since the kernel gives capabilities to no other user's program
	// by itself (capabilities(7), ambient set).
	netAdmin bool
}

// spec is the container of a unit.
func (r *DockerRuntime) spec(c *container, image string) boxSpec {
	s := boxSpec{
		unit: c.unit, image: image, dir: c.dir, labels: r.docker.labels(r.run, c.unit.Name),
		name: "wsrig-" + r.run + "-" + c.unit.Name, netAdmin: c.unit.Name == r.sourced,
	}
	if c.keeper != nil {
		s.unit.Ports, s.network = nil, "container:"+c.keeper.box.ID // which publishes them
	} else {
		s.network, s.endpoint = r.name, r.endpoint(c.addr)
	}
	return s
}

// make makes a container, which does not run yet.
func (d *Docker) make(ctx context.Context, s boxSpec) (*testcontainers.DockerContainer, error) {
	ctx, cancel := apiContext(ctx)
	defer cancel()
	resources, err := resourcesOf(s.unit.Limits)
	if err != nil {
		return nil, err
	}
	exposed, bindings := published(s.unit)
	program := s.unit.Binary
	if program == Self {
		program = selfPath
	}
	made, err := d.provider.CreateContainer(ctx, testcontainers.ContainerRequest{
		Image: s.image, Name: s.name, Labels: s.labels,
		Entrypoint: []string{program}, Cmd: s.unit.Args, ExposedPorts: exposed,
		ConfigModifier: func(c *api.Config) {
			c.User, c.WorkingDir = d.user, s.dir
			if s.netAdmin {
				c.User = "0:0"
			}
			if s.endpoint != nil || s.network == "" {
				c.Hostname = s.unit.Name // one that shares a network has its keeper's
			}
			c.Env = append(c.Env, s.unit.Env...)
		},
		HostConfigModifier: func(h *api.HostConfig) {
			h.NetworkMode, h.UsernsMode, h.PortBindings = "none", api.UsernsMode(d.userns), bindings
			if s.network != "" {
				h.NetworkMode = api.NetworkMode(s.network)
			}
			if s.netAdmin {
				h.CapDrop, h.CapAdd = []string{"ALL"}, []string{"NET_ADMIN"}
			}
			h.Resources = resources
			if s.dir != "" {
				h.Mounts = []mount.Mount{{Type: mount.TypeBind, Source: s.dir, Target: s.dir}}
			}
			for _, dir := range s.unit.Reads {
				h.Mounts = append(h.Mounts, mount.Mount{Type: mount.TypeBind, Source: dir, Target: dir, ReadOnly: true})
			}
		},
		EndpointSettingsModifier: func(e map[string]*network.EndpointSettings) {
			if s.endpoint != nil {
				e[s.network] = s.endpoint
			}
		},
	})
	if err != nil {
		return nil, errors.Join(makeError(err), d.scrap(ctx, made))
	}
	return made.(*testcontainers.DockerContainer), nil
}

// scrap removes a container that was made and cannot be used.
func (d *Docker) scrap(ctx context.Context, made testcontainers.Container) error {
	if box, ok := made.(*testcontainers.DockerContainer); ok && box != nil {
		ctx, cancel := apiContext(ctx)
		defer cancel()
		return box.Terminate(ctx, testcontainers.StopTimeout(0))
	}
	return nil
}

// makeError names the fix of a container that the daemon refuses.
func makeError(err error) error {
	if strings.Contains(err.Error(), "bind source path does not exist") {
		return &DockerError{"make the container", err,
			"the daemon must see this machine's files: use a daemon on this machine, or set TMPDIR to a folder that it shares"}
	}
	return fmt.Errorf("make the container: %w", err)
}

// resourcesOf are a unit's limits, CPU by the same short period as on the process
// runtime, and this process's own limit of descriptors: a daemon's default may be
// lower than a proxy with a few hundred clients needs.
func resourcesOf(l UnitLimits) (api.Resources, error) {
	var r api.Resources
	if l.CPU > 0 {
		period, slice, err := bandwidth(l.CPU)
		if err != nil {
			return r, err
		}
		r.CPUPeriod, r.CPUQuota = period.Microseconds(), slice.Microseconds()
	}
	if l.Memory > 0 {
		r.Memory, r.MemorySwap = int64(l.Memory), int64(l.Memory) // no swap on top
	}
	var files syscall.Rlimit
	if err := syscall.Getrlimit(syscall.RLIMIT_NOFILE, &files); err != nil {
		return r, fmt.Errorf("read the limit of descriptors: %w", err)
	}
	n := int64(min(uint64(files.Cur), 1<<20)) // the kernel's own limit, fs.nr_open
	r.Ulimits = []*api.Ulimit{{Name: "nofile", Soft: n, Hard: n}}
	return r, nil
}

// boxRun is one run of a container under way.
type boxRun struct {
	docker *Docker
	id     string
	pid    int
	ended  client.ContainerWaitResult
	cancel context.CancelFunc // of the wait
	conn   client.ContainerAttachResult
	log    io.WriteCloser
	logged chan struct{}
}

// boot starts a container, with everything it prints going to log, which is closed at
// its end.
func (d *Docker) boot(ctx context.Context, box *testcontainers.DockerContainer, log io.WriteCloser) (run *boxRun, err error) {
	defer func() {
		if err != nil {
			err = errors.Join(err, log.Close())
		}
	}()
	// Before the start, so that nothing is missed.
	conn, err := d.api.ContainerAttach(ctx, box.ID, client.ContainerAttachOptions{Stream: true, Stdout: true, Stderr: true})
	if err != nil {
		return nil, fmt.Errorf("read its output: %w", err)
	}
	wait, cancel := context.WithCancel(context.WithoutCancel(ctx))
	run = &boxRun{docker: d, id: box.ID, cancel: cancel, conn: conn, log: log, logged: make(chan struct{})}
	run.ended = d.api.ContainerWait(wait, box.ID, client.ContainerWaitOptions{Condition: api.WaitConditionNextExit})
	if err := box.Start(ctx); err != nil {
		conn.Close()
		cancel()
		return nil, err
	}
	go func() {
		// An error says that the connection was closed; what came is in the log.
		_, _ = stdcopy.StdCopy(log, log, conn.Reader)
		close(run.logged)
	}()
	if state, err := d.api.ContainerInspect(ctx, box.ID, client.ContainerInspectOptions{}); err == nil && state.Container.State != nil {
		run.pid = hostPID(box.ID, state.Container.State.Pid)
	}
	return run, nil
}

// wait returns how the run ended, once its output is in the log.
func (r *boxRun) wait() string {
	defer r.cancel()
	status := ""
	select {
	case end := <-r.ended.Result:
		status = exitStatus(end.StatusCode, r.ranOut())
	case err := <-r.ended.Error:
		status = fmt.Sprintf("unknown end: the docker daemon does not tell: %v", err)
	}
	grace := time.NewTimer(logGrace)
	defer grace.Stop()
	select {
	case <-r.logged:
	case <-grace.C:
	}
	r.conn.Close()
	<-r.logged
	if err := r.log.Close(); err != nil {
		status += fmt.Sprintf(" (its log is not complete: %v)", err)
	}
	return status
}

func (r *boxRun) ranOut() bool {
	ctx, cancel := apiContext(context.Background())
	defer cancel()
	got, err := r.docker.api.ContainerInspect(ctx, r.id, client.ContainerInspectOptions{})
	return err == nil && got.Container.State != nil && got.Container.State.OOMKilled
}

// Run implements Programs, for images that are on this machine.
func (d *Docker) Run(ctx context.Context, u Unit, dir string) (string, error) {
	image, err := d.image(ctx, u)
	if err != nil {
		return "", err
	}
	return d.runOnce(ctx, u, image, dir, d.labels("none", u.Name))
}

// runOnce runs a program to its end in a container without a network and returns
// what it printed.
func (d *Docker) runOnce(ctx context.Context, u Unit, image, dir string, labels map[string]string) (out string, err error) {
	if dir != "" {
		if dir, err = filepath.Abs(dir); err != nil {
			return "", err
		}
	}
	u.Ports = nil
	box, err := d.make(ctx, boxSpec{unit: u, image: image, dir: dir, labels: labels})
	if err != nil {
		return "", err
	}
	defer func() { err = errors.Join(err, d.scrap(ctx, box)) }()
	printed := &output{}
	run, err := d.boot(ctx, box, printed)
	if err != nil {
		if isMissingProgram(err) {
			err = &MissingBinaryError{Unit: u.Name, Binary: u.Binary, Err: fmt.Errorf("the image %s does not have it: %w", image, err)}
		}
		return "", err
	}
	ended := make(chan string, 1)
	go func() { ended <- run.wait() }()
	var status string
	select {
	case status = <-ended:
	case <-ctx.Done():
		stop, cancel := apiContext(ctx)
		defer cancel()
		_, err := d.api.ContainerKill(stop, box.ID, client.ContainerKillOptions{Signal: string(SigKill)})
		<-ended
		return printed.String(), errors.Join(context.Cause(ctx), err)
	}
	if status != exitStatus(0, false) {
		return printed.String(), &StatusError{status}
	}
	return printed.String(), nil
}

// output collects what a program prints.
type output struct{ bytes.Buffer }

// Close does nothing.
func (*output) Close() error { return nil }

// isMissingProgram tells whether a container could not be started because its image
// does not have the program.
func isMissingProgram(err error) bool {
	text := err.Error()
	return (errdefs.IsNotFound(err) || errdefs.IsInvalidArgument(err)) &&
		(strings.Contains(text, "executable file not found") || strings.Contains(text, "no such file or directory"))
}
